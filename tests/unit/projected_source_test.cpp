// Probes and classes in the frame of the centroids: against full coordinates, in law where they are drawn anew.

#include "posterior/projected_source.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "measure/speciation.hpp"
#include "posterior/frame_probes.hpp"
#include "posterior/reduction.hpp"
#include "support/measure_runs.hpp"
#include "support/two_sample.hpp"
#include "theory/biroli2024.hpp"

namespace diffphase {
namespace {

using test::Comparisons;
using test::Measured;
using test::mixture_task;
using test::two_sample_p_value;

const SpeciationMeasure measure;

MixtureParameters classes_of(CentroidKind kind, std::int64_t classes, std::int64_t dimension) {
  MixtureParameters mixture{.dimension = dimension, .classes = classes, .centroids = kind};
  if (kind == CentroidKind::hierarchical) mixture.branches = {2, classes / 2};
  return mixture;
}

std::vector<MixtureParameters> frames_of_first_coordinates() {
  return {classes_of(CentroidKind::orthogonal, 6, 40), classes_of(CentroidKind::orthogonal, 40, 40),
          classes_of(CentroidKind::simplex, 2, 40),    classes_of(CentroidKind::simplex, 6, 40),
          classes_of(CentroidKind::simplex, 41, 40),   classes_of(CentroidKind::hierarchical, 6, 40)};
}

TEST(ClassFrame, HasTheCentroidsOfTheMixtureInItsFirstCoordinates) {
  for (const MixtureParameters& parameters : frames_of_first_coordinates()) {
    const GaussianMixture mixture(parameters, 1, hash_text("frame"), 0);
    const ClassFrame frame(mixture, 1, hash_text("frame"), 0);
    std::vector<double> points(static_cast<std::size_t>(3 * frame.columns()));
    RandomStream(1, hash_text("frame"), 0, "points").normals(0, 0, points);
    const std::int64_t stride = mixture.classes() + 2;
    std::vector<double> products(static_cast<std::size_t>(3 * stride));
    CentroidProducts(frame, points, 3).fill(1, mixture.classes() - 1, products.data(), stride);
    std::vector<double> full(static_cast<std::size_t>(mixture.dimension())),
        part(static_cast<std::size_t>(frame.columns()));
    for (std::int64_t c = 0; c < mixture.classes(); ++c) {
      mixture.centroid(c, 0, full);
      frame.centroid(c, part);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), full.begin()));
      EXPECT_NEAR(frame.norm2(c), std::inner_product(full.begin(), full.end(), full.begin(), 0.0), 1e-11);
      for (std::int64_t i = 0; c > 0 && i < 3; ++i) {
        const double expected = std::inner_product(part.begin(), part.end(), points.begin() + i * frame.columns(), 0.0);
        EXPECT_NEAR(products[static_cast<std::size_t>(i * stride + c - 1)], expected, 1e-11);
      }
    }
  }
}

// Products of random centroids with one another: as those of independent Gaussian vectors in all d dimensions.
TEST(ClassFrame, RandomCentroidsHaveTheLawOfGaussianVectors) {
  Comparisons comparisons;
  Comparisons mistaken;
  for (const auto& [classes, dimension] : std::vector<std::pair<std::int64_t, std::int64_t>>{{3, 5}, {5, 3}, {4, 30}}) {
    const MixtureParameters parameters = classes_of(CentroidKind::random, classes, dimension);
    constexpr std::int64_t draws = 1000;
    std::vector<std::vector<double>> full(4), framed(4);
    const auto record = [](std::vector<std::vector<double>>& into, const std::vector<std::vector<double>>& rows) {
      const auto dot = [&](std::size_t a, std::size_t b) {
        return std::inner_product(rows[a].begin(), rows[a].end(), rows[b].begin(), 0.0);
      };
      const std::size_t last = rows.size() - 1;
      into[0].push_back(dot(0, 0));
      into[1].push_back(dot(last, last));
      into[2].push_back(dot(0, last));
      into[3].push_back(dot(1, last) * dot(0, 1));
    };
    for (std::int64_t r = 0; r < draws; ++r) {
      const GaussianMixture mixture(parameters, 1, hash_text("random frame"), r);
      const ClassFrame frame(mixture, 1, hash_text("random frame"), r);
      EXPECT_EQ(frame.columns(), std::min(classes, dimension));
      std::vector<std::vector<double>> rows, coordinates;
      for (std::int64_t c = 0; c < classes; ++c) {
        rows.emplace_back(static_cast<std::size_t>(dimension));
        mixture.centroid(c, 0, rows.back());
        coordinates.emplace_back(static_cast<std::size_t>(frame.columns()));
        frame.centroid(c, coordinates.back());
      }
      record(full, rows);
      record(framed, coordinates);
    }
    for (std::size_t q = 0; q < full.size(); ++q) {
      comparisons.add(two_sample_p_value(full[q], framed[q]), "quantity " + std::to_string(q));
      for (double& value : framed[q]) value *= 1.2;  // as of another dimension
      mistaken.add(two_sample_p_value(full[q], framed[q]), "quantity " + std::to_string(q));
    }
  }
  EXPECT_FALSE(comparisons.rejected()) << comparisons.worst();
  EXPECT_TRUE(mistaken.rejected());
}

