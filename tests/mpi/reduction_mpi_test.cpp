#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "posterior/component_law.hpp"
#include "posterior/reduction.hpp"

namespace diffphase {
namespace {

constexpr std::int64_t probe_count = 7;  // times 5 times: ranks merge different numbers of sums
constexpr std::int64_t noises_of_start = 2;
const std::vector<double> five_times{0.05, 0.3, 0.6, 1.0, 2.0};

// The same data and probes, split over the ranks by component or by dimension. Two probes in a row have one start,
// which the block holds once or twice.
std::vector<PosteriorSummary> reduce(const Communicator& comm, Partition partition, std::int64_t n, std::int64_t d,
                                     std::vector<std::int64_t> counts, bool shared_starts = false,
                                     const ComponentLaw& law = {}, const std::vector<double>& times = five_times,
                                     std::int64_t count = probe_count, std::int64_t label_groups = 3) {
  const TaskGroup group(comm);
  const MixtureParameters parameters{.dimension = d, .classes = 3, .centroids = CentroidKind::random};
  const GaussianMixture mixture(parameters, 5, hash_text("mpi"), 0);
  const SlabLayout layout{partition, n, d, comm.size(), comm.rank()};
  const DataSlab slab = draw_training_set(mixture, layout);
  const StoredSource source(group, slab);
  const RandomStream noise(5, hash_text("mpi"), 0, "noise");
  ProbeBlock probes(count, layout.local_columns(), shared_starts ? noises_of_start : 1);
  for (std::int64_t p = 0; p < count; ++p) {
    const std::int64_t parent = p / noises_of_start;
    mixture.sample(parent, layout.first_column(), probes.start(p));
    noise.normals(static_cast<std::uint64_t>(p), static_cast<std::uint64_t>(layout.first_column()), probes.noise(p));
    probes.parents[static_cast<std::size_t>(p)] = parent;
  }
  probes.starts_at_parent = law.same_for_all_rows();
  probes.measure(group, partition);
  const ReductionPlan plan{
      .times = times, .process = NoisingProcess(), .counts = counts, .law = law, .label_groups = label_groups};
  Reduction reduction(plan, d, probes);
  source.visit(group, probes, counts.back(), reduction.consumer());
  reduction.merge_over(group);
  std::vector<PosteriorSummary> all;
  if (!comm.is_root()) return all;
  for (std::size_t c = 0; c < counts.size(); ++c) {
    for (std::int64_t p = 0; p < count; ++p) {
      for (std::size_t t = 0; t < times.size(); ++t) {
        all.push_back(reduction.summary(c, p, t));
        all.push_back({.log_evidence = 0.0,
                       .participation = label_groups > 0 ? reduction.label_agreement(c, p, t) : 0.0,
                       .entropy = 0.0,
                       .parent_weight = 0.0,
                       .largest_weight = 0.0});
      }
    }
  }
  return all;
}

void expect_same(const std::vector<PosteriorSummary>& a, const std::vector<PosteriorSummary>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i].log_evidence, b[i].log_evidence, 1e-11 * (1.0 + std::abs(b[i].log_evidence)));
    EXPECT_NEAR(a[i].participation, b[i].participation, 1e-11);
    EXPECT_NEAR(a[i].entropy, b[i].entropy, 1e-10);
    EXPECT_NEAR(a[i].parent_weight, b[i].parent_weight, 1e-11);
  }
}

TEST(ReductionOverRanks, BothPartitionsGiveTheNumbersOfOneRank) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  for (const std::pair<std::int64_t, std::int64_t>& size :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{1700, 37}, {40, 3}, {513, 1}, {2049, 16}}) {
    const std::int64_t n = size.first;
    const std::int64_t d = size.second;
    const std::vector<std::int64_t> counts{5, 17, n};
    // Without labels nothing is stored on the way.
    for (const std::int64_t labels : {0, 3}) {
      const auto on = [&](const Communicator& comm, Partition partition) {
        return reduce(comm, partition, n, d, counts, false, {}, five_times, probe_count, labels);
      };
      const auto reference = on(self, Partition::component);
      const auto by_component = on(world, Partition::component);
      const auto by_dimension = on(world, Partition::dimension);
      if (!world.is_root()) continue;
      expect_same(by_component, reference);
      expect_same(by_dimension, reference);
    }
  }
}

// Classes of unequal weight and width, more than one block of them.
TEST(ReductionOverRanks, BothPartitionsGiveTheNumbersOfOneRankForAMixture) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  const std::int64_t classes = 1100;
  ComponentLaw law;
  double total = 0.0;
  for (std::int64_t k = 0; k < classes; ++k) total += 1.0 + static_cast<double>(k % 4);
  for (std::int64_t k = 0; k < classes; ++k) {
    law.sigmas.push_back(0.5 + 0.1 * static_cast<double>(k % 5));
    law.weights.push_back((1.0 + static_cast<double>(k % 4)) / total);
  }
  const auto reference = reduce(self, Partition::component, classes, 20, {classes}, false, law);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const auto found = reduce(world, partition, classes, 20, {classes}, false, law);
    if (world.is_root()) expect_same(found, reference);
  }
}

