#pragma once

#include <cstdint>

namespace diffphase {

/// A probe, x_0 = length e_1 and xi = along e_1 + across e_2, as StreamedSource has it.
struct StreamedProbe {
  double length = 0.0;
  double along = 0.0;
  double across = 0.0;
};

/// A class as one probe sees it: products of its centroid, and the centroid in the basis e_1, e_2, e_3.
struct StreamedClass {
  double start_product = 0.0;
  double noise_product = 0.0;
  double half_norm2 = 0.0;
  double sigma = 1.0;
  double along_start = 0.0;
  double along_noise = 0.0;
  double across = 0.0;
};

/// Random numbers of n fresh points: three unit Gaussians and the rest of the squared length.
struct StreamedNumbers {
  const double* first = nullptr;
  const double* second = nullptr;
  const double* third = nullptr;
  const double* rest = nullptr;
};

/// Products of n points.
struct StreamedProducts {
  double* start = nullptr;
  double* noise = nullptr;
  double* half_norm2 = nullptr;
};

/// Products of n fresh points with one probe; their classes are classes[labels[i]], or all classes[0] if `labels` is
/// null. Local.
void streamed_products(const StreamedProbe& probe, const StreamedClass* classes, const std::int32_t* labels,
                       const StreamedNumbers& numbers, std::int64_t n, const StreamedProducts& out);

}  // namespace diffphase
