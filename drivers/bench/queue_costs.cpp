#include "queue_costs.hpp"

#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "measure/measure.hpp"
#include "parallel/mailbox.hpp"
#include "parallel/task_group.hpp"
#include "sweep/attempt_log.hpp"
#include "sweep/journal.hpp"
#include "sweep/task_payload.hpp"

namespace diffphase::bench {

namespace {

constexpr int repeats = 20000;
constexpr std::size_t few_values = 2;
constexpr std::size_t many_values = 1000;

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Processor seconds of one of `count` calls.
template <typename Call>
double seconds_of(int count, const Call& call) {
  const double start = processor_seconds();
  for (int i = 0; i < count; ++i) call();
  return (processor_seconds() - start) / count;
}

// One letter that came from the last rank and one that goes there, on average.
double measure_messages(const Communicator& world) {
  Mailbox mailbox(world.duplicate());
  const std::string letter(100, 'x');
  const int last = world.size() - 1;
  double seconds = 0.0;
  constexpr int at_once = 200;
  for (int round = 0; round < repeats / at_once; ++round) {
    if (world.rank() == last) {
      for (int i = 0; i < at_once; ++i) mailbox.post(0, letter);
      if (last > 0) mailbox.flush();
    }
    world.barrier();
    int left = world.is_root() ? at_once : 0;
    const double start = processor_seconds();
    while (left > 0) left -= mailbox.collect() ? 1 : 0;
    for (int i = 0; world.is_root() && i < at_once; ++i) mailbox.post(last, letter);
    if (world.is_root()) seconds += processor_seconds() - start;
    left = world.rank() == last ? at_once : 0;
    while (left > 0) left -= mailbox.collect() ? 1 : 0;
    mailbox.flush();
  }
  return seconds / (2.0 * repeats);
}

std::string payload(std::size_t values) {
  MeasureResult result;
  result.variables = {{"nothing", std::vector<double>(values, 1.0)}};
  return encode_result(result, {});
}

class Records {
 public:
  explicit Records(const std::filesystem::path& folder) : journal_(folder, "costs", {}), log_(folder, "costs") {}

  double begin_seconds() {
    const double seconds = seconds_of(repeats, [&] { journal_.add(BeginRecord{.identity = hash_, .time = 1e9}); });
    journal_.commit();
    return seconds;
  }

  double result_seconds(std::size_t values) {
    const std::string bytes = payload(values);
    constexpr int batch = 200;
    double seconds = 0.0;
    for (int i = 0; i < repeats / batch; ++i) {
      seconds += seconds_of(batch, [&] { add_result(bytes); });
      journal_.commit();
      log_.commit();
    }
    return seconds * batch / repeats;
  }

  double write_seconds() {
    return seconds_of(repeats / 10,
                      [&] {
                        journal_.add(BeginRecord{.identity = hash_, .time = 1e9});
                        log_.add({.label = "",
                                  .identity = hash_,
                                  .measure = "",
                                  .outcome = "",
                                  .message = {},
                                  .warnings = {},
                                  .notes = {}});
                        journal_.commit();
                        log_.commit();
                      }) -
           begin_seconds();
  }

 private:
  void add_result(const std::string& bytes) {
    TaskResult result = decode_result(bytes);
    journal_.add(DoneRecord{.identity = hash_,
                            .counts = {},
                            .count_free = true,
                            .variables = std::move(result.variables),
                            .warnings = std::move(result.warnings)});
    log_.add({.label = "empty dimension=1 realization 1",
              .identity = hash_,
              .measure = "empty",
              .outcome = "done",
              .seconds = 0.12345,
              .message = {},
              .warnings = {},
              .notes = {}});
  }

  Hash128 hash_ = hash_text("costs");
  Journal journal_;
  AttemptLog log_;
};

}  // namespace

QueueCosts measure_queue_costs(const Communicator& world, const std::filesystem::path& folder, ReportLine& line) {
  QueueCosts costs;
  costs.message_seconds = measure_messages(world);
  TaskGroup(world).run_guarded([&] {
    if (!world.is_root()) return;
    Records records(folder);
    costs.begin_seconds = records.begin_seconds();
    costs.result_seconds = records.result_seconds(few_values);
    costs.result_byte_seconds =
        (records.result_seconds(many_values) - costs.result_seconds) / (sizeof(double) * (many_values - few_values));
    costs.write_seconds = records.write_seconds();
  });
  line.add("message_seconds", costs.message_seconds);
  line.add("begin_seconds", costs.begin_seconds);
  line.add("result_seconds", costs.result_seconds);
  line.add("result_byte_seconds", costs.result_byte_seconds);
  line.add("write_seconds", costs.write_seconds);
  return costs;
}

}  // namespace diffphase::bench
