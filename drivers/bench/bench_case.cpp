#include "bench_case.hpp"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <utility>

#include "ensemble/centroid_rows.hpp"
#include "ensemble/gaussian_mixture.hpp"
#include "ensemble/linear_manifold.hpp"

namespace diffphase::bench {

namespace {

constexpr std::uint64_t seed = 1;
constexpr std::int64_t outliers = 20;
constexpr std::int64_t power_law_directions = 1000;
constexpr double largest_tau = 1e12;

Hash128 ensemble_key() { return hash_text("benchmark"); }

std::unique_ptr<Ensemble> training_law(const CaseOptions& options) {
  ManifoldParameters parameters{.dimension = options.columns, .blocks = {}, .ambient_noise = 1.0};
  if (options.data == "flat") {
    return std::make_unique<GaussianMixture>(MixtureParameters{.dimension = options.columns}, seed, ensemble_key(), 0);
  }
  if (options.data == "outliers") {
    for (std::int64_t k = outliers; k > 0; --k) {
      parameters.blocks.push_back({.size = 1, .sigma = 3.0 + 9.0 * static_cast<double>(k) / outliers});
    }
  } else {
    parameters.ambient_noise = 0.1;
    for (std::int64_t k = 1; k <= std::min(power_law_directions, options.columns); ++k) {
      parameters.blocks.push_back({.size = 1, .sigma = 10.0 / std::sqrt(static_cast<double>(k))});
    }
  }
  return std::make_unique<LinearManifold>(std::move(parameters), seed, ensemble_key(), 0);
}

void write_numbers(const std::string& path, std::span<const double> numbers) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(numbers.data()), static_cast<std::streamsize>(numbers.size_bytes()));
  if (!file.flush()) throw std::runtime_error(fmt::format("{} could not be written", path));
}

}  // namespace

std::vector<double> first_rows(const TaskGroup& group, const RowView& view, std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  std::vector<double> rows(numbers.size() * static_cast<std::size_t>(view.layout().columns));
  fetch_rows(group, view, numbers, rows);
  return rows;
}

std::vector<std::string> data_names() { return {"outliers", "flat", "power-law", "classes"}; }

BenchCase::BenchCase(const TaskGroup& group, const CaseOptions& options)
    : group_(group),
      layout_{.partition = options.partition,
              .rows = options.rows,
              .columns = options.columns,
              .ranks = group.comm().size(),
              .rank = group.comm().rank()} {
  group_.run_guarded([&] { draw(options); });
  choose_point(options.spread);
}

void BenchCase::draw(const CaseOptions& options) {
  if (options.data == "classes") {
    const GaussianMixture mixture({.dimension = options.columns, .classes = options.rows}, seed, ensemble_key(), 0);
    law_ = ComponentLaw::classes(mixture);
    keep(CentroidRows(mixture), options.single);
    return;
  }
  keep(*training_law(options), options.single);
}

void BenchCase::keep(const Ensemble& law, bool single) {
  TrainingSetDraw drawing(law, layout_, single);
  for (std::int64_t i = drawing.steps(); i > 0; --i) drawing.step();
  if (single) {
    singles_ = drawing.take_single();
  } else {
    doubles_ = drawing.take();
  }
}

RowView BenchCase::rows() const { return singles_ ? RowView(*singles_) : RowView(doubles_); }

void BenchCase::choose_point(double spread) {
  const PointPosterior posterior(group_, rows(), law_);
  const auto columns = static_cast<std::size_t>(layout_.local_columns());
  std::vector<double> start(columns), noise(columns);
  const std::int64_t parent = 0;
  fetch_rows(group_, rows(), std::span(&parent, 1), start);
  RandomStream(seed, ensemble_key(), 0, "point").normals(0, static_cast<std::uint64_t>(layout_.first_column()), noise);
  // The width of the components is part of the noise that the point has.
  const double sigma2 = law_.sigma(0) * law_.sigma(0);
  for (tau_ = 1.0; tau_ < largest_tau; tau_ *= 2.0) {
    x_ = start;
    for (std::size_t j = 0; j < columns; ++j) x_[j] += std::sqrt(tau_ + sigma2) * noise[j];
    weigh(posterior);
    if (effective_rows_ >= spread * static_cast<double>(layout_.rows)) return;
  }
}

void BenchCase::weigh(const PointPosterior& posterior) {
  const NoiseLevel level = NoiseLevel::at_tau(tau_);
  const double log_evidence = posterior.log_evidence(level, 1, x_).front();
  responsibilities_.clear();
  posterior.responsibilities(level, 1, x_, std::span(&log_evidence, 1), [&](const ResponsibilityTile& tile) {
    responsibilities_.insert(responsibilities_.end(), tile.values.begin(), tile.values.end());
  });
  double squares = 0.0;
  for (const double p : responsibilities_) squares += p * p;
  if (layout_.partition == Partition::component) group_.comm().sum(std::span(&squares, 1));
  effective_rows_ = 1.0 / squares;
}

ScoreJacobian BenchCase::jacobian() const {
  return {group_, rows(), law_, NoiseLevel::at_tau(tau_), x_, responsibilities_};
}

void BenchCase::save(const std::string& folder) const {
  if (layout_.ranks != 1 || singles_) throw std::runtime_error("rows are saved by one rank, stored as doubles");
  write_numbers(folder + "/rows", first_rows(group_, rows(), layout_.rows));
  write_numbers(folder + "/responsibilities", responsibilities_);
}

}  // namespace diffphase::bench
