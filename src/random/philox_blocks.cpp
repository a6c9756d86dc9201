#include "random/philox_blocks.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace diffphase {

namespace {

// For every processor, because what bounds it are scalar instructions: compiled for AVX, it keeps round keys in vector
// registers.
void draw_baseline(const PhiloxRow& row, std::uint64_t first_block, std::size_t blocks, std::uint64_t* words,
                   std::size_t stride) {
  for (std::size_t b = 0; b < blocks; ++b) {
    const PhiloxRow::Words drawn = row.block(first_block + b);
    for (std::size_t i = 0; i < drawn.size(); ++i) words[i * stride + b] = drawn[i];
  }
}

#if defined(__x86_64__)

constexpr std::size_t lanes = 8;
constexpr std::size_t vectors = 2;  // side by side: one multiplies while the other waits for its products
using Lanes = std::uint64_t __attribute__((vector_size(64)));
using StoredLanes = std::uint64_t __attribute__((vector_size(64), aligned(8)));

struct WideProducts {
  Lanes high;
  Lanes low;
};

// Products of the lower halves of lanes. (The form with a mask, which is all ones, is free of a false alarm of GCC 12.)
DIFFPHASE_AVX512 DIFFPHASE_INLINE Lanes half_products(const Lanes& x, const Lanes& y) {
  constexpr __mmask8 all = 0xff;
  return reinterpret_cast<Lanes>(
      _mm512_maskz_mul_epu32(all, reinterpret_cast<__m512i>(x), reinterpret_cast<__m512i>(y)));
}

// x times a factor, by the four products of their halves.
DIFFPHASE_AVX512 DIFFPHASE_INLINE WideProducts products(const Lanes& x, std::uint64_t factor) {
  constexpr std::uint64_t lower_half = 0xffffffffU;
  constexpr unsigned half = 32;
  const Lanes factor_low = Lanes{} + (factor & lower_half);
  const Lanes factor_high = Lanes{} + (factor >> half);
  const Lanes x_high = x >> half;
  const Lanes low_low = half_products(x, factor_low);
  const Lanes middle = half_products(x_high, factor_low) + (low_low >> half);
  const Lanes carried = half_products(x, factor_high) + (middle & lower_half);
  return {(half_products(x_high, factor_high) + (middle >> half)) + (carried >> half),
          (carried << half) | (low_low & lower_half)};
}

// PhiloxRow::block for `vectors` vectors of successive blocks.
DIFFPHASE_AVX512 DIFFPHASE_INLINE void draw_vectors(const PhiloxRow& row, std::uint64_t first_block,
                                                    std::uint64_t* words, std::size_t stride) {
  Lanes c[vectors][4];
#pragma GCC unroll 2
  for (std::size_t v = 0; v < vectors; ++v) {
    const Lanes index = Lanes{0, 1, 2, 3, 4, 5, 6, 7} + (first_block + v * lanes);
    const WideProducts zeroth = products(index, PhiloxRow::first_factor);
    const WideProducts other = products(zeroth.high ^ row.key(0).second, PhiloxRow::second_factor);
    c[v][0] = other.high ^ row.key(1).first;
    c[v][1] = other.low;
    c[v][2] = zeroth.low ^ row.second_round().first;
    c[v][3] = Lanes{} + row.second_round().second;
  }
#pragma GCC unroll 8
  for (std::size_t round = 2; round < PhiloxRow::rounds; ++round) {
#pragma GCC unroll 2
    for (std::size_t v = 0; v < vectors; ++v) {  // NOLINT(modernize-loop-convert): counted, to be unrolled
      const WideProducts first = products(c[v][0], PhiloxRow::first_factor);
      const WideProducts second = products(c[v][2], PhiloxRow::second_factor);
      c[v][0] = second.high ^ c[v][1] ^ row.key(round).first;
      c[v][1] = second.low;
      c[v][2] = first.high ^ c[v][3] ^ row.key(round).second;
      c[v][3] = first.low;
    }
  }
#pragma GCC unroll 2
  for (std::size_t v = 0; v < vectors; ++v) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      *reinterpret_cast<StoredLanes*>(words + i * stride + v * lanes) = c[v][i];
    }
  }
}

DIFFPHASE_AVX512 void draw_avx512(const PhiloxRow& row, std::uint64_t first_block, std::size_t blocks,
                                  std::uint64_t* words, std::size_t stride) {
  std::size_t done = 0;
  for (; done + vectors * lanes <= blocks; done += vectors * lanes) {
    draw_vectors(row, first_block + done, words + done, stride);
  }
  draw_baseline(row, first_block + done, blocks - done, words + done, stride);
}

constexpr BlockDrawer draw_avx2 = draw_baseline;

#endif

}  // namespace

BlockDrawer block_drawer(InstructionSet set) { return DIFFPHASE_CHOOSE(draw, set); }

}  // namespace diffphase
