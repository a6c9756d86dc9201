#include "sweep/point_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <variant>
#include <vector>

#include "ensemble/sample_count.hpp"
#include "files/bad_input.hpp"
#include "sweep/sample_expression.hpp"
#include "sweep/sweep_keys.hpp"

namespace diffphase {

std::string where_of(const PointValues& values, std::string_view key, const std::string& otherwise) {
  const auto found = values.find(key);
  return found == values.end() ? otherwise : found->second.entry->where;
}

namespace {

/// The value at a point, or the key's default.
template <class Value>
Value get(const PointValues& values, std::string_view key) {
  const auto found = values.find(key);
  return std::get<Value>(found == values.end() ? key_spec(key).value.value() : *found->second.value);
}

std::vector<std::int64_t> to_integers(const std::vector<double>& numbers) { return {numbers.begin(), numbers.end()}; }

template <class Kind, std::size_t count>
Kind named(const std::string& name, const std::array<std::pair<std::string_view, Kind>, count>& kinds) {
  return std::ranges::find(kinds, name, &std::pair<std::string_view, Kind>::first)->second;
}

CentroidKind centroid_kind(const std::string& name) {
  static constexpr std::array<std::pair<std::string_view, CentroidKind>, 5> kinds{
      {{"random", CentroidKind::random},
       {"opposite", CentroidKind::opposite},
       {"orthogonal", CentroidKind::orthogonal},
       {"simplex", CentroidKind::simplex},
       {"hierarchical", CentroidKind::hierarchical}}};
  return named(name, kinds);
}

FactorKind factor_kind(const std::string& name) {
  static constexpr std::array<std::pair<std::string_view, FactorKind>, 2> kinds{
      {{"orthonormal", FactorKind::orthonormal}, {"gaussian", FactorKind::gaussian}}};
  return named(name, kinds);
}

FactorNormalisation normalisation_kind(const std::string& name) {
  static constexpr std::array<std::pair<std::string_view, FactorNormalisation>, 3> kinds{
      {{"columns", FactorNormalisation::columns},
       {"dimension", FactorNormalisation::dimension},
       {"none", FactorNormalisation::none}}};
  return named(name, kinds);
}

Scaling scaling_kind(const std::string& name) {
  static constexpr std::array<std::pair<std::string_view, Scaling>, 4> kinds{{{"raw", Scaling::raw},
                                                                              {"[0,1]", Scaling::unit},
                                                                              {"[-1,1]", Scaling::symmetric},
                                                                              {"standardised", Scaling::standardised}}};
  return named(name, kinds);
}

bool is_hierarchical(const PointValues& values) {
  return get<std::string>(values, "ensemble.centroids") == "hierarchical";
}

/// Classes of hierarchical centroids; those of the key `classes` must agree.
std::int64_t classes_of_branches(const PointValues& values, const MixtureParameters& mixture) {
  const std::int64_t product = mixture.branches[0] * mixture.branches[1];
  const auto given = values.find("ensemble.classes");
  if (given != values.end() && std::get<std::int64_t>(*given->second.value) != product) {
    throw BadInput(fmt::format("{}: ensemble.classes = {}: branches = [{}, {}] gives {} classes",
                               given->second.entry->where, canonical_text(*given->second.value), mixture.branches[0],
                               mixture.branches[1], product));
  }
  return product;
}

void read_hierarchy(const PointValues& values, const SweepFile& file, MixtureParameters& mixture) {
  const auto branches = values.find("ensemble.branches");
  if (branches == values.end()) {
    throw BadInput(fmt::format("{}: ensemble.branches is missing: centroids = \"hierarchical\" needs branches = [a, b]",
                               where_of(values, "ensemble.centroids", file.path)));
  }
  const std::vector<std::int64_t> pair = to_integers(std::get<std::vector<double>>(*branches->second.value));
  mixture.branches = {pair.at(0), pair.at(1)};
  mixture.class_fraction = get<double>(values, "ensemble.class_fraction");
  mixture.classes = classes_of_branches(values, mixture);
}

/// The problem of a law, at the line of the key that its sentence begins with.
void check_law(const std::string& problem, const PointValues& values, const SweepFile& file) {
  if (problem.empty()) return;
  const std::string key = "ensemble." + problem.substr(0, problem.find_first_of(" :=["));
  throw BadInput(fmt::format("{}: [ensemble] {}", where_of(values, key, file.path), problem));
}

/// The value of a key that the kind of data cannot guess.
template <class Value>
Value get_required(const PointValues& values, std::string_view key, const SweepFile& file) {
  const auto found = values.find(key);
  if (found != values.end()) return std::get<Value>(*found->second.value);
  const KeySpec& spec = key_spec(key);
  throw BadInput(fmt::format("{}: {} is missing: {}, {}", file.path, spec.key, spec.meaning, spec.allowed()));
}

std::vector<FactorBlock> variance_blocks(const NumberTables& tables) {
  std::vector<FactorBlock> blocks;
  for (const NumberTable& table : tables) {  // size, sigma: the order of the key's fields
    blocks.push_back({.size = static_cast<std::int64_t>(table.at(0).second), .sigma = table.at(1).second});
  }
  return blocks;
}

std::string resolved(const std::string& folder, const std::string& path) {
  return path.empty() ? path : (std::filesystem::path(folder) / path).lexically_normal().string();
}

}  // namespace

std::string unused_reason(const PointValues& values, std::string_view key) {
  const bool hierarchical = is_hierarchical(values);
  if ((key == "ensemble.branches" || key == "ensemble.class_fraction") && !hierarchical) {
    return "is only for centroids = \"hierarchical\"";
  }
  if (key == "ensemble.sigma" && values.contains("ensemble.class_sigma")) {
    return "has no effect where class_sigma is given";
  }
  if (key == "ensemble.normalisation" && get<std::string>(values, "ensemble.factor") != "gaussian") {
    return "is only for factor = \"gaussian\"";
  }
  return "";
}

MixtureParameters make_mixture(const PointValues& values, const SweepFile& file) {
  MixtureParameters mixture;
  mixture.dimension = get_required<std::int64_t>(values, "ensemble.dimension", file);
  mixture.classes = get<std::int64_t>(values, "ensemble.classes");
  mixture.centroids = centroid_kind(get<std::string>(values, "ensemble.centroids"));
  mixture.separation = get<double>(values, "ensemble.separation");
  mixture.sigma = get<double>(values, "ensemble.sigma");
  mixture.class_sigma = get<std::vector<double>>(values, "ensemble.class_sigma", {});
  const auto weights = values.find("ensemble.weights");
  if (weights != values.end()) {
    if (const auto* list = std::get_if<std::vector<double>>(weights->second.value)) mixture.weights = *list;
  }
  if (is_hierarchical(values)) read_hierarchy(values, file, mixture);
  check_law(mixture.problem(), values, file);
  return mixture;
}

ManifoldParameters make_manifold(const PointValues& values, const SweepFile& file) {
  ManifoldParameters manifold;
  manifold.dimension = get_required<std::int64_t>(values, "ensemble.dimension", file);
  manifold.blocks = variance_blocks(get_required<NumberTables>(values, "ensemble.blocks", file));
  manifold.factor = factor_kind(get<std::string>(values, "ensemble.factor"));
  manifold.normalisation = normalisation_kind(get<std::string>(values, "ensemble.normalisation"));
  manifold.ambient_noise = get<double>(values, "ensemble.ambient_noise");
  check_law(manifold.problem(), values, file);
  return manifold;
}

SphereParameters make_sphere(const PointValues& values, const SweepFile& file) {
  SphereParameters sphere;
  sphere.dimension = get_required<std::int64_t>(values, "ensemble.dimension", file);
  sphere.sphere_dimension = get_required<std::int64_t>(values, "ensemble.sphere_dimension", file);
  sphere.radius = get<double>(values, "ensemble.radius");
  check_law(sphere.problem(), values, file);
  return sphere;
}

DatasetFile make_dataset_file(const PointValues& values, const SweepFile& file) {
  if (!values.contains("dataset.file")) {
    throw BadInput(fmt::format("{}: dataset.file is missing: [ensemble] kind = \"file\" needs it", file.path));
  }
  DatasetFile data;
  data.path = resolved(file.folder, get<std::string>(values, "dataset.file"));
  data.labels = resolved(file.folder, get<std::string>(values, "dataset.labels", {}));
  data.select_classes = to_integers(get<std::vector<double>>(values, "dataset.select_classes", {}));
  data.pad = get<std::int64_t>(values, "dataset.pad");
  data.shuffle = get<bool>(values, "dataset.shuffle");
  if (values.contains("dataset.transpose")) data.transpose = get<bool>(values, "dataset.transpose");
  data.scaling = scaling_kind(get<std::string>(values, "dataset.scaling"));
  data.seed = file.seed;
  if (!data.select_classes.empty() && data.labels.empty()) {
    throw BadInput(
        value_message(*values.find("dataset.select_classes")->second.entry, "needs labels, which are not given"));
  }
  return data;
}

std::int64_t samples_at(const PointValues& values, const SweepFile& file) {
  const auto samples = values.find(samples_key);
  if (samples == values.end()) return 0;
  const auto* text = std::get_if<std::string>(samples->second.value);
  if (text == nullptr) return std::get<std::int64_t>(*samples->second.value);
  const SweepEntry& entry = *samples->second.entry;
  if (file.kind != "gaussian-mixture") {
    throw BadInput(value_message(entry, "numbers of samples beyond counting are only for kind = \"gaussian-mixture\""));
  }
  const auto dimension = get_required<std::int64_t>(values, "ensemble.dimension", file);
  const double log_n = parse_sample_expression(*text).value().alpha * static_cast<double>(dimension);
  if (log_n < 1.0 || !std::isfinite(log_n)) {
    throw BadInput(value_message(
        entry, fmt::format("gives e^{} samples in {} dimensions: the exponent must be at least 1", log_n, dimension)));
  }
  return samples_of_log(log_n);
}

namespace {

/// True if the key at this value says nothing that its absence does not.
bool says_nothing(const PointValues& values, std::string_view key, const SweepValue& value) {
  const std::optional<SweepValue>& otherwise = key_spec(key).value;
  if (otherwise && canonical_text(*otherwise) == canonical_text(value)) return true;
  if (key == "ensemble.classes" && is_hierarchical(values)) return true;  // branches say it
  return key == samples_key || !unused_reason(values, key).empty();
}

}  // namespace

IdentityKeys point_identity(const PointValues& values, const SweepFile& file) {
  IdentityKeys keys = file.common_identity;
  keys["ensemble.kind"] = canonical_text(SweepValue(file.kind));
  for (const auto& [key, given] : values) {
    if (!says_nothing(values, key, *given.value)) keys[key] = canonical_text(*given.value);
  }
  return keys;
}

}  // namespace diffphase
