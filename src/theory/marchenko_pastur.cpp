#include "theory/marchenko_pastur.hpp"

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <complex>
#include <functional>
#include <stdexcept>

extern "C" void dgeev_(const char* left, const char* right, const int* size, double* matrix, const int* leading,
                       double* real, double* imaginary, double* left_vectors, const int* leading_left,
                       double* right_vectors, const int* leading_right, double* work, const int* work_size, int* info);

namespace diffphase {
namespace {

/// Blocks of equal sigma > 0 taken together, largest sigma first.
struct MergedBlock {
  double sigma = 0.0;
  std::int64_t size = 0;
  std::vector<std::size_t> members{};
};

std::vector<MergedBlock> merged_blocks(std::span<const FactorBlock> blocks) {
  std::vector<MergedBlock> merged;
  for (std::size_t k = 0; k < blocks.size(); ++k) {
    if (blocks[k].size < 1 || !(blocks[k].sigma >= 0.0) || std::isinf(blocks[k].sigma)) {
      throw std::invalid_argument("a block of a factor needs size >= 1 and a finite sigma >= 0");
    }
    if (blocks[k].sigma == 0.0) continue;
    const auto same = std::find_if(merged.begin(), merged.end(),
                                   [&](const MergedBlock& block) { return block.sigma == blocks[k].sigma; });
    MergedBlock& block = same != merged.end() ? *same : merged.emplace_back();
    block.sigma = blocks[k].sigma;
    block.size += blocks[k].size;
    block.members.push_back(k);
  }
  std::sort(merged.begin(), merged.end(),
            [](const MergedBlock& left, const MergedBlock& right) { return left.sigma > right.sigma; });
  return merged;
}

void require_shape(std::int64_t dimension, double scale) {
  if (dimension < 1 || !(scale > 0.0) || std::isinf(scale)) {
    throw std::invalid_argument("the spectrum of a factor needs dimension >= 1 and a positive finite scale");
  }
}

/// Root of f between two arguments where it has opposite signs, or at one of which it vanishes but for rounding.
double root_between(const std::function<double(double)>& f, double low, double high) {
  const double f_low = f(low);
  const double f_high = f(high);
  if (!(low < high) || (f_low > 0.0) == (f_high > 0.0)) return std::abs(f_low) < std::abs(f_high) ? low : high;
  std::uintmax_t iterations = 200;
  const auto bracket = boost::math::tools::toms748_solve(f, low, high, f_low, f_high,
                                                         boost::math::tools::eps_tolerance<double>(52), iterations);
  return 0.5 * (bracket.first + bracket.second);
}

/// The function z(u) of the inverse resolvent u = 1/g, and its critical points.
class InverseResolvent {
 public:
  InverseResolvent(std::int64_t dimension, std::span<const MergedBlock> blocks, double scale) {
    const auto d = static_cast<double>(dimension);
    std::int64_t columns = 0;
    for (const MergedBlock& block : blocks) {
      fractions_.push_back(static_cast<double>(block.size) / d);
      poles_.push_back(block.sigma * block.sigma * d / scale);
      columns += block.size;
    }
    excess_ = static_cast<double>(columns - dimension) / d;
  }

  [[nodiscard]] std::size_t size() const { return poles_.size(); }

  template <typename Number>
  [[nodiscard]] Number value(Number u) const {
    Number sum = 1.0;
    for (std::size_t k = 0; k < size(); ++k) sum += fractions_[k] * poles_[k] / (u - poles_[k]);
    return u * sum;
  }

  template <typename Number>
  [[nodiscard]] Number slope(Number u) const {
    Number sum = 1.0;
    for (std::size_t k = 0; k < size(); ++k) {
      const Number ratio = poles_[k] / (u - poles_[k]);
      sum -= fractions_[k] * ratio * ratio;
    }
    return sum;
  }

  [[nodiscard]] double top_edge() const {
    const double low = poles_.front() * (1.0 + std::sqrt(fractions_.front()));
    const double high = poles_.front() * (1.0 + std::sqrt(1.0 + excess_));
    return value(root_between([this](double u) { return slope(u); }, low, high));
  }

