#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "measure/probes.hpp"
#include "posterior/extreme_reduction.hpp"

namespace diffphase {
namespace {

constexpr std::int64_t probes = 5;

ExtremePlan plan_of(const GaussianMixture& mixture) {
  return {.times = {0.1, 0.4, 1.0},
          .process = NoisingProcess(),
          .log_counts = {5.0, 60.0},
          .classes = mixture.classes(),
          .law = ComponentLaw::classes(mixture),
          .arrivals = RandomStream(5, hash_text("extreme over ranks"), 0, "arrivals"),
          .energies = 20};
}

std::vector<PosteriorSummary> reduce(const Communicator& comm, Partition partition,
                                     const MixtureParameters& parameters) {
  const TaskGroup group(comm);
  const GaussianMixture mixture(parameters, 5, hash_text("extreme over ranks"), 0);
  const SlabLayout layout{partition, mixture.classes(), mixture.dimension(), comm.size(), comm.rank()};
  const DataSlab centroids = centroid_matrix(mixture, layout);
  const StoredSource source(group, centroids);
  const RandomStream noise(5, hash_text("extreme over ranks"), 0, "noise");
  const ProbeBlock block = draw_probes(group, mixture, noise, layout, 64, probes, [](std::int64_t p) { return p; });
  const ExtremePlan plan = plan_of(mixture);
  ExtremeReduction reduction(plan, mixture.dimension(), block, 64);
  source.visit(group, block, mixture.classes(), reduction.consumer());
  reduction.merge_over(group);
  std::vector<PosteriorSummary> all;
  for (std::size_t n = 0; n < plan.log_counts.size(); ++n) {
    for (std::int64_t p = 0; p < probes; ++p) {
      for (std::size_t t = 0; t < plan.times.size(); ++t) all.push_back(reduction.summary(n, p, t));
    }
  }
  return all;
}

void expect_same(const std::vector<PosteriorSummary>& a, const std::vector<PosteriorSummary>& b, double rounding) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i].log_evidence, b[i].log_evidence, rounding * (1.0 + std::abs(b[i].log_evidence)));
    EXPECT_NEAR(a[i].participation, b[i].participation, rounding);
    EXPECT_NEAR(a[i].entropy, b[i].entropy, rounding * (1.0 + b[i].entropy));
    EXPECT_NEAR(a[i].parent_weight, b[i].parent_weight, rounding);
    EXPECT_NEAR(a[i].largest_weight, b[i].largest_weight, rounding);
  }
}

TEST(ExtremeReductionOverRanks, EveryRankHasTheNumbersOfOne) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  MixtureParameters three;
  three.dimension = 40;
  three.classes = 3;
  three.separation = 0.3;
  MixtureParameters one;
  one.dimension = 25;
  MixtureParameters many = three;
  many.classes = 520;
  for (const MixtureParameters& parameters : {three, one, many}) {
    const auto reference = reduce(self, Partition::component, parameters);
    // Inner products are the same to the last bit, unless their sum over coordinates is split.
    expect_same(reduce(world, Partition::component, parameters), reference, 0.0);
    expect_same(reduce(world, Partition::dimension, parameters), reference, 1e-9);
  }
}

}  // namespace
}  // namespace diffphase
