#include "theory/spiked_covariance.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "random/random_sequence.hpp"
#include "spectrum/dense_eigenvalues.hpp"

extern "C" void dgeqrf_(const int* rows, const int* columns, double* matrix, const int* stride, double* scales,
                        double* work, const int* work_size, int* info);

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// T of the class comment as far as the corner goes: row r holds its columns r .. r + frame.
struct Band {
  std::int64_t frame = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<double> values;

  [[nodiscard]] double* row(std::int64_t r) { return values.data() + r * (frame + 1); }
  [[nodiscard]] const double* row(std::int64_t r) const { return values.data() + r * (frame + 1); }
};

/// out := T^T T in; both have `columns` numbers followed by `frame` zeros.
void apply_square(const Band& band, const std::vector<double>& in, std::vector<double>& out) {
  std::fill(out.begin(), out.end(), 0.0);
  const std::int64_t width = band.frame + 1;
  for (std::int64_t r = 0; r < band.rows; ++r) {
    const double* entries = band.row(r);
    const double* x = in.data() + r;
    double* y = out.data() + r;
    double projection = 0.0;
    for (std::int64_t o = 0; o < width; ++o) projection += entries[o] * x[o];
    for (std::int64_t o = 0; o < width; ++o) y[o] += entries[o] * projection;
  }
  std::fill(out.begin() + band.columns, out.end(), 0.0);
}

