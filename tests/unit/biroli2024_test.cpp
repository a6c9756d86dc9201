#include "theory/biroli2024.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <fstream>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "spectrum/dense_eigenvalues.hpp"
#include "transition/centre_instability.hpp"

namespace diffphase {
namespace {

const NoisingProcess ou(ProcessKind::ornstein_uhlenbeck);
const NoisingProcess ve(ProcessKind::variance_exploding);

MixtureParameters mixture(std::int64_t dimension, std::int64_t classes, CentroidKind kind, double separation = 1.0,
                          double sigma = 1.0) {
  MixtureParameters m;
  m.dimension = dimension;
  m.classes = classes;
  m.centroids = kind;
  m.separation = separation;
  m.sigma = sigma;
  return m;
}

MixtureParameters hierarchy(std::int64_t dimension, std::int64_t branches, std::int64_t leaves, double fraction) {
  MixtureParameters m = mixture(dimension, branches * leaves, CentroidKind::hierarchical);
  m.branches = {branches, leaves};
  m.class_fraction = fraction;
  return m;
}

MixtureParameters weighted(MixtureParameters m, std::vector<double> weights) {
  m.weights = std::move(weights);
  return m;
}

TEST(TwoClassAgreement, ReferenceValues) {
  const std::vector<std::pair<double, double>> table{
      {0.10, 0.5049508124}, {0.25, 0.5294729878}, {0.50, 0.6020271328},  {0.75, 0.6903664804}, {1.00, 0.7752002454},
      {1.25, 0.8466375593}, {1.50, 0.9013787489}, {2.00, 0.9657012956},  {2.50, 0.9905240766}, {3.00, 0.9979244601},
      {4.00, 0.9999508907}, {0.9224122926, 0.75}, {0.9993675646, 0.775}, {1.4926105091, 0.9}};
  for (const auto& [c, phi] : table) EXPECT_NEAR(two_class_agreement(c), phi, 6e-11) << c;
  EXPECT_NEAR(2.0 * two_class_agreement(1.0) - 1.0, speciation_level, 2e-15);
}

TEST(TwoClassAgreement, Limits) {
  EXPECT_NEAR(two_class_agreement(0.02), 0.5 + 0.5 * 4e-4 - 0.5 * 1.6e-7, 1e-9);
  const double c = 6.0;
  EXPECT_NEAR((1.0 - two_class_agreement(c)) / (std::sqrt(M_PI / 8.0) * std::exp(-0.5 * c * c) / c), 0.97, 0.01);
  EXPECT_NEAR(two_class_agreement(0.0, 0.9), 0.81 + 0.01, 1e-14);
  EXPECT_DOUBLE_EQ(two_class_agreement(40.0, 0.9), 1.0);
}

TEST(TwoClassInformation, ReferenceValuesAndDerivative) {
  const std::vector<std::pair<double, double>> table{{0.25, .0303113005}, {0.5, .1114214822}, {1.0, .3368308203},
                                                     {1.5, .5267773065},  {2.0, .6327201937}, {3.0, .6892979330}};
  for (const auto& [c, information] : table) EXPECT_NEAR(two_class_information(c), information, 6e-11) << c;
  EXPECT_NEAR(two_class_information(1.02176970), 0.5 * std::log(2.0), 1e-8);
  const double h = 1e-4;
  for (const double weight : {0.5, 0.7, 0.99}) {
    for (const double c : {0.3, 1.0, 1.22814113, 2.2}) {
      const double slope = (two_class_information(c + h, weight) - two_class_information(c - h, weight)) / (2.0 * h);
      EXPECT_NEAR(slope, 2.0 * c * (1.0 - two_class_agreement(c, weight)), 1e-7);
    }
  }
}

TEST(ClassAgreement, ReferenceValues) {
  const auto phi = [](std::int64_t d, double t, double mu, double variance) {
    return Biroli2024(mixture(d, 2, CentroidKind::opposite, mu, std::sqrt(variance)))
        .class_agreement(ou.noise_to_signal(t));
  };
  EXPECT_NEAR(phi(256, 2.5, 1, 1), .8621141569, 1e-10);
  EXPECT_NEAR(phi(1024, 3.5, 1, 1), .7644134441, 1e-10);
  EXPECT_NEAR(phi(4096, 4.0, 1, 1), .8261418909, 1e-10);
  EXPECT_NEAR(phi(16384, 4.5, 1, 1), .8860941751, 1e-10);
  EXPECT_NEAR(phi(1024, 3.0, 1, .25), .9178159313, 1e-10);
  EXPECT_NEAR(phi(1024, 3.0, .5, 4), .7058156374, 1e-10);
}

TEST(ClassAgreement, PublishedCloningRuns) {
  for (const int dimension : {256, 1024}) {
    const std::string path = std::string(DIFFPHASE_SOURCE_DIR) +
                             "/../shared/data/published/biroli2024_clone_agreement_d" + std::to_string(dimension) +
                             ".csv";
    std::ifstream file(path);
    if (!file) GTEST_SKIP() << "no published runs at " << path;
    const Biroli2024 theory(mixture(dimension, 2, CentroidKind::opposite));
    std::string line;
    std::getline(file, line);
    double chi_square = 0.0;
    int points = 0;
    while (std::getline(file, line)) {
      const auto comma = line.find(',');
      if (comma == std::string::npos) continue;
      const double phi = theory.class_agreement(ou.noise_to_signal(std::stod(line)));
      const double measured = std::stod(line.substr(comma + 1));
      const double error = std::sqrt(phi * (1.0 - phi) / 10000.0) + 1e-4;  // 10000 clones
      EXPECT_NEAR(measured, phi, 4.0 * error) << line;
      chi_square += std::pow((measured - phi) / error, 2);
      ++points;
    }
    ASSERT_GT(points, 10);
    EXPECT_LT(chi_square / points, 2.5) << dimension;
  }
}

TEST(SpeciationTime, CriticalSeparations) {
  // c* = |mu|/sqrt(tau + sigma^2) at the speciation time, read off with sigma = 0 and |mu| = 1.
  const auto critical = [](const MixtureParameters& m) { return 1.0 / std::sqrt(Biroli2024(m).speciation_time(ve)); };
  const std::vector<std::pair<double, double>> orthogonal{
      {2, 1.414214}, {3, 1.591830}, {4, 1.718305}, {8, 2.018454}, {16, 2.305487}, {64, 2.828078}, {1024, 3.691232}};
  for (const auto& [classes, c] : orthogonal) {
    const auto k = static_cast<std::int64_t>(classes);
    EXPECT_NEAR(critical(mixture(4096, k, CentroidKind::orthogonal, 1.0 / 64.0, 0.0)), c, 6e-7) << classes;
  }
  EXPECT_NEAR(critical(mixture(1 << 30, 1000000, CentroidKind::orthogonal, std::ldexp(1.0, -15), 0.0)), 5.26285, 6e-6);
  EXPECT_NEAR(critical(mixture(1 << 30, 1000000000, CentroidKind::orthogonal, std::ldexp(1.0, -15), 0.0)), 6.46294,
              6e-6);
  EXPECT_NEAR(critical(mixture(4, 2, CentroidKind::opposite, 0.5, 0.0)), 1.0, 1e-12);
  const std::vector<std::pair<double, double>> unequal{{.8, 1.0925}, {.9, 1.2072}, {.95, 1.3282}, {.99, 1.5966}};
  for (const auto& [w, c] : unequal) {
    EXPECT_NEAR(critical(weighted(mixture(4, 2, CentroidKind::opposite, 0.5, 0.0), {w, 1.0 - w})), c, 6e-5) << w;
    EXPECT_NEAR(critical(weighted(mixture(4, 2, CentroidKind::opposite, 0.5, 0.0), {3.0 - 3.0 * w, 3.0 * w})), c, 6e-5);
  }
}

TEST(SpeciationTime, ReferenceTimes) {
  const std::vector<std::int64_t> classes{2, 4, 8, 64};
  const std::vector<double> orthogonal{3.1192, 2.9244, 2.7634, 2.4261};
  const std::vector<double> simplex{3.4657, 3.0682, 2.8302, 2.4340};
  for (std::size_t i = 0; i < classes.size(); ++i) {
    EXPECT_NEAR(Biroli2024(mixture(1024, classes[i], CentroidKind::orthogonal)).speciation_time(ou), orthogonal[i],
                6e-5);
    EXPECT_NEAR(Biroli2024(mixture(1024, classes[i], CentroidKind::simplex)).speciation_time(ou), simplex[i], 6e-5);
    EXPECT_EQ(Biroli2024(mixture(1024, classes[i], CentroidKind::random)).speciation_time(ou),
              Biroli2024(mixture(1024, classes[i], CentroidKind::orthogonal)).speciation_time(ou));
  }
}

TEST(SpeciationTime, IsWhereTheRescaledAgreementCrosses) {
  std::vector<MixtureParameters> cases{
      mixture(300, 2, CentroidKind::opposite, 0.7, 1.3), mixture(300, 7, CentroidKind::simplex, 1.0, 0.4),
      weighted(mixture(300, 3, CentroidKind::orthogonal), {0.5, 0.3, 0.2}), hierarchy(500, 3, 4, 0.3)};
  for (const auto& m : cases) {
    const Biroli2024 theory(m);
    double lowest = 0.0;
    for (std::int64_t c = 0; c < m.classes; ++c) {
      const double w = m.weights.empty() ? 1.0 / static_cast<double>(m.classes) : m.weights[c];
      lowest += w * w;
    }
    for (const auto& name : NoisingProcess::names()) {
      const NoisingProcess process = NoisingProcess::named(name);
      const double t = theory.speciation_time(process);
      const double phi = theory.class_agreement(process.noise_to_signal(t));
      EXPECT_NEAR((phi - lowest) / (1.0 - lowest), speciation_level, 1e-10) << name;
    }
  }
  const Biroli2024 levels(cases.back());
  const double t = levels.superclass_speciation_time(ou);
  EXPECT_NEAR((levels.superclass_agreement(ou.noise_to_signal(t)) - 1.0 / 3.0) * 1.5, speciation_level, 1e-10);
  EXPECT_GT(t, levels.speciation_time(ou));
}

TEST(SpeciationTime, NoneWhereThereIsNoTransition) {
  EXPECT_TRUE(std::isnan(Biroli2024(mixture(64, 1, CentroidKind::random)).speciation_time(ou)));
  // Two classes closer than sigma: |mu|/sigma = 0.9 < c*.
  EXPECT_TRUE(std::isnan(Biroli2024(mixture(1, 2, CentroidKind::opposite, 0.9)).speciation_time(ou)));
  EXPECT_FALSE(std::isnan(Biroli2024(mixture(1, 2, CentroidKind::opposite, 1.1)).speciation_time(ou)));
  MixtureParameters unequal = mixture(64, 2, CentroidKind::opposite);
  unequal.class_sigma = {1.0, 2.0};
  EXPECT_TRUE(std::isnan(Biroli2024(unequal).speciation_time(ou)));
  EXPECT_TRUE(std::isnan(Biroli2024(unequal).class_agreement(1.0)));
  EXPECT_TRUE(std::isnan(Biroli2024(unequal).drift_instability_time(ou)));
  EXPECT_TRUE(std::isnan(Biroli2024(unequal).collapse_time(5.0, ou)));
  unequal.class_sigma = {1.0, 1.0};
  EXPECT_EQ(Biroli2024(unequal).speciation_time(ou),
            Biroli2024(mixture(64, 2, CentroidKind::opposite)).speciation_time(ou));
  const MixtureParameters uneven = weighted(hierarchy(64, 2, 2, 0.5), {0.4, 0.3, 0.2, 0.1});
  EXPECT_TRUE(std::isnan(Biroli2024(uneven).speciation_time(ou)));
  EXPECT_TRUE(std::isnan(Biroli2024(uneven).speciation_time_spectral(ou)));
  EXPECT_TRUE(std::isnan(Biroli2024(mixture(64, 4, CentroidKind::simplex)).superclass_agreement(1.0)));
}

TEST(InstabilityTimes, TwoClassesHaveTheirClosedForms) {
  const Biroli2024 theory(mixture(256, 2, CentroidKind::opposite));
  EXPECT_NEAR(theory.speciation_time_spectral(ou), 2.774538, 5e-7);
  EXPECT_NEAR(theory.curvature_instability_time(ou), 2.772589, 5e-7);
  EXPECT_NEAR(theory.drift_instability_time(ou), 3.119162, 5e-7);
  const Biroli2024 narrow(mixture(256, 2, CentroidKind::opposite, 0.8, 0.6));
  EXPECT_NEAR(narrow.speciation_time_spectral(ou), 0.5 * std::log(0.36 + 256 * 0.64), 1e-12);
  EXPECT_NEAR(narrow.curvature_instability_time(ou), 0.5 * std::log(256 * 0.64 + 1.0 - 0.36), 1e-12);
  // The agreement of two equal classes crosses at c = 1, where the curvature vanishes.
  EXPECT_NEAR(narrow.speciation_time(ou), narrow.curvature_instability_time(ou), 1e-11);
  EXPECT_TRUE(std::isnan(Biroli2024(mixture(2, 2, CentroidKind::opposite, 0.1, 0.5)).speciation_time_spectral(ou)));
}

/// Centroids in a frame of their own, as rows.
std::vector<std::vector<double>> explicit_centroids(const MixtureParameters& m) {
  const double norm = m.separation * std::sqrt(static_cast<double>(m.dimension));
  const auto classes = static_cast<std::size_t>(m.classes);
  std::vector<std::vector<double>> rows(classes, std::vector<double>(2 * classes + 2, 0.0));
  for (std::size_t c = 0; c < classes; ++c) {
    if (m.centroids == CentroidKind::opposite) {
      rows[c][0] = c == 0 ? norm : -norm;
    } else if (m.centroids == CentroidKind::hierarchical) {
      rows[c][classes + c / static_cast<std::size_t>(m.branches[1])] = norm * std::sqrt(1.0 - m.class_fraction);
      rows[c][c] = norm * std::sqrt(m.class_fraction);
    } else {
      const double k = static_cast<double>(classes);
      const bool simplex = m.centroids == CentroidKind::simplex;
      const double scale = simplex ? norm * std::sqrt(k / (k - 1.0)) : norm;
      for (std::size_t j = 0; j < classes; ++j) rows[c][j] = scale * ((c == j ? 1.0 : 0.0) - (simplex ? 1.0 / k : 0.0));
    }
  }
  return rows;
}

/// Largest eigenvalue of the covariance of `rows` with weights w_c exp(-|rows_c|^2/(2 s)), normalised; the rows
/// are about their mean with the weights w_c.
double posterior_variance(const std::vector<std::vector<double>>& rows, const std::vector<double>& weights, double s) {
  std::vector<double> p(weights);
  double total = 0.0;
  for (std::size_t c = 0; c < p.size(); ++c) {
    total += p[c] *= std::exp(-std::inner_product(rows[c].begin(), rows[c].end(), rows[c].begin(), 0.0) / (2.0 * s));
  }
  const std::size_t size = rows[0].size();
  std::vector<double> mean(size, 0.0);
  for (std::size_t c = 0; c < p.size(); ++c) {
    for (std::size_t i = 0; i < size; ++i) mean[i] += p[c] / total * rows[c][i];
  }
  std::vector<double> covariance(size * size, 0.0);
  for (std::size_t c = 0; c < p.size(); ++c) {
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j < size; ++j) {
        covariance[i * size + j] += p[c] / total * (rows[c][i] - mean[i]) * (rows[c][j] - mean[j]);
      }
    }
  }
  return dense_largest_eigenvalue(covariance);
}

