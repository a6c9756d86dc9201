#include "ensemble/gaussian_mixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace diffphase {
namespace {

using testing::HasSubstr;

GaussianMixture make(const MixtureParameters& parameters, std::int64_t realization = 0) {
  return {parameters, 3, hash_text("mixture test"), realization};
}

MixtureParameters basic(CentroidKind kind, std::int64_t classes, std::int64_t dimension) {
  MixtureParameters p;
  p.centroids = kind;
  p.classes = classes;
  p.dimension = dimension;
  p.separation = 1.7;
  return p;
}

std::vector<double> whole_centroid(const GaussianMixture& mixture, std::int64_t c) {
  std::vector<double> mu(static_cast<std::size_t>(mixture.dimension()));
  mixture.centroid(c, 0, mu);
  return mu;
}

// Inner product of two centroids in units of |mu|^2 = separation^2 d.
double overlap(const GaussianMixture& mixture, std::int64_t a, std::int64_t b) {
  const auto x = whole_centroid(mixture, a);
  const auto y = whole_centroid(mixture, b);
  const double separation = mixture.parameters().separation;
  return std::inner_product(x.begin(), x.end(), y.begin(), 0.0) /
         (separation * separation * static_cast<double>(mixture.dimension()));
}

// Every pair of classes against the overlap expected of it.
template <typename Expected>
void expect_overlaps(const MixtureParameters& p, const Expected& expected) {
  const GaussianMixture mixture = make(p);
  for (std::int64_t a = 0; a < p.classes; ++a) {
    for (std::int64_t b = 0; b <= a; ++b) {
      EXPECT_NEAR(overlap(mixture, a, b), expected(a, b), 1e-12) << "classes " << a << " and " << b;
    }
  }
}

TEST(GaussianMixture, OppositeCentroids) {
  for (const std::int64_t d : {1, 2, 17, 1024}) {
    expect_overlaps(basic(CentroidKind::opposite, 2, d), [](auto a, auto b) { return a == b ? 1.0 : -1.0; });
  }
}

TEST(GaussianMixture, OrthogonalCentroids) {
  for (const std::int64_t k : {2, 3, 8, 20}) {
    for (const std::int64_t d : {k, k + 1, std::int64_t{64}}) {
      expect_overlaps(basic(CentroidKind::orthogonal, k, d), [](auto a, auto b) { return a == b ? 1.0 : 0.0; });
    }
  }
}

TEST(GaussianMixture, SimplexCentroids) {
  for (const std::int64_t k : {2, 3, 4, 8, 33}) {
    for (const std::int64_t d : {k - 1, k, std::int64_t{64}}) {
      expect_overlaps(basic(CentroidKind::simplex, k, d),
                      [k](auto a, auto b) { return a == b ? 1.0 : -1.0 / static_cast<double>(k - 1); });
    }
  }
}

TEST(GaussianMixture, HierarchicalCentroids) {
  for (const double fraction : {0.05, 0.5, 0.9}) {
    MixtureParameters p = basic(CentroidKind::hierarchical, 12, 15);
    p.branches = {3, 4};
    p.class_fraction = fraction;
    expect_overlaps(p, [fraction](auto a, auto b) { return a == b ? 1.0 : (a / 4 == b / 4 ? 1.0 - fraction : 0.0); });
    const GaussianMixture mixture = make(p);
    EXPECT_EQ(mixture.superclasses(), 3);
    EXPECT_EQ(mixture.superclass(7), 1);
  }
}

TEST(GaussianMixture, RandomCentroidsHaveIndependentNormalEntriesAndChangeWithTheRealization) {
  const std::int64_t k = 40;
  const std::int64_t d = 1000;
  const GaussianMixture mixture = make(basic(CentroidKind::random, k, d));
  const double n = static_cast<double>(d);
  for (std::int64_t a = 0; a < k; ++a) {
    for (std::int64_t b = 0; b <= a; ++b) {
      const double sd = std::sqrt((a == b ? 2.0 : 1.0) / n);
      EXPECT_NEAR(overlap(mixture, a, b), a == b ? 1.0 : 0.0, 5.0 * sd);  // 820 comparisons
    }
  }
  EXPECT_NE(whole_centroid(mixture, 0), whole_centroid(make(mixture.parameters(), 1), 0));
}

TEST(GaussianMixture, ASingleClassSitsAtTheOrigin) {
  for (const auto kind :
       {CentroidKind::random, CentroidKind::orthogonal, CentroidKind::simplex, CentroidKind::hierarchical}) {
    MixtureParameters p = basic(kind, 1, 5);
    p.branches = {1, 1};
    EXPECT_EQ(whole_centroid(make(p), 0), std::vector<double>(5, 0.0));
    EXPECT_EQ(make(p).label(123), 0);
  }
}

TEST(GaussianMixture, AnyColumnsEqualThoseOfTheWholeRow) {
  for (const auto kind : {CentroidKind::random, CentroidKind::opposite, CentroidKind::orthogonal, CentroidKind::simplex,
                          CentroidKind::hierarchical}) {
    MixtureParameters p = basic(kind, kind == CentroidKind::opposite ? 2 : 6, 1100);
    p.branches = {2, 3};
    const GaussianMixture mixture = make(p);
    const std::int64_t row = 77;
    std::vector<double> whole(1100);
    mixture.sample(row, 0, whole);
    for (const std::int64_t first : {0, 1, 2, 3, 5, 511, 513, 1099}) {
      for (const std::size_t count : {0UL, 1UL, 2UL, 7UL, 513UL, 600UL}) {
        if (static_cast<std::size_t>(first) + count > whole.size()) continue;
        std::vector<double> part(count);
        mixture.sample(row, first, part);
        EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + first)) << first << " + " << count;
        mixture.centroid(1, first, part);
        const auto mu = whole_centroid(mixture, 1);
        EXPECT_TRUE(std::equal(part.begin(), part.end(), mu.begin() + first)) << first << " + " << count;
      }
    }
  }
}

