#include "transition/monotone_interpolation.hpp"

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace diffphase {
namespace {

constexpr std::size_t stencil_width = 5;

/// Coefficients of the derivative, at nodes[at], of the polynomial through `nodes`.
void derivative_coefficients(std::span<const double> nodes, std::size_t at, std::span<double> out) {
  const double x = nodes[at];
  double diagonal = 0.0;
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    if (j == at) continue;
    diagonal += 1.0 / (x - nodes[j]);
    double product = 1.0 / (nodes[j] - x);
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      if (k != j && k != at) product *= (x - nodes[k]) / (nodes[j] - nodes[k]);
    }
    out[j] = product;
  }
  out[at] = diagonal;
}

/// Towards zero until it has the sign of both secants and is at most three times the smaller.
double limited(double slope, double left, double right) {
  if (left * right <= 0.0) return 0.0;
  const double bound = 3.0 * std::min(std::abs(left), std::abs(right));
  return left > 0.0 ? std::clamp(slope, 0.0, bound) : std::clamp(slope, -bound, 0.0);
}

}  // namespace

DerivativeStencils::DerivativeStencils(std::vector<double> nodes)
    : nodes_(std::move(nodes)), width_(std::min(stencil_width, nodes_.size())) {
  if (nodes_.empty()) throw std::invalid_argument("interpolation needs at least one node");
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!std::isfinite(nodes_[i]) || (i > 0 && nodes_[i] <= nodes_[i - 1])) {
      throw std::invalid_argument("nodes of an interpolation must be finite and strictly ascending");
    }
  }
  first_.resize(nodes_.size());
  coefficients_.resize(nodes_.size() * width_);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const std::size_t centred = i < width_ / 2 ? 0 : i - width_ / 2;
    first_[i] = std::min(centred, nodes_.size() - width_);
    derivative_coefficients(std::span(nodes_).subspan(first_[i], width_), i - first_[i],
                            std::span(coefficients_).subspan(i * width_, width_));
  }
}

void DerivativeStencils::differentiate(std::span<const double> values, std::span<double> derivatives) const {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    double sum = 0.0;
    // Differences to the node's own value: exact zero for constant data, less rounding for nearly constant
    // ones.
    for (std::size_t k = 0; k < width_; ++k) {
      sum += coefficients_[i * width_ + k] * (values[first_[i] + k] - values[i]);
    }
    derivatives[i] = sum;
  }
}

MonotoneInterpolation::MonotoneInterpolation(const DerivativeStencils& stencils, std::span<const double> values)
    : stencils_(&stencils), values_(stencils.nodes().size()), slopes_(stencils.nodes().size()) {
  assign(values);
}

void MonotoneInterpolation::assign(std::span<const double> values) {
  if (values.size() != values_.size()) throw std::invalid_argument("interpolation needs one value per node");
  std::copy(values.begin(), values.end(), values_.begin());
  stencils_->differentiate(values_, slopes_);
  limit_slopes();
}

void MonotoneInterpolation::limit_slopes() {
  const auto& nodes = stencils_->nodes();
  const std::size_t last = nodes.size() - 1;
  if (last == 0) return;
  const auto secant = [&](std::size_t i) { return (values_[i + 1] - values_[i]) / (nodes[i + 1] - nodes[i]); };
  slopes_[0] = limited(slopes_[0], secant(0), secant(0));
  double left = secant(0);
  for (std::size_t i = 1; i < last; ++i) {
    const double right = secant(i);
    slopes_[i] = limited(slopes_[i], left, right);
    left = right;
  }
  slopes_[last] = limited(slopes_[last], left, left);
}

std::size_t MonotoneInterpolation::cell_of(double x) const {
  const auto& nodes = stencils_->nodes();
  if (nodes.size() < 2) return 0;
  return static_cast<std::size_t>(std::upper_bound(nodes.begin() + 1, nodes.end() - 1, x) - nodes.begin()) - 1;
}

double MonotoneInterpolation::value_in(std::size_t cell, double x) const {
  const auto& nodes = stencils_->nodes();
  const double width = nodes[cell + 1] - nodes[cell];
  const double s = (x - nodes[cell]) / width;
  const double r = 1.0 - s;
  return r * r * ((1.0 + 2.0 * s) * values_[cell] + s * width * slopes_[cell]) +
         s * s * ((1.0 + 2.0 * r) * values_[cell + 1] - r * width * slopes_[cell + 1]);
}

double MonotoneInterpolation::operator()(double x) const {
  return values_.size() < 2 ? values_[0] : value_in(cell_of(x), x);
}

double MonotoneInterpolation::derivative(double x) const {
  if (values_.size() < 2) return 0.0;
  const auto& nodes = stencils_->nodes();
  const std::size_t cell = cell_of(x);
  const double width = nodes[cell + 1] - nodes[cell];
  const double s = (x - nodes[cell]) / width;
  const double r = 1.0 - s;
  const double secant = (values_[cell + 1] - values_[cell]) / width;
  return 6.0 * s * r * secant + r * (r - 2.0 * s) * slopes_[cell] + s * (s - 2.0 * r) * slopes_[cell + 1];
}

double MonotoneInterpolation::solve(std::size_t cell, double level) const {
  const auto& nodes = stencils_->nodes();
  const double at_left = values_[cell] - level;
  const double at_right = values_[cell + 1] - level;
  if (at_left == 0.0) return nodes[cell];
  if (at_right == 0.0) return nodes[cell + 1];
  if (at_left * at_right > 0.0) throw std::invalid_argument("the level does not lie between the ends of the cell");
  std::uintmax_t iterations = 200;
  const auto bracket = boost::math::tools::toms748_solve([&](double x) { return value_in(cell, x) - level; },
                                                         nodes[cell], nodes[cell + 1], at_left, at_right,
                                                         boost::math::tools::eps_tolerance<double>(52), iterations);
  return 0.5 * (bracket.first + bracket.second);
}

}  // namespace diffphase
