#include "measure/clones.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "ensemble/data_slab.hpp"
#include "measure/probes.hpp"
#include "trajectory/clones.hpp"

namespace diffphase {

namespace {

// Clones run on to this part of the smallest tau of the grid before the components of their ends are drawn
// from the posterior there. The answer does not depend on it; it only makes the smallest time a simulated one
// too.
constexpr double final_fraction = 0.25;

constexpr const char* biroli = "Biroli, Bonnaire, de Bortoli, Mezard 2024, arXiv:2402.18491";

bool has_classes(const TaskParameters& task) { return task.mixture && task.mixture->classes > 1; }

std::vector<double> split_taus(const TaskParameters& task) {
  std::vector<double> taus;
  for (const double time : task.times) taus.push_back(task.process.noise_to_signal(time));
  return taus;
}

CloneSettings settings(const TaskParameters& task, CloneStart start) {
  CloneSettings out;
  out.split_taus = split_taus(task);
  out.final_tau = final_fraction * out.split_taus.front();
  out.trajectories = static_cast<std::int64_t>(task.options.at("trajectories"));
  out.steps = static_cast<std::int64_t>(task.options.at("steps"));
  out.sampler = task.words.at("sampler") == "exact" ? ReverseSampler::exact : ReverseSampler::euler;
  out.start = start;
  return out;
}

CloneStreams streams(const TaskParameters& task, const std::string& purpose) {
  return {.normals = RandomStream(task.seed, task.ensemble, task.realization, purpose + " normals"),
          .uniforms = RandomStream(task.seed, task.ensemble, task.realization, purpose + " uniforms")};
}

// All rows on one rank.
SlabLayout whole(std::int64_t rows, std::int64_t columns) { return {.rows = rows, .columns = columns}; }

GaussianMixture mixture(const TaskParameters& task) {
  return {task.mixture.value(), task.seed, task.ensemble, task.realization};
}

CloneAgreement class_agreement(const TaskParameters& task, const TaskGroup& group) {
  DataSlab centroids;
  ComponentLaw law;
  group.run_guarded([&] {
    const GaussianMixture classes = mixture(task);
    centroids = centroid_matrix(classes, whole(classes.classes(), classes.dimension()));
    law = ComponentLaw::classes(classes);
  });
  return clone_agreement(group, centroids, law, settings(task, CloneStart::drawn), streams(task, "clones classes"));
}

DataSlab training_set(const TaskParameters& task, std::int64_t count) {
  const SlabLayout layout = whole(count, task.dimension());
  if (!task.file) return draw_training_set(*make_ensemble(task), layout);
  const Communicator self = Communicator::self();
  return read_dataset(TaskGroup(self), *task.file, task.file_summary, layout);
}

// Streams carry the count, so that a count's numbers do not depend on which others are asked for.
std::vector<CloneAgreement> participations(const TaskParameters& task, const std::vector<std::int64_t>& counts,
                                           const TaskGroup& group) {
  std::vector<CloneAgreement> out(counts.size());
  if (counts.empty()) return out;
  DataSlab set;
  group.run_guarded([&] { set = training_set(task, *std::max_element(counts.begin(), counts.end())); });
  const CloneStart start = task.file ? CloneStart::drawn : CloneStart::cyclic;
  std::vector<std::size_t> order(counts.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return counts[a] > counts[b]; });
  for (const std::size_t i : order) {
    keep_prefix(set, counts[i]);
    out[i] = clone_agreement(group, set, {}, settings(task, start),
                             streams(task, fmt::format("clones points {}", counts[i])));
  }
  return out;
}

void append(std::vector<double>& to, const std::vector<double>& values) {
  to.insert(to.end(), values.begin(), values.end());
}

VariableSpec specification(std::string name, std::string long_name, bool per_sample) {
  return {.name = std::move(name),
          .units = "1",
          .long_name = std::move(long_name),
          .source = biroli,
          .per_sample = per_sample,
          .dims = {"time"}};
}

}  // namespace

std::string_view ClonesMeasure::name() const { return "clones"; }

