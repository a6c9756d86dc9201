#include "posterior/point_posterior.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace diffphase {

namespace {

constexpr std::int64_t slab_tile_numbers = std::int64_t{1} << 17;     // 1 MiB of rows: both products find it in cache
constexpr std::int64_t product_tile_numbers = std::int64_t{1} << 19;  // 4 MiB
constexpr double operations_per_agreement = 4e9;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// BLAS counts in ints; a tile always fits, a row of the slab need not.
int blas_count(std::int64_t count) {
  if (count > std::numeric_limits<int>::max()) throw std::length_error("a matrix too large for BLAS");
  return static_cast<int>(count);
}

double dot(std::span<const double> a, std::span<const double> b) {
  return a.empty() ? 0.0 : cblas_ddot(static_cast<int>(a.size()), a.data(), 1, b.data(), 1);
}

void add_scaled(double factor, std::span<const double> from, std::span<double> to) {
  if (!to.empty()) cblas_daxpy(static_cast<int>(to.size()), factor, from.data(), 1, to.data(), 1);
}

void scale(double factor, std::span<double> values) {
  if (!values.empty()) cblas_dscal(static_cast<int>(values.size()), factor, values.data(), 1);
}

void require_one_per_row(std::span<const double> values, std::int64_t rows, bool shared, const char* what) {
  const auto size = static_cast<std::int64_t>(values.size());
  if (size == 0 || size == rows || (shared && size == 1)) return;
  throw std::invalid_argument(fmt::format("posterior: {} {} for {} components", size, what, rows));
}

}  // namespace

NoiseLevel NoiseLevel::at_tau(double tau) { return {.signal = 1.0, .noise = std::sqrt(tau)}; }

ComponentPosterior::ComponentPosterior(NoiseLevel level, double sigma) {
  const double noise2 = level.noise * level.noise;
  const double sigma2 = sigma * sigma;
  const double total = noise2 + level.signal * level.signal * sigma2;
  shrink = noise2 / total;
  pull = level.signal * sigma2 / total;
  variance = shrink * sigma2;
}

PointPosterior::LevelTerms::LevelTerms(const PointPosterior& owner, NoiseLevel level) {
  const SlabLayout& layout = owner.view_.layout();
  const auto terms_of = [&](std::int64_t row) {
    const double sigma = owner.law_.sigma(row);
    const double log_weight = std::log(owner.law_.weight(row, layout.rows));
    return RowTerms{logit_coefficients(level.signal, level.noise, sigma, log_weight, layout.columns),
                    ComponentPosterior(level, sigma)};
  };
  if (owner.law_.same_for_all_rows()) {
    terms_.push_back(terms_of(0));
    return;
  }
  terms_.reserve(index(owner.local_rows_));
  for (std::int64_t local = 0; local < owner.local_rows_; ++local) {
    terms_.push_back(terms_of(layout.global_row(local)));
  }
}

/// Per point: the largest logit so far and the sums of e = exp(logit - maximum), e shrink, e pull and e
/// shrink y.
struct PointPosterior::SoftmaxSums {
  SoftmaxSums() = default;
  SoftmaxSums(std::int64_t points, std::int64_t columns)
      : maximum(index(points), -std::numeric_limits<double>::infinity()),
        mass(index(points)),
        shrink(index(points)),
        pull(index(points)),
        rows(index(points * columns)),
        columns_(index(columns)) {}

  [[nodiscard]] std::span<double> row(std::size_t point) { return std::span(rows).subspan(point * columns_, columns_); }

  void raise_maximum(std::size_t point, double to) {
    if (to <= maximum[point]) return;
    const double factor = std::exp(maximum[point] - to);
    mass[point] *= factor;
    shrink[point] *= factor;
    pull[point] *= factor;
    scale(factor, row(point));
    maximum[point] = to;
  }

  [[nodiscard]] double log_mass(std::size_t point) const { return maximum[point] + std::log(mass[point]); }

