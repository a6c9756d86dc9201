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
/// Groups of more than most_direct_ranks take the collective, all of it in start(), as messages between all pairs would
/// be too many. Memory: the pieces that arrive, as many numbers as `values`, in smaller groups.
class ScatteredSum {
 public:
  static constexpr int most_direct_ranks = 16;

  /// `comm` must outlive it. counts[r] values go to rank r. Throws std::logic_error if there are not as many counts as
  /// ranks. Local.
  ScatteredSum(const Communicator& comm, std::vector<int> counts);
  ScatteredSum(const ScatteredSum&) = delete;
  ScatteredSum& operator=(const ScatteredSum&) = delete;
  /// A sum that was started and not finished, because of an exception, is given up.
  ~ScatteredSum();

  /// Starts the sum of `values`, sorted by the rank that they go to; they must stay as they are until finish(). Returns
  /// without waiting for anybody (small groups). Collective.
  void start(std::span<const double> values);
  [[nodiscard]] bool started() const { return started_; }
  /// Waits for the sum; `out` has counts[rank] elements. Collective.
  void finish(std::span<double> out);

 private:
  void add_pieces(std::span<double> out) const;

  const Communicator& comm_;
  std::vector<int> counts_;
  bool started_ = false;
  const double* own_ = nullptr;   // this rank's piece of its own values
  std::vector<double> received_;  // [rank][counts[own rank]]; of a large group the sum
  std::vector<MPI_Request> requests_;
};

}  // namespace diffphase
