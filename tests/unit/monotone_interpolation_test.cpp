#include "transition/monotone_interpolation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <stdexcept>
#include <vector>

namespace diffphase {
namespace {

double logistic(double x) { return 1.0 / (1.0 + std::exp(x)); }

/// Nodes of uneven spacing: a smooth map of equidistant ones.
std::vector<double> uneven_nodes(int cells) {
  std::vector<double> nodes;
  for (int i = 0; i <= cells; ++i) {
    const double s = 4.0 * i / cells - 2.0;
    nodes.push_back(s + 0.2 * std::sin(1.5 * s));
  }
  return nodes;
}

std::vector<double> sampled(const std::vector<double>& nodes, const std::function<double(double)>& f) {
  std::vector<double> values(nodes.size());
  std::transform(nodes.begin(), nodes.end(), values.begin(), f);
  return values;
}

double largest_error(int cells) {
  const DerivativeStencils stencils(uneven_nodes(cells));
  const MonotoneInterpolation interpolation(stencils, sampled(stencils.nodes(), logistic));
  double error = 0.0;
  for (int k = -1900; k <= 1900; ++k) {
    error = std::max(error, std::abs(interpolation(1e-3 * k) - logistic(1e-3 * k)));
  }
  return error;
}

TEST(MonotoneInterpolation, HalvingTheSpacingDividesTheErrorBySixteen) {
  for (const int cells : {16, 32, 64, 128}) {
    const double ratio = largest_error(cells) / largest_error(2 * cells);
    EXPECT_GT(ratio, 13.0) << cells;
    EXPECT_LT(ratio, 23.0) << cells;
  }
}

TEST(MonotoneInterpolation, StencilsDifferentiateQuarticsExactly) {
  const DerivativeStencils stencils(uneven_nodes(9));
  const auto quartic = [](double x) { return ((x - 0.3) * x + 2.0) * x * x - x; };
  std::vector<double> slopes(stencils.nodes().size());
  stencils.differentiate(sampled(stencils.nodes(), quartic), slopes);
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    const double x = stencils.nodes()[i];
    EXPECT_NEAR(slopes[i], 4.0 * x * x * x - 0.9 * x * x + 4.0 * x - 1.0, 1e-11);
  }
}

TEST(MonotoneInterpolation, PassesThroughTheNodesAndAddsNoExtrema) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  for (int trial = 0; trial < 200; ++trial) {
    const bool monotone = trial % 2 == 0;
    std::vector<double> nodes{0.0};
    std::vector<double> values{1.0};
    for (int i = 0; i < 11; ++i) {
      nodes.push_back(nodes.back() + 0.01 + std::pow(uniform(random), 3));
      const double step = uniform(random) < 0.2 ? 0.0 : std::pow(uniform(random), 4);
      values.push_back(monotone ? values.back() - step : uniform(random));
    }
    const DerivativeStencils stencils(nodes);
    const MonotoneInterpolation interpolation(stencils, values);
    for (std::size_t i = 0; i < nodes.size(); ++i) EXPECT_DOUBLE_EQ(interpolation(nodes[i]), values[i]);
    for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
      const double sign = values[i + 1] >= values[i] ? 1.0 : -1.0;
      for (int k = 0; k <= 50; ++k) {
        const double x = nodes[i] + (nodes[i + 1] - nodes[i]) * k / 50.0;
        const double secant = (values[i + 1] - values[i]) / (nodes[i + 1] - nodes[i]);
        EXPECT_GE(sign * interpolation.derivative(std::min(x, nodes[i + 1] - 1e-12)), -1e-7 * (1 + std::abs(secant)));
      }
    }
  }
}

TEST(MonotoneInterpolation, DerivativeIsThatOfTheValue) {
  const DerivativeStencils stencils(uneven_nodes(12));
  const MonotoneInterpolation interpolation(stencils, sampled(stencils.nodes(), logistic));
  for (int k = -11; k <= 11; ++k) {
    const double x = 0.166 * k + 0.01;
    const double difference = (interpolation(x + 1e-5) - interpolation(x - 1e-5)) / 2e-5;
    EXPECT_NEAR(interpolation.derivative(x), difference, 1e-8);
  }
}

TEST(MonotoneInterpolation, SolveInvertsTheValue) {
  const DerivativeStencils stencils(uneven_nodes(12));
  const MonotoneInterpolation interpolation(stencils, sampled(stencils.nodes(), logistic));
  for (int k = -11; k <= 11; ++k) {
    const double x = 0.166 * k + 0.01;
    EXPECT_NEAR(interpolation.solve(interpolation.cell_of(x), interpolation(x)), x, 1e-13);
  }
  EXPECT_THROW((void)interpolation.solve(0, 2.0), std::invalid_argument);
}

TEST(MonotoneInterpolation, FewNodesGiveThePolynomialThroughThem) {
  const DerivativeStencils two({0.0, 2.0});
  const std::vector<double> line{1.0, 5.0};
  EXPECT_NEAR(MonotoneInterpolation(two, line)(0.5), 2.0, 1e-15);
  const DerivativeStencils three({0.0, 1.0, 3.0});
  const auto parabola = [](double x) { return x * x + x; };
  EXPECT_NEAR(MonotoneInterpolation(three, sampled(three.nodes(), parabola))(2.0), 6.0, 1e-14);
  const DerivativeStencils one({4.0});
  EXPECT_EQ(MonotoneInterpolation(one, std::vector<double>{7.0})(3.0), 7.0);
}

TEST(MonotoneInterpolation, BadNodesAreRefused) {
  EXPECT_THROW(DerivativeStencils(std::vector<double>{}), std::invalid_argument);
  EXPECT_THROW(DerivativeStencils({0.0, 0.0}), std::invalid_argument);
  EXPECT_THROW(DerivativeStencils({0.0, std::nan("")}), std::invalid_argument);
  const DerivativeStencils stencils({0.0, 1.0});
  EXPECT_THROW(MonotoneInterpolation(stencils, std::vector<double>{1.0}), std::invalid_argument);
}

}  // namespace
}  // namespace diffphase
