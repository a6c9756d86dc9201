#include "ensemble/bessel_ratio.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

namespace diffphase {
namespace {

struct Reference {
  std::int64_t dimension;
  double kappa, log_average, mean, variance;
};

// mpmath at 60 digits.
const std::vector<Reference> references{
    {1, 1e-8, 5.0000000000000001e-17, 9.9999999999999999e-9, 0.9999999999999999},
    {1, 0.1, 0.0049916888216465308, 0.099667994624955823, 0.99006629084743978},
    {1, 7.5, 6.8068531253423284, 0.99999938819554615, 1.2236085333978091e-6},
    {1, 60, 59.306852819440055, 1.0, 3.0670592295751643e-52},
    {1, 1000, 999.30685281944005, 1.0, 0.0},
    {1, 1e5, 99999.30685281944, 1.0, 0.0},
    {2, 1e-8, 2.5000000000000001e-17, 5.0e-9, 0.49999999999999998},
    {2, 0.1, 0.0024984392338762437, 0.049937603987938922, 0.49813019582855459},
    {2, 7.5, 5.5915887080752748, 0.93072473434912709, 0.0096548376241965354},
    {2, 60, 57.035990189655143, 0.99163135012420877, 0.00014007628210206177},
    {2, 1000, 995.62730888986946, 0.99949987487480428, 5.0025037578328756e-7},
    {2, 1e5, 99993.324599984316, 0.99999499998749987, 5.0000250003750078e-11},
    {3, 1e-8, 1.6666666666666667e-17, 3.3333333333333334e-9, 0.33333333333333333},
    {3, 0.1, 0.0016661114635804607, 0.033311132253989612, 0.33266772338816501},
    {3, 7.5, 4.7919494929954226, 0.86666727847149482, 0.01777655416774716},
    {3, 60, 55.212508257217954, 0.98333333333333333, 0.00027777777777777778},
    {3, 1000, 992.39909754045792, 0.999, 1.0e-6},
    {3, 1e5, 99987.79392735447, 0.99999, 1.0e-10},
    {4, 1e-8, 1.25e-17, 2.5e-9, 0.25},
    {4, 0.1, 0.0012497396917860538, 0.02498958983941266, 0.24968782521727815},
    {4, 7.5, 4.1980411560201816, 0.80776486297277972, 0.024409980957454524},
    {4, 60, 53.626388944368176, 0.97510594188193996, 0.00041310501243773287},
    {4, 1000, 989.41220054121779, 0.99850037537549303, 1.4992488730270201e-6},
    {4, 1e5, 99982.504816699881, 0.99998500003750038, 1.499992499887498e-10},
    {11, 1e-8, 4.5454545454545456e-18, 9.0909090909090911e-10, 0.090909090909090909},
    {11, 0.1, 0.0004545295626319093, 0.0090902734400479472, 0.090890022923990487},
    {11, 7.5, 2.2010685724706272, 0.51783734085612383, 0.041394700606893522},
    {11, 60, 45.518316697675009, 0.91948781947104754, 0.0012941799325370306},
    {11, 1000, 971.6092563637323, 0.99501000996482988, 4.9799701408507382e-6},
    {11, 1e5, 99948.593310421583, 0.99995000100001, 4.99979999700014e-10},
    {100, 1e-8, 5.0000000000000002e-19, 1.0e-10, 0.01},
    {100, 0.1, 4.9999975490227507e-5, 0.00099999901960972856, 0.0099999705883295623},
    {100, 7.5, 0.28048003185917721, 0.074590812405276589, 0.0098374869550698593},
    {100, 60, 15.744001280329079, 0.46945262838174381, 0.0050173928755950723},
    {100, 1000, 834.47639586093527, 0.95170085470763675, 4.7098532697637126e-5},
    {100, 1e5, 99607.709202934772, 0.99950512003869319, 4.9475992142762241e-9},
    {511, 1e-8, 9.7847358121330728e-20, 1.9569471624266145e-11, 0.0019569471624266145},
    {511, 0.1, 9.7847356255033463e-6, 0.00019569470877747256, 0.0019569469384709588},
    {511, 7.5, 0.055033235543967354, 0.014673955686998715, 0.0019556883085833555},
    {511, 60, 3.4987478932633727, 0.11584701608021261, 0.0018798321835038187},
    {511, 1000, 540.72119378971126, 0.77690738771192259, 0.00019214318555586676},
    {511, 1e5, 98398.308153057487, 0.99745323852714135, 2.5435229238197683e-8},
    {4095, 1e-8, 1.2210012210012211e-20, 2.4420024420024421e-12, 0.0002442002442002442},
    {4095, 0.1, 1.2210012206373344e-6, 2.4420024405468952e-5, 0.00024420024376358011},
    {4095, 7.5, 0.0068681203545793686, 0.0018314956909542169, 0.00024419778799217303},
    {4095, 60, 0.43951329331918912, 0.014648872018434217, 0.00024404315742615239},
    {4095, 1000, 118.72178079417264, 0.23115743178139253, 0.00020771601920983167},
    {4095, 1e5, 91390.22238280309, 0.9797393882719498, 2.0051265197979708e-7},
    {4096, 1e-8, 1.2207031250000001e-20, 2.4414062500000001e-12, 0.000244140625},
    {4096, 0.1, 1.2207031246363798e-6, 2.4414062485455188e-5, 0.0002441406245636556},
    {4096, 7.5, 0.0068664435730018233, 0.0018310485514480075, 0.00024413817059016429},
    {4096, 60, 0.43940601326907266, 0.014645297166560073, 0.00024398365317818423},
    {4096, 1000, 118.69432982430196, 0.23110671678830691, 0.00020768020721248914},
    {4096, 1e5, 91388.614386931923, 0.97973449058904352, 2.0056060605615566e-7},
    {1000000, 1000, 0.49999975000083333, 0.00099999900000399998, 9.9999700001599989e-7},
    {1000000, 1e6, 377428.15507243406, 0.61803414153633712, 2.7639324723455294e-7},
};

TEST(BesselRatio, ReferenceValues) {
  for (const Reference& r : references) {
    SCOPED_TRACE(testing::Message() << r.dimension << " " << r.kappa);
    const SphereInField s = sphere_in_field(r.dimension, r.kappa);
    EXPECT_NEAR(s.mean / r.mean, 1.0, 2e-14);
    EXPECT_NEAR(s.log_average, r.log_average, 1e-14 * std::max(1.0, r.log_average));
    EXPECT_NEAR(s.transverse_variance * r.kappa / r.mean, 1.0, 2e-14);
    if (r.dimension > 1) {
      EXPECT_NEAR(s.variance / r.variance, 1.0, 1e-12);
    } else {
      EXPECT_NEAR(s.variance, r.variance, 1e-15);
    }
    EXPECT_EQ(bessel_ratio(r.dimension, r.kappa), s.mean);
  }
}

TEST(BesselRatio, ClosedFormOfTheOrdinarySphere) {
  for (double kappa = 1e-3; kappa < 1e15; kappa *= 3.7) {
    const long double k = kappa;
    // Langevin's function, by its series where coth and 1/k cancel.
    const long double k2 = k * k;
    const long double mean =
        k < 0.05L ? k / 3 * (1 - k2 / 15 * (1 - 2 * k2 / 21 * (1 - k2 / 10))) : 1 / std::tanh(k) - 1 / k;
    const SphereInField s = sphere_in_field(3, kappa);
    EXPECT_NEAR(s.mean / static_cast<double>(mean), 1.0, 1e-13) << kappa;
    if (kappa > 40.0) {
      EXPECT_NEAR(s.variance * kappa * kappa, 1.0, 1e-12) << kappa;
      EXPECT_NEAR(s.log_average, kappa - std::log(2.0 * kappa), 1e-14 * kappa);
    }
  }
}

// The continued fraction, from so far up that it has converged, against the expansion at its lowest orders and beyond.
TEST(BesselRatio, ContinuedFractionInLongDouble) {
  for (const int dimension : {1, 2, 5, 13, 64, 255, 480, 512, 513, 4095, 4097, 20000, 1000000}) {
    for (double kappa = 1e-4; kappa < 1e5; kappa *= 1.9) {
      long double ratio = 0.0L;
      long double slope = 0.0L;
      const long double x = kappa;
      for (int j = 4 * static_cast<int>(std::sqrt(1e5 * kappa)) + 500; j >= 0; --j) {
        const long double by_x = 1 / (dimension + 2.0L * j + x * ratio);
        slope = (dimension + 2.0L * j) * by_x * by_x - x * by_x * x * by_x * slope;
        ratio = x * by_x;
      }
      const SphereInField s = sphere_in_field(dimension, kappa);
      ASSERT_NEAR(s.mean / static_cast<double>(ratio), 1.0, 1e-14) << dimension << " " << kappa;
      if (dimension > 1) {
        ASSERT_NEAR(s.variance / static_cast<double>(slope), 1.0, 1e-12) << dimension << " " << kappa;
      }
    }
  }
}

TEST(BesselRatio, LimitsOfTheField) {
  for (const int dimension : {1, 2, 3, 50, 5000, 1000000}) {
    const SphereInField none = sphere_in_field(dimension, 0.0);
    EXPECT_EQ(none.mean, 0.0);
    EXPECT_NEAR(none.log_average, 0.0, 1e-15);
    EXPECT_NEAR(none.variance * dimension, 1.0, 1e-14);
    EXPECT_NEAR(none.transverse_variance * dimension, 1.0, 1e-14);
    const SphereInField infinite = sphere_in_field(dimension, std::numeric_limits<double>::infinity());
    EXPECT_EQ(infinite.mean, 1.0);
    EXPECT_EQ(infinite.variance, 0.0);
    for (const double kappa : {1e14, 1e100, 1e300}) {
      const SphereInField strong = sphere_in_field(dimension, kappa);
      EXPECT_NEAR(strong.mean, 1.0, 1e-7);
      EXPECT_NEAR(strong.transverse_variance * kappa, 1.0, 1e-7);
      EXPECT_NEAR(strong.log_average / kappa, 1.0, 1e-6);
      EXPECT_TRUE(std::isfinite(strong.variance));
    }
    EXPECT_GT(sphere_in_field(dimension, 1e-300).mean, 0.0);
  }
}

TEST(BesselRatio, DerivativesAndRiccatiEquation) {
  for (const int dimension : {2, 9, 300, 600, 5000}) {
    for (const double kappa : {0.7, 30.0, 400.0, 9000.0}) {
      const double h = 1e-3 * kappa;
      const auto at = [&](double shift) { return sphere_in_field(dimension, kappa + shift * h); };
      const auto slope = [&](double SphereInField::*f) {
        return (8.0 * (at(1).*f - at(-1).*f) - (at(2).*f - at(-2).*f)) / (12.0 * h);
      };
      EXPECT_NEAR(slope(&SphereInField::log_average) / at(0).mean, 1.0, 1e-8) << dimension << " " << kappa;
      EXPECT_NEAR(slope(&SphereInField::mean) / at(0).variance, 1.0, 1e-7) << dimension << " " << kappa;
      EXPECT_NEAR(at(0).variance, 1.0 - at(0).mean * at(0).mean - (dimension - 1) * at(0).transverse_variance, 1e-14);
    }
  }
}

TEST(BesselRatio, BadArguments) {
  EXPECT_THROW(static_cast<void>(sphere_in_field(0, 1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(sphere_in_field(3, -1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(bessel_ratio(3, std::numeric_limits<double>::quiet_NaN())), std::invalid_argument);
}

}  // namespace
}  // namespace diffphase
