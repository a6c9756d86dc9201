#include "sweep/calibration.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>

#include "files/posix_file.hpp"
#include "parallel/clock.hpp"
#include "posterior/inner_products.hpp"
#include "posterior/reduction.hpp"
#include "random/random_stream.hpp"
#include "results/provenance.hpp"
#include "sweep/record_costs.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view file_heading =
    "# Speed of one rank and of its records, measured by diffphase; safe to delete.";

// Of a representative shape: 8 MiB of training points, so that they come from memory as in large tasks.
constexpr std::int64_t dimension = 512;
constexpr std::int64_t rows = 4 * SlabLayout::block;
constexpr std::int64_t times = 64;
constexpr double seconds_of_passes = 0.5;
constexpr double seconds_of_normals = 0.1;
constexpr int batches_of_records = 10;

TaskParameters small_task() {
  TaskParameters task;
  for (int i = 1; i <= 16; ++i) task.times.push_back(0.2 * i);
  task.mixture = MixtureParameters{};
  task.mixture->dimension = 16;
  task.mixture->classes = 2;
  task.options = {{"probes", 64.0}};
  return task;
}

// What a task costs beyond its predicted work.
double measure_overhead(const TaskGroup& group) {
  const Measure* measure = find_measure("speciation");
  const TaskParameters task = small_task();
  const TaskRequest request;
  (void)measure->run(task, request, group);
  constexpr int repeats = 5;
  const double start = steady_seconds();
  for (int i = 0; i < repeats; ++i) (void)measure->run(task, request, group);
  return (steady_seconds() - start) / repeats;
}

double measure_normals(const RandomStream& stream, DataSlab& slab) {
  double drawn = 0.0;
  const double start = steady_seconds();
  double now = 0.0;
  do {
    for (std::int64_t row = 0; row < slab.layout.local_rows(); ++row)
      stream.normals(static_cast<std::uint64_t>(row), 0, slab.row(row));
    drawn += static_cast<double>(slab.layout.local_rows() * slab.layout.local_columns());
    now = steady_seconds();
  } while (now - start < seconds_of_normals);
  return drawn / (now - start);
}

struct PassSeconds {
  double products = 0.0;
  double reduction = 0.0;
};

PassSeconds time_pass(const TaskGroup& group, const StoredSource& source, const ReductionPlan& plan,
                      const ProbeBlock& block) {
  Reduction reduction(plan, dimension, block);
  PassSeconds seconds;
  const double start = steady_seconds();
  const auto timed = [&](const ProductTile& tile) {
    const double before = steady_seconds();
    reduction.consume(tile);
    seconds.reduction += steady_seconds() - before;
  };
  source.visit(group, block, rows, {.consume = timed});
  seconds.products = steady_seconds() - start - seconds.reduction;
  return seconds;
}

void measure_passes(const TaskGroup& group, const RandomStream& stream, const DataSlab& slab, MachineRates& rates) {
  ProbeBlock block(ProbeBlock::size_for_rows(dimension, Partition::component), dimension);
  for (std::int64_t p = 0; p < block.probes; ++p) {
    const auto parent = slab.row(p);
    std::copy(parent.begin(), parent.end(), block.start(p).begin());
    stream.normals(static_cast<std::uint64_t>(rows + p), 0, block.noise(p));
    block.parents[static_cast<std::size_t>(p)] = p;
  }
  block.starts_at_parent = true;
  block.measure(group, Partition::component);

  ReductionPlan plan{.times = {}, .process = NoisingProcess(), .counts = {rows}, .law = {}};
  for (std::int64_t t = 1; t <= times; ++t) plan.times.push_back(0.06 * static_cast<double>(t));
  const StoredSource source(group, slab);
  (void)time_pass(group, source, plan, block);  // touches all memory
  PassSeconds total;
  double passes = 0.0;
  const double start = steady_seconds();
  do {
    const PassSeconds pass = time_pass(group, source, plan, block);
    total.products += pass.products;
    total.reduction += pass.reduction;
    passes += 1.0;
  } while (steady_seconds() - start < seconds_of_passes);
  const double pairs = passes * static_cast<double>(block.probes * rows);
  rates.flops = 4.0 * pairs * static_cast<double>(dimension) / total.products;
  rates.exponentials = pairs * static_cast<double>(times) / total.reduction;
}