TEST(FrameProbes, LengthsAndProductsHaveTheLawOfFullCoordinates) {
  Comparisons comparisons;
  for (const MixtureParameters& parameters :
       {classes_of(CentroidKind::opposite, 2, 7), classes_of(CentroidKind::orthogonal, 3, 3),
        classes_of(CentroidKind::orthogonal, 3, 4), classes_of(CentroidKind::random, 1, 20)}) {
    constexpr std::int64_t probes = 4000;
    const GaussianMixture mixture(parameters, 1, hash_text("probe law"), 0);
    const ClassFrame frame(mixture, 1, hash_text("probe law"), 0);
    ProbeBlock framed = FrameProbes(frame, 1, hash_text("probe law"), 0).draw(0, probes);
    const Communicator self = Communicator::self();
    const RandomStream noise(1, hash_text("probe law"), 0, "full noise");
    ProbeBlock full(probes, mixture.dimension());
    for (std::int64_t p = 0; p < probes; ++p) {
      mixture.sample(probes + p, 0, full.start(p));
      noise.normals(static_cast<std::uint64_t>(p), 0, full.noise(p));
    }
    full.measure(TaskGroup(self), Partition::component);
    const auto cosine = [](const ProbeBlock& block) {
      std::vector<double> values;
      for (std::size_t p = 0; p < block.start_norm2.size(); ++p) {
        values.push_back(block.start_noise[p] / std::sqrt(block.start_norm2[p] * block.noise_norm2[p]));
      }
      return values;
    };
    comparisons.add(two_sample_p_value(framed.start_norm2, full.start_norm2), "|x_0|^2");
    comparisons.add(two_sample_p_value(framed.noise_norm2, full.noise_norm2), "|xi|^2");
    comparisons.add(two_sample_p_value(framed.start_noise, full.start_noise), "x_0 . xi");
    comparisons.add(two_sample_p_value(cosine(framed), cosine(full)), "cosine");
    for (double& value : framed.start_norm2) value *= 1.1;
    EXPECT_LT(two_sample_p_value(framed.start_norm2, full.start_norm2), 1e-4);
  }
  EXPECT_FALSE(comparisons.rejected()) << comparisons.worst();
}

TaskParameters task_of(const MixtureParameters& mixture, std::vector<double> times, double probes,
                       Representation representation) {
  TaskParameters task = mixture_task(measure, mixture, std::move(times), "projected");
  task.options["probes"] = probes;
  task.representation = representation;
  return task;
}

// Where all classes have one width, only coordinates in the frame count, and these are the same numbers.
TEST(ProjectedSpeciation, IsTheExplicitOneInTheFirstCoordinates) {
  for (const MixtureParameters& parameters : frames_of_first_coordinates()) {
    const std::vector<double> times{0.3, 1.0, 1.6, 2.2, 4.0};
    const Measured full(measure, task_of(parameters, times, 100, Representation::full));
    const Measured projected(measure, task_of(parameters, times, 100, Representation::projected));
    ASSERT_EQ(full.result().variables.size(), projected.result().variables.size());
    for (const VariableValues& variable : full.result().variables) {
      if (variable.name == "speciation_representation") continue;
      const std::vector<double>& values = projected.values(variable.name);
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::isnan(variable.values[i])) continue;
        EXPECT_NEAR(values[i], variable.values[i], 1e-8) << variable.name;
      }
    }
    EXPECT_EQ(full.value("speciation_representation"), 0.0);
    EXPECT_EQ(projected.value("speciation_representation"), 1.0);
  }
}

