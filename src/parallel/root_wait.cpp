#include "parallel/root_wait.hpp"

#include <array>
#include <cstdint>
#include <span>

#include "parallel/idle_wait.hpp"

namespace diffphase {

namespace {

// What rank 0 tells the others: that it asks, or that its work is over, with what it returned.
struct Word {
  std::int64_t over = 0;
  std::int64_t code = 0;
};

Word hear(const Communicator& world, Word word) {
  idle_broadcast(world, std::as_writable_bytes(std::span(&word, 1)), 0);
  return word;
}

bool anyone(const Communicator& world, bool wants) {
  std::int64_t any = wants ? 1 : 0;
  world.maximum(std::span(&any, 1));
  return any != 0;
}

}  // namespace

int work_of_root(const Communicator& world, const std::function<bool()>& wants_stop,
                 const std::function<int(const std::function<bool()>& anyone_wants_stop)>& work) {
  if (world.is_root()) {
    const int code = work([&] {
      (void)hear(world, {});
      return anyone(world, wants_stop());
    });
    (void)hear(world, {.over = 1, .code = code});
    return code;
  }
  while (true) {
    const Word word = hear(world, {});
    if (word.over != 0) return static_cast<int>(word.code);
    (void)anyone(world, wants_stop());
  }
}

}  // namespace diffphase
