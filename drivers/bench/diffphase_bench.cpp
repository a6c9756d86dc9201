// diffphase_bench: how fast score Jacobians are applied and their spectra found, and how fast tasks are handed out and
// recorded; one line of JSON per run.
//
// Sample runs (a test executes each of them; measurements are of larger slabs, as 20000 rows and 4096 columns):
//   $ diffphase_bench operator --rows 300 --columns 128 --data flat --runs 1
//   $ mpirun -n 2 diffphase_bench spectrum --rows 300 --columns 200 --data power-law --count 8 --method block-krylov
//   $ mpirun -n 2 diffphase_bench queue --points 10 --realizations 20
//
// tests/bench/compare_spectra.py runs it beside its peers and prints a table.

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "bench_case.hpp"
#include "bench_command_line.hpp"
#include "operator_bench.hpp"
#include "parallel/mpi_environment.hpp"
#include "report_line.hpp"
#include "results/provenance.hpp"
#include "spectrum_bench.hpp"

namespace diffphase::bench {
namespace {

using Command = BenchOptions::Command;

void describe(const Communicator& world, std::string_view bench, ReportLine& line) {
  line.add("bench", bench);
  line.add("version", std::string_view(program_version() + " " + git_revision()));
  line.add("ranks", world.size());
}

void describe(const BenchOptions& options, const BenchCase& data, ReportLine& line) {
  line.add("data", std::string_view(options.data.data));
  line.add("rows", options.data.rows);
  line.add("columns", options.data.columns);
  line.add("stored", options.data.single ? "float" : "double");
  line.add("partition", options.data.partition == Partition::component ? "component" : "dimension");
  line.add("tau", data.tau());
  line.add("effective_rows", data.effective_rows());
}

void run_queue(const Communicator& world, const QueueOptions& options) {
  ReportLine line;
  describe(world, "queue", line);
  measure_queue(world, options, line);
  if (world.is_root()) line.print();
}

void run_operator(const Communicator& world, const BenchOptions& options) {
  const TaskGroup group(world);
  const BenchCase data(group, options.data);
  if (!options.save.empty()) group.run_guarded([&] { data.save(options.save); });
  ReportLine line;
  describe(world, options.command == Command::spectrum ? "spectrum" : "operator", line);
  describe(options, data, line);
  if (options.command == Command::spectrum) {
    measure_spectrum(group, data, options.spectrum, options.runs, line);
  } else {
    measure_operator(group, data, options.products, line);
  }
  if (world.is_root()) line.print();
}

void run(int argc, char** argv, const BenchOptions& options) {
  const MpiEnvironment environment(argc, argv);
  const Communicator world = Communicator::world();
  if (options.command == Command::queue) {
    run_queue(world, options.queue);
  } else {
    run_operator(world, options);
  }
}

}  // namespace
}  // namespace diffphase::bench

int main(int argc, char** argv) {
  using diffphase::bench::BenchOptions;
  const auto parsed = diffphase::bench::parse_bench_command_line(argc, argv);
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  try {
    diffphase::bench::run(argc, argv, std::get<BenchOptions>(parsed));
  } catch (const std::exception& e) {
    fmt::print(stderr, "diffphase_bench: error: {}\n", e.what());
    return 1;
  }
  return 0;
}
