#pragma once

#include <string>
#include <variant>

#include "bench_case.hpp"
#include "normals_bench.hpp"
#include "operator_bench.hpp"
#include "posterior_bench.hpp"
#include "queue_bench.hpp"
#include "spectrum_bench.hpp"
#include "streamed_bench.hpp"

namespace diffphase::bench {

/// What a command line asks for.
struct BenchOptions {
  std::string command;  ///< the subcommand
  CaseOptions data;
  OperatorOptions products;
  SpectrumOptions spectrum{.count = 32};
  std::string save;  ///< folder for the rows and their weights; empty: none
  int runs = 1;      ///< of a spectrum
  PosteriorOptions posterior;
  NormalsOptions normals;
  StreamedOptions streamed;
  QueueOptions queue;
};

/// The options, or the exit code of a program that has nothing to do: 0 after --help, 2 after a message on standard
/// error. Local.
[[nodiscard]] std::variant<BenchOptions, int> parse_bench_command_line(int argc, char** argv);

}  // namespace diffphase::bench
