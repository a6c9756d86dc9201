#include "sweep/record_costs.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "measure/measure.hpp"
#include "parallel/clock.hpp"
#include "sweep/attempt_log.hpp"
#include "sweep/journal.hpp"
#include "sweep/task_payload.hpp"

namespace diffphase {
namespace {

constexpr std::size_t few_values = 2;
constexpr std::size_t many_values = 1000;
constexpr int records_of_a_batch = 200;
constexpr int writes_of_a_batch = 20;

// Processor seconds of one of `count` calls.
template <typename Call>
double seconds_of(int count, const Call& call) {
  const double start = processor_seconds();
  for (int i = 0; i < count; ++i) call();
  return (processor_seconds() - start) / count;
}

std::string payload(std::size_t values) {
  MeasureResult result;
  result.variables = {{"nothing", std::vector<double>(values, 1.0)}};
  return encode_result(result, {});
}

// A journal and a log of their own, written as rank 0 writes the run's.
class Records {
 public:
  Records(const std::filesystem::path& folder, int batches)
      : batches_(batches), journal_(folder, "costs", {}), log_(folder, "costs") {}

  double begin_seconds() {
    const double seconds = seconds_of(batches_ * records_of_a_batch, [&] { journal_.add(begin()); });
    journal_.commit();
    return seconds;
  }

  double result_seconds(std::size_t values) {
    const std::string bytes = payload(values);
    double seconds = 0.0;
    for (int i = 0; i < batches_; ++i) {
      seconds += seconds_of(records_of_a_batch, [&] { add_result(bytes); });
      journal_.commit();
      log_.commit();
    }
    return seconds / batches_;
  }

  // Of a begin record, a line of the log and their writes.
  double write_seconds() {
    return seconds_of(batches_ * writes_of_a_batch, [&] {
      journal_.add(begin());
      log_.add(
          {.label = "", .identity = hash_, .measure = "", .outcome = "", .message = {}, .warnings = {}, .notes = {}});
      journal_.commit();
      log_.commit();
    });
  }

 private:
  [[nodiscard]] BeginRecord begin() const { return {.identity = hash_, .time = 1e9}; }

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

  int batches_;
  Hash128 hash_ = hash_text("costs");
  Journal journal_;
  AttemptLog log_;
};

}  // namespace

QueueCosts measure_record_costs(const std::filesystem::path& folder, int batches) {
  if (batches < 1) throw std::invalid_argument("measure_record_costs: no batches");
  Records records(folder, batches);
  QueueCosts costs;
  // Differences of measured times can fall below zero where they are small.
  costs.begin_seconds = records.begin_seconds();
  costs.result_seconds = records.result_seconds(few_values);
  const double long_seconds = records.result_seconds(many_values);
  costs.result_byte_seconds =
      std::max(0.0, long_seconds - costs.result_seconds) / (sizeof(double) * (many_values - few_values));
  costs.write_seconds = std::max(0.0, records.write_seconds() - costs.begin_seconds);
  return costs;
}

}  // namespace diffphase