TEST(ReductionOverRanks, ProbesOfOneStartNeedItsProductsOnce) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  const std::vector<std::int64_t> counts{5, 1100};
  const auto reference = reduce(self, Partition::component, 1100, 37, counts);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const auto shared = reduce(world, partition, 1100, 37, counts, /*shared_starts=*/true);
    if (world.is_root()) expect_same(shared, reference);
  }
}

// More ranks than sums from two ranks on: some have nothing to merge.
TEST(ReductionOverRanks, OneProbeAtOneTimeIsMerged) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  const auto reference = reduce(self, Partition::component, 1700, 37, {17, 1700}, false, {}, {0.3}, 1);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const auto found = reduce(world, partition, 1700, 37, {17, 1700}, false, {}, {0.3}, 1);
    if (world.is_root()) expect_same(found, reference);
  }
}

static_assert(ProbeBlock::size_for_rows(131072, Partition::component) == 2 * ProbeBlock::size);
static_assert(ProbeBlock::size_for_rows(131073, Partition::component) == ProbeBlock::size);
static_assert(ProbeBlock::size_for_rows(16384, Partition::dimension) == 8 * ProbeBlock::size);
static_assert(ProbeBlock::size_for_rows(16385, Partition::dimension) == 4 * ProbeBlock::size);
static_assert(ProbeBlock::size_for_rows(65537, Partition::dimension) == ProbeBlock::size);

// By dimension some ranks have no probes of their own where there are more ranks than starts.
TEST(ReductionOverRanks, EveryPairOfAProbeAndAComponentIsHandedToOneRank) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const std::int64_t n = 1300;
  const std::int64_t asked = 1100;
  const GaussianMixture mixture({.dimension = 9}, 1, hash_text("pairs"), 0);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const SlabLayout layout{partition, n, 9, world.size(), world.rank()};
    const DataSlab slab = draw_training_set(mixture, layout);
    const StoredSource source(group, slab);
    for (const std::pair<int, int>& shape : {std::pair{1, 1}, {2, 1}, {11, 1}, {11, 4}, {64, 8}, {64, 64}}) {
      const int probe_number = shape.first;
      const int noises = shape.second;
      ProbeBlock probes(probe_number, layout.local_columns(), noises);
      probes.measure(group, partition);
      std::vector<double> visits(static_cast<std::size_t>(probe_number * asked));
      std::int64_t next = 0;
      std::pair<std::int64_t, std::int64_t> seen;
      const auto count = [&](const ProductTile& tile) {
        EXPECT_GE(tile.first, next);
        if (next > 0) {
          EXPECT_EQ(std::pair(tile.first_probe, tile.probes), seen) << "other probes than before";
        }
        seen = {tile.first_probe, tile.probes};
        next = tile.first + tile.components;
        for (std::int64_t p = 0; p < tile.probes; ++p) {
          for (std::int64_t i = 0; i < tile.components; ++i) {
            visits[static_cast<std::size_t>((tile.first_probe + p) * asked + tile.first + i)] += 1.0;
          }
        }
      };
      source.visit(group, probes, asked, {.consume = count});
      world.sum(visits);
      for (const double visit : visits) ASSERT_EQ(visit, 1.0) << probe_number << " probes, " << noises << " noises";
    }
  }
}

TEST(ReductionOverRanks, UnevenGroupsOfOneWorldAgree) {
  const Communicator world = Communicator::world();
  const Communicator group = world.split(world.rank() < (world.size() + 1) / 2 ? 0 : 1);
  const Communicator self = Communicator::self();
  const auto reference = reduce(self, Partition::component, 900, 20, {100, 900});
  const auto in_group = reduce(group, Partition::dimension, 900, 20, {100, 900});
  if (group.is_root()) expect_same(in_group, reference);
}

TEST(ReductionOverRanks, AnErrorInOneConsumerEndsThePassEverywhere) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const std::int64_t n = 512 * 2 * world.size();
    const SlabLayout layout{partition, n, 8, world.size(), world.rank()};
    const GaussianMixture mixture({.dimension = 8}, 1, hash_text("e"), 0);
    const DataSlab slab = draw_training_set(mixture, layout);
    const StoredSource source(group, slab);
    ProbeBlock probes(2, layout.local_columns());
    probes.measure(group, partition);
    const int failing = world.size() - 1;
    try {
      const auto failing_consumer = [&](const ProductTile& /*tile*/) {
        if (world.rank() == failing) throw std::runtime_error("planted");
      };
      source.visit(group, probes, n, {.consume = failing_consumer});
      ADD_FAILURE() << "no exception";
    } catch (const GroupError& e) {
      EXPECT_STREQ(e.what(), "planted");
    }
  }
}

}  // namespace
}  // namespace diffphase
