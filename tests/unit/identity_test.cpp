#include "sweep/identity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sweep/task_selection.hpp"
#include "sweep_examples.hpp"

namespace diffphase {
namespace {

using testing::IsSubsetOf;

/// The identities that two texts have are the same.
void expect_same(const std::string& text, const std::vector<std::string>& overrides = {}) {
  EXPECT_EQ(identities(sweep_of(text, overrides)), identities(sweep_of(example()))) << text;
}

/// No task of the changed sweep is one of the example.
void expect_different(const std::vector<std::string>& overrides) {
  const std::vector<std::string> old = identities(sweep_of(example()));
  for (const std::string& identity : identities(sweep_of(example(), overrides))) {
    EXPECT_EQ(std::ranges::find(old, identity), old.end()) << testing::PrintToString(overrides);
  }
}

TEST(Identity, TheTextIsSortedKeysWithoutDefaults) {
  const Sweep sweep = sweep_of(example());
  EXPECT_EQ(identity_text(sweep.cells[1].identity),
            "ensemble.centroids=\"orthogonal\"\n"
            "ensemble.classes=4\n"
            "ensemble.dimension=16\n"
            "ensemble.kind=\"gaussian-mixture\"\n"
            "process.kind=\"ornstein-uhlenbeck\"\n"
            "process.time.count=5\n"
            "process.time.from=0.05\n"
            "process.time.to=6\n"
            "seed=7\n");
  EXPECT_EQ(identity_text(sweep.file.measures[1].identity),
            "measure=\"collapse\"\n"
            "measure.collapse.method=\"sampled\"\n"
            "measure.collapse.probes=32\n");
}

// If this fails, journals of earlier versions no longer fit: every finished task would be computed again.
TEST(Identity, LiteralValuesDoNotChange) {
  const Sweep sweep = sweep_of(example());
  ASSERT_EQ(sweep.tasks.size(), 16U);
  EXPECT_EQ(sweep.tasks[0].identity.hex(), "db6eacbfd3215784a3ae35b96eb6e90f");
  EXPECT_EQ(sweep.tasks[1].identity.hex(), "c5a79aa8073f53768e0e7d098ee4e5c8");
  EXPECT_EQ(sweep.tasks[15].identity.hex(), "73677526c27e58f6b53225eff99e082f");
  EXPECT_EQ(sweep.cells[0].parameters.ensemble.hex(), "d9c393dd664050529915ce0e4273e5c3");
  const Sweep file = make_sweep(parse(R"(name = "x"
process = { kind = "variance-exploding", time = [0.5, 1, 2.25] }
dataset = { file = "a.npy", shuffle = true, scaling = "[-1,1]" }
measure.collapse = {}
)"));
  ASSERT_EQ(file.tasks.size(), 1U);
  EXPECT_EQ(file.tasks[0].identity.hex(), "baac6145a6d15684a0a336234f6e48ba");
  EXPECT_EQ(file.cells[0].parameters.ensemble.hex(), "18c8dc4ca40455289640f55ea37e390b");
  const auto transposed = [&](const std::string& value) {
    return make_sweep(parse(file.file.text, {"dataset.transpose=" + value})).tasks[0].identity;
  };
  EXPECT_EQ(transposed("false"), file.tasks[0].identity);
  EXPECT_NE(transposed("true"), file.tasks[0].identity);
}

TEST(Identity, LiteralValuesOfManifoldsAndSpheresDoNotChange) {
  const Sweep manifold = sweep_of(manifold_example());
  ASSERT_EQ(manifold.tasks.size(), 4U);
  EXPECT_EQ(identity_text(manifold.cells[1].identity),
            "ensemble.blocks=[{size=5,sigma=1},{size=10,sigma=0.3}]\n"
            "ensemble.dimension=30\n"
            "ensemble.factor=\"gaussian\"\n"
            "ensemble.kind=\"linear-manifold\"\n"
            "process.kind=\"variance-exploding\"\n"
            "process.time=[0.01,1]\n"
            "seed=7\n");
  EXPECT_EQ(manifold.tasks[0].identity.hex(), "5675a628b92550adbbadebf95c2fe4dd");
  EXPECT_EQ(manifold.cells[0].parameters.ensemble.hex(), "f92233d2ad9b5cd3b1851bddbd701e9a");
  const Sweep sphere = sweep_of(sphere_example());
  EXPECT_EQ(sphere.tasks[0].identity.hex(), "79b3a8ee86d057c59c36db8724aa7926");
  EXPECT_EQ(sphere.cells[0].parameters.ensemble.hex(), "59824d314f7b565494bf8b672dff4068");
}

TEST(Identity, DefaultsAndSpellingOfManifoldsChangeNothing) {
  const std::string orthonormal = with(manifold_example(), "factor = \"gaussian\"\n", "");
  const std::vector<std::string> reference = identities(sweep_of(manifold_example()));
  const std::vector<std::string> plain = identities(sweep_of(orthonormal));
  EXPECT_EQ(identities(sweep_of(orthonormal, {"ensemble.factor=orthonormal", "ensemble.ambient_noise=0"})), plain);
  EXPECT_EQ(identities(sweep_of(manifold_example(), {"ensemble.normalisation=columns"})), reference);
  EXPECT_EQ(identities(sweep_of(with(manifold_example(), "{ size = 5, sigma = 1.0 }", "{ sigma = 1, size = 5.0 }"))),
            reference);
  for (const char* change : {"ensemble.normalisation=none", "ensemble.ambient_noise=0.1", "ensemble.dimension=31"}) {
    for (const std::string& identity : identities(sweep_of(manifold_example(), {change}))) {
      EXPECT_EQ(std::ranges::find(reference, identity), reference.end()) << change;
    }
  }
  // A key without effect at a point is not part of it.
  const Sweep both =
      sweep_of(orthonormal, {"ensemble.factor=[\"orthonormal\", \"gaussian\"]", "ensemble.normalisation=dimension"});
  EXPECT_THAT(plain, IsSubsetOf(identities(both)));
}

TEST(Identity, KeysAtTheirDefaultChangeNothing) {
  for (const KeySpec& spec : sweep_keys()) {
    const bool varied_here = spec.key == "ensemble.classes" || spec.key == "ensemble.centroids";
    const bool unused_here = spec.key == "ensemble.class_fraction";
    if (!spec.value || varied_here || unused_here || spec.table().empty()) continue;
    if (!spec.is_for("gaussian-mixture")) continue;
    expect_same(example(), {spec.key + "=" + canonical_text(*spec.value)});
  }
  expect_same(example(), {"measure.collapse.tolerance=0.5"});
}

TEST(Identity, OrderCommentsAndSpellingOfNumbersChangeNothing) {
  expect_same(with(example(), "separation = 1.0\n", "separation = 1 # a comment\n"));
  expect_same(with(example(), "[16, 64]", "[16.0, 6.4e1]"));
  expect_same(with(with(example(), "separation = 1.0\n", ""), "[ensemble]\n", "[ensemble]\nseparation = 1.0\n"));
  expect_same(with(example(), "from = 0.05, to = 6.0, count = 5", "count = 5, to = 6, from = 5e-2"));
  expect_same(with(with(example(), "[dataset]\nsamples = [100, 1000]\n", ""), "[ensemble]",
                   "[dataset]\nsamples = [100, 1000]\n[ensemble]"));
}

TEST(Identity, NameResourcesAndSamplesAreNoPart) {
  expect_same(example(),
              {"name=other", "resources.ranks_per_task=4", "resources.max_attempts=7", "resources.watchdog=5"});
  expect_same(example(), {"dataset.samples=[50, 100, 1000]"});
  expect_same(example(), {"dataset.samples=70"});
}

TEST(Identity, EveryOtherKeyMakesAnother) {
  for (const char* change :
       {"seed=8", "process.kind=variance-exploding", "process.time.count=6", "process.time.from=0.06",
        "process.time.spacing=linear", "ensemble.centroids=simplex", "ensemble.separation=1.5", "ensemble.sigma=2",
        "ensemble.representation=explicit", "ensemble.dimension=[17, 65]"}) {
    expect_different({change});
  }
  expect_different({"measure.speciation.probes=65", "measure.collapse.probes=65"});
}

TEST(Identity, ExtensionsKeepWhatWasThere) {
  const std::vector<std::string> old = identities(sweep_of(example()));
  for (const char* change :
       {"ensemble.dimension=[16, 32, 64]", "ensemble.classes=[1, 2, 4]", "realizations=3", "ensemble.separation=[1, 2]",
        "dataset.samples=[10, 100, 1000]", "ensemble.sigma=[0.5, 1]"}) {
    EXPECT_THAT(old, IsSubsetOf(identities(sweep_of(example(), {change})))) << change;
  }
  const std::string without = with(example(), "speciation = { probes = 64 }\n", "");
  EXPECT_THAT(identities(sweep_of(without)), IsSubsetOf(old));
}

TEST(Identity, AllTasksDiffer) {
  const std::vector<std::string> all = identities(sweep_of(example(), {"realizations=20"}));
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size());
}

TEST(Identity, StreamsDependOnTheEnsembleAlone) {
  const Hash128 reference = sweep_of(example()).cells[0].parameters.ensemble;
  const auto ensemble = [](const std::vector<std::string>& overrides) {
    return sweep_of(example(), overrides).cells[0].parameters.ensemble;
  };
  for (const char* change : {"seed=8", "process.kind=variance-exploding", "process.time=[1, 2]", "realizations=3",
                             "dataset.samples=5", "measure.collapse.probes=5", "ensemble.representation=explicit"}) {
    EXPECT_EQ(ensemble({change}), reference) << change;
  }
  for (const char* change :
       {"ensemble.dimension=17", "ensemble.classes=3", "ensemble.sigma=2", "ensemble.centroids=simplex"}) {
    EXPECT_NE(ensemble({change}), reference) << change;
  }
}

TEST(Identity, ShardsPartTheTasks) {
  const std::size_t whole = sweep_of(example(), {"realizations=50"}).tasks.size();
  for (const int shards : {1, 2, 3, 7}) {
    std::set<std::string> seen;
    for (int shard = 1; shard <= shards; ++shard) {
      Sweep sweep = sweep_of(example(), {"realizations=50"});
      select_shard(sweep, std::to_string(shard) + "/" + std::to_string(shards));
      for (const std::string& identity : identities(sweep)) EXPECT_TRUE(seen.insert(identity).second);
    }
    EXPECT_EQ(seen.size(), whole);
  }
}

TEST(Identity, ShardIsTheRemainderOfTheWholeNumber) {
  // 2^64 mod 7 = 2, 2^64 mod 10 = 6
  EXPECT_TRUE(shard_holds({.high = 1, .low = 0}, 3, 7));
  EXPECT_TRUE(shard_holds({.high = 1, .low = 9}, 6, 10));
  EXPECT_FALSE(shard_holds({.high = 1, .low = 9}, 5, 10));
  EXPECT_TRUE(shard_holds({.high = 5, .low = 5}, 1, 1));
}

}  // namespace
}  // namespace diffphase
