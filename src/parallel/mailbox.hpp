#pragma once

#include <mpi.h>

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parallel/communicator.hpp"

namespace diffphase {

/// Letters between ranks that never block the sender or the receiver: both sides only start transfers and
/// look later whether they are complete, so two ranks that write to each other cannot deadlock, whatever the
/// length. Letters of one sender arrive in the order in which they were posted. Long ones travel in frames
/// that fit MPI's int.
///
/// The communicator should carry nothing else. The cost of a letter does not depend on how many others are on their
/// way. Nothing here is collective.
class Mailbox {
 public:
  struct Letter {
    int source = 0;
    std::string bytes;
  };

  explicit Mailbox(Communicator comm, std::size_t frame_bytes = std::size_t{1} << 26);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  /// Letters that are still on their way (only after an error) keep their memory.
  ~Mailbox();

  [[nodiscard]] const Communicator& comm() const { return comm_; }

  /// Starts to send `bytes` and returns at once.
  void post(int destination, std::string bytes);
  /// The next complete letter, if there is one; also moves on what is being sent.
  [[nodiscard]] std::optional<Letter> collect();
  /// True when every posted letter has left.
  [[nodiscard]] bool all_sent();
  /// Sleeps until every posted letter has left. The receivers must be collecting.
  void flush();

 private:
  struct Outgoing {
    std::string bytes;
    std::vector<MPI_Request> requests;
  };
  struct Frame {
    std::string bytes;
    MPI_Request request = MPI_REQUEST_NULL;
    bool last = false;
  };
  struct Sender {
    std::deque<std::unique_ptr<Frame>> frames;
    std::string letter;
  };

  void release_some();
  void accept_arrivals();
  void assemble_arrived();
  static std::optional<std::string> assemble(Sender& sender);

  Communicator comm_;
  std::size_t frame_bytes_;
  std::deque<std::unique_ptr<Outgoing>> outgoing_;
  std::map<int, Sender> senders_;  // those of whom a letter has arrived in part
  std::deque<Letter> complete_;
};

}  // namespace diffphase