TEST(InstabilityTimes, AgreeWithTheCovarianceOfTheCentroids) {
  const std::vector<MixtureParameters> cases{
      weighted(mixture(300, 2, CentroidKind::opposite, 1.0, 0.7), {0.7, 0.3}),
      mixture(300, 5, CentroidKind::orthogonal),
      weighted(mixture(300, 4, CentroidKind::orthogonal), {0.4, 0.3, 0.2, 0.1}),
      weighted(mixture(300, 5, CentroidKind::simplex, 0.8, 1.2), {0.3, 0.3, 0.2, 0.1, 0.1}),
      weighted(mixture(300, 3, CentroidKind::simplex), {0.6, 0.2, 0.2}),
      hierarchy(300, 3, 4, 0.3),
      hierarchy(300, 1, 4, 0.3)};
  for (const auto& m : cases) {
    auto rows = explicit_centroids(m);
    const std::size_t classes = rows.size();
    const std::vector<double> weights =
        m.weights.empty() ? std::vector<double>(classes, 1.0 / static_cast<double>(classes)) : m.weights;
    std::vector<double> centre(rows[0].size(), 0.0);
    for (std::size_t c = 0; c < classes; ++c) {
      for (std::size_t i = 0; i < centre.size(); ++i) centre[i] += weights[c] * rows[c][i];
    }
    double largest = 0.0;
    for (auto& row : rows) {
      std::transform(row.begin(), row.end(), centre.begin(), row.begin(), std::minus<>());
      largest = std::max(largest, std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
    }
    const auto lambda = [&](double tau) { return posterior_variance(rows, weights, tau + m.sigma * m.sigma); };
    const Biroli2024 theory(m);
    const double curvature = curvature_instability(lambda, largest, m.sigma);
    const double drift = drift_instability(lambda, largest, m.sigma);
    if (std::isnan(curvature)) {
      EXPECT_TRUE(std::isnan(theory.curvature_instability_time(ve)));
    } else {
      EXPECT_NEAR(theory.curvature_instability_time(ve) / curvature, 1.0, 1e-9);
    }
    if (std::isnan(drift)) {
      EXPECT_TRUE(std::isnan(theory.drift_instability_time(ve)));
    } else {
      EXPECT_NEAR(theory.drift_instability_time(ve) / drift, 1.0, 1e-9);
    }
    const double prior = posterior_variance(rows, weights, 1e300);
    EXPECT_NEAR(theory.speciation_time_spectral(ou), 0.5 * std::log(m.sigma * m.sigma + prior), 1e-11);
  }
}

TEST(SpectralTime, RandomCentroids) {
  // Mean of 1/2 log Lambda over 200 (K = 64: 40) draws of centroids, sigma = 1; spread over draws 0.009 to
  // 0.04.
  struct Case {
    std::int64_t dimension, classes;
    double mean, tolerance;
  };
  for (const Case& k : {Case{256, 2, 2.4247, 0.015}, Case{256, 4, 2.1464, 0.015}, Case{1024, 8, 2.4908, 0.006},
                        Case{1024, 64, 1.6172, 0.006}}) {
    const Biroli2024 theory(mixture(k.dimension, k.classes, CentroidKind::random));
    EXPECT_NEAR(theory.speciation_time_spectral(ou), k.mean, k.tolerance) << k.classes;
    const double edge =
        std::pow(1.0 + std::sqrt(static_cast<double>(k.classes) / static_cast<double>(k.dimension)), 2) *
        static_cast<double>(k.dimension) / static_cast<double>(k.classes);
    EXPECT_NEAR(theory.speciation_time_spectral_asymptotic(ou), 0.5 * std::log(1.0 + edge), 1e-12);
  }
  MixtureParameters sigmas = mixture(100, 2, CentroidKind::opposite);
  sigmas.class_sigma = {1.0, 2.0};
  sigmas.weights = {0.25, 0.75};
  EXPECT_NEAR(Biroli2024(sigmas).speciation_time_spectral(ve), 0.25 + 3.0 + 4.0 * 0.1875 * 100.0 - 1.0, 1e-10);
}

TEST(CollapseTime, SingleGaussianReferenceValues) {
  struct Case {
    double samples;
    std::int64_t dimension;
    double time;
  };
  for (const Case& k :
       {Case{20000, 256, 1.2987896868}, Case{20000, 1024, 1.9775467186}, Case{20000, 4096, 2.6670744412},
        Case{2000, 768, 1.9661281255}, Case{2000, 3072, 2.6555715803}, Case{200, 12288, 3.5281365649},
        Case{1000, 16, .2738282338}, Case{10000, 32, .4131579768}, Case{100000, 32, .3337080660}}) {
    const Biroli2024 theory(mixture(k.dimension, 1, CentroidKind::random));
    EXPECT_NEAR(theory.collapse_time(std::log(k.samples), ou), k.time, 1e-10);
    EXPECT_EQ(theory.collapse_time(std::log(k.samples), ou), theory.collapse_time_asymptotic(std::log(k.samples), ou));
  }
  const std::vector<std::array<double, 3>> by_alpha{{.01, 1.9610031694, 49.5016666556}, {.1, .8538859005, 4.5166555661},
                                                    {.25, .4663760648, 1.5414940825},   {.5, .2293375727, .5819767069},
                                                    {1, .0727067289, .1565176427},      {2, .0092427234, .0186573604}};
  for (const auto& [alpha, time, tau] : by_alpha) {
    const Biroli2024 theory(mixture(1000, 1, CentroidKind::random));
    EXPECT_NEAR(theory.collapse_time(alpha * 1000.0, ou), time, 1e-10);
    EXPECT_NEAR(theory.collapse_time(alpha * 1000.0, ve), tau, 6e-11 * std::max(1.0, tau));
  }
  EXPECT_NEAR(Biroli2024(mixture(100, 1, CentroidKind::random, 1.0, 2.0)).collapse_time(50.0, ou), .6011717630, 1e-10);
  EXPECT_NEAR(Biroli2024(mixture(100, 1, CentroidKind::random, 1.0, 0.5)).collapse_time(50.0, ou), .0679180696, 1e-10);
}

TEST(CollapseTime, MixtureReferenceValues) {
  const double log_n = std::log(20000.0);
  EXPECT_NEAR(Biroli2024(mixture(256, 2, CentroidKind::opposite)).collapse_time(log_n, ou), 1.33373088, 6e-9);
  EXPECT_NEAR(Biroli2024(mixture(1024, 2, CentroidKind::opposite)).collapse_time(log_n, ou), 2.01348786, 6e-9);
  EXPECT_NEAR(Biroli2024(mixture(4096, 2, CentroidKind::opposite)).collapse_time(log_n, ou), 2.70326852, 6e-9);
  EXPECT_NEAR(Biroli2024(mixture(256, 2, CentroidKind::opposite)).collapse_time_asymptotic(log_n, ou), 1.29878969,
              6e-9);
  struct Case {
    double samples;
    std::int64_t dimension, classes;
    double root;
  };
  // Roots found with an information term from sampling, good to 6e-4.
  for (const Case& k : {Case{4000, 64, 2, .7763}, Case{4000, 64, 8, .8582}, Case{4000, 64, 32, .9338},
                        Case{4000, 256, 8, 1.5167}, Case{4000, 1024, 64, 2.3224}, Case{2000, 16, 8, .3307}}) {
    const Biroli2024 theory(mixture(k.dimension, k.classes, CentroidKind::orthogonal));
    const double tau = theory.collapse_time(std::log(k.samples), ve);
    const double within = 0.5 * static_cast<double>(k.dimension) * std::log1p(1.0 / tau);
    EXPECT_NEAR(ou.time_at(tau), k.root, 8e-4) << k.dimension << " " << k.classes;
    EXPECT_NEAR(within + theory.class_information(tau), std::log(k.samples), 1e-10);
  }
  EXPECT_NEAR(Biroli2024(mixture(64, 2, CentroidKind::orthogonal)).collapse_time(std::log(4000.0), ou), .776191255473,
              1e-11);
}

TEST(CollapseTime, ShiftIsThatOfMeasuredCrossings) {
  // Measured crossings of E[Y] = 1/2 against root + shift; the shift is good to 25 %.
  struct Case {
    double samples;
    std::int64_t dimension, classes;
    double crossing;
  };
  for (const Case& k : {Case{4000, 64, 2, .8118}, Case{4000, 64, 8, .9022}, Case{4000, 64, 32, .9833},
                        Case{4000, 256, 8, 1.5595}, Case{4000, 1024, 64, 2.3931}}) {
    const Biroli2024 theory(mixture(k.dimension, k.classes, CentroidKind::orthogonal));
    const double log_n = std::log(k.samples);
    const double shift = theory.collapse_time_shift(log_n, ou);
    EXPECT_NEAR(theory.collapse_time(log_n, ou) + shift, k.crossing, 0.3 * shift + 0.006);
  }
  const Biroli2024 single(mixture(256, 1, CentroidKind::random));
  EXPECT_NEAR(single.collapse_window(std::log(20000.0)), .458, 5e-4);
}

TEST(SpectralTime, NoneWhereTheCentreIsStableAtAllTimes) {
  const Biroli2024 single(mixture(64, 1, CentroidKind::random));
  EXPECT_TRUE(std::isnan(single.speciation_time_spectral(ou)));
  EXPECT_TRUE(std::isnan(single.speciation_time_spectral_asymptotic(ou)));
  const Biroli2024 close(mixture(64, 65, CentroidKind::simplex, 0.5));
  EXPECT_TRUE(std::isnan(close.curvature_instability_time(ve)));
}

TEST(RandomCentroids, HaveNoPredictionWhereTheyAreFarFromOrthogonal) {
  EXPECT_TRUE(std::isfinite(Biroli2024(mixture(64, 256, CentroidKind::random)).speciation_time(ou)));
  EXPECT_TRUE(std::isnan(Biroli2024(mixture(64, 257, CentroidKind::random)).speciation_time(ou)));
  EXPECT_TRUE(std::isnan(Biroli2024(mixture(63, 4, CentroidKind::random)).speciation_time(ou)));
  EXPECT_TRUE(std::isnan(Biroli2024(mixture(63, 4, CentroidKind::random)).collapse_time(5.0, ou)));
}

TEST(CollapseTime, NoneWhereThereIsNone) {
  const Biroli2024 theory(mixture(64, 2, CentroidKind::opposite));
  EXPECT_TRUE(std::isnan(theory.collapse_time(0.0, ou)));
  EXPECT_TRUE(std::isnan(theory.collapse_time(-1.0, ou)));
  EXPECT_TRUE(std::isnan(Biroli2024(mixture(64, 2, CentroidKind::opposite, 1.0, 0.0)).collapse_time(5.0, ou)));
  // Beyond counting: n = exp(0.3 d).
  const double t = Biroli2024(mixture(4096, 8, CentroidKind::simplex)).collapse_time(0.3 * 4096, ve);
  EXPECT_NEAR(t, 1.0 / std::expm1(0.6), 0.01);
}

TEST(AnnealedCurves, ReferenceValues) {
  const double log_n = std::log(20000.0);
  const auto entropy = [&](std::int64_t dimension, double t) {
    return Biroli2024(mixture(dimension, 2, CentroidKind::opposite)).weight_entropy(log_n, ou.noise_to_signal(t));
  };
  EXPECT_NEAR(entropy(256, 2.12), .7501, 1e-4);
  EXPECT_NEAR(entropy(256, 1.728), .5260, 1e-4);
  EXPECT_NEAR(entropy(256, 1.336), .1865, 1e-4);
  EXPECT_NEAR(entropy(1024, 2.904), .7851, 1e-4);
  EXPECT_NEAR(entropy(1024, 2.512), .5945, 1e-4);
  EXPECT_NEAR(entropy(4096, 3.688), .8146, 1e-4);
}

TEST(AnnealedCurves, AreCloseToMeasuredOnes) {
  struct Case {
    double samples;
    std::int64_t dimension;
    double ratio, entropy, participation;
  };
  for (const Case& k :
       {Case{20000, 64, .5, .0071, .9707}, Case{20000, 64, 1, .1567, .5534}, Case{20000, 64, 2, .4746, .1071},
        Case{20000, 64, 4, .7189, .0092}, Case{4096, 32, 1, .1631, .5656}, Case{20000, 256, 1, .1625, .5564}}) {
    const Biroli2024 theory(mixture(k.dimension, 1, CentroidKind::random));
    const double log_n = std::log(k.samples);
    const double tau = k.ratio * theory.collapse_time(log_n, ve);
    EXPECT_NEAR(theory.weight_entropy(log_n, tau), k.entropy, 0.04);
    EXPECT_NEAR(theory.participation(log_n, tau), k.participation, 0.08);
  }
  const Biroli2024 theory(mixture(32, 1, CentroidKind::random));
  EXPECT_EQ(theory.participation(0.0, 1.0), 1.0);
  EXPECT_TRUE(std::isnan(theory.weight_entropy(0.0, 1.0)));
}

TEST(Source, NamesPaperOrDerivation) {
  const Biroli2024 random(mixture(64, 8, CentroidKind::random));
  for (const auto* name :
       {"class_agreement", "superclass_agreement", "superclass_speciation_time", "class_information", "speciation_time",
        "covariance_eigenvalue", "speciation_time_spectral", "speciation_time_spectral_asymptotic",
        "drift_instability_time", "curvature_instability_time", "collapse_time", "collapse_time_asymptotic",
        "participation", "weight_entropy"}) {
    const std::string source = random.source(name);
    EXPECT_TRUE(source.find("Biroli") != std::string::npos || source.find("derivation") != std::string::npos) << name;
  }
  EXPECT_NE(random.source("speciation_time").find("taken as orthogonal"), std::string::npos);
  EXPECT_EQ(Biroli2024(mixture(64, 8, CentroidKind::simplex)).source("speciation_time").find("taken as orthogonal"),
            std::string::npos);
}

}  // namespace
}  // namespace diffphase
