#include "normals_bench.hpp"

#include <Random123/philox.h>
#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <functional>
#include <numbers>
#include <random>
#include <span>
#include <vector>

#include "machine_rates.hpp"
#include "random/normal_kernel.hpp"

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

double rate(const Communicator& comm, const NormalsOptions& options, const RowMaker& make_row) {
  std::vector<double> row(static_cast<std::size_t>(options.columns));
  const double seconds = shortest_time(comm, options.runs, [&] {
    for (std::int64_t r = 0; r < options.rows; ++r) make_row(static_cast<std::uint64_t>(r), row);
  });
  return static_cast<double>(comm.size()) * static_cast<double>(options.rows * options.columns) / seconds;
}

}  // namespace

void measure_normals(const Communicator& comm, const NormalsOptions& options, ReportLine& line) {
  line.add("columns", options.columns);
  line.add("rows", options.rows);
  line.add("widest", name_of(widest_instruction_set()));
  for (const InstructionSet set : instruction_sets) {
    if (!processor_has(set)) continue;
    const auto normals = [&](std::uint64_t row, std::span<double> out) { normals_of_row(set, key, row, 0, out); };
    line.add(fmt::format("{}_normals", name_of(set)), rate(comm, options, normals));
  }
  line.add("random123_words", rate(comm, options, words_row));
  line.add("random123_libm_normals", rate(comm, options, library_row));
  std::mt19937_64 engine(1);
  std::normal_distribution<double> normal;
  line.add("mt19937_64_normals", rate(comm, options, [&](std::uint64_t, std::span<double> out) {
             for (double& z : out) z = normal(engine);
           }));
}

}  // namespace diffphase::bench
