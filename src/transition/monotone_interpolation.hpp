#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace diffphase {

/// Derivative estimates at the nodes of a fixed grid by differentiating the polynomial through the (up to)
/// five nearest nodes: of fourth order in the spacing, for any spacing. The coefficients are computed once
/// per grid, so that many curves on one grid cost O(nodes) each. Immutable, local.
class DerivativeStencils {
 public:
  /// nodes: finite, strictly ascending, at least one; else std::invalid_argument.
  explicit DerivativeStencils(std::vector<double> nodes);

  [[nodiscard]] const std::vector<double>& nodes() const { return nodes_; }
  /// Derivatives of `values` (one per node) at every node.
  void differentiate(std::span<const double> values, std::span<double> derivatives) const;

 private:
  std::vector<double> nodes_;
  std::size_t width_;
  std::vector<std::size_t> first_;    ///< [node], first node of its stencil
  std::vector<double> coefficients_;  ///< [node][width]
};

/// Monotone piecewise-cubic Hermite interpolant: exact at the nodes, no new extrema between them, monotone
/// where the data are, and of fourth order in the spacing where the data are smooth and monotone.
///
/// Node derivatives are those of DerivativeStencils, limited to the same sign as both neighbouring secants
/// and to three times the smaller of them, zero at a local extremum of the data (Hyman 1983, "Accurate
/// monotonicity preserving cubic interpolation", SIAM J. Sci. Stat. Comput. 4, 645; the bound is that of
/// Fritsch and Carlson 1980, SIAM J. Numer. Anal. 17, 238). Immutable but for assign(), local.
class MonotoneInterpolation {
 public:
  /// `stencils` must outlive this. One finite value per node.
  MonotoneInterpolation(const DerivativeStencils& stencils, std::span<const double> values);

  /// The interpolant of other values on the same nodes.
  void assign(std::span<const double> values);

  /// Value and derivative at x in [first node, last node]; outside, the first or last cubic is continued.
  [[nodiscard]] double operator()(double x) const;
  [[nodiscard]] double derivative(double x) const;

  /// The x in cell i (between nodes i and i + 1) at which the interpolant equals `level`, which must lie
  /// between the values at its ends; to rounding.
  [[nodiscard]] double solve(std::size_t cell, double level) const;

  /// Index of the cell that holds x.
  [[nodiscard]] std::size_t cell_of(double x) const;

 private:
  [[nodiscard]] double value_in(std::size_t cell, double x) const;
  void limit_slopes();

  const DerivativeStencils* stencils_;
  std::vector<double> values_;
  std::vector<double> slopes_;
};

}  // namespace diffphase
