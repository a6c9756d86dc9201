#include "posterior/streamed_kernel.hpp"

#include "random/instruction_sets.hpp"

namespace diffphase {

namespace {

DIFFPHASE_INLINE void one_point(const StreamedProbe& probe, const StreamedClass& c, const StreamedNumbers& numbers,
                                std::int64_t i, const StreamedProducts& out) {
  const double g1 = numbers.first[i];
  const double g2 = numbers.second[i];
  const double g3 = numbers.third[i];
  const double norm2 = g1 * g1 + g2 * g2 + g3 * g3 + numbers.rest[i];
  out.start[i] = c.start_product + c.sigma * probe.length * g1;
  out.noise[i] = c.noise_product + c.sigma * (probe.along * g1 + probe.across * g2);
  out.half_norm2[i] =
      c.half_norm2 + c.sigma * (c.along_start * g1 + c.along_noise * g2 + c.across * g3 + 0.5 * c.sigma * norm2);
}

DIFFPHASE_INLINE void products_loop(const StreamedProbe& probe, const StreamedClass* classes,
                                    const std::int32_t* labels, const StreamedNumbers& numbers, std::int64_t n,
                                    const StreamedProducts& out) {
  if (labels == nullptr) {
    const StreamedClass only = *classes;
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) one_point(probe, only, numbers, i, out);
    return;
  }
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) one_point(probe, classes[labels[i]], numbers, i, out);
}

void baseline(const StreamedProbe& probe, const StreamedClass* classes, const std::int32_t* labels,
              const StreamedNumbers& numbers, std::int64_t n, const StreamedProducts& out) {
  products_loop(probe, classes, labels, numbers, n, out);
}

DIFFPHASE_AVX2 void avx2(const StreamedProbe& probe, const StreamedClass* classes, const std::int32_t* labels,
                         const StreamedNumbers& numbers, std::int64_t n, const StreamedProducts& out) {
  products_loop(probe, classes, labels, numbers, n, out);
}

DIFFPHASE_AVX512 void avx512(const StreamedProbe& probe, const StreamedClass* classes, const std::int32_t* labels,
                             const StreamedNumbers& numbers, std::int64_t n, const StreamedProducts& out) {
  products_loop(probe, classes, labels, numbers, n, out);
}

const auto widest = choose_widest(&baseline, &avx2, &avx512);

}  // namespace

void streamed_products(const StreamedProbe& probe, const StreamedClass* classes, const std::int32_t* labels,
                       const StreamedNumbers& numbers, std::int64_t n, const StreamedProducts& out) {
  widest(probe, classes, labels, numbers, n, out);
}

}  // namespace diffphase
