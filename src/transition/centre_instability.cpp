#include "transition/centre_instability.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

extern "C" void dsyev_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
                       double* work, const int* lwork, int* info);

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double scan_ratio = 1.05;
constexpr double scan_depth = 1e-9;

/// Largest s in [lower, upper] at which `excess` (negative above the instability) is zero; NaN if there is
/// none.
double last_root(const std::function<double(double)>& excess, double lower, double upper) {
  double above = upper * (1.0 + 1e-9);
  double excess_above = excess(above);
  const double end = std::max(lower, upper * scan_depth);
  while (above > end) {
    const double below = std::max(above / scan_ratio, end);
    const double excess_below = excess(below);
    if (excess_below == 0.0) return below;
    if (excess_below > 0.0 && excess_above < 0.0) {
      std::uintmax_t iterations = 200;
      const auto bracket = boost::math::tools::toms748_solve(excess, below, above, excess_below, excess_above,
                                                             boost::math::tools::eps_tolerance<double>(50), iterations);
      return 0.5 * (bracket.first + bracket.second);
    }
    above = below;
    excess_above = excess_below;
  }
  return nan;
}

/// Root in s of the marginal drift for constant lambda.
double drift_root(double lambda, double sigma) {
  const double kappa = 1.0 - sigma * sigma;
  return lambda - kappa + std::hypot(lambda, kappa);
}

}  // namespace

double curvature_instability(const CentroidVariance& lambda, double bound, double sigma) {
  const double within = sigma * sigma;
  const auto excess = [&](double s) { return lambda(std::max(s - within, 0.0)) - s; };
  return last_root(excess, within, bound) - within;
}

double drift_instability(const CentroidVariance& lambda, double bound, double sigma) {
  const double within = sigma * sigma;
  const auto excess = [&](double s) { return drift_root(lambda(std::max(s - within, 0.0)), sigma) - s; };
  return last_root(excess, within, drift_root(bound, sigma)) - within;
}

double posterior_centroid_variance(std::span<const double> gram, std::span<const double> weights,
                                   double noise_variance) {
  const std::size_t k = weights.size();
  if (k == 0 || gram.size() != k * k) {
    throw std::invalid_argument(fmt::format("a Gram matrix of {} numbers does not fit {} weights", gram.size(), k));
  }
  std::vector<double> p(k);
  for (std::size_t c = 0; c < k; ++c) p[c] = std::log(weights[c]) - 0.5 * gram[c * k + c] / noise_variance;
  const double largest = *std::max_element(p.begin(), p.end());
  double sum = 0.0;
  for (double& x : p) sum += x = std::exp(x - largest);
  for (double& x : p) x /= sum;

  // Gram matrix of sqrt(p_c) (mu_c - sum_j p_j mu_j): it has the nonzero eigenvalues of the covariance.
  std::vector<double> row(k, 0.0);
  double mean = 0.0;
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t j = 0; j < k; ++j) row[i] += gram[i * k + j] * p[j];
    mean += p[i] * row[i];
  }
  std::vector<double> covariance(k * k);
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t j = 0; j < k; ++j) {
      covariance[i * k + j] = std::sqrt(p[i] * p[j]) * (gram[i * k + j] - row[i] - row[j] + mean);
    }
  }
  const int n = static_cast<int>(k);
  const int work_size = std::max(1, 34 * n);
  std::vector<double> eigenvalues(k);
  std::vector<double> work(static_cast<std::size_t>(work_size));
  int info = 0;
  dsyev_("N", "U", &n, covariance.data(), &n, eigenvalues.data(), work.data(), &work_size, &info);
  if (info != 0) throw std::runtime_error(fmt::format("dsyev of a {0} x {0} Gram matrix failed ({1})", k, info));
  return eigenvalues.back();
}

}  // namespace diffphase
