#include "measure/number_range.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace diffphase {

namespace {

// Norms whose squares, summed over as many points as there may be and divided by the smallest b^2/a^2, are numbers with
// some room.
struct Range {
  double largest_norm;
  double smallest_tau;
  const char* name;
};
constexpr Range in_double{.largest_norm = 1e140, .smallest_tau = 1e-280, .name = "double"};
constexpr Range in_single{.largest_norm = 1e18, .smallest_tau = 1e-30, .name = "single"};
constexpr double largest_normal = 9.0;  // no random number is further from 0

struct Norm {
  double bound = 0.0;  // no point is longer, about
  const char* key = "";
  std::string what;  // that is so long
};

double root(std::int64_t count) { return std::sqrt(static_cast<double>(count)); }

Norm norm_of(const MixtureParameters& mixture) {
  double sigma = mixture.sigma;
  if (!mixture.class_sigma.empty()) sigma = *std::ranges::max_element(mixture.class_sigma);
  const double apart = mixture.classes > 1 ? mixture.separation : 0.0;
  const bool is_far = apart > sigma;
  const char* width = mixture.class_sigma.empty() ? "ensemble.sigma" : "ensemble.class_sigma";
  return {.bound = largest_normal * std::max(apart, sigma) * root(mixture.dimension),
          .key = is_far ? "ensemble.separation" : width,
          .what = is_far ? fmt::format("ensemble.separation = {}", apart) : fmt::format("{} = {}", width, sigma)};
}

Norm norm_of(const ManifoldParameters& manifold) {
  double sigma = 0.0;
  for (const FactorBlock& block : manifold.blocks) sigma = std::max(sigma, block.sigma);
  const bool is_gaussian = manifold.factor == FactorKind::gaussian;
  const double entry = is_gaussian ? largest_normal * root(manifold.dimension) / std::sqrt(manifold.scale()) : 1.0;
  const double along = largest_normal * sigma * entry * root(manifold.columns());
  const double ambient = largest_normal * manifold.ambient_noise * root(manifold.dimension);
  if (ambient > along) {
    return {.bound = ambient,
            .key = "ensemble.ambient_noise",
            .what = fmt::format("ensemble.ambient_noise = {}", manifold.ambient_noise)};
  }
  return {.bound = along, .key = "ensemble.blocks", .what = fmt::format("a block of sigma = {}", sigma)};
}

Norm norm_of(const TaskParameters& task) {
  if (task.mixture) return norm_of(*task.mixture);
  if (task.manifold) return norm_of(*task.manifold);
  if (task.sphere) {
    return {.bound = task.sphere->radius,
            .key = "ensemble.radius",
            .what = fmt::format("ensemble.radius = {}", task.sphere->radius)};
  }
  const LargestNumber& largest = task.file_summary.largest;
  return {.bound = 2.0 * task.file_summary.largest_entry * root(task.dimension()),
          .key = "dataset.file",
          .what = fmt::format("the largest number of {}, {} in row {}, column {} (from 0),", task.file->path,
                              largest.value, largest.row, largest.column)};
}

RangeProblem problem_of_time(const NoisingProcess& process, const char* key, double time, const Range& range) {
  const double tau = process.noise_to_signal(time);
  if (tau >= range.smallest_tau && tau <= 1.0 / range.smallest_tau) return {};
  return {.key = key,
          .text = fmt::format("{} holds {}, where b^2/a^2 is {:.3g}; allowed in {} precision: from {:.0e} to {:.0e}",
                              key, time, tau, range.name, range.smallest_tau, 1.0 / range.smallest_tau)};
}

}  // namespace

RangeProblem number_range_problem(const TaskParameters& task) {
  const bool is_single = task.single_precision || task.mixed_precision;
  const Range& range = is_single ? in_single : in_double;
  // Times ascend, and so does b^2/a^2. (Spectra may have times of their own.)
  for (const double time : task.times) {
    if (RangeProblem problem = problem_of_time(task.process, "process.time", time, range); problem.any())
      return problem;
  }
  if (const auto own = task.lists.find("times"); own != task.lists.end()) {
    for (const double time : own->second) {
      if (!task.process.contains(time)) continue;  // the measure refuses it
      if (RangeProblem problem = problem_of_time(task.process, "measure.spectrum.times", time, range); problem.any())
        return problem;
    }
  }
  const Norm norm = norm_of(task);
  if (norm.bound <= range.largest_norm) return {};
  const bool fits_double = is_single && norm.bound <= in_double.largest_norm;
  return {.key = norm.key,
          .text = fmt::format("{} makes norms of up to about {:.3g}, whose squares {} precision cannot hold; allowed: "
                              "up to {:.0e}{}",
                              norm.what, norm.bound, range.name, range.largest_norm,
                              fits_double ? ", or resources.precision = \"double\"" : "")};
}

}  // namespace diffphase