std::vector<MeasureOption> ClonesMeasure::options() const {
  return {{.name = "trajectories",
           .value = 10000.0,
           .minimum = 2.0,
           .maximum = 1e9,
           .integer = true,
           .meaning = "independent reverse trajectories, each split at every time of the grid",
           .words = {}},
          {.name = "steps",
           .value = 500.0,
           .minimum = 1.0,
           .maximum = 1e7,
           .integer = true,
           .meaning = "steps from the last time of the grid to the first and a little below, uniform in log-SNR",
           .words = {}},
          {.name = "sampler",
           .integer = false,
           .meaning = "Euler-Maruyama of the reverse SDE, or its exact transition per step",
           .words = {"euler", "exact"}}};
}

std::string ClonesMeasure::problem(const TaskParameters& task) const {
  if (has_classes(task) || !task.samples.empty()) return "";
  return "measure.clones needs ensemble.classes > 1 or dataset.samples: there is nothing to end in";
}

std::vector<VariableSpec> ClonesMeasure::variables(const TaskParameters& task) const {
  std::vector<VariableSpec> specs;
  if (has_classes(task)) {
    specs.push_back(specification("clone_class_agreement",
                                  "share of simulated clone pairs, split at this time, that end in the same class",
                                  false));
    specs.push_back(specification("clone_class_agreement_stderr", "standard error of clone_class_agreement", false));
  }
  if (!task.samples.empty()) {
    specs.push_back(
        specification("clone_participation",
                      "share of simulated clone pairs, split at this time, that end on the same training point", true));
    specs.push_back(specification("clone_participation_stderr", "standard error of clone_participation", true));
  }
  return specs;
}

Cost ClonesMeasure::cost(const TaskParameters& task, const TaskRequest& request) const {
  const CloneSettings run = settings(task, CloneStart::drawn);
  const double updates = static_cast<double>(run.trajectories) *
                         static_cast<double>(clone_updates(ReverseSchedule(run.split_taus, run.final_tau, run.steps)));
  const auto dimension = static_cast<double>(task.dimension());
  double components = 0.0;  // summed over the simulations
  double most = 0.0;
  double simulations = 0.0;
  const auto add = [&](std::int64_t count) {
    components += static_cast<double>(count);
    most = std::max(most, static_cast<double>(count));
    simulations += 1.0;
  };
  if (request.count_free && has_classes(task)) add(task.mixture->classes);
  for (const std::int64_t count : request.counts) add(count);
  const double states = static_cast<double>(run.split_taus.size()) + 1.0;
  Cost cost;
  // In few dimensions a product of matrices takes as long as one in sixteen, and a component of its own twice as long
  // as an exponential.
  cost.flops = 4.0 * updates * components * std::max(dimension, 16.0);
  cost.exponentials = 2.0 * updates * components;
  cost.normals = updates * simulations * dimension;
  // The slab, a block of states and the posterior's tiles.
  cost.rank_bytes =
      8.0 * (stored_numbers(most, dimension) + most) + std::max(8.0 * states * dimension, 100.0 * 1048576.0);
  return cost;
}

MeasureResult ClonesMeasure::run(const TaskParameters& task, const TaskRequest& request, const TaskGroup& group) const {
  MeasureResult result;
  if (request.count_free && has_classes(task)) {
    CloneAgreement classes = class_agreement(task, group);
    result.variables.push_back({"clone_class_agreement", std::move(classes.agreement)});
    result.variables.push_back({"clone_class_agreement_stderr", std::move(classes.standard_error)});
  }
  if (!task.samples.empty()) {
    VariableValues share{"clone_participation", {}};
    VariableValues error{"clone_participation_stderr", {}};
    for (const CloneAgreement& points : participations(task, request.counts, group)) {
      append(share.values, points.agreement);
      append(error.values, points.standard_error);
    }
    result.variables.push_back(std::move(share));
    result.variables.push_back(std::move(error));
  }
  if (!group.comm().is_root()) result.variables.clear();
  return result;
}

std::vector<VariableValues> ClonesMeasure::predict(const TaskParameters& /*task*/) const { return {}; }

}  // namespace diffphase
