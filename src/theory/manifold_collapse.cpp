#include "theory/manifold_collapse.hpp"

#include <limits>
#include <vector>

#include "theory/achilli2025.hpp"

namespace diffphase {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Variances of the data in all directions that have one; orthonormal factors.
std::vector<VarianceBlock> variances_of(const ManifoldParameters& manifold) {
  const double ambient = manifold.ambient_noise * manifold.ambient_noise;
  std::vector<VarianceBlock> variances;
  for (const FactorBlock& block : manifold.blocks)
    variances.push_back({block.size, block.sigma * block.sigma + ambient});
  const std::int64_t normal = manifold.dimension - manifold.columns();
  if (ambient > 0.0 && normal > 0) variances.push_back({normal, ambient});
  return variances;
}

}  // namespace

ManifoldCollapse::ManifoldCollapse(const ManifoldParameters& manifold, double log_samples)
    : tau_(nan), effective_dimension_(nan) {
  if (manifold.factor == FactorKind::orthonormal) {
    finite_.emplace(variances_of(manifold), log_samples);
    tau_ = finite_->collapse_tau();
    effective_dimension_ = finite_->effective_dimension(tau_);
  } else if (manifold.blocks.size() == 1 && manifold.ambient_noise == 0.0 && log_samples > 0.0) {
    const auto columns = static_cast<double>(manifold.columns());
    const auto dimension = static_cast<double>(manifold.dimension);
    const Achilli2025 limit(log_samples / dimension, columns / dimension);
    const double sigma = manifold.blocks.front().sigma;
    tau_ = limit.collapse_tau() * sigma * sigma * columns / manifold.scale();
    effective_dimension_ = columns * limit.averages(limit.collapse_tau()).resolved;
  }
}

std::string ManifoldCollapse::source(const ManifoldParameters& manifold, std::string_view prediction) {
  return manifold.factor == FactorKind::orthonormal ? Achilli2024::source(prediction) : Achilli2025::source();
}

double ManifoldCollapse::participation(double tau) const { return finite_ ? finite_->planted_participation(tau) : nan; }

}  // namespace diffphase
