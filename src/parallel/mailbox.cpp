#include "parallel/mailbox.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <utility>

#include "parallel/idle_wait.hpp"

namespace diffphase {

namespace {

enum Tag : int { last_frame = 0, more_frames = 1 };

bool complete(MPI_Request& request) {
  int flag = 0;
  check_mpi(MPI_Test(&request, &flag, MPI_STATUS_IGNORE), "MPI_Test");
  return flag != 0;
}

bool complete(std::vector<MPI_Request>& requests) {
  int flag = 0;
  check_mpi(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &flag, MPI_STATUSES_IGNORE), "MPI_Testall");
  return flag != 0;
}

}  // namespace

Mailbox::Mailbox(Communicator comm, std::size_t frame_bytes) : comm_(std::move(comm)), frame_bytes_(frame_bytes) {
  if (frame_bytes == 0 || frame_bytes > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw std::logic_error("Mailbox: frame size does not fit a message");
  }
}

Mailbox::~Mailbox() {
  // MPI may still read or write these buffers.
  for (auto& letter : outgoing_) static_cast<void>(letter.release());
  for (auto& [source, sender] : senders_) {
    for (auto& frame : sender.frames) static_cast<void>(frame.release());
  }
}

void Mailbox::post(int destination, std::string bytes) {
  outgoing_.push_back(std::make_unique<Outgoing>());
  Outgoing& letter = *outgoing_.back();
  letter.bytes = std::move(bytes);
  std::size_t first = 0;
  do {
    const std::size_t count = std::min(frame_bytes_, letter.bytes.size() - first);
    const bool last = first + count == letter.bytes.size();
    letter.requests.push_back(MPI_REQUEST_NULL);
    check_mpi(MPI_Isend(letter.bytes.data() + first, static_cast<int>(count), MPI_BYTE, destination,
                        last ? last_frame : more_frames, comm_.get(), &letter.requests.back()),
              "MPI_Isend");
    first += count;
  } while (first < letter.bytes.size());
}

bool Mailbox::all_sent() {
  std::erase_if(outgoing_, [](const auto& letter) { return complete(letter->requests); });
  return outgoing_.empty();
}

// Looks at a few letters, in turn: however many there are, they are gone through while as many arrive.
void Mailbox::release_some() {
  constexpr std::size_t most = 4;
  for (std::size_t i = std::min(most, outgoing_.size()); i > 0; --i) {
    if (!complete(outgoing_.front()->requests)) outgoing_.push_back(std::move(outgoing_.front()));
    outgoing_.pop_front();
  }
}

void Mailbox::flush() {
  IdleWait idle;
  while (!all_sent()) idle.pause();
}

void Mailbox::accept_arrivals() {
  while (true) {
    int arrived = 0;
    MPI_Message message{};
    MPI_Status status{};
    // Any tag: the frames of one sender must match in the order in which they were sent.
    check_mpi(MPI_Improbe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm_.get(), &arrived, &message, &status), "MPI_Improbe");
    if (arrived == 0) return;
    int count = 0;
    check_mpi(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
    auto frame = std::make_unique<Frame>();
    frame->bytes.resize(static_cast<std::size_t>(count));
    frame->last = status.MPI_TAG == last_frame;
    check_mpi(MPI_Imrecv(frame->bytes.data(), count, MPI_BYTE, &message, &frame->request), "MPI_Imrecv");
    // Most letters are short and there at once.
    if (frame->last && !senders_.contains(status.MPI_SOURCE) && complete(frame->request)) {
      complete_.push_back({status.MPI_SOURCE, std::move(frame->bytes)});
    } else {
      senders_[status.MPI_SOURCE].frames.push_back(std::move(frame));
    }
  }
}

std::optional<std::string> Mailbox::assemble(Sender& sender) {
  while (!sender.frames.empty() && complete(sender.frames.front()->request)) {
    const auto frame = std::move(sender.frames.front());
    sender.frames.pop_front();
    if (sender.letter.empty()) {
      sender.letter = std::move(frame->bytes);
    } else {
      sender.letter += frame->bytes;
    }
    if (frame->last) return std::exchange(sender.letter, std::string());
  }
  return std::nullopt;
}

void Mailbox::assemble_arrived() {
  for (auto entry = senders_.begin(); entry != senders_.end();) {
    auto& [source, sender] = *entry;
    while (auto bytes = assemble(sender)) complete_.push_back({source, std::move(*bytes)});
    const bool idle = sender.frames.empty() && sender.letter.empty();
    entry = idle ? senders_.erase(entry) : std::next(entry);
  }
}

std::optional<Mailbox::Letter> Mailbox::collect() {
  release_some();
  if (complete_.empty()) {
    accept_arrivals();
    assemble_arrived();
  }
  if (complete_.empty()) return std::nullopt;
  Letter letter = std::move(complete_.front());
  complete_.pop_front();
  return letter;
}

}  // namespace diffphase
