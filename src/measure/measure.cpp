#include "measure/measure.hpp"

#include <algorithm>

#include "measure/clones.hpp"
#include "measure/collapse.hpp"
#include "measure/speciation.hpp"

namespace diffphase {

std::int64_t TaskParameters::dimension() const { return mixture ? mixture->dimension : file_summary.dimension; }

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
