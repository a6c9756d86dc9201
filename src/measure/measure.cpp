#include "measure/measure.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "ensemble/sample_count.hpp"
#include "measure/clones.hpp"
#include "measure/collapse.hpp"
#include "measure/dimension.hpp"
#include "measure/gap.hpp"
#include "measure/lost_directions.hpp"
#include "measure/speciation.hpp"
#include "measure/spectrum.hpp"

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

std::size_t DimensionSpec::size() const {
  return std::visit([](const auto& values) { return values.size(); }, coordinate);
}

MeasureOption integer_option(std::string name, double value, double minimum, double maximum, std::string meaning) {
  return {.name = std::move(name),
          .value = value,
          .minimum = minimum,
          .maximum = maximum,
          .integer = true,
          .meaning = std::move(meaning)};
}

MeasureOption number_option(std::string name, double value, double minimum, double maximum, std::string meaning) {
  MeasureOption option = integer_option(std::move(name), value, minimum, maximum, std::move(meaning));
  option.integer = false;
  return option;
}

MeasureOption word_option(std::string name, std::string meaning, std::vector<std::string> words) {
  return {.name = std::move(name), .integer = false, .meaning = std::move(meaning), .words = std::move(words)};
}

void set_default_options(const Measure& measure, TaskParameters& task) {
  for (const MeasureOption& option : measure.options()) {
    if (option.list) {
      task.lists.erase(option.name);
    } else if (option.words.empty()) {
      task.options[option.name] = option.value;
    } else {
      task.words[option.name] = option.words.front();
    }
  }
}

Cost& Cost::operator+=(const Cost& other) {
  flops += other.flops;
  exponentials += other.exponentials;
  normals += other.normals;
  divided_bytes += other.divided_bytes;
  rank_bytes += other.rank_bytes;
  threaded = std::max(threaded, other.threaded);
  return *this;
}

std::vector<std::int64_t> counting_up(std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return numbers;
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

std::string Measure::representation_problem(const TaskParameters& task) const {
  const auto uncountable = std::find_if_not(task.samples.begin(), task.samples.end(), is_countable);
  if (uncountable != task.samples.end() && !knows(Representation::extreme)) {
    return fmt::format("measure.{} needs a training set that can be drawn, and {} points cannot", name(),
                       samples_text(*uncountable));
  }
  if (knows(task.representation)) return {};
  std::vector<std::string> known;
  for (const Representation each : {Representation::automatic, Representation::full, Representation::projected,
                                    Representation::streaming, Representation::extreme}) {
    if (knows(each)) known.push_back(fmt::format("\"{}\"", representation_name(each)));
  }
  return fmt::format(
      "measure.{} cannot be taken with ensemble.representation = \"{}\", which has neither the coordinates of the data "
      "nor one training set for all probes: it needs {}",
      name(), representation_name(task.representation), fmt::join(known, " or "));
}

const std::vector<const Measure*>& measures() {
  static const SpeciationMeasure speciation;
  static const CollapseMeasure collapse;
  static const SpectrumMeasure spectrum;
  static const GapMeasure gap;
  static const DimensionMeasure dimension;
  static const LostDirectionsMeasure lost_directions;
  static const ClonesMeasure clones;
  static const std::vector<const Measure*> all{&speciation, &collapse,        &spectrum, &gap,
                                               &dimension,  &lost_directions, &clones};
  return all;
}

const Measure* find_measure(std::string_view name) {
  const auto found =
      std::find_if(measures().begin(), measures().end(), [&](const Measure* m) { return m->name() == name; });
  return found == measures().end() ? nullptr : *found;
}

}  // namespace diffphase