  std::vector<double> maximum, mass, shrink, pull, rows;

 private:
  std::size_t columns_ = 0;
};

PointPosterior::PointPosterior(const TaskGroup& group, RowView rows, ComponentLaw law)
    : group_(group),
      view_(rows),
      law_(std::move(law)),
      columns_(rows.layout().local_columns()),
      local_rows_(rows.layout().local_rows()) {
  SlabLayout first = rows.layout();
  first.rank = 0;  // no rank has more rows or columns than the first
  most_local_rows_ = first.local_rows();
  most_local_columns_ = first.local_columns();
  group_.run_guarded([&] {
    const SlabLayout& layout = view_.layout();
    if (layout.rows < 1) throw std::invalid_argument("posterior: no components");
    const std::int64_t stride = view_.stride();
    const bool is_stride = stride == columns_ ||
                           stride == (view_.is_single() ? row_stride<float>(columns_) : row_stride<double>(columns_));
    if (!is_stride || index(local_rows_) * index(stride) != view_.stored()) {
      throw std::invalid_argument("posterior: the slab does not have the size of its layout");
    }
    if (layout.ranks != group_.comm().size() || layout.rank != group_.comm().rank()) {
      throw std::invalid_argument("posterior: the slab is laid out for another group");
    }
    require_one_per_row(law_.sigmas, layout.rows, true, "sigmas");
    require_one_per_row(law_.weights, layout.rows, false, "weights");
    static_cast<void>(blas_count(columns_));
    half_norms_.resize(index(local_rows_));
    std::vector<double> converted(view_.is_single() ? index(stride) : 0);
    for (std::int64_t i = 0; i < local_rows_; ++i) {
      const std::span<const double> row(view_.rows(i, 1, converted), index(columns_));
      half_norms_[index(i)] = 0.5 * dot(row, row);
    }
  });
  if (!by_component()) group_.comm().sum(half_norms_);
}

void PointPosterior::check(NoiseLevel level, std::int64_t points, std::span<const double> x) const {
  if (points < 0 || index(points) * index(columns_) != x.size()) {
    throw std::invalid_argument(
        fmt::format("posterior: {} numbers for {} points of {} columns", x.size(), points, columns_));
  }
  if (!(level.signal > 0.0) || !(level.noise > 0.0)) {
    throw std::invalid_argument(
        fmt::format("posterior: signal {} and noise {} must be positive", level.signal, level.noise));
  }
  if (!std::all_of(x.begin(), x.end(), [](double value) { return std::isfinite(value); })) {
    throw std::invalid_argument("posterior: a point is not finite");
  }
}

// The same on every rank: the dimension partition sums every tile over the ranks.
std::int64_t PointPosterior::tile_rows(std::int64_t count) const {
  const std::int64_t in_cache = slab_tile_numbers / std::max<std::int64_t>(most_local_columns_, 1);
  const std::int64_t bounded = product_tile_numbers / std::max<std::int64_t>(count, 1);
  return std::clamp<std::int64_t>(std::min(std::max<std::int64_t>(in_cache, 16), bounded), 1,
                                  std::max<std::int64_t>(most_local_rows_, 1));
}

std::int64_t PointPosterior::rows_per_agreement(std::int64_t count, std::int64_t tile) const {
  const double per_row = 4.0 * static_cast<double>(std::max<std::int64_t>(count * columns_, 1));
  const auto tiles = static_cast<std::int64_t>(operations_per_agreement / per_row) / tile;
  return tile * std::max<std::int64_t>(tiles, 1);
}

void PointPosterior::multiply(std::int64_t count, std::span<const double> left, const double* tile, std::int64_t rows,
                              std::span<double> products) const {
  if (columns_ == 0) {
    std::fill(products.begin(), products.end(), 0.0);
    return;
  }
  const int columns = static_cast<int>(columns_);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(count), static_cast<int>(rows), columns, 1.0,
              left.data(), columns, tile, static_cast<int>(view_.stride()), 0.0, products.data(),
              static_cast<int>(rows));
}

