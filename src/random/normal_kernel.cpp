#include "random/normal_kernel.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "random/box_muller.hpp"
#include "random/philox.hpp"

// This file is compiled without contraction to fused multiply-adds: see random/box_muller.hpp.

namespace diffphase {

namespace {

constexpr std::size_t block_numbers = 4;
constexpr std::size_t group_blocks = 4;  // transformed together: a vector of pairs, or a few
constexpr std::size_t group_pairs = 2 * group_blocks;
constexpr std::size_t group_numbers = block_numbers * group_blocks;
constexpr std::size_t most_groups = 16;  // whose words wait in the first-level cache

// Words of pairs (2 b, 2 b + 1) of block first_block + b, sorted by what becomes of them. A function of its own and for
// every processor, because what bounds it are scalar instructions: inlined, or with AVX, it keeps round keys in vector
// registers, where scalar instructions do not find them.
__attribute__((noinline)) void draw_words(const PhiloxRow& row, std::uint64_t first_block, std::size_t blocks,
                                          std::uint64_t* radius, std::uint64_t* direction) {
  for (std::size_t b = 0; b < blocks; ++b) {
    const PhiloxRow::Words words = row.block(first_block + b);
    radius[2 * b] = words[0];
    direction[2 * b] = words[1];
    radius[2 * b + 1] = words[2];
    direction[2 * b + 1] = words[3];
  }
}

DIFFPHASE_INLINE void transform_groups(const std::uint64_t* radius, const std::uint64_t* direction, std::size_t groups,
                                       double* out) {
#pragma omp simd
  for (std::size_t pair = 0; pair < groups * group_pairs; ++pair) {
    const double length = box_muller_radius(radius[pair]);
    const UnitVector unit = box_muller_direction(direction[pair]);
    out[2 * pair] = length * unit.x;
    out[2 * pair + 1] = length * unit.y;
  }
}

DIFFPHASE_INLINE void normal_groups(const PhiloxRow& row, std::uint64_t first_block, std::size_t groups, double* out) {
  alignas(64) std::array<std::uint64_t, most_groups * group_pairs> radius;
  alignas(64) std::array<std::uint64_t, most_groups * group_pairs> direction;
  for (std::size_t done = 0; done < groups; done += most_groups) {
    const std::size_t some = std::min(groups - done, most_groups);
    draw_words(row, first_block + done * group_blocks, some * group_blocks, radius.data(), direction.data());
    transform_groups(radius.data(), direction.data(), some, out + done * group_numbers);
  }
}

// `count` numbers from the `skipped`-th of a group on.
DIFFPHASE_INLINE void part_of_group(const PhiloxRow& row, std::uint64_t first_block, std::size_t skipped,
                                    std::size_t count, double* out) {
  alignas(64) std::array<std::uint64_t, group_pairs> radius{};
  alignas(64) std::array<std::uint64_t, group_pairs> direction{};
  std::array<double, group_numbers> numbers;
  draw_words(row, first_block, (skipped + count + block_numbers - 1) / block_numbers, radius.data(), direction.data());
  transform_groups(radius.data(), direction.data(), 1, numbers.data());
  std::copy_n(numbers.data() + skipped, count, out);
}

DIFFPHASE_INLINE void normals_loop(const PhiloxRow& row, std::uint64_t first_column, std::span<double> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t column = first_column + done;
    const std::size_t skipped = column % block_numbers;
    const std::size_t left = out.size() - done;
    std::size_t count = left / group_numbers * group_numbers;
    if (skipped == 0 && count > 0) {
      normal_groups(row, column / block_numbers, count / group_numbers, out.data() + done);
    } else {
      count = std::min(left, group_numbers - skipped);
      part_of_group(row, column / block_numbers, skipped, count, out.data() + done);
    }
    done += count;
  }
}

using Kernels = void (*)(const PhiloxRow&, std::uint64_t, std::span<double>);

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_KERNELS(set, attribute)                                                                 \
  attribute void normals_##set(const PhiloxRow& row, std::uint64_t first_column, std::span<double> out) { \
    normals_loop(row, first_column, out);                                                                 \
  }                                                                                                       \
  constexpr Kernels kernels_##set = normals_##set;
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DIFFPHASE_KERNELS)

}  // namespace

void normals_of_row(InstructionSet set, const Hash128& key, std::uint64_t row, std::uint64_t first_column,
                    std::span<double> out) {
  DIFFPHASE_CHOOSE(kernels, set)(PhiloxRow(key, row), first_column, out);
}

}  // namespace diffphase