  /// The slope as (m - d)/d + terms that vanish with u; for an edge near zero the value as a sum of positive
  /// terms, which holds where the slope vanishes. Elsewhere the value itself, which errors of u do not reach.
  [[nodiscard]] double bottom_edge() const {
    if (excess_ == 0.0) return 0.0;
    const double root_of_all = -excess_ / (1.0 + std::sqrt(1.0 + excess_));  // 1 - sqrt(m/d)
    const auto f = [this](double u) {
      double sum = excess_;
      for (std::size_t k = 0; k < size(); ++k) {
        const double distance = poles_[k] - u;
        sum += fractions_[k] * (u / distance) * ((poles_[k] + distance) / distance);
      }
      return sum;
    };
    const double near = poles_.back() * root_of_all;
    const double far =
        excess_ < 0.0 ? poles_.back() * (1.0 - std::sqrt(fractions_.back())) : poles_.front() * root_of_all;
    const double u = root_between(f, std::min(near, far), std::max(near, far));
    if (u > 0.5 * poles_.back()) return value(u);
    double sum = 0.0;
    for (std::size_t k = 0; k < size(); ++k) {
      sum += fractions_[k] * (poles_[k] / (poles_[k] - u)) * (u / (poles_[k] - u)) * u;
    }
    return sum;
  }

  /// The gap between the blocks k and k + 1: its edges, or nothing.
  struct Gap {
    double lower = 0.0;
    double upper = 0.0;
  };
  [[nodiscard]] bool gap_below(std::size_t k, Gap& gap) const {
    const double low = poles_[k + 1] * (1.0 + std::sqrt(fractions_[k + 1]));
    const double high = poles_[k] * (1.0 - std::sqrt(fractions_[k]));
    if (!(low < high)) return false;
    const auto half_curvature = [this](double u) {
      double sum = 0.0;
      for (std::size_t j = 0; j < size(); ++j) {
        const double ratio = poles_[j] / (u - poles_[j]);
        sum += fractions_[j] * ratio * ratio * (u / (u - poles_[j]));
      }
      return sum;
    };
    if (half_curvature(low) <= 0.0 || half_curvature(high) >= 0.0) return false;
    const double steepest = root_between(half_curvature, low, high);
    if (slope(steepest) <= 0.0) return false;
    const auto f = [this](double u) { return slope(u); };
    gap.lower = value(root_between(f, low, steepest));
    gap.upper = value(root_between(f, steepest, high));
    return true;
  }

  /// The root of value(u) = gamma with the largest imaginary part: an eigenvalue of an arrow matrix, as value(u)
  /// - gamma = u - a + sum_k b_k^2/(u - p_k), a = gamma - sum_k c_k p_k, b_k^2 = c_k p_k^2; then Newton's steps.
  [[nodiscard]] std::complex<double> root_at(double gamma) const {
    const int order = static_cast<int>(size()) + 1;
    const auto n = static_cast<std::size_t>(order);
    std::vector<double> matrix(n * n, 0.0);
    matrix[0] = gamma;
    for (std::size_t k = 0; k < size(); ++k) {
      const double arm = std::sqrt(fractions_[k]) * poles_[k];
      matrix[0] -= fractions_[k] * poles_[k];
      matrix[k + 1] = arm;
      matrix[(k + 1) * n] = -arm;
      matrix[(k + 1) * n + k + 1] = poles_[k];
    }
    std::vector<double> real(n);
    std::vector<double> imaginary(n);
    std::vector<double> work(8 * n);
    const int work_size = static_cast<int>(work.size());
    int info = 0;
    dgeev_("N", "N", &order, matrix.data(), &order, real.data(), imaginary.data(), nullptr, &order, nullptr, &order,
           work.data(), &work_size, &info);
    if (info != 0) throw std::runtime_error("dgeev failed for the resolvent of a factor");
    const auto best = static_cast<std::size_t>(
        std::distance(imaginary.begin(), std::max_element(imaginary.begin(), imaginary.end())));
    std::complex<double> u(real[best], imaginary[best]);
    for (int step = 0; step < 3 && u.imag() > 0.0; ++step) {
      const std::complex<double> next = u - (value(u) - gamma) / slope(u);
      if (!(next.imag() > 0.5 * u.imag() && next.imag() < 2.0 * u.imag())) break;
      u = next;
    }
    return u;
  }

