#include "bench_command_line.hpp"

#include <CLI/CLI.hpp>
#include <map>

namespace diffphase::bench {

namespace {

const std::map<std::string, Partition>& partitions() {
  static const std::map<std::string, Partition> names{{"component", Partition::component},
                                                      {"dimension", Partition::dimension}};
  return names;
}

void add_case(CLI::App& command, CaseOptions& data) {
  command.add_option("--data", data.data, "what the rows are")->check(CLI::IsMember(data_names()));
  command.add_option("--rows", data.rows, "training points or classes")->check(CLI::Range(1, 1 << 30));
  command.add_option("--columns", data.columns, "dimensions")->check(CLI::Range(1, 1 << 30));
  command.add_option("--spread", data.spread, "share of the rows that must carry weight");
  command.add_flag("--single", data.single, "store the rows as floats");
  command.add_option("--partition", data.partition, "how the slab is split over the ranks")
      ->transform(CLI::CheckedTransformer(partitions()));
}

void add_operator(CLI::App& app, BenchOptions& options) {
  CLI::App* command = app.add_subcommand("operator", "one product with a vector and with a block of them");
  add_case(*command, options.data);
  command->add_option("--vectors", options.products.vectors, "vectors of a block");
  command->add_option("--runs", options.products.runs, "of which the fastest counts");
}

void add_spectrum(CLI::App& app, BenchOptions& options) {
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

void add_queue(CLI::App& app, QueueOptions& options) {
  CLI::App* command = app.add_subcommand("queue", "a run of tasks that cost nothing: queue, journal and results");
  command->add_option("--points", options.points, "of the grid")->check(CLI::Range(1, 1 << 24));
  command->add_option("--realizations", options.realizations, "tasks of a point")->check(CLI::Range(1, 1 << 24));
  command->add_option("--values", options.values, "numbers in a task's record")->check(CLI::Range(2, 1 << 20));
  command->add_option("--task-seconds", options.task_seconds, "that a task sleeps");
  command->add_option("--folder", options.folder, "where the run is written, and kept");
}

void add_posterior(CLI::App& app, PosteriorOptions& options) {
  CLI::App* command = app.add_subcommand("posterior", "one pass over a training set: all times, all sample counts");
  command->add_option("--rows", options.rows, "training points")->check(CLI::Range(2, 1 << 30));
  command->add_option("--columns", options.columns, "dimensions")->check(CLI::Range(1, 1 << 30));
  command->add_option("--probes", options.probes, "probes")->check(CLI::Range(1, 1 << 20));
  command->add_option("--noises", options.noises, "probes for each start")->check(CLI::IsMember({1, 2, 4, 8, 16, 32}));
  command->add_option("--times", options.times, "times of the grid")->check(CLI::Range(1, 1 << 20));
  command->add_option("--first-time", options.first_time, "of the grid")->check(CLI::PositiveNumber);
  command->add_option("--last-time", options.last_time, "of the grid")->check(CLI::PositiveNumber);
  command->add_option("--counts", options.counts, "nested sample counts")->check(CLI::Range(1, 30));
  command->add_option("--partition", options.partition, "how the slab is split over the ranks")
      ->transform(CLI::CheckedTransformer(partitions()));
  command->add_flag("--single", options.single, "in single precision");
  command->add_option("--threads", options.threads, "of each rank")->check(CLI::Range(1, 1024));
  command->add_option("--save", options.save, "folder for rows, noises, times and means (1 rank)");
  command->add_option("--runs", options.runs, "of which the fastest counts");
  command->final_callback([&options] {
    if (options.probes % options.noises != 0 || options.probes < 2 * options.noises) {
      throw CLI::ValidationError("--probes", "must be a multiple of --noises, twice as many or more");
    }
    if (!options.save.empty() && options.noises > 1) throw CLI::ValidationError("--save", "needs --noises 1");
  });
}

void add_normals(CLI::App& app, NormalsOptions& options) {
  CLI::App* command = app.add_subcommand("normals", "random numbers, on every instruction set of this processor");
  command->add_option("--columns", options.columns, "numbers of one call")->check(CLI::Range(1, 1 << 30));
  command->add_option("--rows", options.rows, "calls of a run")->check(CLI::Range(1, 1 << 30));
  command->add_option("--runs", options.runs, "of which the fastest counts");
}

void add_streamed(CLI::App& app, StreamedOptions& options) {
  CLI::App* command =
      app.add_subcommand("streamed", "the collapse from training sets that are drawn in law, not stored");
  command->add_option("--dimension", options.dimension, "of the data")->check(CLI::Range(3.0, 1e15));
  command->add_option("--classes", options.classes, "of the data")->check(CLI::Range(1, 1 << 20));
  command->add_option("--points", options.points, "of a training set")->check(CLI::Range(2.0, 1e12));
  command->add_option("--probes", options.probes, "each with a training set")->check(CLI::Range(1, 1 << 20));
  command->add_option("--times", options.times, "of the grid")->check(CLI::Range(1, 1 << 20));
  command->add_option("--threads", options.threads, "of each rank")->check(CLI::Range(1, 1024));
}

}  // namespace

std::variant<BenchOptions, int> parse_bench_command_line(int argc, char** argv) {
  BenchOptions options;
  CLI::App app{"How fast the parts of diffphase are that take the time."};
  app.require_subcommand(1);
  add_operator(app, options);
  add_spectrum(app, options);
  add_posterior(app, options.posterior);
  add_normals(app, options.normals);
  add_streamed(app, options.streamed);
  add_queue(app, options.queue);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.command = app.get_subcommands().front()->get_name();
  return options;
}

}  // namespace diffphase::bench
