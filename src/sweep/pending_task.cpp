#include "sweep/pending_task.hpp"

#include <algorithm>
#include <numeric>
#include <span>

#include "files/bounded_archive.hpp"

namespace diffphase {

std::vector<std::size_t> hand_out_order(const std::vector<PendingTask>& tasks) {
  std::vector<std::size_t> order(tasks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (tasks[a].suspect != tasks[b].suspect) return tasks[b].suspect;
    return tasks[a].operations > tasks[b].operations;
  });
  return order;
}

std::string encode_pending(const std::vector<PendingTask>& tasks) {
  ArchiveWriter archive;
  archive.count(tasks.size());
  for (const PendingTask& task : tasks) {
    archive.word(task.index);
    archive.integers(task.request.counts);
    archive.boolean(task.request.count_free);
    archive.integer(task.level);
  }
  const auto bytes = archive.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<PendingTask> decode_pending(const std::string& bytes) {
  ArchiveReader archive(std::as_bytes(std::span(bytes)));
  std::vector<PendingTask> tasks;
  for (std::size_t left = archive.count(8); left > 0; --left) {
    PendingTask task;
    task.index = archive.word();
    task.request.counts = archive.integers();
    task.request.count_free = archive.boolean();
    task.level = static_cast<int>(archive.integer());
    tasks.push_back(std::move(task));
  }
  return tasks;
}

}  // namespace diffphase