/// Largest eigenvalue of T^T T by the Lanczos recursion, to 1e-6. Repeated eigenvalues that rounding brings
/// back do not change the largest.
double largest_eigenvalue_of_square(const Band& band, RandomSequence& random) {
  constexpr double tolerance = 1e-6;
  const auto size = static_cast<std::size_t>(band.columns + band.frame);
  std::vector<double> current(size, 0.0);
  std::vector<double> previous(size, 0.0);
  std::vector<double> product(size);
  for (std::int64_t i = 0; i < band.frame; ++i) current[static_cast<std::size_t>(i)] = random.normal();
  const auto dot = [](const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  const auto scale = [](std::vector<double>& a, double factor) {
    for (double& x : a) x *= factor;
  };
  scale(current, 1.0 / std::sqrt(dot(current, current)));
  std::vector<double> diagonal;
  std::vector<double> off_diagonal;
  double found = 0.0;
  std::size_t next_check = 8;
  // In exact arithmetic it is complete after as many steps as there are dimensions.
  for (std::size_t step = 0; step <= 4 * size; ++step) {
    apply_square(band, current, product);
    const double before = off_diagonal.empty() ? 0.0 : off_diagonal.back();
    diagonal.push_back(dot(current, product));
    for (std::size_t i = 0; i < size; ++i) product[i] -= diagonal.back() * current[i] + before * previous[i];
    const double length = std::sqrt(dot(product, product));
    off_diagonal.push_back(length);
    const bool complete = length <= 1e-12 * diagonal.front();
    if (complete || diagonal.size() >= next_check) {
      const double last = found;
      found = tridiagonal_largest_eigenvalue(diagonal, off_diagonal);
      if (complete || !(found - last > tolerance * found)) return found;
      next_check += next_check / 2;
    }
    previous.swap(current);
    current.swap(product);
    scale(current, 1.0 / length);
  }
  return tridiagonal_largest_eigenvalue(diagonal, off_diagonal);
}

class Sampler {
 public:
  Sampler(const MixtureParameters& mixture, double sigma, std::int64_t samples)
      : mixture_(mixture, 0, {}, 0), sigma_(sigma), samples_(samples), frame_(frame_of(mixture)) {
    const bool fixed = mixture.classes > 1 && mixture.centroids != CentroidKind::random;
    centroids_.resize(static_cast<std::size_t>(mixture.classes * frame_));
    for (std::int64_t c = 0; fixed && c < mixture.classes; ++c) {
      const auto row = std::span(centroids_).subspan(static_cast<std::size_t>(c * frame_), frame_size());
      if (mixture.centroids == CentroidKind::opposite) {
        row[0] = (c == 0 ? 1.0 : -1.0) * mixture.separation * std::sqrt(static_cast<double>(mixture.dimension));
      } else {
        mixture_.centroid(c, 0, row);
      }
    }
  }

  /// Directions that hold the centroids; at least one.
  static std::int64_t frame_of(const MixtureParameters& m) {
    if (m.classes == 1) return 1;
    switch (m.centroids) {
      case CentroidKind::opposite:
        return 1;
      case CentroidKind::simplex:
        return m.classes - 1;
      case CentroidKind::hierarchical:
        return m.branches[0] + m.classes;
      case CentroidKind::orthogonal:
      case CentroidKind::random:
        break;
    }
    return std::min(m.classes, m.dimension);
  }

  double draw(RandomSequence random) {
    if (mixture_.classes() > 1 && mixture_.parameters().centroids == CentroidKind::random) draw_centroids(random);
    const Band band = draw_band(draw_root(random), random);
    return largest_eigenvalue_of_square(band, random) / static_cast<double>(samples_);
  }

 private:
  [[nodiscard]] std::size_t frame_size() const { return static_cast<std::size_t>(frame_); }

  /// Independent normal centroids in the frame that reflections bring to triangular form.
  void draw_centroids(RandomSequence& random) {
    const double scale = mixture_.parameters().separation;
    for (std::int64_t c = 0; c < mixture_.classes(); ++c) {
      for (std::int64_t i = 0; i < frame_; ++i) {
        double& entry = centroids_[static_cast<std::size_t>(c * frame_ + i)];
        entry = i < c ? scale * random.normal() : i == c ? scale * random.chi(mixture_.dimension() - i) : 0.0;
      }
    }
  }

  std::vector<std::int64_t> draw_counts(RandomSequence& random) const {
    std::vector<std::int64_t> counts;
    std::int64_t left = samples_;
    double weight_left = 1.0;
    for (std::int64_t c = 0; c + 1 < mixture_.classes(); ++c) {
      const double weight = mixture_.weight(c);
      counts.push_back(random.binomial(left, std::min(1.0, weight / weight_left)));
      left -= counts.back();
      weight_left -= weight;
    }
    counts.push_back(left);
    return counts;
  }

  /// Upper triangular F x F root R (column-major) of n times the covariance in the frame, R^T R: that of a
  /// matrix whose first rows are sqrt(n_c)(y_c - y) and whose others have the Wishart matrix as their square.
  std::vector<double> draw_root(RandomSequence& random) const {
    const std::vector<std::int64_t> counts = draw_counts(random);
    const std::int64_t classes = mixture_.classes();
    const std::int64_t height = classes + frame_;
    std::vector<double> stack(static_cast<std::size_t>(height * frame_), 0.0);
    const auto entry = [&](std::int64_t row, std::int64_t column) -> double& {
      return stack[static_cast<std::size_t>(column * height + row)];
    };
    std::int64_t inner_degrees = samples_;
    for (std::int64_t c = 0; c < classes; ++c) {
      const auto count = static_cast<double>(counts[static_cast<std::size_t>(c)]);
      if (count == 0.0) continue;
      --inner_degrees;
      for (std::int64_t i = 0; i < frame_; ++i) {
        entry(c, i) =
            std::sqrt(count) * centroids_[static_cast<std::size_t>(c * frame_ + i)] + sigma_ * random.normal();
      }
    }
    // Projected off the direction (sqrt(n_c)), which is what subtracting the mean does.
    for (std::int64_t i = 0; i < frame_; ++i) {
      double sum = 0.0;
      for (std::int64_t c = 0; c < classes; ++c) {
        sum += std::sqrt(static_cast<double>(counts[static_cast<std::size_t>(c)])) * entry(c, i);
      }
      for (std::int64_t c = 0; c < classes; ++c) {
        entry(c, i) -=
            std::sqrt(static_cast<double>(counts[static_cast<std::size_t>(c)])) * sum / static_cast<double>(samples_);
      }
    }
    for (std::int64_t r = 0; r < std::min(frame_, inner_degrees); ++r) {
      entry(classes + r, r) = sigma_ * random.chi(inner_degrees - r);
      for (std::int64_t i = r + 1; i < frame_; ++i) entry(classes + r, i) = sigma_ * random.normal();
    }
    return triangular_factor(std::move(stack), height);
  }

  [[nodiscard]] std::vector<double> triangular_factor(std::vector<double> matrix, std::int64_t height) const {
    const int rows = static_cast<int>(height);
    const int columns = static_cast<int>(frame_);
    const int work_size = 32 * columns;
    int info = 0;
    std::vector<double> scales(frame_size());
    std::vector<double> work(static_cast<std::size_t>(work_size));
    dgeqrf_(&rows, &columns, matrix.data(), &rows, scales.data(), work.data(), &work_size, &info);
    if (info != 0) throw std::runtime_error("dgeqrf failed for a spiked covariance");
    std::vector<double> root(frame_size() * frame_size(), 0.0);
    for (std::int64_t i = 0; i < frame_; ++i) {
      std::copy_n(matrix.begin() + i * height, i + 1, root.begin() + i * frame_);
    }
    return root;
  }

  /// Columns of T outside of which the leading eigenvector is below 1e-4. From one block of F columns to the
  /// next it falls by sqrt(gamma) sigma^2/(l - sigma^2), l a lower bound of the spike, where that is below 1;
  /// at the edge of the bulk, where the degrees of freedom fall with the row, as an Airy function.
  [[nodiscard]] std::int64_t corner(const std::vector<double>& root) const {
    double largest = 0.0;
    for (std::int64_t i = 0; i < frame_; ++i) {
      const auto column = root.begin() + i * frame_;
      largest = std::max(largest, std::inner_product(column, column + frame_, column, 0.0));
    }
    const auto n = static_cast<double>(samples_);
    const auto d = static_cast<double>(mixture_.dimension());
    const double noise = sigma_ * sigma_;
    const double airy = std::cbrt(n * d / (std::pow(std::sqrt(n) + std::sqrt(d), 2) * static_cast<double>(frame_)));
    double blocks = 8.0 * airy + 2.0;
    const double ratio = std::sqrt(d / n) * noise / (largest / n - noise);
    if (ratio > 0.0 && ratio < 1.0) blocks = std::min(blocks, -9.0 / std::log(ratio));
    return std::min(mixture_.dimension(), frame_ * static_cast<std::int64_t>(std::ceil(blocks + 2.0)));
  }

  [[nodiscard]] Band draw_band(const std::vector<double>& root, RandomSequence& random) const {
    Band band{.frame = frame_, .rows = 0, .columns = corner(root), .values = {}};
    band.rows = std::min(band.columns, samples_ - 1);
    band.values.resize(static_cast<std::size_t>(band.rows * (frame_ + 1)));
    for (std::int64_t r = 0; r < band.rows; ++r) {
      double* entries = band.row(r);
      std::int64_t offset = 0;
      if (r < frame_) {
        for (; offset < frame_ - r; ++offset) {
          entries[offset] = root[static_cast<std::size_t>((r + offset) * frame_ + r)];
        }
      } else {
        entries[offset++] = sigma_ * random.chi(samples_ - 1 - r);
      }
      for (; offset < frame_; ++offset) entries[offset] = sigma_ * random.normal();
      entries[frame_] = sigma_ * random.chi(mixture_.dimension() - frame_ - r);
    }
    return band;
  }

  GaussianMixture mixture_;
  double sigma_;
  std::int64_t samples_;
  std::int64_t frame_;
  std::vector<double> centroids_;  // K x F
};

std::int64_t affordable_draws(std::int64_t frame) {
  constexpr double work = 6e8;
  const auto f = static_cast<double>(frame);
  return static_cast<std::int64_t>(std::clamp(work / (4.0 * f * f * f + 1000.0 * f * f), 24.0, 1000.0));
}

/// The sigma of every class, NaN if they differ.
double shared_sigma(const MixtureParameters& m) {
  if (m.class_sigma.empty()) return m.sigma;
  const bool equal = std::all_of(m.class_sigma.begin(), m.class_sigma.end(),
                                 [&](double sigma) { return sigma == m.class_sigma.front(); });
  return equal ? m.class_sigma.front() : nan;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

SpikedCovariance::SpikedCovariance(const MixtureParameters& mixture, std::int64_t samples, std::int64_t draws) {
  const double sigma = shared_sigma(mixture);
  const std::int64_t frame = Sampler::frame_of(mixture);
  if (std::isnan(sigma) || frame > max_frame) return;
  if (draws == 0) draws = affordable_draws(frame);
  if (samples == 1) {
    eigenvalues_.assign(static_cast<std::size_t>(draws), 0.0);
    return;
  }
  const RandomStream stream(0, hash_text("spiked covariance"), 0, "spiked covariance");
  Sampler sampler(mixture, sigma, samples);
  for (std::int64_t i = 0; i < draws; ++i) {
    eigenvalues_.push_back(sampler.draw(RandomSequence(stream, static_cast<std::uint64_t>(i))));
  }
}

double SpikedCovariance::mean_eigenvalue() const { return eigenvalues_.empty() ? nan : mean(eigenvalues_); }

double SpikedCovariance::mean_time(const NoisingProcess& process) const {
  std::vector<double> times;
  for (const double eigenvalue : eigenvalues_) {
    const double time = process.time_at(eigenvalue - 1.0);
    if (!std::isnan(time)) times.push_back(time);
  }
  return times.empty() || 2 * times.size() < eigenvalues_.size() ? nan : mean(times);
}

std::string SpikedCovariance::source() {
  return "spiked covariance at the same d, K, n (Baik, Ben Arous, Peche 2005; Paul 2007), diffphase derivation: mean "
         "over draws of its exact band form";
}

}  // namespace diffphase