void PointPosterior::accumulate(std::int64_t count, std::span<const double> products, const double* tile,
                                std::int64_t rows, std::span<double> sums) const {
  if (sums.empty()) return;
  const int columns = static_cast<int>(columns_);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(count), columns, static_cast<int>(rows), 1.0,
              products.data(), static_cast<int>(rows), tile, static_cast<int>(view_.stride()), 1.0, sums.data(),
              columns);
}

void PointPosterior::sweep(std::int64_t count, std::span<const double> left, std::span<double> sums,
                           const Weigh& weigh) const {
  if (count == 0) return;
  const std::int64_t tile = tile_rows(count);
  std::vector<double> buffer, converted;
  group_.run_guarded([&] {
    static_cast<void>(blas_count(count));
    buffer.resize(index(count * tile));
    if (view_.is_single()) converted.resize(index(tile * view_.stride()));
  });
  const auto products_of = [&](std::int64_t first) {
    return std::span(buffer).first(index(count * std::min(tile, local_rows_ - first)));
  };
  const auto rows_from = [&](std::int64_t first) { return std::min(tile, local_rows_ - first); };
  const auto use = [&](std::int64_t first, const double* stored, std::span<double> products) {
    weigh(first, rows_from(first), products);
    accumulate(count, products, stored, rows_from(first), sums);
  };
  if (!by_component()) {
    for (std::int64_t first = 0; first < local_rows_; first += tile) {
      const std::span<double> products = products_of(first);
      const double* stored = view_.rows(first, rows_from(first), converted);
      multiply(count, left, stored, rows_from(first), products);
      group_.comm().sum(products);
      group_.run_guarded([&] { use(first, stored, products); });
    }
    return;
  }
  const std::int64_t stretch = rows_per_agreement(count, tile);
  for (std::int64_t begin = 0; begin < most_local_rows_; begin += stretch) {
    const std::int64_t end = std::min(begin + stretch, local_rows_);
    group_.run_guarded([&] {
      for (std::int64_t first = begin; first < end; first += tile) {
        const std::span<double> products = products_of(first);
        const double* stored = view_.rows(first, rows_from(first), converted);
        multiply(count, left, stored, rows_from(first), products);
        use(first, stored, products);
      }
    });
  }
}

// |x/a|^2/2 of every point.
std::vector<double> PointPosterior::scaled_half_norms(NoiseLevel level, std::int64_t points,
                                                      std::span<const double> x) const {
  std::vector<double> norms(index(points));
  for (std::size_t p = 0; p < norms.size(); ++p) {
    const std::span<const double> point = x.subspan(p * index(columns_), index(columns_));
    norms[p] = 0.5 * dot(point, point) / (level.signal * level.signal);
  }
  if (!by_component()) group_.comm().sum(norms);
  return norms;
}

PointPosterior::SoftmaxSums PointPosterior::softmax(NoiseLevel level, std::int64_t points, std::span<const double> x,
                                                    bool with_rows) const {
  LevelTerms terms;
  SoftmaxSums sums;
  group_.run_guarded([&] {
    check(level, points, x);
    terms = LevelTerms(*this, level);
    sums = SoftmaxSums(points, with_rows ? columns_ : 0);
  });
  const std::vector<double> norms = scaled_half_norms(level, points, x);
  sweep(points, x, sums.rows, [&](std::int64_t first, std::int64_t rows, std::span<double> products) {
    for (std::size_t p = 0; p < norms.size(); ++p) {
      const std::span<double> values = products.subspan(p * index(rows), index(rows));
      double largest = -std::numeric_limits<double>::infinity();
      for (std::int64_t r = 0; r < rows; ++r) {
        double& value = values[index(r)];
        value = terms.logit(first + r, half_norms_[index(first + r)] + norms[p] - value / level.signal);
        largest = std::max(largest, value);
      }
      sums.raise_maximum(p, largest);
      for (std::int64_t r = 0; r < rows; ++r) {
        const ComponentPosterior& component = terms[first + r].posterior;
        const double mass = std::exp(values[index(r)] - sums.maximum[p]);
        sums.mass[p] += mass;
        sums.shrink[p] += mass * component.shrink;
        sums.pull[p] += mass * component.pull;
        values[index(r)] = mass * component.shrink;
      }
    }
  });
  merge(sums);
  return sums;
}