QueueCosts measure_queue() {
  std::error_code ignored;
  std::string folder = (fs::temp_directory_path(ignored) / "diffphase-calibration-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return {};
  QueueCosts costs;
  try {
    costs = measure_record_costs(folder, batches_of_records);
  } catch (const std::exception&) {
    costs = {};  // the disk is full
  }
  fs::remove_all(folder, ignored);
  return costs;
}

std::map<std::string, std::string> read_pairs(const std::string& text) {
  std::map<std::string, std::string> pairs;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find(" = ");
    if (equals != std::string::npos && line.front() != '#') pairs[line.substr(0, equals)] = line.substr(equals + 3);
  }
  return pairs;
}

}  // namespace

MachineRates measure_rates() {
  const Communicator alone = Communicator::self();
  const TaskGroup group(alone);
  const RandomStream stream(1, hash_text("calibration"), 0, "calibration");
  DataSlab slab = zero_slab({.rows = rows, .columns = dimension});
  MachineRates rates;
  rates.normals = measure_normals(stream, slab);
  measure_passes(group, stream, slab, rates);
  rates.task_overhead = measure_overhead(group);
  return rates.valid() ? rates : MachineRates{};
}

Calibration measure_machine() { return {.rates = measure_rates(), .queue = measure_queue()}; }

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

fs::path calibration_path() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  const std::string cache = variable("XDG_CACHE_HOME");
  const std::string home = variable("HOME");
  if (cache.empty() && home.empty()) return {};
  const fs::path folder = cache.empty() ? fs::path(home) / ".cache" : fs::path(cache);
  return folder / "diffphase" /
         fmt::format("calibration-{}-{}.txt", hash_text(processor_name()).hex().substr(0, 16), program_version());
}

std::optional<Calibration> read_calibration(const fs::path& path, WallTime now) {
  try {
    const auto pairs = read_pairs(read_text(path));
    const auto number = [&](const char* key) { return std::stod(pairs.at(key)); };
    Calibration kept;
    kept.rates = {.flops = number("flops_per_second"),
                  .exponentials = number("exponentials_per_second"),
                  .normals = number("normals_per_second"),
                  .task_overhead = number("task_overhead_seconds")};
    kept.queue.begin_seconds = number("begin_record_seconds");
    kept.queue.result_seconds = number("result_record_seconds");
    kept.queue.result_byte_seconds = number("result_byte_seconds");
    kept.queue.write_seconds = number("write_seconds");
    const std::chrono::duration<double> age(unix_seconds(now) - number("written_unix_seconds"));
    // A file from the future: a clock was wrong.
    const bool timely = age < calibration_lifetime && age > std::chrono::hours(-1);
    if (kept.rates.valid() && kept.queue.valid() && timely) return kept;
  } catch (const std::exception&) {
    return std::nullopt;  // not there, cut off or edited: measured again
  }
  return std::nullopt;
}

bool write_calibration(const fs::path& path, const Calibration& calibration, WallTime now) {
  const auto& [rates, queue] = calibration;
  try {
    fs::create_directories(path.parent_path());
    replace_file(path, fmt::format("{}\n"
                                   "processor = {}\n"
                                   "written_unix_seconds = {:.3f}\n"
                                   "flops_per_second = {:.6g}\n"
                                   "exponentials_per_second = {:.6g}\n"
                                   "normals_per_second = {:.6g}\n"
                                   "task_overhead_seconds = {:.6g}\n"
                                   "begin_record_seconds = {:.6g}\n"
                                   "result_record_seconds = {:.6g}\n"
                                   "result_byte_seconds = {:.6g}\n"
                                   "write_seconds = {:.6g}\n",
                                   file_heading, processor_name(), unix_seconds(now), rates.flops, rates.exponentials,
                                   rates.normals, rates.task_overhead, queue.begin_seconds, queue.result_seconds,
                                   queue.result_byte_seconds, queue.write_seconds));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

Calibration kept_calibration(const std::function<Calibration()>& measure, const WallClock& clock) {
  const fs::path path = calibration_path();
  if (!path.empty()) {
    if (const auto kept = read_calibration(path, clock())) return *kept;
  }
  const Calibration calibration = measure();
  if (!path.empty()) write_calibration(path, calibration, clock());
  return calibration;
}

}  // namespace diffphase
