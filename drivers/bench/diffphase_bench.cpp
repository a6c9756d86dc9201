// diffphase_bench: how fast score Jacobians are applied and their spectra found, one line of JSON per run.
//
// Sample runs:
//   $ diffphase_bench operator --rows 20000 --columns 4096 --data flat
//   $ mpirun -n 2 diffphase_bench spectrum --rows 20000 --columns 20000 --data power-law --count 64 --method krylov
//
// tests/bench/compare_spectra.py runs it beside its peers and prints a table.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "bench_case.hpp"
#include "operator_bench.hpp"
#include "parallel/mpi_environment.hpp"
#include "report_line.hpp"
#include "results/provenance.hpp"
#include "spectrum_bench.hpp"

namespace diffphase::bench {
namespace {

struct Options {
  CaseOptions data;
  OperatorOptions products;
  SpectrumOptions spectrum{.count = 32};
  std::string save;
  int runs = 1;
  bool spectra = false;
};

void add_case(CLI::App& command, CaseOptions& data) {
  static const std::map<std::string, Partition> partitions{{"component", Partition::component},
                                                           {"dimension", Partition::dimension}};
  command.add_option("--data", data.data, "what the rows are")->check(CLI::IsMember(data_names()));
  command.add_option("--rows", data.rows, "training points or classes")->check(CLI::Range(1, 1 << 30));
  command.add_option("--columns", data.columns, "dimensions")->check(CLI::Range(1, 1 << 30));
  command.add_option("--spread", data.spread, "share of the rows that must carry weight");
  command.add_flag("--single", data.single, "store the rows as floats");
  command.add_option("--partition", data.partition, "how the slab is split over the ranks")
      ->transform(CLI::CheckedTransformer(partitions));
}

void add_operator(CLI::App& app, Options& options) {
  CLI::App* command = app.add_subcommand("operator", "one product with a vector and with a block of them");
  add_case(*command, options.data);
  command->add_option("--vectors", options.products.vectors, "vectors of a block");
  command->add_option("--runs", options.products.runs, "of which the fastest counts");
}

void add_spectrum(CLI::App& app, Options& options) {
  static const std::map<std::string, SpectrumMethod> methods{{"automatic", SpectrumMethod::automatic},
                                                             {"krylov", SpectrumMethod::krylov},
                                                             {"block-krylov", SpectrumMethod::block_krylov},
                                                             {"gram", SpectrumMethod::gram},
                                                             {"dense", SpectrumMethod::dense}};
  CLI::App* command = app.add_subcommand("spectrum", "the largest eigenpairs");
  add_case(*command, options.data);
  command->add_option("--count", options.spectrum.count, "eigenpairs");
  command->add_option("--tolerance", options.spectrum.tolerance, "of the residuals, relative");
  command->add_option("--method", options.spectrum.method, "how")->transform(CLI::CheckedTransformer(methods));
  command->add_flag("!--no-verify", options.spectrum.verify, "without the search for missed copies");
  command->add_option("--save", options.save, "folder for the rows and their weights");
  command->add_option("--runs", options.runs, "of which the fastest counts");
}

void describe(const Communicator& world, const Options& options, const BenchCase& data, ReportLine& line) {
  line.add("bench", options.spectra ? "spectrum" : "operator");
  line.add("version", std::string_view(program_version() + " " + git_revision()));
  line.add("ranks", world.size());
  line.add("data", std::string_view(options.data.data));
  line.add("rows", options.data.rows);
  line.add("columns", options.data.columns);
  line.add("stored", options.data.single ? "float" : "double");
  line.add("partition", options.data.partition == Partition::component ? "component" : "dimension");
  line.add("tau", data.tau());
  line.add("effective_rows", data.effective_rows());
}

void run(int argc, char** argv, const Options& options) {
  const MpiEnvironment environment(argc, argv);
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const BenchCase data(group, options.data);
  if (!options.save.empty()) group.run_guarded([&] { data.save(options.save); });
  ReportLine line;
  describe(world, options, data, line);
  if (options.spectra) {
    measure_spectrum(group, data, options.spectrum, options.runs, line);
  } else {
    measure_operator(group, data, options.products, line);
  }
  if (world.is_root()) line.print();
}

}  // namespace
}  // namespace diffphase::bench

int main(int argc, char** argv) {
  diffphase::bench::Options options;
  CLI::App app{"How fast score Jacobians are applied and their spectra found."};
  app.require_subcommand(1);
  diffphase::bench::add_operator(app, options);
  diffphase::bench::add_spectrum(app, options);
  CLI11_PARSE(app, argc, argv);
  options.spectra = app.got_subcommand("spectrum");
  try {
    diffphase::bench::run(argc, argv, options);
  } catch (const std::exception& e) {
    fmt::print(stderr, "diffphase_bench: error: {}\n", e.what());
    return 1;
  }
  return 0;
}
