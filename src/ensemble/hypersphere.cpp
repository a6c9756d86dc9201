#include "ensemble/hypersphere.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace diffphase {

namespace {

SphereParameters validated(const SphereParameters& parameters) {
  if (const std::string problem = parameters.problem(); !problem.empty()) throw std::invalid_argument(problem);
  return parameters;
}

class SphereSampler : public RowSampler {
 public:
  SphereSampler(const Hypersphere& sphere, std::int64_t first_column, std::int64_t columns)
      : sphere_(sphere), first_column_(first_column), columns_(columns) {}

  void draw(std::int64_t first_row, std::int64_t rows, std::span<double> out) override {
    const auto columns = static_cast<std::size_t>(columns_);
    for (std::int64_t i = 0; i < rows; ++i) {
      sphere_.sample(first_row + i, first_column_, out.subspan(static_cast<std::size_t>(i) * columns, columns));
    }
  }

 private:
  const Hypersphere& sphere_;
  std::int64_t first_column_;
  std::int64_t columns_;
};

}  // namespace

std::string SphereParameters::problem() const {
  if (sphere_dimension < 1) return fmt::format("sphere_dimension = {}: must be at least 1", sphere_dimension);
  if (sphere_dimension >= dimension) {
    return fmt::format("sphere_dimension = {}: must be below dimension = {}, of the space around the sphere",
                       sphere_dimension, dimension);
  }
  if (!std::isfinite(radius) || radius <= 0.0) {
    return fmt::format("radius = {}: must be a finite number above 0", radius);
  }
  return {};
}

Hypersphere::Hypersphere(SphereParameters parameters, std::uint64_t seed, const Hash128& ensemble,
                         std::int64_t realization)
    : parameters_(validated(parameters)), stream_(seed, ensemble, realization, "directions") {}

std::unique_ptr<RowSampler> Hypersphere::sampler(std::int64_t first_column, std::int64_t columns) const {
  return std::make_unique<SphereSampler>(*this, first_column, columns);
}

double Hypersphere::numbers_per_row(std::int64_t columns) const {
  return static_cast<double>(parameters_.span()) + 0.01 * static_cast<double>(columns);
}

void Hypersphere::sample(std::int64_t row, std::int64_t first_column, std::span<double> out) const {
  constexpr std::int64_t chunk = 512;
  std::array<double, chunk> g{};
  std::fill(out.begin(), out.end(), 0.0);
  const std::int64_t end = first_column + static_cast<std::int64_t>(out.size());
  double norm2 = 0.0;
  for (std::int64_t first = 0; first < parameters_.span(); first += chunk) {
    const std::int64_t last = std::min(first + chunk, parameters_.span());
    stream_.normals(static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(first),
                    std::span(g).first(static_cast<std::size_t>(last - first)));
    for (std::int64_t j = first; j < last; ++j) {
      const double value = g[static_cast<std::size_t>(j - first)];
      norm2 += value * value;
      if (j >= first_column && j < end) out[static_cast<std::size_t>(j - first_column)] = value;
    }
  }
  const double scale = parameters_.radius / std::sqrt(norm2);
  for (double& value : out) value *= scale;
}

}  // namespace diffphase
