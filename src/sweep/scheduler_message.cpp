#include "sweep/scheduler_message.hpp"

#include <cstring>
#include <stdexcept>
#include <type_traits>

namespace diffphase {

namespace {

struct Header {
  std::int32_t kind;
  std::int32_t level;
  std::uint64_t task;
  std::int32_t outcome;
  std::int32_t asks;
  double seconds;
  std::uint64_t text_size;
};
static_assert(std::is_trivially_copyable_v<Header>);

}  // namespace

std::string encode(const SchedulerMessage& message) {
  const Header header{.kind = static_cast<std::int32_t>(message.kind),
                      .level = message.level,
                      .task = message.task,
                      .outcome = static_cast<std::int32_t>(message.outcome),
                      .asks = message.asks ? 1 : 0,
                      .seconds = message.seconds,
                      .text_size = message.text.size()};
  std::string bytes(sizeof header, '\0');
  std::memcpy(bytes.data(), &header, sizeof header);
  bytes.reserve(bytes.size() + message.text.size() + message.payload.size());
  return bytes.append(message.text).append(message.payload);
}

SchedulerMessage decode(std::string_view bytes) {
  Header header{};
  if (bytes.size() < sizeof header) throw std::runtime_error("scheduler: message too short");
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes.remove_prefix(sizeof header);
  const bool known = header.kind >= 0 && header.kind <= static_cast<std::int32_t>(SchedulerMessage::Kind::finished) &&
                     header.outcome >= 0 && header.outcome <= static_cast<std::int32_t>(Outcome::abandoned) &&
                     (header.asks == 0 || header.asks == 1);
  if (!known || header.text_size > bytes.size()) throw std::runtime_error("scheduler: message of unknown kind");
  return {static_cast<SchedulerMessage::Kind>(header.kind),
          header.level,
          static_cast<std::size_t>(header.task),
          static_cast<Outcome>(header.outcome),
          header.asks == 1,
          header.seconds,
          std::string(bytes.substr(0, header.text_size)),
          std::string(bytes.substr(header.text_size))};
}

}  // namespace diffphase
