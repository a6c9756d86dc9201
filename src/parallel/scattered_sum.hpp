#pragma once

#include <mpi.h>

#include <cstddef>
#include <span>
#include <vector>

#include "parallel/communicator.hpp"

namespace diffphase {

/// A sum over the other ranks of which every rank gets a piece, in two halves, so that ranks that are not quite in step
/// need not wait for each other at every sum: what is started is sent while the next values are computed, and whoever
/// has the sum goes on before the others have it. What a rank has itself is left out: it may be added where it is
/// computed. Ranks add in rank order, so that a sum is the same every time. `Number` is double or float: what values
/// are sent as and added in.
///
/// Several objects may have a sum under way on one communicator if all ranks start and finish them in the same order;
/// each has one at a time. Messages have a tag of their own. Groups of more than most_direct_ranks take the collective,
/// all of it in start(), as messages between all pairs would be too many; they add in double. Memory: the values for
/// the other ranks, and in smaller groups the pieces that arrive, other ranks times the own count; in larger ones the
/// own piece, and all pieces and the own one once more as doubles.
template <typename Number>
class ScatteredSum {
 public:
  static constexpr int most_direct_ranks = 16;

  /// `comm` must outlive it. Rank r gets counts[r] numbers. Larger groups than `direct_ranks` take the collective.
  /// Throws std::logic_error if there are not as many counts as ranks. Local.
  ScatteredSum(const Communicator& comm, std::vector<int> counts, int direct_ranks = most_direct_ranks);
  ScatteredSum(const ScatteredSum&) = delete;
  ScatteredSum& operator=(const ScatteredSum&) = delete;
  /// Sums that are not finished, or whose values are not with all ranks (wait_sent), are given up: for exceptions.
  ~ScatteredSum();

  /// Where the values of the next sum go, piece after piece: of the rank after this one first, that of the rank before
  /// it last. Waits until those of the sum before are with the other ranks. Not collective.
  [[nodiscard]] std::span<Number> values();
  /// Starts the sum of what is in values(). Returns without waiting for anybody in small groups. Collective.
  void start();
  /// Waits for the sum, zeros where there are no other ranks: counts[own rank] numbers, which may be changed, there
  /// until the next start(). Collective.
  [[nodiscard]] std::span<Number> finish();
  /// Waits until the values are with the other ranks, which is when these have finished the sum at the latest. Not
  /// collective.
  void wait_sent();

 private:
  [[nodiscard]] std::size_t count(int rank) const { return static_cast<std::size_t>(counts_[index(rank)]); }
  [[nodiscard]] static std::size_t index(int rank) { return static_cast<std::size_t>(rank); }
  void start_messages();
  void start_collective();
  void add_pieces();

  const Communicator& comm_;
  std::vector<int> counts_;
  bool is_direct_;
  bool started_ = false;
  std::vector<Number> values_;
  std::vector<Number> pieces_;  // [other rank, ascending][own count]; the sum in the first
  std::vector<double> packed_;  // of a large group: all pieces in rank order, the own one zero
  std::vector<double> sum_;
  std::vector<MPI_Request> receives_, sends_;
};

}  // namespace diffphase
