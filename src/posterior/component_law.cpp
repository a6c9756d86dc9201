#include "posterior/component_law.hpp"

#include <cstddef>

namespace diffphase {

ComponentLaw ComponentLaw::classes(const GaussianMixture& mixture) {
  ComponentLaw law;
  if (mixture.shared_sigma()) law.sigmas = {mixture.parameters().sigma};
  for (std::int64_t c = 0; c < mixture.classes(); ++c) {
    if (!mixture.shared_sigma()) law.sigmas.push_back(mixture.sigma(c));
    if (!mixture.uniform_weights()) law.weights.push_back(mixture.weight(c));
  }
  return law;
}

double ComponentLaw::sigma(std::int64_t row) const {
  if (sigmas.empty()) return 0.0;
  return sigmas.size() == 1 ? sigmas.front() : sigmas[static_cast<std::size_t>(row)];
}

double ComponentLaw::weight(std::int64_t row, std::int64_t rows) const {
  return weights.empty() ? 1.0 / static_cast<double>(rows) : weights[static_cast<std::size_t>(row)];
}

}  // namespace diffphase
