#pragma once

#include <mpi.h>

#include <span>
#include <vector>

#include "parallel/communicator.hpp"

namespace diffphase {

/// Communicator::sum_scatter in two halves, so that ranks that are not quite in step need not wait for each other at
/// every sum: what is started is sent while the next values are computed. Ranks add in rank order, so that a sum is the
/// same every time. One sum at a time; its messages have a tag of their own.
///
/// `Number` is double or float: what values are sent as; they are added in double.
///
/// Groups of more than most_direct_ranks take the collective, all of it in start(), as messages between all pairs would
/// be too many. Memory: the pieces that arrive, ranks times the own count, in smaller groups; in larger ones the own
/// count and, of floats, all values once more as doubles.
template <typename Number>
class ScatteredSum {
 public:
  static constexpr int most_direct_ranks = 16;

  /// `comm` must outlive it. counts[r] values go to rank r. Larger groups than `direct_ranks` take the collective.
  /// Throws std::logic_error if there are not as many counts as ranks. Local.
  ScatteredSum(const Communicator& comm, std::vector<int> counts, int direct_ranks = most_direct_ranks);
  ScatteredSum(const ScatteredSum&) = delete;
  ScatteredSum& operator=(const ScatteredSum&) = delete;
  /// A sum that was started and not finished, because of an exception, is given up.
  ~ScatteredSum();

  /// Starts the sum of `values`, sorted by the rank that they go to; they must stay as they are until finish(). Returns
  /// without waiting for anybody (small groups). Collective.
  void start(std::span<const Number> values);
  [[nodiscard]] bool started() const { return started_; }
  /// Waits for the sum; `out` has counts[rank] elements. Collective.
  void finish(std::span<double> out);

 private:
  void start_collective(std::span<const Number> values);
  void add_pieces(std::span<double> out) const;

  const Communicator& comm_;
  std::vector<int> counts_;
  bool is_direct_;
  bool started_ = false;
  const Number* own_ = nullptr;   // this rank's piece of its own values
  std::vector<Number> received_;  // [rank][counts[own rank]]
  std::vector<double> sum_;       // of a large group
  std::vector<double> widened_;   // of a large group, values that are floats
  std::vector<MPI_Request> requests_;
};

}  // namespace diffphase
