// diffphase_bench: how fast the parts are that take the time, one line of JSON per run.
//
// Sample runs (a test executes each of them; measurements are of larger slabs, as 20000 rows and 4096 columns):
//   $ diffphase_bench operator --rows 300 --columns 128 --data flat --runs 1
//   $ mpirun -n 2 diffphase_bench spectrum --rows 300 --columns 200 --data power-law --count 8 --method block-krylov
//   $ diffphase_bench posterior --rows 600 --columns 64 --probes 129 --times 8 --runs 1
//   $ diffphase_bench normals --rows 32 --runs 2
//   $ diffphase_bench streamed --points 10000 --probes 4
//   $ mpirun -n 2 diffphase_bench queue --points 10 --realizations 20
//
// tests/bench/compare_*.py run it beside its peers and print tables, tests/bench/queue_overhead.py on several numbers
// of ranks.

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "bench_case.hpp"
#include "bench_command_line.hpp"
#include "operator_bench.hpp"
#include "parallel/mpi_environment.hpp"
#include "posterior_bench.hpp"
#include "queue_bench.hpp"
#include "report_line.hpp"
#include "results/provenance.hpp"
#include "spectrum_bench.hpp"

namespace diffphase::bench {
namespace {

void describe(const Communicator& world, const BenchOptions& options, ReportLine& line) {
  line.add("bench", std::string_view(options.command));
  line.add("version", std::string_view(program_version() + " " + git_revision()));
  line.add("ranks", world.size());
}

void describe(const CaseOptions& options, const BenchCase& data, ReportLine& line) {
  line.add("data", std::string_view(options.data));
  line.add("rows", options.rows);
  line.add("columns", options.columns);
  line.add("stored", options.single ? "float" : "double");
  line.add("partition", options.partition == Partition::component ? "component" : "dimension");
  line.add("tau", data.tau());
  line.add("effective_rows", data.effective_rows());
}

void measure_jacobian(const TaskGroup& group, const BenchOptions& options, ReportLine& line) {
  const BenchCase data(group, options.data);
  if (!options.save.empty()) group.run_guarded([&] { data.save(options.save); });
  describe(options.data, data, line);
  if (options.command == "spectrum") {
    measure_spectrum(group, data, options.spectrum, options.runs, line);
  } else {
    measure_operator(group, data, options.products, line);
  }
}

void run(int argc, char** argv, const BenchOptions& options) {
  const MpiEnvironment environment(argc, argv);
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  ReportLine line;
  describe(world, options, line);
  if (options.command == "posterior") {
    measure_posterior(group, options.posterior, line);
  } else if (options.command == "normals") {
    measure_normals(world, options.normals, line);
  } else if (options.command == "streamed") {
    measure_streamed(group, options.streamed, line);
  } else if (options.command == "queue") {
    measure_queue(world, options.queue, line);
  } else {
    measure_jacobian(group, options, line);
  }
  if (world.is_root()) line.print();
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
