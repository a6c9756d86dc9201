#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace diffphase {

/// Throws std::runtime_error with MPI's text if `code` is not MPI_SUCCESS. `what` names the call.
/// Local, not collective.
void check_mpi(int code, const char* what);

/// A communicator with the operations diffphase needs; counts are 64-bit and go out in pieces that fit MPI's int, where
/// they are not ints themselves. Owns what it made (duplicate, split) and frees it; move-only. Ranks and sizes are
/// ints as in MPI.
///
/// All operations except rank(), size(), get(), send, receive and probe are collective over the communicator.
/// MPI errors are returned by MPI (MPI_ERRORS_RETURN is set on what it makes) and thrown by check_mpi.
class Communicator {
 public:
  /// The world, duplicated so that traffic of other libraries cannot mix with ours. Collective.
  static Communicator world();
  /// Only this process. Not collective.
  static Communicator self();

  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  ~Communicator();

  [[nodiscard]] MPI_Comm get() const { return comm_; }
  /// The same ranks for agreements alone (TaskGroup): a rank that ran into an error in the middle of an exchange of
  /// data must not meet that exchange with its error.
  [[nodiscard]] MPI_Comm agreements() const { return agreements_ == MPI_COMM_NULL ? comm_ : agreements_; }
  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] bool is_root() const { return rank_ == 0; }

  /// The ranks with the same `color`, in the order of their rank here. Collective.
  [[nodiscard]] Communicator split(int color) const;
  [[nodiscard]] Communicator duplicate() const;

  void barrier() const;

  /// Element-wise sum, maximum or minimum over ranks, in place, result on every rank.
  void sum(std::span<double> values) const;
  void sum(std::span<std::int64_t> values) const;
  void maximum(std::span<double> values) const;
  void maximum(std::span<std::int64_t> values) const;
  void minimum(std::span<std::int64_t> values) const;

  /// `values` summed over ranks; rank r receives the block of values that starts at sum(counts[0..r)) and has
  /// counts[r] elements. `out` has counts[rank()] elements.
  void sum_scatter(std::span<const double> values, std::span<double> out, std::span<const int> counts) const;

  /// Rank r receives of every rank, in rank order, the block of values that starts at sum(counts[0..r)) and has
  /// counts[r] elements. `out` has size() counts[rank()] elements. Throws std::length_error, on every rank, for more
  /// values than MPI counts.
  void exchange(std::span<const double> values, std::span<double> out, std::span<const int> counts) const;
  /// Root receives counts[r] values of every rank r, in rank order, in `all`, which the others leave empty. Throws as
  /// exchange does.
  void gather_parts(std::span<const double> values, std::span<double> all, std::span<const int> counts,
                    int root = 0) const;

  /// Copies root's bytes to every rank. The sizes must already agree.
  void broadcast_bytes(std::span<std::byte> bytes, int root = 0) const;
  template <typename T>
  void broadcast(std::span<T> values, int root = 0) const {
    broadcast_bytes(std::as_writable_bytes(values), root);
  }
  /// Root's string on every rank, size included.
  void broadcast(std::string& text, int root = 0) const;

  /// Root receives every rank's values (equal counts), in rank order; empty elsewhere.
  [[nodiscard]] std::vector<double> gather(std::span<const double> values, int root = 0) const;
  /// Root receives every rank's text, in rank order; empty elsewhere.
  [[nodiscard]] std::vector<std::string> gather(const std::string& text, int root = 0) const;

  /// Point to point, bytes of any length; the receiver learns the length. Not collective.
  void send(std::span<const std::byte> bytes, int destination, int tag) const;
  [[nodiscard]] std::vector<std::byte> receive(int source, int tag) const;
  /// True if a message (source or tag may be MPI_ANY_*) has arrived; fills `source` and `tag`. Not
  /// collective.
  [[nodiscard]] bool probe(int& source, int& tag) const;

 private:
  Communicator(MPI_Comm comm, bool owned);
  void release() noexcept;

  MPI_Comm comm_ = MPI_COMM_NULL;
  MPI_Comm agreements_ = MPI_COMM_NULL;  // of one rank: none
  bool owned_ = false;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace diffphase
