#pragma once

#include <cstdint>

#include "parallel/instruction_set.hpp"

#if defined(__GNUC__) && !defined(__clang__)
// Vectors are handed on only between functions that are always inlined.
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

// For kernels (instruction_set.hpp) whose vectors have the width of the instruction set: wider ones are split for
// arithmetic, but compared number by number.

namespace diffphase {

/// A vector of Width numbers in registers (Lanes), where it is stored without alignment (Stored), and its bits (Words):
/// of 64, 32 and 16 bytes. Written out, because GCC drops a vector size that depends on a parameter.
template <typename Number, int Width>
struct VectorOf;
template <>
struct VectorOf<double, 8> {
  using Lanes = double __attribute__((vector_size(64)));
  using Stored = double __attribute__((vector_size(64), aligned(8)));
  using Words = std::uint64_t __attribute__((vector_size(64)));
};
template <>
struct VectorOf<double, 4> {
  using Lanes = double __attribute__((vector_size(32)));
  using Stored = double __attribute__((vector_size(32), aligned(8)));
  using Words = std::uint64_t __attribute__((vector_size(32)));
};
template <>
struct VectorOf<double, 2> {
  using Lanes = double __attribute__((vector_size(16)));
  using Stored = double __attribute__((vector_size(16), aligned(8)));
  using Words = std::uint64_t __attribute__((vector_size(16)));
};
template <>
struct VectorOf<float, 16> {
  using Lanes = float __attribute__((vector_size(64)));
  using Stored = float __attribute__((vector_size(64), aligned(4)));
  using Words = std::uint32_t __attribute__((vector_size(64)));
};
template <>
struct VectorOf<float, 8> {
  using Lanes = float __attribute__((vector_size(32)));
  using Stored = float __attribute__((vector_size(32), aligned(4)));
  using Words = std::uint32_t __attribute__((vector_size(32)));
};
template <>
struct VectorOf<float, 4> {
  using Lanes = float __attribute__((vector_size(16)));
  using Stored = float __attribute__((vector_size(16), aligned(4)));
  using Words = std::uint32_t __attribute__((vector_size(16)));
};

/// Widths of a vector of 8-byte numbers on each instruction set; twice as many floats.
inline constexpr int width_avx512 = 8;
inline constexpr int width_avx2 = 4;
inline constexpr int width_baseline = 2;

template <typename Number, int Width>
DIFFPHASE_INLINE typename VectorOf<Number, Width>::Lanes load_lanes(const Number* from) {
  return *reinterpret_cast<const typename VectorOf<Number, Width>::Stored*>(from);
}

template <typename Number, int Width>
DIFFPHASE_INLINE void store_lanes(const typename VectorOf<Number, Width>::Lanes& from, Number* to) {
  *reinterpret_cast<typename VectorOf<Number, Width>::Stored*>(to) = from;
}

template <typename Number, int Width>
DIFFPHASE_INLINE typename VectorOf<Number, Width>::Lanes all_lanes(Number value) {
  return value - typename VectorOf<Number, Width>::Lanes{};
}

}  // namespace diffphase
