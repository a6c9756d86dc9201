#pragma once

#include <mpi.h>

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "parallel/communicator.hpp"

namespace diffphase {

/// The values [first, first + count) of a sum, which one rank gets.
struct ScatteredPiece {
  std::size_t first = 0;
  int count = 0;
};

/// A sum of two terms, of which the second may be missing (null): adding them where they are used saves a pass.
struct TwoTerms {
  const double* first = nullptr;
  const double* second = nullptr;
};

/// A sum over the ranks of which every rank gets a piece, in two halves, so that ranks that are not quite in step need
/// not wait for each other at every sum: what is started is sent while the next values are computed, and whoever has
/// the sum goes on before the others have it. Ranks add in rank order, so that a sum is the same every time. `Number`
/// is double or float: what values are sent as; they are added in double.
///
/// Several objects may have a sum under way on one communicator if all ranks start them in the same order; each has one
/// at a time. Messages have a tag of their own. Groups of more than most_direct_ranks take the collective, all of it in
/// start(), as messages between all pairs would be too many. Memory: in smaller groups the pieces that arrive, ranks
/// times the own count; in larger ones all pieces once more, as doubles; and, but for doubles of one or two ranks, the
/// own count as doubles.
template <typename Number>
class ScatteredSum {
 public:
  static constexpr int most_direct_ranks = 16;
  static constexpr std::size_t most_unsent = 3;  ///< sums whose values may be on their way

  /// `comm` must outlive it. pieces[r] goes to rank r; pieces may overlap. Larger groups than `direct_ranks` take the
  /// collective. Throws std::logic_error if there are not as many pieces as ranks. Local.
  ScatteredSum(const Communicator& comm, std::vector<ScatteredPiece> pieces, int direct_ranks = most_direct_ranks);
  ScatteredSum(const ScatteredSum&) = delete;
  ScatteredSum& operator=(const ScatteredSum&) = delete;
  /// Sums that are not finished, or whose values are not with all ranks (wait_sent), are given up: for exceptions.
  ~ScatteredSum();

  /// Starts the sum of `values`, which must stay as they are as long as what finish() returns is used, and until
  /// wait_sent(). Returns without waiting for anybody in small groups, but for ranks that have not finished the sum
  /// most_unsent before. Collective.
  void start(std::span<const Number> values);
  [[nodiscard]] bool started() const { return started_; }
  /// Waits for the sum: as many elements as the rank's piece, there until the next start(). In small groups the doubles
  /// of one rank are where they were, and those of two are left as the two terms. Collective.
  [[nodiscard]] TwoTerms finish();
  /// Waits until the values of all sums but the `most` that were started last are with the other ranks, which is when
  /// these have finished the sums at the latest. Not collective.
  void wait_sent(std::size_t most);

 private:
  [[nodiscard]] const ScatteredPiece& own() const { return pieces_[static_cast<std::size_t>(comm_.rank())]; }
  void start_collective(std::span<const Number> values);
  [[nodiscard]] bool leaves_terms() const { return std::is_same_v<Number, double> && comm_.size() <= 2; }
  [[nodiscard]] const Number* values_of(int rank) const;
  void add_pieces();

  const Communicator& comm_;
  std::vector<ScatteredPiece> pieces_;
  bool is_direct_;
  bool started_ = false;
  const Number* own_values_ = nullptr;  // this rank's piece of its own values
  std::vector<Number> received_;        // [rank][values of the own piece]
  std::vector<double> packed_;          // of a large group
  std::vector<double> sum_;
  std::vector<MPI_Request> receives_;
  std::array<std::vector<MPI_Request>, most_unsent> sends_;  // of the sums that were started last, in turn
  std::size_t next_send_ = 0;
};

}  // namespace diffphase
