#include "measure/measure.hpp"

#include <algorithm>

#include "measure/clones.hpp"
#include "measure/collapse.hpp"
#include "measure/speciation.hpp"

namespace diffphase {

std::int64_t TaskParameters::dimension() const {
  if (mixture) return mixture->dimension;
  if (manifold) return manifold->dimension;
  if (sphere) return sphere->dimension;
  return file_summary.dimension;
}

std::int64_t TaskParameters::nonzero_columns() const {
  if (manifold) return manifold->nonzero_columns();
  return sphere ? sphere->span() : dimension();
}

std::unique_ptr<Ensemble> make_ensemble(const TaskParameters& task) {
  if (task.mixture) {
    return std::make_unique<GaussianMixture>(*task.mixture, task.seed, task.ensemble, task.realization);
  }
  if (task.manifold) {
    return std::make_unique<LinearManifold>(*task.manifold, task.seed, task.ensemble, task.realization);
  }
  if (task.sphere) return std::make_unique<Hypersphere>(*task.sphere, task.seed, task.ensemble, task.realization);
  return nullptr;
}

const std::vector<const Measure*>& measures() {
  static const SpeciationMeasure speciation;
  static const CollapseMeasure collapse;
  static const ClonesMeasure clones;
  static const std::vector<const Measure*> all{&speciation, &collapse, &clones};
  return all;
}

const Measure* find_measure(std::string_view name) {
  const auto found =
      std::find_if(measures().begin(), measures().end(), [&](const Measure* m) { return m->name() == name; });
  return found == measures().end() ? nullptr : *found;
}

}  // namespace diffphase