 private:
  std::vector<double> fractions_;  ///< m_k/d
  std::vector<double> poles_;      ///< p_k, descending
  double excess_ = 0.0;            ///< (m - d)/d
};

}  // namespace

MarchenkoPastur::MarchenkoPastur(std::int64_t dimension, std::int64_t columns, double sigma, double scale) {
  require_shape(dimension, scale);
  if (columns < 1 || !(sigma > 0.0) || std::isinf(sigma)) {
    throw std::invalid_argument("the law of Marchenko and Pastur needs columns >= 1 and a positive finite sigma");
  }
  const auto d = static_cast<double>(dimension);
  const auto m = static_cast<double>(columns);
  const double sum = std::sqrt(d) + std::sqrt(m);
  const double difference = static_cast<double>(dimension - columns) / sum;
  lower_ = sigma * sigma * difference * difference / scale;
  upper_ = sigma * sigma * sum * sum / scale;
  factor_ = scale / (2.0 * M_PI * sigma * sigma * d);
}

double MarchenkoPastur::density(double gamma) const {
  if (!(gamma > lower_ && gamma < upper_)) return 0.0;
  return factor_ * std::sqrt((upper_ - gamma) * (gamma - lower_)) / gamma;
}

std::vector<SpectralBulk> gaussian_factor_bulks(std::int64_t dimension, std::span<const FactorBlock> blocks,
                                                double scale) {
  require_shape(dimension, scale);
  const std::vector<MergedBlock> merged = merged_blocks(blocks);
  if (merged.empty()) return {};
  const InverseResolvent resolvent(dimension, merged, scale);
  std::vector<SpectralBulk> bulks;  // from the top
  bulks.push_back({.lower = 0.0, .upper = resolvent.top_edge()});
  std::int64_t dimensions_left = dimension;
  for (std::size_t k = 0; k < merged.size(); ++k) {
    const std::int64_t taken = std::min(dimensions_left, merged[k].size);
    dimensions_left -= taken;
    bulks.back().count += taken;
    bulks.back().blocks.insert(bulks.back().blocks.end(), merged[k].members.begin(), merged[k].members.end());
    InverseResolvent::Gap gap;
    if (k + 1 == merged.size()) {
      bulks.back().lower = resolvent.bottom_edge();
    } else if (resolvent.gap_below(k, gap)) {
      bulks.back().lower = gap.upper;
      bulks.push_back({.lower = 0.0, .upper = gap.lower});
    }
  }
  std::reverse(bulks.begin(), bulks.end());
  return bulks;
}

std::vector<SpectralBulk> orthonormal_factor_bulks(std::int64_t dimension, std::span<const FactorBlock> blocks) {
  require_shape(dimension, 1.0);
  std::vector<SpectralBulk> bulks;
  std::int64_t columns = 0;
  for (const MergedBlock& block : merged_blocks(blocks)) {
    const double variance = block.sigma * block.sigma;
    columns += block.size;
    bulks.push_back({.lower = variance, .upper = variance, .count = block.size, .blocks = block.members});
  }
  if (columns > dimension) throw std::invalid_argument("more orthonormal columns than dimensions");
  std::reverse(bulks.begin(), bulks.end());
  return bulks;
}

std::vector<SpectralBulk> replica_bulks(std::span<const double> eigenvalues, std::span<const FactorBlock> blocks) {
  std::vector<double> sorted(eigenvalues.begin(), eigenvalues.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  std::vector<SpectralBulk> bulks;
  std::size_t next = 0;
  for (const MergedBlock& block : merged_blocks(blocks)) {
    const std::size_t taken = std::min(sorted.size() - next, static_cast<std::size_t>(block.size));
    if (taken == 0) throw std::invalid_argument("fewer eigenvalues than the blocks need");
    bulks.push_back({.lower = sorted[next + taken - 1],
                     .upper = sorted[next],
                     .count = static_cast<std::int64_t>(taken),
                     .blocks = block.members});
    next += taken;
  }
  std::reverse(bulks.begin(), bulks.end());
  return bulks;
}

double gaussian_factor_density(std::int64_t dimension, std::span<const FactorBlock> blocks, double scale,
                               double gamma) {
  require_shape(dimension, scale);
  const std::vector<MergedBlock> merged = merged_blocks(blocks);
  if (merged.empty() || !(gamma > 0.0)) return 0.0;
  const std::complex<double> u = InverseResolvent(dimension, merged, scale).root_at(gamma);
  return u.imag() > 0.0 ? u.imag() / std::norm(u) / M_PI : 0.0;
}

}  // namespace diffphase
