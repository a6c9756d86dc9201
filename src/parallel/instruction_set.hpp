#pragma once

#include <array>
#include <cstdlib>
#include <string_view>

// Kernels: loops that are written once, compiled for several instruction sets, and chosen when the program starts. A
// file of kernels has
//
//   - the loops, DIFFPHASE_INLINE functions,
//   - a struct Kernels of pointers to functions,
//   - a macro DIFFPHASE_KERNELS(set, attribute) of functions called name_##set that have the attribute and call the
//     loops, and of constexpr Kernels kernels_##set made of them,
//   - DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DIFFPHASE_KERNELS),
//   - const Kernels kernels = DIFFPHASE_CHOOSE(kernels, widest_instruction_set()).

/// A loop that takes the instruction set of the kernel that calls it.
#define DIFFPHASE_INLINE inline __attribute__((always_inline))

/// DEFINE(set, attribute) for every InstructionSet that kernels are compiled for: `set` is its name, `attribute` goes
/// before a function. DIFFPHASE_CHOOSE(name, set) is one of name_baseline, name_avx2 and name_avx512, of one type.
// NOLINTBEGIN(bugprone-macro-parentheses): the name of a macro, and parts of names
#if defined(__x86_64__)
#if defined(__clang__)
#define DIFFPHASE_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,fma"), min_vector_width(512)))
#else
#define DIFFPHASE_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,fma,prefer-vector-width=512")))
#endif
#define DIFFPHASE_AVX2 __attribute__((target("avx2,fma")))
#define DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DEFINE) \
  DEFINE(baseline, ) DEFINE(avx2, DIFFPHASE_AVX2) DEFINE(avx512, DIFFPHASE_AVX512)
#define DIFFPHASE_CHOOSE(name, set) ::diffphase::choose_kernels((set), name##_baseline, name##_avx2, name##_avx512)
#else
#define DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DEFINE) DEFINE(baseline, )
#define DIFFPHASE_CHOOSE(name, set) \
  ::diffphase::choose_kernels((set), name##_baseline, name##_baseline, name##_baseline)
#endif
// NOLINTEND(bugprone-macro-parentheses)

namespace diffphase {

/// What kernels are compiled for: what every machine of its kind has, AVX2 with FMA, and AVX-512 (F, DQ, VL) with both.
enum class InstructionSet { baseline, avx2, avx512 };

inline constexpr std::array<InstructionSet, 3> instruction_sets{InstructionSet::baseline, InstructionSet::avx2,
                                                                InstructionSet::avx512};

/// As written in tables.
[[nodiscard]] constexpr const char* name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::baseline:
      break;
  }
  return "baseline";
}

/// Whether this processor runs the kernels of `set`.
[[nodiscard]] inline bool processor_has(InstructionSet set) {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  switch (set) {
    case InstructionSet::avx512:
      return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
    case InstructionSet::avx2:
      return avx2;
    case InstructionSet::baseline:
      break;
  }
#endif
  return set == InstructionSet::baseline;
}

/// Value of the environment variable DIFFPHASE_INSTRUCTION_SET, the name of the widest set to be used; empty: any.
[[nodiscard]] inline std::string_view instruction_set_limit() {
  const char* const value = std::getenv("DIFFPHASE_INSTRUCTION_SET");
  return value == nullptr ? std::string_view() : std::string_view(value);
}

/// The last of `instruction_sets` that this processor has, up to instruction_set_limit(). A limit that is no name is
/// none: kernels are chosen before anything could be said about it.
[[nodiscard]] inline InstructionSet widest_instruction_set() {
  InstructionSet widest = InstructionSet::baseline;
  for (const InstructionSet set : instruction_sets) {
    if (processor_has(set)) widest = set;
    if (instruction_set_limit() == name_of(set)) break;
  }
  return widest;
}

/// Whether instruction_set_limit() means something.
[[nodiscard]] inline bool instruction_set_limit_is_known() {
  bool known = instruction_set_limit().empty();
  for (const InstructionSet set : instruction_sets) known = known || instruction_set_limit() == name_of(set);
  return known;
}

/// See DIFFPHASE_CHOOSE.
template <typename Kernels>
[[nodiscard]] constexpr Kernels choose_kernels(InstructionSet set, Kernels baseline, Kernels avx2, Kernels avx512) {
  switch (set) {
    case InstructionSet::avx512:
      return avx512;
    case InstructionSet::avx2:
      return avx2;
    case InstructionSet::baseline:
      break;
  }
  return baseline;
}

}  // namespace diffphase
