#include "posterior/noncentral_chi_square.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <stdexcept>
#include <vector>

namespace diffphase {
namespace {

// What is documented of the logarithm of the lower tail.
double allowed_error(std::int64_t degrees) {
  if (degrees >= 400) return 3e-6;
  if (degrees >= 60) return 5e-5;
  if (degrees >= 20) return 3e-4;
  return degrees >= 5 ? 5e-3 : 8e-2;
}

// log(e^a + e^b + ...).
class LogSum {
 public:
  void add(long double term) {
    if (term > largest_) {
      sum_ = sum_ * std::exp(largest_ - term) + 1.0L;
      largest_ = term;
    } else {
      sum_ += std::exp(term - largest_);
    }
  }
  [[nodiscard]] long double value() const { return largest_ + std::log(sum_); }

 private:
  long double largest_ = -std::numeric_limits<long double>::infinity();
  long double sum_ = 0.0L;
};

// log P(D <= x) as the sum over a Poisson number j of the lower tails of a = k/2 + j degrees of y = x/2, each y^a
// e^-y/Gamma(a + 1) times 1 + y/(a + 1) (1 + y/(a + 2) (1 + ...)). The largest terms are at j near sqrt(lambda y/2).
double poisson_mixture_log_cdf(std::int64_t degrees, double noncentrality, double x) {
  const long double y = 0.5L * x;
  const long double half = 0.5L * noncentrality;
  const auto last = half > 0.0L ? static_cast<std::int64_t>(2.0L * std::sqrt(half * y)) + 300 : 0;
  const auto beyond = last + 200 + static_cast<std::int64_t>(2.0L * y);
  LogSum total;
  long double series = 1.0L;
  for (std::int64_t j = beyond; j >= 0; --j) {
    const long double a = 0.5L * static_cast<long double>(degrees) + static_cast<long double>(j);
    series = 1.0L + y / (a + 1.0L) * series;
    if (j > last) continue;
    const long double weight = half > 0.0L ? j * std::log(half) - half - std::lgamma(j + 1.0L) : 0.0L;
    total.add(weight + a * std::log(y) - y - std::lgamma(a + 1.0L) + std::log(series));
  }
  return static_cast<double>(total.value());
}

// log of the integral of e^f over [low, high], Simpson's rule.
double log_integral(const std::function<double(double)>& f, double low, double high, int intervals) {
  LogSum sum;
  for (int i = 0; i <= intervals; ++i) {
    const double weight = i == 0 || i == intervals ? 1.0 : i % 2 == 1 ? 4.0 : 2.0;
    sum.add(f(low + (high - low) * i / intervals) + std::log(weight));
  }
  return static_cast<double>(sum.value()) + std::log((high - low) / (3.0 * intervals));
}

// log P(D <= x) for x below the mode, from the density, which falls on log x at least as fast as at x.
double integrated_log_cdf(const NoncentralChiSquare& law, double x) {
  const auto f = [&](double v) { return law.log_density(x * std::exp(-v)) - v; };
  const double fall = (f(0.0) - f(1e-4)) / 1e-4;
  return std::log(x) + log_integral(f, 0.0, 45.0 / fall, 400);
}

struct Law {
  std::int64_t degrees;
  double noncentrality;
};

std::vector<Law> laws() {
  std::vector<Law> result;
  for (const std::int64_t degrees : {20, 33, 60, 200, 400, 2000}) {
    for (const double ratio : {0.0, 0.3, 1.0, 2.5, 10.0})
      result.push_back({degrees, ratio * static_cast<double>(degrees)});
  }
  return result;
}

struct Reference {
  std::int64_t degrees;
  double noncentrality, x, log_cdf;
};

// mpmath at 40 digits: sum over j of the Poisson weight of j times y^a e^-y/Gamma(a + 1) 1F1(1; a + 1; y), a = k/2 + j,
// y = x/2.
const std::vector<Reference> references{
    {1, 0.5, 0.1, -1.6354303807032922},     {2, 1, 0.3, -2.4348344083012927},
    {5, 3, 0.5, -6.2396155488829711},       {5, 3, 6, -0.93426767547500063},
    {20, 0, 1e-8, -206.24269182274408},     {20, 0, 8, -4.8119185266851288},
    {20, 15, 1, -29.654589105961273},       {20, 15, 12, -6.5695839747809656},
    {20, 15, 40, -0.33700586685392061},     {60, 100, 5, -95.782278651161871},
    {60, 100, 60, -18.336729237244987},     {60, 100, 150, -1.071315238289361},
    {60, 100, 220, -0.0074791944163536208}, {64, 300, 30, -115.28677008039289},
    {256, 512, 100, -222.96983278530233},   {256, 512, 600, -8.4887416327571224},
    {256, 512, 800, -0.3010281538611355},   {400, 300, 1, -1151.9861467199747},
    {400, 900, 200, -326.10416740871155},   {1000, 1000, 1e-1, -4609.196597721892},
    {1000, 1000, 100, -1157.5249734323537}, {1000, 1000, 1500, -27.39903297202104},
    {2000, 3000, 300, -2346.3965161898511}, {2000, 3000, 1000, -1102.9264890089957},
    {2000, 3000, 4600, -7.390057694230498}, {2000, 3000, 5200, -0.059896890013931278},
};

TEST(NoncentralChiSquare, LowerTailsAgreeWithTheTable) {
  for (const Reference& r : references) {
    const NoncentralChiSquare law(r.degrees, r.noncentrality);
    EXPECT_NEAR(law.log_cdf(r.x), r.log_cdf, allowed_error(r.degrees))
        << r.degrees << " " << r.noncentrality << " " << r.x;
    // The witnesses too.
    EXPECT_NEAR(poisson_mixture_log_cdf(r.degrees, r.noncentrality, r.x), r.log_cdf, 1e-12 * (1.0 - r.log_cdf));
  }
}

// mpmath at 60 digits: the Bessel function of order k/2 - 1, from its asymptotic series where the argument is large.
TEST(NoncentralChiSquare, DensitiesAgreeWithTheTableHoweverLargeTheNoncentrality) {
  constexpr Reference densities[] = {
      {10, 90000.0, 87009.91666782404, -20.003242633584106},
      {10, 90000.0, 91810.04999930557, -11.786308152399138},
      {10, 110000.0, 106693.299832665, -20.085334315592517},
      {10, 110000.0, 112000.020100401, -11.889427832323342},
      {60, 200000.0, 195587.52864738074, -20.339960687139877},
      {60, 200000.0, 202743.48281157156, -12.195260617998959},
      {2000, 100000.0, 98821.95028358586, -20.049565921594746},
      {2000, 100000.0, 103906.82982984849, -11.845661567936889},
      {10, 100000000.0, 99900009.9975, -23.327929647998846},
      {10, 100000000.0, 100060010.0015, -15.321526485617931},
      {400, 1000000000000.0, 999990000399.999, -27.927651272123791},
      {400, 1000000000000.0, 1000006000400.0006, -19.927587271881921},
      {10, 1e18, 9.9999999e17, -34.83535163071103},
      {10, 1e18, 9.99999999e17, -22.460351552523529},
      {10, 1e18, 1.000000006e18, -26.835351526711029},
  };
  for (const auto& [degrees, noncentrality, x, log_density] : densities) {
    const double steepest = 10.0 * std::sqrt(noncentrality);  // d log f/d log x within 10 deviations
    EXPECT_NEAR(NoncentralChiSquare(degrees, noncentrality).log_density(x), log_density,
                1e-9 + 4.0 * std::numeric_limits<double>::epsilon() * steepest)
        << degrees << " " << noncentrality << " " << x;
  }
}

// All but normal: E[D | D > mean + c s] = mean + s phi(c)/(1 - Phi(c)), up to the skewness, of order 3/sqrt(lambda).
TEST(NoncentralChiSquare, MeansOfTheRestAreThoseOfANormalLawWhereTheNoncentralityIsLarge) {
  for (const std::int64_t degrees : {std::int64_t{10}, std::int64_t{10000000}, std::int64_t{1000000000000}}) {
    for (const double noncentrality : {1e10, 2.65e13, 2.65e15, 1e18, 1e24}) {
      const NoncentralChiSquare law(degrees, noncentrality);
      const double deviation = std::sqrt(2.0 * static_cast<double>(degrees) + 4.0 * noncentrality);
      for (const double c : {-5.0, -2.0, 0.0, 1.0}) {
        const double hazard = std::sqrt(2.0 / M_PI) * std::exp(-0.5 * c * c) / std::erfc(c * M_SQRT1_2);
        const double rounding = 8.0 * std::numeric_limits<double>::epsilon() * law.mean() / deviation;
        EXPECT_NEAR((law.mean_above(law.mean() + c * deviation) - law.mean()) / deviation, hazard,
                    1e-4 + 30.0 * rounding)
            << degrees << " " << noncentrality << " " << c;
      }
    }
  }
}

TEST(NoncentralChiSquare, LowerTailsAgreeWithThePoissonMixtureHoweverFarDown) {
  for (const auto& [degrees, noncentrality] : laws()) {
    const NoncentralChiSquare law(degrees, noncentrality);
    for (const double target :
         {-0.3, -1.0, -3.0, -10.0, -0.3 * static_cast<double>(degrees), -500.0, -2000.0, -6000.0}) {
      const double x = law.quantile(target);
      EXPECT_NEAR(law.log_cdf(x), poisson_mixture_log_cdf(degrees, noncentrality, x), allowed_error(degrees))
          << degrees << " " << noncentrality << " " << target;
    }
  }
}

TEST(NoncentralChiSquare, LowerTailsAreIntegralsOfTheDensity) {
  for (const auto& [degrees, noncentrality] : laws()) {
    const NoncentralChiSquare law(degrees, noncentrality);
    for (const double target : {-3.0, -40.0, -2000.0}) {
      const double x = law.quantile(target);
      const double integrated = integrated_log_cdf(law, x);
      EXPECT_NEAR(integrated, poisson_mixture_log_cdf(degrees, noncentrality, x), 1e-6);
      EXPECT_NEAR(law.log_cdf(x), integrated, allowed_error(degrees))
          << degrees << " " << noncentrality << " " << target;
    }
  }
}

TEST(NoncentralChiSquare, UpperTailsAndBothTails) {
  for (const auto& [degrees, noncentrality] : laws()) {
    const NoncentralChiSquare law(degrees, noncentrality);
    const double deviation = std::sqrt(2.0 * static_cast<double>(degrees) + 4.0 * noncentrality);
    for (const double away : {-3.0, -1.0, -0.1, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 0.1, 1.0, 3.0}) {
      const double x = law.mean() + away * deviation;
      EXPECT_NEAR(std::exp(law.log_cdf(x)) + std::exp(law.log_survival(x)), 1.0, 1e-13);
      EXPECT_NEAR(law.log_cdf(x), poisson_mixture_log_cdf(degrees, noncentrality, x), allowed_error(degrees));
    }
    for (const double away : {1.0, 5.0, 30.0}) {
      const double x = law.mean() + away * deviation;
      const auto f = [&](double y) { return law.log_density(y); };
      const double fall = (f(x) - f(x + 1e-4 * deviation)) / (1e-4 * deviation);
      EXPECT_NEAR(law.log_survival(x), log_integral(f, x, x + 45.0 / fall, 400), 2.0 * allowed_error(degrees))
          << degrees << " " << noncentrality << " " << away;
    }
  }
}

TEST(NoncentralChiSquare, ProbabilitiesAscendThroughTheMean) {
  for (const Law& l : {Law{20, 0.0}, Law{64, 80.0}, Law{100000, 3e5}}) {
    const NoncentralChiSquare law(l.degrees, l.noncentrality);
    const double deviation = std::sqrt(2.0 * static_cast<double>(l.degrees) + 4.0 * l.noncentrality);
    const auto log_cdf = [&](int i) { return law.log_cdf(law.mean() + 1e-3 * i * deviation); };
    for (int i = -400; i < 400; ++i) {
      EXPECT_NEAR(log_cdf(i + 1) - log_cdf(i), 8e-4, 4e-4) << i;  // phi/Phi times 1e-3
    }
  }
}

TEST(NoncentralChiSquare, QuantilesAreTheInverse) {
  std::vector<double> levels;
  for (double level = -9000.0; level < -1e-9; level *= 0.8) levels.push_back(level);
  for (double k = 1.0; k < 300.0; ++k) levels.push_back(std::log(k / 1e9));
  levels.insert(levels.end(), {-1e-12, -700.0, -2000.0, -0.5});  // down again
  std::vector<Law> all = laws();
  all.insert(all.end(), {{5, 3.0}, {1000000, 2e6}, {1000000000000, 1e12}});
  for (const auto& [degrees, noncentrality] : all) {
    const NoncentralChiSquare law(degrees, noncentrality);
    std::vector<double> x(levels.size());
    law.quantiles(levels, x);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      if (x[i] < 1e-290) continue;  // beyond double
      EXPECT_NEAR(law.log_cdf(x[i]), levels[i], 1e-5 * std::min(1.0, -levels[i]))
          << degrees << " " << noncentrality << " " << levels[i];
    }
  }
  EXPECT_EQ(NoncentralChiSquare(2, 0.0).quantile(-5000.0), 0.0);
}

// e^(-s D) beyond x, whose sum, mean and sum of squares the extreme values are made of.
TEST(NoncentralChiSquare, TiltedTailsAreIntegralsOfTheTiltedDensity) {
  for (const Law& l : {Law{20, 30.0}, Law{64, 0.0}, Law{64, 200.0}, Law{400, 700.0}}) {
    const NoncentralChiSquare law(l.degrees, l.noncentrality);
    for (const double s : {0.1, 0.5, 3.0}) {
      const NoncentralChiSquare tilted = law.tilted(s);
      const double scale = 1.0 + 2.0 * s;
      for (const double probability : {-1e-6, -1.0, -0.3 * static_cast<double>(l.degrees), -60.0}) {
        const double x = law.quantile(probability);
        const double width = std::sqrt(2.0 * tilted.mean() + 2.0 * tilted.noncentrality()) / scale;
        const double top = std::max(x + 45.0 / s, tilted.mean() / scale + 12.0 * width);
        const auto f = [&](double y) { return law.log_density(y) - s * y; };
        const double whole = log_integral(f, x, top, 1200);
        const double first = log_integral([&](double y) { return f(y) + std::log(y); }, x, top, 1200);
        const double error = 3.0 * allowed_error(l.degrees);
        SCOPED_TRACE(testing::Message() << l.degrees << " " << l.noncentrality << " s " << s << " at " << probability);
        EXPECT_NEAR(law.log_average(s) + tilted.log_survival(scale * x), whole, error);
        // What is above x, in units in which energies are added.
        EXPECT_NEAR(s * tilted.mean_above(scale * x) / scale, s * std::exp(first - whole), error * (1.0 + s * x));
      }
    }
  }
}

TEST(NoncentralChiSquare, LimitsAndBadArguments) {
  const NoncentralChiSquare law(30, 12.0);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(law.log_cdf(0.0), -infinity);
  EXPECT_EQ(law.log_cdf(-1.0), -infinity);
  EXPECT_EQ(law.log_density(0.0), -infinity);
  EXPECT_EQ(law.log_survival(0.0), 0.0);
  EXPECT_EQ(law.mean_above(0.0), 42.0);
  EXPECT_NEAR(law.mean_above(1e-9), 42.0, 1e-12);
  EXPECT_NEAR(law.mean_above(1e5), 1e5, 10.0);
  EXPECT_EQ(law.log_average(0.0), 0.0);
  EXPECT_THROW(NoncentralChiSquare(0, 1.0), std::invalid_argument);
  EXPECT_THROW(NoncentralChiSquare(3, -1.0), std::invalid_argument);
  EXPECT_THROW(NoncentralChiSquare(3, infinity), std::invalid_argument);
  EXPECT_THROW(NoncentralChiSquare(3, std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(law.quantile(0.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(law.quantile(-infinity)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(law.quantile(std::numeric_limits<double>::quiet_NaN())), std::invalid_argument);
}

}  // namespace
}  // namespace diffphase
