#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "parallel/task_group.hpp"

namespace diffphase {

enum class TallMethod { automatic, gram, tsqr };

struct TallSettings {
  double accuracy = 1e-8;  ///< relative, of every value that is asked for
  double floor = 0.0;      ///< values below this fraction of the largest need not be accurate
  TallMethod method = TallMethod::automatic;
};

/// All singular values of a tall matrix.
struct TallSingularValues {
  std::vector<double> values;  ///< descending; as many as the matrix has rows or columns, whichever are fewer
  std::string method;          ///< "gram" or "tsqr"
  std::string reason;
  double condition = 0.0;       ///< largest over smallest value, as far as the method sees it; may be infinite
  double relative_error = 0.0;  ///< estimated, of the smallest value that is asked for
  double frobenius = 0.0;       ///< |A|_F from the entries: the root of the sum of squared values
};

/// Singular values of the matrix whose rows are split over the ranks in any way: `rows` has this rank's, row-major,
/// `columns` numbers each; a rank may have none.
///
///  - gram: eigenvalues of A^T A, M n^2 operations in dsyrk. The relative error of a value s is about
///    eps (s_1/s)^2, because A^T A has rounding errors of order eps s_1^2.
///  - tsqr: QR factorisations of the rows in pieces, then of pairs of triangles along a binary tree of ranks, then the
///    singular values of the last triangle (dgesdd): relative error of order eps s_1/s, 2 M n^2 operations,
///    three times the time.
///  - automatic: gram, kept if the values that it finds say that it suffices for the accuracy asked for; else tsqr.
///
/// The same numbers on every rank. Collective over the group, with agreement points between pieces of about half a
/// second (one LAPACK call on an n x n matrix is never divided); throws std::invalid_argument, GroupError, Stopped on
/// every rank. Memory per rank: 2 n x n (gram), 3 n x n and at most 4096 rows (tsqr); the matrix is not changed.
[[nodiscard]] TallSingularValues tall_singular_values(const TaskGroup& group, std::int64_t columns,
                                                      std::span<const double> rows, const TallSettings& settings = {});

}  // namespace diffphase
