#include "ensemble/ensemble.hpp"

namespace diffphase {

void Ensemble::sample(std::int64_t row, std::int64_t first_column, std::span<double> out) const {
  const std::unique_ptr<RowSampler> one = sampler(first_column, static_cast<std::int64_t>(out.size()));
  one->prepare(0, one->vectors());
  one->draw(row, 1, out);
}

}  // namespace diffphase
