#include "normals_bench.hpp"

#include <Random123/philox.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "machine_rates.hpp"
#include "random/stream_kernel.hpp"

namespace diffphase::bench {

namespace {

using RowMaker = std::function<void(std::uint64_t row, std::span<double> out)>;

const Hash128 key{0x243f6a8885a308d3U, 0x13198a2e03707344U};
volatile std::uint64_t kept_words = 0;  // what is computed must be used

r123::Philox4x64::ctr_type philox_block(std::uint64_t row, std::uint64_t block) {
  const r123::Philox4x64::ctr_type counter{{block, row, 0, 0}};
  const r123::Philox4x64::key_type words{{key.high, key.low}};
  return r123::Philox4x64()(counter, words);
}

double unit(std::uint64_t word) { return static_cast<double>(word >> 11U) * 0x1p-53; }

void library_row(std::uint64_t row, std::span<double> out) {
  for (std::size_t i = 0; i + 3 < out.size(); i += 4) {
    const auto words = philox_block(row, i / 4);
    for (std::size_t pair = 0; pair < 4; pair += 2) {
      const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(words[pair])));
      const double angle = 2.0 * std::numbers::pi * unit(words[pair + 1]);
      out[i + pair] = radius * std::cos(angle);
      out[i + pair + 1] = radius * std::sin(angle);
    }
  }
}

void words_row(std::uint64_t row, std::span<double> out) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i + 3 < out.size(); i += 4) {
    const auto words = philox_block(row, i / 4);
    sum += (words[0] ^ words[1]) ^ (words[2] ^ words[3]);
  }
  kept_words = sum;
}

struct Contender {
  std::string name;
  RowMaker make_row;
  double seconds = std::numeric_limits<double>::infinity();
};

std::vector<Contender> contenders() {
  std::vector<Contender> all;
  for (const InstructionSet set : instruction_sets) {
    if (!processor_has(set)) continue;
    all.push_back({fmt::format("{}_normals", name_of(set)),
                   [set](std::uint64_t row, std::span<double> out) { normals_of_row(set, key, row, 0, out); }});
    all.push_back({fmt::format("{}_uniforms", name_of(set)),
                   [set](std::uint64_t row, std::span<double> out) { uniforms_of_row(set, key, row, 0, out); }});
  }
  all.push_back({"random123_words", words_row});
  all.push_back({"random123_libm_normals", library_row});
  all.push_back({"mt19937_64_normals", [engine = std::mt19937_64(1), normal = std::normal_distribution<double>()](
                                           std::uint64_t, std::span<double> out) mutable {
                   for (double& z : out) z = normal(engine);
                 }});
  return all;
}

}  // namespace

void measure_normals(const Communicator& comm, const NormalsOptions& options, ReportLine& line) {
  line.add("columns", options.columns);
  line.add("rows", options.rows);
  line.add("widest", name_of(widest_instruction_set()));
  std::vector<double> row(static_cast<std::size_t>(options.columns));
  std::vector<Contender> all = contenders();
  // In turn, so that what else the machine does hits all of them.
  for (int run = 0; run < options.runs; ++run) {
    for (Contender& contender : all) {
      const double seconds = shortest_time(comm, 1, [&] {
        for (std::int64_t r = 0; r < options.rows; ++r) contender.make_row(static_cast<std::uint64_t>(r), row);
      });
      contender.seconds = std::min(contender.seconds, seconds);
    }
  }
  const double drawn = static_cast<double>(comm.size()) * static_cast<double>(options.rows * options.columns);
  for (const Contender& contender : all) line.add(contender.name, drawn / contender.seconds);
}

}  // namespace diffphase::bench