// Sums over the ranks' components and divides by the mass.
void PointPosterior::merge(SoftmaxSums& sums) const {
  const std::size_t points = sums.maximum.size();
  if (by_component()) {
    std::vector<double> largest = sums.maximum;
    group_.comm().maximum(largest);
    for (std::size_t p = 0; p < points; ++p) sums.raise_maximum(p, largest[p]);
    for (std::vector<double>* part : {&sums.mass, &sums.shrink, &sums.pull, &sums.rows}) group_.comm().sum(*part);
  }
  group_.run_guarded([&] {
    for (std::size_t p = 0; p < points; ++p) {
      if (!std::isfinite(sums.log_mass(p))) {
        throw std::overflow_error("posterior: the density of a point is not finite");
      }
      sums.shrink[p] /= sums.mass[p];
      sums.pull[p] /= sums.mass[p];
      scale(1.0 / sums.mass[p], sums.row(p));
    }
  });
}

std::vector<double> PointPosterior::log_evidence(NoiseLevel level, std::int64_t points,
                                                 std::span<const double> x) const {
  const SoftmaxSums sums = softmax(level, points, x, false);
  std::vector<double> values(index(points));
  for (std::size_t p = 0; p < values.size(); ++p) {
    values[p] = sums.log_mass(p) + log_common_density(level.noise, view_.layout().columns, 0.0);
  }
  return values;
}

PosteriorMoments PointPosterior::moments(NoiseLevel level, std::int64_t points, std::span<const double> x) const {
  SoftmaxSums sums = softmax(level, points, x, true);
  PosteriorMoments moments;
  for (std::size_t p = 0; p < index(points); ++p) {
    moments.log_evidence.push_back(sums.log_mass(p) + log_common_density(level.noise, view_.layout().columns, 0.0));
    add_scaled(sums.pull[p], x.subspan(p * index(columns_), index(columns_)), sums.row(p));
  }
  moments.mean = std::move(sums.rows);
  return moments;
}

std::vector<double> PointPosterior::score(NoiseLevel level, std::int64_t points, std::span<const double> x) const {
  SoftmaxSums sums = softmax(level, points, x, true);
  const double noise2 = level.noise * level.noise;
  for (std::size_t p = 0; p < index(points); ++p) {
    const std::span<double> row = sums.row(p);
    scale(level.signal / noise2, row);
    add_scaled(-sums.shrink[p] / noise2, x.subspan(p * index(columns_), index(columns_)), row);
  }
  return std::move(sums.rows);
}

void PointPosterior::responsibilities(NoiseLevel level, std::int64_t points, std::span<const double> x,
                                      std::span<const double> log_evidence,
                                      const std::function<void(const ResponsibilityTile&)>& consume) const {
  LevelTerms terms;
  group_.run_guarded([&] {
    check(level, points, x);
    if (log_evidence.size() != index(points)) throw std::invalid_argument("posterior: one log evidence per point");
    terms = LevelTerms(*this, level);
  });
  const std::vector<double> norms = scaled_half_norms(level, points, x);
  const double common = log_common_density(level.noise, view_.layout().columns, 0.0);
  sweep(points, x, {}, [&](std::int64_t first, std::int64_t rows, std::span<double> products) {
    for (std::size_t p = 0; p < norms.size(); ++p) {
      const double log_mass = log_evidence[p] - common;
      const std::span<double> values = products.subspan(p * index(rows), index(rows));
      for (std::int64_t r = 0; r < rows; ++r) {
        const double half_distance2 = half_norms_[index(first + r)] + norms[p] - values[index(r)] / level.signal;
        values[index(r)] = std::exp(terms.logit(first + r, half_distance2) - log_mass);
      }
    }
    consume({.first_row = first, .rows = rows, .values = products});
  });
}

