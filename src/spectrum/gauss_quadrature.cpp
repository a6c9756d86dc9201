#include "spectrum/gauss_quadrature.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace diffphase {

namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

// The implicit QL iteration for a symmetric tridiagonal matrix, of whose eigenvectors only the first components are
// kept: O(m^2) in place of O(m^3).
class FirstComponents {
 public:
  explicit FirstComponents(const LanczosRecurrence& recurrence)
      : d_(recurrence.diagonal), e_(recurrence.off_diagonal), z_(d_.size(), 0.0) {
    e_.resize(d_.size());
    e_.back() = 0.0;
    z_.front() = 1.0;
    for (std::size_t i = 0; i < d_.size(); ++i) norm_ = std::max(norm_, std::abs(d_[i]) + 2.0 * std::abs(e_[i]));
  }

  Quadrature solve() {
    for (std::size_t l = 0; l < d_.size(); ++l) converge(l);
    return sorted();
  }

 private:
  [[nodiscard]] std::size_t end_of_block(std::size_t l) const {
    std::size_t m = l;
    while (m + 1 < d_.size() && std::abs(e_[m]) > epsilon * (std::abs(d_[m]) + std::abs(d_[m + 1]) + 0.01 * norm_)) {
      ++m;
    }
    return m;
  }

  void converge(std::size_t l) {
    for (int iteration = 0; iteration < 100; ++iteration) {
      const std::size_t m = end_of_block(l);
      if (m == l) return;
      sweep(l, m);
    }
    throw std::runtime_error("the eigenvalues of a tridiagonal matrix did not converge");
  }

  // One QL sweep with Wilkinson's shift over the unreduced block l..m.
  void sweep(std::size_t l, std::size_t m) {
    double g = (d_[l + 1] - d_[l]) / (2.0 * e_[l]);
    g = d_[m] - d_[l] + e_[l] / (g + std::copysign(std::hypot(g, 1.0), g));
    double s = 1.0;
    double c = 1.0;
    double p = 0.0;
    for (std::size_t i = m; i-- > l;) {
      const double f = s * e_[i];
      const double b = c * e_[i];
      const double r = std::hypot(f, g);
      e_[i + 1] = r;
      if (r == 0.0) {
        d_[i + 1] -= p;
        e_[m] = 0.0;
        return;
      }
      s = f / r;
      c = g / r;
      g = d_[i + 1] - p;
      const double t = (d_[i] - g) * s + 2.0 * c * b;
      p = s * t;
      d_[i + 1] = g + p;
      g = c * t - b;
      const double z = z_[i + 1];
      z_[i + 1] = s * z_[i] + c * z;
      z_[i] = c * z_[i] - s * z;
    }
    d_[l] -= p;
    e_[l] = g;
    e_[m] = 0.0;
  }

  [[nodiscard]] Quadrature sorted() const {
    std::vector<std::size_t> order(d_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return d_[i] < d_[j]; });
    Quadrature result;
    for (const std::size_t i : order) {
      result.nodes.push_back(d_[i]);
      result.weights.push_back(z_[i] * z_[i]);
    }
    return result;
  }

  std::vector<double> d_;
  std::vector<double> e_;
  std::vector<double> z_;
  double norm_ = 0.0;
};

double norm_of(const LanczosRecurrence& recurrence) {
  double norm = 0.0;
  for (std::size_t i = 0; i < recurrence.diagonal.size(); ++i) {
    norm = std::max(norm, std::abs(recurrence.diagonal[i]) + 2.0 * std::abs(recurrence.off_diagonal[i]));
  }
  return norm;
}

// Last pivot of the LDL^T factorisation of T - x: 1 over the last diagonal element of its inverse.
double last_pivot(const LanczosRecurrence& recurrence, double x, double smallest) {
  double pivot = recurrence.diagonal[0] - x;
  for (std::size_t i = 1; i < recurrence.diagonal.size(); ++i) {
    if (std::abs(pivot) < smallest) pivot = std::copysign(smallest, pivot);
    pivot = recurrence.diagonal[i] - x - recurrence.off_diagonal[i - 1] * recurrence.off_diagonal[i - 1] / pivot;
  }
  return pivot;
}

// The recurrence with one more step, whose diagonal element is chosen so that x is an eigenvalue (Golub 1973). Where x
// is an eigenvalue of T already, T itself has it as a node.
LanczosRecurrence with_node(LanczosRecurrence recurrence, double x) {
  const double norm = norm_of(recurrence);
  const double pivot = last_pivot(recurrence, x, epsilon * epsilon * norm);
  const double remainder = recurrence.off_diagonal.back();
  if (std::abs(pivot) <= 1e-8 * norm) return recurrence;
  recurrence.diagonal.push_back(x + remainder * remainder / pivot);
  recurrence.off_diagonal.push_back(0.0);
  return recurrence;
}

}  // namespace

LanczosRecurrence first_steps(const LanczosRecurrence& recurrence, int steps) {
  const auto kept = static_cast<std::size_t>(steps);
  if (kept >= recurrence.diagonal.size()) return recurrence;
  LanczosRecurrence part = recurrence;
  part.diagonal.resize(kept);
  part.off_diagonal.resize(kept);
  part.exact = false;
  return part;
}

Quadrature gauss_quadrature(const LanczosRecurrence& recurrence) {
  if (recurrence.diagonal.empty() || recurrence.off_diagonal.size() < recurrence.diagonal.size()) {
    throw std::invalid_argument("a quadrature needs a recurrence of at least one step");
  }
  return FirstComponents(recurrence).solve();
}

DistributionValue distribution_function(const LanczosRecurrence& recurrence, double x) {
  if (std::isinf(x)) return {x > 0.0 ? 1.0 : 0.0, 0.0};
  if (recurrence.exact) {
    const Quadrature peaks = gauss_quadrature(recurrence);
    const auto below = std::upper_bound(peaks.nodes.begin(), peaks.nodes.end(), x) - peaks.nodes.begin();
    return {std::accumulate(peaks.weights.begin(), peaks.weights.begin() + below, 0.0), 0.0};
  }
  const Quadrature radau = gauss_quadrature(with_node(recurrence, x));
  std::size_t node = 0;
  for (std::size_t i = 1; i < radau.nodes.size(); ++i) {
    if (std::abs(radau.nodes[i] - x) < std::abs(radau.nodes[node] - x)) node = i;
  }
  const auto end = radau.weights.begin() + static_cast<std::ptrdiff_t>(node);
  const double half = 0.5 * radau.weights[node];
  return {std::accumulate(radau.weights.begin(), end, 0.0) + half, half};
}

}  // namespace diffphase
