#include "random/stream_kernel.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "random/box_muller.hpp"
#include "random/philox_blocks.hpp"

// This file is compiled without contraction to fused multiply-adds: see random/box_muller.hpp.

namespace diffphase {

namespace {

constexpr std::size_t block_numbers = 4;
constexpr std::size_t group_blocks = 4;
constexpr std::size_t group_numbers = block_numbers * group_blocks;
constexpr std::size_t most_blocks = 64;  // whose words wait in the first-level cache

// Word i of block b as [i][b].
template <std::size_t Blocks>
struct alignas(64) BlockWords {
  std::array<std::array<std::uint64_t, Blocks>, block_numbers> words;
};

struct Normals {
  template <std::size_t Blocks>
  static DIFFPHASE_INLINE void transform(const BlockWords<Blocks>& from, std::size_t blocks, double* out) {
#pragma omp simd
    for (std::size_t b = 0; b < blocks; ++b) {
      for (std::size_t pair = 0; pair < block_numbers; pair += 2) {
        const double radius = box_muller_radius(from.words[pair][b]);
        const UnitVector direction = box_muller_direction(from.words[pair + 1][b]);
        out[block_numbers * b + pair] = radius * direction.x;
        out[block_numbers * b + pair + 1] = radius * direction.y;
      }
    }
  }
};

struct Uniforms {
  template <std::size_t Blocks>
  static DIFFPHASE_INLINE void transform(const BlockWords<Blocks>& from, std::size_t blocks, double* out) {
#pragma omp simd
    for (std::size_t b = 0; b < blocks; ++b) {
      for (std::size_t i = 0; i < block_numbers; ++i) out[block_numbers * b + i] = unit_interval(from.words[i][b]);
    }
  }
};

template <typename Law>
DIFFPHASE_INLINE void whole_blocks(const PhiloxRow& row, BlockDrawer draw, std::uint64_t first_block,
                                   std::size_t blocks, double* out) {
  BlockWords<most_blocks> drawn;
  for (std::size_t done = 0; done < blocks; done += most_blocks) {
    const std::size_t some = std::min(blocks - done, most_blocks);
    draw(row, first_block + done, some, drawn.words[0].data(), most_blocks);
    Law::transform(drawn, some, out + done * block_numbers);
  }
}

// `count` numbers from the `skipped`-th of a group of blocks on. A group is transformed whole, as one vector is.
template <typename Law>
DIFFPHASE_INLINE void part_of_group(const PhiloxRow& row, BlockDrawer draw, std::uint64_t first_block,
                                    std::size_t skipped, std::size_t count, double* out) {
  BlockWords<group_blocks> drawn{};
  std::array<double, group_numbers> numbers;
  draw(row, first_block, (skipped + count + block_numbers - 1) / block_numbers, drawn.words[0].data(), group_blocks);
  Law::transform(drawn, group_blocks, numbers.data());
  std::copy_n(numbers.data() + skipped, count, out);
}

template <typename Law>
DIFFPHASE_INLINE void row_loop(const PhiloxRow& row, BlockDrawer draw, std::uint64_t first_column,
                               std::span<double> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t column = first_column + done;
    const std::size_t skipped = column % block_numbers;
    const std::size_t left = out.size() - done;
    std::size_t count = left / group_numbers * group_numbers;
    if (skipped == 0 && count > 0) {
      whole_blocks<Law>(row, draw, column / block_numbers, count / block_numbers, out.data() + done);
    } else {
      count = std::min(left, group_numbers - skipped);
      part_of_group<Law>(row, draw, column / block_numbers, skipped, count, out.data() + done);
    }
    done += count;
  }
}

using RowKernel = void (*)(const PhiloxRow&, BlockDrawer, std::uint64_t, std::span<double>);

struct Kernels {
  RowKernel normals;
  RowKernel uniforms;
};

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_KERNELS(set, attribute)                                                           \
  attribute void normals_##set(const PhiloxRow& row, BlockDrawer draw, std::uint64_t first_column,  \
                               std::span<double> out) {                                             \
    row_loop<Normals>(row, draw, first_column, out);                                                \
  }                                                                                                 \
  attribute void uniforms_##set(const PhiloxRow& row, BlockDrawer draw, std::uint64_t first_column, \
                                std::span<double> out) {                                            \
    row_loop<Uniforms>(row, draw, first_column, out);                                               \
  }                                                                                                 \
  constexpr Kernels kernels_##set{normals_##set, uniforms_##set};
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DIFFPHASE_KERNELS)

}  // namespace

void normals_of_row(InstructionSet set, const Hash128& key, std::uint64_t row, std::uint64_t first_column,
                    std::span<double> out) {
  DIFFPHASE_CHOOSE(kernels, set).normals(PhiloxRow(key, row), block_drawer(set), first_column, out);
}

void uniforms_of_row(InstructionSet set, const Hash128& key, std::uint64_t row, std::uint64_t first_column,
                     std::span<double> out) {
  DIFFPHASE_CHOOSE(kernels, set).uniforms(PhiloxRow(key, row), block_drawer(set), first_column, out);
}

}  // namespace diffphase