PosteriorCovariance::PosteriorCovariance(const PointPosterior& posterior, NoiseLevel level, std::span<const double> x)
    : posterior_(posterior) {
  posterior.group_.run_guarded([&] {
    terms_ = PointPosterior::LevelTerms(posterior, level);
    x_.assign(x.begin(), x.end());
    responsibilities_.reserve(index(posterior.local_rows_));
  });
  PosteriorMoments moments = posterior.moments(level, 1, x);
  log_evidence_ = moments.log_evidence.front();
  mean_ = std::move(moments.mean);
  posterior.responsibilities(level, 1, x, std::span(&log_evidence_, 1), [&](const ResponsibilityTile& tile) {
    responsibilities_.insert(responsibilities_.end(), tile.values.begin(), tile.values.end());
  });
  for (std::size_t i = 0; i < responsibilities_.size(); ++i) {
    isotropic_ += responsibilities_[i] * terms_[static_cast<std::int64_t>(i)].posterior.variance;
  }
  if (posterior.by_component()) posterior.group_.comm().sum(std::span<double>(&isotropic_, 1));
}

void PosteriorCovariance::apply(std::int64_t count, std::span<const double> vectors, std::span<double> out) const {
  const std::size_t columns = index(posterior_.columns_);
  const TaskGroup& group = posterior_.group_;
  group.run_guarded([&] {
    if (count < 0 || vectors.size() != index(count) * columns || out.size() != vectors.size()) {
      throw std::invalid_argument("posterior covariance: vectors of the wrong size");
    }
  });
  const auto part = [columns](auto block, std::size_t v) { return block.subspan(v * columns, columns); };
  const std::size_t size = index(count);
  std::vector<double> along_x(size), along_mean(size);  // x.v and E.v
  for (std::size_t v = 0; v < size; ++v) {
    along_x[v] = dot(x_, part(vectors, v));
    along_mean[v] = dot(mean_, part(vectors, v));
  }
  if (!posterior_.by_component()) {
    group.comm().sum(along_x);
    group.comm().sum(along_mean);
  }

  std::fill(out.begin(), out.end(), 0.0);
  std::vector<double> onto_x(size), onto_mean(size);
  const auto weigh = [&](std::int64_t first, std::int64_t rows, std::span<double> products) {
    for (std::size_t v = 0; v < size; ++v) {
      for (std::int64_t r = 0; r < rows; ++r) {
        double& value = products[v * index(rows) + index(r)];
        const ComponentPosterior& component = terms_[first + r].posterior;
        const double deviation = component.shrink * value + component.pull * along_x[v] - along_mean[v];
        const double weighted = responsibilities_[index(first + r)] * deviation;  // p_c (m_c - E).v
        onto_x[v] += component.pull * weighted;
        onto_mean[v] -= weighted;
        value = component.shrink * weighted;
      }
    }
  };
  posterior_.sweep(count, vectors, out, weigh);
  if (posterior_.by_component()) {
    group.comm().sum(onto_x);
    group.comm().sum(onto_mean);
    group.comm().sum(out);
  }
  for (std::size_t v = 0; v < size; ++v) {
    add_scaled(onto_x[v], x_, part(out, v));
    add_scaled(onto_mean[v], mean_, part(out, v));
    add_scaled(isotropic_, part(vectors, v), part(out, v));
  }
}

}  // namespace diffphase