// Per-probe agreement at several times, a new ensemble for each probe of the explicit path where centroids are random.
void expect_same_law(const MixtureParameters& parameters, const std::vector<double>& times, std::int64_t sets,
                     std::int64_t probes_per_set) {
  const Communicator self = Communicator::self();
  const TaskGroup group(self);
  const auto agreements = [&](bool projected) {
    std::vector<std::vector<double>> values(times.size());
    for (std::int64_t set = 0; set < sets; ++set) {
      const Hash128 key = hash_text(projected ? "projected law" : "explicit law");
      const GaussianMixture mixture(parameters, 1, key, set);
      const ClassFrame frame(mixture, 1, key, set);
      const RandomStream noise(1, key, set, "noise");
      ProbeBlock probes = projected ? FrameProbes(frame, 1, key, set).draw(0, probes_per_set)
                                    : ProbeBlock(probes_per_set, mixture.dimension());
      const DataSlab centroids = centroid_matrix(mixture, {.rows = mixture.classes(), .columns = mixture.dimension()});
      for (std::int64_t p = 0; !projected && p < probes_per_set; ++p) {
        mixture.sample(p, 0, probes.start(p));
        noise.normals(static_cast<std::uint64_t>(p), 0, probes.noise(p));
      }
      if (!projected) probes.measure(group, Partition::component);
      const ReductionPlan plan{.times = times,
                               .process = NoisingProcess(),
                               .counts = {mixture.classes()},
                               .law = ComponentLaw::classes(mixture)};
      Reduction reduction(plan, mixture.dimension(), probes);
      const StoredSource stored(group, centroids);
      const ProjectedSource in_frame(frame);
      const InnerProductSource& source = projected ? static_cast<const InnerProductSource&>(in_frame) : stored;
      source.visit(group, probes, mixture.classes(), reduction.consumer());
      reduction.merge_over(group);
      for (std::int64_t p = 0; p < probes_per_set; ++p) {
        for (std::size_t t = 0; t < times.size(); ++t) values[t].push_back(reduction.summary(0, p, t).participation);
      }
    }
    return values;
  };
  const auto full = agreements(false);
  const auto projected = agreements(true);
  Comparisons comparisons;
  for (std::size_t t = 0; t < times.size(); ++t) {
    comparisons.add(two_sample_p_value(full[t], projected[t]), "law at " + std::to_string(times[t]));
    comparisons.add_means(test::estimate(full[t]), test::estimate(projected[t]), "mean at " + std::to_string(times[t]));
    comparisons.add_means(test::estimate(test::squared_deviations(full[t])),
                          test::estimate(test::squared_deviations(projected[t])),
                          "variance at " + std::to_string(times[t]));
  }
  EXPECT_FALSE(comparisons.rejected()) << comparisons.worst();
  // The same at times that are 5 % off is another law.
  Comparisons mistaken;
  for (std::size_t t = 0; t < times.size(); ++t) {
    std::vector<double> scaled = projected[t];
    for (double& value : scaled) value = 1.0 - 0.9 * (1.0 - value);
    mistaken.add(two_sample_p_value(full[t], scaled), "scaled");
  }
  EXPECT_TRUE(mistaken.rejected());
}

TEST(ProjectedSpeciation, HasTheLawOfFullCoordinates) {
  expect_same_law(classes_of(CentroidKind::opposite, 2, 30), {1.0, 1.7, 2.4}, 1, 3000);
  MixtureParameters widths = classes_of(CentroidKind::orthogonal, 3, 10);
  widths.class_sigma = {1.0, 0.6, 0.8};
  widths.weights = {0.5, 0.3, 0.2};
  expect_same_law(widths, {0.5, 1.0, 1.6}, 1, 3000);
  expect_same_law(classes_of(CentroidKind::random, 4, 20), {0.8, 1.4, 2.0}, 3000, 1);
}

// In 10^12 dimensions the class agreement is still the integral over one Gaussian variable.
TEST(ProjectedSpeciation, IsThatOfTheClosedFormInAnyDimension) {
  for (const CentroidKind kind : {CentroidKind::opposite, CentroidKind::simplex, CentroidKind::random}) {
    const MixtureParameters parameters = classes_of(kind, 2, 1000000000000);
    const double time = 0.5 * std::log(1e12) + (kind == CentroidKind::random ? -0.5 * std::log(2.0) : 0.0);
    const Measured projected(
        measure, task_of(parameters, {time - 1.0, time, time + 1.0}, 8000,
                         kind == CentroidKind::random ? Representation::projected : Representation::automatic));
    EXPECT_EQ(projected.value("speciation_representation"), 1.0);
    const double expected = 0.7752002454;  // phi at c = 1
    EXPECT_LE(std::abs(projected.value("class_agreement", 1) - expected),
              4.0 * projected.value("class_agreement_stderr", 1));
    EXPECT_NEAR(projected.value("speciation_time"), time, 0.05);
    EXPECT_NEAR(projected.value("curvature_instability_time"), time, 1e-5);
  }
}

TEST(ProjectedSpeciation, HasNoCovarianceOfATrainingSet) {
  TaskParameters task =
      task_of(classes_of(CentroidKind::simplex, 3, 1000000000), {9.0, 10.0, 11.0}, 256, Representation::streaming);
  task.samples = {1000, 1000000000};
  for (const VariableSpec& spec : measure.variables(task)) {
    EXPECT_TRUE(spec.prediction || !spec.per_sample) << spec.name;
  }
  const Measured projected(measure, task);
  EXPECT_GT(projected.value("class_agreement"), 0.9);
  EXPECT_LT(measure.cost(task, {.counts = task.samples}).rank_bytes, 1e8);
}

}  // namespace
}  // namespace diffphase
