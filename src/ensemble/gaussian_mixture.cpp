#include "ensemble/gaussian_mixture.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace diffphase {

namespace {

bool positive(double value) { return std::isfinite(value) && value > 0.0; }

// What is wrong with a vector of one positive number per class; empty if nothing is, or if the vector is
// empty.
std::string problem_of_class_vector(const char* key, const std::vector<double>& values, std::int64_t classes) {
  if (values.empty()) return {};
  if (static_cast<std::int64_t>(values.size()) != classes) {
    return fmt::format("{} has {} values: needs one for each of the {} classes", key, values.size(), classes);
  }
  const auto bad = std::find_if_not(values.begin(), values.end(), positive);
  if (bad != values.end()) {
    return fmt::format("{}[{}] = {}: must be a finite number above 0", key, bad - values.begin(), *bad);
  }
  return {};
}

std::string problem_of_branches(const MixtureParameters& p) {
  const auto [upper, lower] = p.branches;
  const std::string given = fmt::format("branches = [{}, {}]", upper, lower);
  if (upper < 1 || lower < 1) return given + ": both must be at least 1";
  if (p.classes % upper != 0 || p.classes / upper != lower) {
    return fmt::format("{}: their product must be the number of classes, {}", given, p.classes);
  }
  if (p.classes > 1 && p.classes > p.dimension - upper) {
    return fmt::format(
        "{}: the hierarchical centroids need a dimension of at least {}, one for each superclass and "
        "each class, but dimension = {}",
        given, upper + p.classes, p.dimension);
  }
  if (!(p.class_fraction > 0.0 && p.class_fraction < 1.0)) {
    return fmt::format("class_fraction = {}: must lie between 0 and 1, ends excluded", p.class_fraction);
  }
  return {};
}

std::string problem_of_geometry(const MixtureParameters& p) {
  switch (p.centroids) {
    case CentroidKind::random:
      return {};
    case CentroidKind::opposite:
      return p.classes == 2 ? std::string()
                            : fmt::format("classes = {}: centroids = \"opposite\" needs exactly 2 classes", p.classes);
    case CentroidKind::orthogonal:
      return p.classes <= p.dimension
                 ? std::string()
                 : fmt::format("classes = {}: centroids = \"orthogonal\" allows at most dimension = {} classes",
                               p.classes, p.dimension);
    case CentroidKind::simplex:
      return p.classes - 1 <= p.dimension
                 ? std::string()
                 : fmt::format("classes = {}: centroids = \"simplex\" allows at most dimension + 1 = {} classes",
                               p.classes, p.dimension + 1);
    case CentroidKind::hierarchical:
      return problem_of_branches(p);
  }
  return "centroids: unknown kind";
}

MixtureParameters validated(MixtureParameters parameters) {
  if (const std::string problem = parameters.problem(); !problem.empty()) throw std::invalid_argument(problem);
  const double total = std::accumulate(parameters.weights.begin(), parameters.weights.end(), 0.0);
  for (double& weight : parameters.weights) weight /= total;
  return parameters;
}

// A few columns of a longer row: writes to those of them that fall inside.
class RowWindow {
 public:
  RowWindow(std::int64_t first_column, std::span<double> out) : first_(first_column), out_(out) {}

  void fill(std::int64_t begin, std::int64_t end, double value) {
    const auto size = static_cast<std::int64_t>(out_.size());
    const std::int64_t from = std::clamp<std::int64_t>(begin - first_, 0, size);
    const std::int64_t to = std::clamp<std::int64_t>(end - first_, from, size);
    std::fill(out_.begin() + from, out_.begin() + to, value);
  }

  void set(std::int64_t column, double value) { fill(column, column + 1, value); }

 private:
  std::int64_t first_;
  std::span<double> out_;
};

// Vertex c of the regular simplex of K unit vectors around the origin, times `norm`, in the first K - 1
// coordinates.
void simplex_vertex(std::int64_t c, std::int64_t classes, double norm, RowWindow row) {
  const std::int64_t axes = classes - 1;
  const auto m = static_cast<double>(axes);
  if (c == 0) {
    row.fill(0, axes, norm / std::sqrt(m));
    return;
  }
  const double common = -(std::sqrt(m + 1.0) + 1.0) / (m * std::sqrt(m));
  row.fill(0, axes, norm * common);
  row.set(c - 1, norm * (std::sqrt(1.0 + 1.0 / m) + common));
}

// Centroids kept while rows are drawn: no more than this many numbers (32 MiB).
constexpr std::int64_t kept_centroid_numbers = std::int64_t{1} << 22;

// Random centroids cost as much as the noise of a row, so they are made once and kept, as long as they are few.
class MixtureSampler : public RowSampler {
 public:
  MixtureSampler(const GaussianMixture& mixture, std::int64_t first_column, std::int64_t columns)
      : mixture_(mixture),
        first_column_(first_column),
        columns_(columns),
        keeps_(mixture.parameters().centroids == CentroidKind::random && columns > 0 &&
               mixture.classes() <= kept_centroid_numbers / columns) {}

  void draw(std::int64_t first_row, std::int64_t rows, std::span<double> out) override {
    const auto columns = static_cast<std::size_t>(columns_);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t c = mixture_.label(first_row + i);
      const std::span<double> row = out.subspan(static_cast<std::size_t>(i) * columns, columns);
      copy_centroid(c, row);
      mixture_.add_noise(first_row + i, c, first_column_, row);
    }
  }

