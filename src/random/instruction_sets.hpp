#pragma once

// A loop that is written once, as a DIFFPHASE_INLINE function without branches, and compiled for several instruction
// sets: one function each that calls it, marked DIFFPHASE_AVX2, DIFFPHASE_AVX512 or not at all. choose_widest picks one
// of them when the program starts.

#define DIFFPHASE_INLINE inline __attribute__((always_inline))

#if defined(__x86_64__)
#define DIFFPHASE_AVX2 __attribute__((target("avx2,fma")))
#if defined(__clang__)
#define DIFFPHASE_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,fma"), min_vector_width(512)))
#else
#define DIFFPHASE_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,fma,prefer-vector-width=512")))
#endif
#else
#define DIFFPHASE_AVX2
#define DIFFPHASE_AVX512
#endif

namespace diffphase {

/// The function for the widest vectors that this processor has. Local.
template <typename Function>
[[nodiscard]] Function choose_widest(Function baseline, [[maybe_unused]] Function avx2,
                                     [[maybe_unused]] Function avx512) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2;
#endif
  return baseline;
}

}  // namespace diffphase
