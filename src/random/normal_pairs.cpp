#include "random/normal_pairs.hpp"

#include "parallel/instruction_set.hpp"
#include "random/box_muller.hpp"

namespace diffphase {

namespace {

DIFFPHASE_INLINE void pairs_loop(const std::uint64_t* radius_words, const std::uint64_t* angle_words, std::int64_t n,
                                 double* cosines, double* sines) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const double radius = box_muller_radius(radius_words[i]);
    const UnitVector direction = box_muller_direction(angle_words[i]);
    cosines[i] = radius * direction.x;
    sines[i] = radius * direction.y;
  }
}

using Kernels = decltype(&normal_pairs);

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_KERNELS(set, attribute)                                                                         \
  attribute void pairs_##set(const std::uint64_t* radius_words, const std::uint64_t* angle_words, std::int64_t n, \
                             double* cosines, double* sines) {                                                    \
    pairs_loop(radius_words, angle_words, n, cosines, sines);                                                     \
  }                                                                                                               \
  constexpr Kernels kernels_##set = pairs_##set;
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DIFFPHASE_KERNELS)

const Kernels kernels = DIFFPHASE_CHOOSE(kernels, widest_instruction_set());

}  // namespace

void normal_pairs(const std::uint64_t* radius_words, const std::uint64_t* angle_words, std::int64_t n, double* cosines,
                  double* sines) {
  kernels(radius_words, angle_words, n, cosines, sines);
}

}  // namespace diffphase