TEST(GaussianMixture, SampleIsTheCentroidOfItsLabelPlusNoise) {
  MixtureParameters p = basic(CentroidKind::random, 5, 30);
  p.class_sigma = {0.5, 1.0, 1.5, 2.0, 2.5};
  const GaussianMixture mixture = make(p);
  for (std::int64_t row = 0; row < 50; ++row) {
    std::vector<double> direct(30);
    mixture.sample(row, 0, direct);
    auto assembled = whole_centroid(mixture, mixture.label(row));
    mixture.add_noise(row, mixture.label(row), 0, assembled);
    EXPECT_EQ(direct, assembled);
  }
}

TEST(GaussianMixture, LabelsFollowTheWeights) {
  const std::int64_t n = 40000;
  for (const std::vector<double>& weights :
       {std::vector<double>{}, std::vector<double>{1.0, 2.0, 3.0, 10.0}, std::vector<double>{1e-3, 1.0, 1.0, 1e-3}}) {
    MixtureParameters p = basic(CentroidKind::random, 4, 3);
    p.weights = weights;
    const GaussianMixture mixture = make(p);
    std::vector<std::int64_t> counts(4);
    for (std::int64_t row = 0; row < n; ++row) ++counts.at(static_cast<std::size_t>(mixture.label(row)));
    double total = 0.0;
    for (std::int64_t c = 0; c < 4; ++c) {
      const double w = mixture.weight(c);
      total += w;
      const double frequency = static_cast<double>(counts[static_cast<std::size_t>(c)]) / n;
      EXPECT_NEAR(frequency, w, 4.5 * std::sqrt(w * (1.0 - w) / n) + 1.0 / n);
    }
    EXPECT_NEAR(total, 1.0, 1e-15);
    EXPECT_EQ(mixture.uniform_weights(), weights.empty());
  }
}

TEST(GaussianMixture, NoiseHasTheMomentsOfItsClass) {
  MixtureParameters p = basic(CentroidKind::orthogonal, 3, 50);
  p.class_sigma = {0.3, 1.0, 4.0};
  const GaussianMixture mixture = make(p);
  struct Sums {
    double n = 0, first = 0, second = 0, fourth = 0;
  };
  std::vector<Sums> sums(3);
  for (std::int64_t row = 0; row < 3000; ++row) {
    const auto c = static_cast<std::size_t>(mixture.label(row));
    const auto mu = whole_centroid(mixture, static_cast<std::int64_t>(c));
    std::vector<double> x(50);
    mixture.sample(row, 0, x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double z = (x[i] - mu[i]) / p.class_sigma[c];
      sums[c].n += 1;
      sums[c].first += z;
      sums[c].second += z * z;
      sums[c].fourth += z * z * z * z;
    }
  }
  for (const Sums& s : sums) {
    EXPECT_NEAR(s.first / s.n, 0.0, 4.5 * std::sqrt(1.0 / s.n));
    EXPECT_NEAR(s.second / s.n, 1.0, 4.5 * std::sqrt(2.0 / s.n));
    EXPECT_NEAR(s.fourth / s.n, 3.0, 4.5 * std::sqrt(96.0 / s.n));
  }
}