 private:
  void copy_centroid(std::int64_t c, std::span<double> out) {
    if (!keeps_) {
      mixture_.centroid(c, first_column_, out);
      return;
    }
    auto [kept, is_new] = kept_.try_emplace(c);
    if (is_new) {
      kept->second.resize(out.size());
      mixture_.centroid(c, first_column_, kept->second);
    }
    std::copy(kept->second.begin(), kept->second.end(), out.begin());
  }

  const GaussianMixture& mixture_;
  std::int64_t first_column_;
  std::int64_t columns_;
  bool keeps_;
  std::unordered_map<std::int64_t, std::vector<double>> kept_;
};

}  // namespace

std::string MixtureParameters::problem() const {
  if (dimension < 1) return fmt::format("dimension = {}: must be at least 1", dimension);
  if (classes < 1) return fmt::format("classes = {}: must be at least 1", classes);
  if (!std::isfinite(separation) || separation < 0.0) {
    return fmt::format("separation = {}: must be a finite number, 0 or above", separation);
  }
  if (!positive(sigma)) return fmt::format("sigma = {}: must be a finite number above 0", sigma);
  if (std::string problem = problem_of_geometry(*this); !problem.empty()) return problem;
  if (std::string problem = problem_of_class_vector("class_sigma", class_sigma, classes); !problem.empty()) {
    return problem;
  }
  if (std::string problem = problem_of_class_vector("weights", weights, classes); !problem.empty()) return problem;
  if (!std::isfinite(std::accumulate(weights.begin(), weights.end(), 0.0))) {
    return fmt::format("weights = [{}]: their sum must be finite", fmt::join(weights, ", "));
  }
  return {};
}

GaussianMixture::GaussianMixture(MixtureParameters parameters, std::uint64_t seed, const Hash128& ensemble,
                                 std::int64_t realization)
    : parameters_(validated(std::move(parameters))),
      cumulative_weights_(parameters_.weights.size()),
      centroid_stream_(seed, ensemble, realization, "centroids"),
      class_stream_(seed, ensemble, realization, "classes"),
      training_stream_(seed, ensemble, realization, "training") {
  std::partial_sum(parameters_.weights.begin(), parameters_.weights.end(), cumulative_weights_.begin());
}

double GaussianMixture::sigma(std::int64_t c) const {
  return shared_sigma() ? parameters_.sigma : parameters_.class_sigma[static_cast<std::size_t>(c)];
}

double GaussianMixture::weight(std::int64_t c) const {
  return uniform_weights() ? 1.0 / static_cast<double>(classes()) : parameters_.weights[static_cast<std::size_t>(c)];
}

std::int64_t GaussianMixture::superclasses() const {
  return parameters_.centroids == CentroidKind::hierarchical ? parameters_.branches[0] : 0;
}

void GaussianMixture::centroid(std::int64_t c, std::int64_t first_column, std::span<double> out) const {
  std::fill(out.begin(), out.end(), 0.0);
  if (classes() == 1) return;
  const double norm = parameters_.separation * std::sqrt(static_cast<double>(dimension()));
  RowWindow row(first_column, out);
  switch (parameters_.centroids) {
    case CentroidKind::random:
      centroid_stream_.normals(static_cast<std::uint64_t>(c), static_cast<std::uint64_t>(first_column), out);
      for (double& value : out) value *= parameters_.separation;
      return;
    case CentroidKind::opposite:
      row.fill(0, dimension(), c == 0 ? parameters_.separation : -parameters_.separation);
      return;
    case CentroidKind::orthogonal:
      row.set(c, norm);
      return;
    case CentroidKind::simplex:
      simplex_vertex(c, classes(), norm, row);
      return;
    case CentroidKind::hierarchical:
      row.set(superclass(c), norm * std::sqrt(1.0 - parameters_.class_fraction));
      row.set(parameters_.branches[0] + c, norm * std::sqrt(parameters_.class_fraction));
      return;
  }
}

std::int64_t GaussianMixture::label(std::int64_t row) const {
  if (classes() == 1) return 0;
  const double u = class_stream_.uniform(static_cast<std::uint64_t>(row), 0);
  const std::int64_t c =
      uniform_weights()
          ? static_cast<std::int64_t>(u * static_cast<double>(classes()))
          : std::upper_bound(cumulative_weights_.begin(), cumulative_weights_.end(), u) - cumulative_weights_.begin();
  // Rounding may leave the last cumulative weight below 1.
  return std::min(c, classes() - 1);
}

void GaussianMixture::add_noise(std::int64_t row, std::int64_t c, std::int64_t first_column,
                                std::span<double> out) const {
  constexpr std::size_t chunk = 512;
  std::array<double, chunk> z{};
  const double scale = sigma(c);
  for (std::size_t done = 0; done < out.size(); done += chunk) {
    const std::span<double> part = out.subspan(done, std::min(chunk, out.size() - done));
    training_stream_.normals(static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(first_column) + done,
                             std::span(z).first(part.size()));
    for (std::size_t i = 0; i < part.size(); ++i) part[i] += scale * z[i];
  }
}

std::unique_ptr<RowSampler> GaussianMixture::sampler(std::int64_t first_column, std::int64_t columns) const {
  return std::make_unique<MixtureSampler>(*this, first_column, columns);
}

void GaussianMixture::sample(std::int64_t row, std::int64_t first_column, std::span<double> out) const {
  const std::int64_t c = label(row);
  centroid(c, first_column, out);
  add_noise(row, c, first_column, out);
}

}  // namespace diffphase
