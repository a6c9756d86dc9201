#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "parallel/task_group.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

/// Scores s(x) of a batch of points: [point][dimension] in and out.
using ScoreFunction = std::function<void(std::int64_t points, std::span<const double> x, std::span<double> scores)>;

/// What the rows of a score matrix are, with z_i standard normal:
///  - plain: s(x_0 + sigma z_i)
///  - centred: the same minus their mean, which takes away the score at x_0, a matrix of rank 1 that may sit among the
///    singular values of the tangent directions
///  - antithetic: (s(x_0 + sigma z_i) - s(x_0 - sigma z_i))/2, which takes it away exactly where the score is linear,
///  for
///    twice as many scores
enum class ScoreRows { plain, centred, antithetic };

/// Who evaluates a score.
enum class ScoreCall {
  each_rank,  ///< every rank its own points, local; may throw
  together    ///< all ranks the same points, collective; must not throw on some ranks only; all scores on every rank
};

struct ScoreMatrixSettings {
  std::int64_t probes = 0;  ///< rows; 0: 4 d, as the paper has it
  double sigma = 1.0;       ///< standard deviation of the noise at which the score is taken
  ScoreRows rows = ScoreRows::centred;
  ScoreCall call = ScoreCall::each_rank;
  std::int64_t batch = 64;  ///< points per call at most
};

/// Scores of points about x_0, whose rows are split over the ranks in contiguous pieces, in rank order.
struct ScoreMatrix {
  std::int64_t rows = 0;  ///< of all ranks
  std::int64_t columns = 0;
  std::vector<double> values;  ///< this rank's rows, row-major
};

/// The probes z_i are row i of `stream`, the same on any number of ranks. Collective over the group, with an agreement
/// point per batch; throws std::invalid_argument, GroupError, Stopped on every rank. Memory per rank: rows x d / ranks,
/// and 2 batches of points (3 for antithetic rows).
[[nodiscard]] ScoreMatrix score_matrix(const TaskGroup& group, std::span<const double> x0, const ScoreFunction& score,
                                       const RandomStream& stream, const ScoreMatrixSettings& settings);

}  // namespace diffphase