TEST(GaussianMixture, ManyClassesCostNothing) {
  const std::int64_t k = 1'000'000'000;
  const GaussianMixture mixture = make(basic(CentroidKind::random, k, 64));
  std::vector<double> x(64);
  double mean = 0.0;
  for (std::int64_t row = 0; row < 1000; ++row) {
    mixture.sample(row, 0, x);
    EXPECT_LT(mixture.label(row), k);
    mean += static_cast<double>(mixture.label(row)) / static_cast<double>(k) / 1000.0;
  }
  EXPECT_NEAR(mean, 0.5, 4.5 / std::sqrt(12.0 * 1000.0));
}

struct BadCase {
  const char* expected;
  void (*spoil)(MixtureParameters&);
};

TEST(GaussianMixture, ProblemNamesKeyValueAndWhatIsAllowed) {
  using P = MixtureParameters;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<BadCase> cases{
      {"dimension = -4: must be at least 1", [](P& p) { p.dimension = -4; }},
      {"classes = 0: must be at least 1", [](P& p) { p.classes = 0; }},
      {"classes = 3: centroids = \"opposite\" needs exactly 2 classes",
       [](P& p) { p.centroids = CentroidKind::opposite, p.classes = 3; }},
      {"classes = 9: centroids = \"orthogonal\" allows at most dimension = 8 classes",
       [](P& p) { p.centroids = CentroidKind::orthogonal, p.classes = 9; }},
      {"classes = 10: centroids = \"simplex\" allows at most dimension + 1 = 9 classes",
       [](P& p) { p.centroids = CentroidKind::simplex, p.classes = 10; }},
      {"separation = -1: must be a finite number, 0 or above", [](P& p) { p.separation = -1.0; }},
      {"separation = inf: must be a finite number", [](P& p) { p.separation = infinity; }},
      {"sigma = 0: must be a finite number above 0", [](P& p) { p.sigma = 0.0; }},
      {"sigma = nan: must be a finite number above 0", [](P& p) { p.sigma = std::nan(""); }},
      {"class_sigma has 1 values: needs one for each of the 2 classes", [](P& p) { p.class_sigma = {1.0}; }},
      {"class_sigma[1] = -2: must be a finite number above 0",
       [](P& p) {
         p.class_sigma = {1.0, -2.0};
       }},
      {"weights has 3 values: needs one for each of the 2 classes",
       [](P& p) {
         p.weights = {1.0, 1.0, 1.0};
       }},
      {"weights[0] = 0: must be a finite number above 0",
       [](P& p) {
         p.weights = {0.0, 1.0};
       }},
      {"weights = [1e+308, 1e+308]: their sum must be finite",
       [](P& p) {
         p.weights = {1e308, 1e308};
       }},
      {"branches = [0, 2]: both must be at least 1",
       [](P& p) {
         p.centroids = CentroidKind::hierarchical, p.branches = {0, 2};
       }},
      {"branches = [2, 2]: their product must be the number of classes, 2",
       [](P& p) {
         p.centroids = CentroidKind::hierarchical, p.branches = {2, 2};
       }},
      {"branches = [4611686018427387904, 8]: their product must be the number of classes, 2",
       [](P& p) {
         p.centroids = CentroidKind::hierarchical, p.branches = {std::int64_t{1} << 62, 8};
       }},
      {"branches = [2, 4]: the hierarchical centroids need a dimension of at least 10, one for each "
       "superclass and "
       "each class, but dimension = 8",
       [](P& p) {
         p.centroids = CentroidKind::hierarchical, p.classes = 8, p.branches = {2, 4};
       }},
      {"class_fraction = 1: must lie between 0 and 1, ends excluded",
       [](P& p) {
         p.centroids = CentroidKind::hierarchical, p.branches = {1, 2}, p.class_fraction = 1.0;
       }},
  };
  for (const BadCase& bad : cases) {
    MixtureParameters p = basic(CentroidKind::random, 2, 8);
    EXPECT_EQ(p.problem(), "");
    bad.spoil(p);
    EXPECT_THAT(p.problem(), HasSubstr(bad.expected));
    EXPECT_THROW(make(p), std::invalid_argument);
  }
}

TEST(GaussianMixture, LargestAllowedSizesAreAccepted) {
  MixtureParameters p = basic(CentroidKind::orthogonal, 8, 8);
  EXPECT_EQ(p.problem(), "");
  p.centroids = CentroidKind::simplex;
  p.classes = 9;
  EXPECT_EQ(p.problem(), "");
  p.centroids = CentroidKind::hierarchical;
  p.classes = 6;
  p.branches = {2, 3};
  EXPECT_EQ(p.problem(), "");
}

}  // namespace
}  // namespace diffphase
