#include "sweep/sweep_file.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "sweep/nearest_name.hpp"
#include "sweep/time_grid.hpp"
#include "sweep_examples.hpp"

namespace diffphase {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(SweepFile, ReadsEveryTable) {
  const SweepFile file = parse(example() + R"([resources]
ranks_per_task = 3
memory_per_rank = "512 MiB"
)");
  EXPECT_EQ(file.name, "example");
  EXPECT_EQ(file.seed, 7U);
  EXPECT_EQ(file.realizations, 2);
  EXPECT_EQ(file.process.name(), "ornstein-uhlenbeck");
  ASSERT_EQ(file.times.size(), 5U);
  EXPECT_EQ(file.times.front(), 0.05);
  EXPECT_EQ(file.times.back(), 6.0);
  EXPECT_EQ(file.kind, "gaussian-mixture");
  ASSERT_EQ(file.measures.size(), 2U);
  EXPECT_EQ(file.measures[1].measure->name(), "collapse");
  EXPECT_EQ(file.measures[1].options.at("probes"), 32.0);
  EXPECT_EQ(file.measures[1].options.at("tolerance"), 0.5);
  EXPECT_EQ(file.measures[1].words.at("method"), "sampled");
  EXPECT_EQ(file.resources.ranks_per_task, 3);
  EXPECT_EQ(file.resources.memory_per_rank, std::int64_t{512} << 20);
  EXPECT_EQ(file.resources.max_attempts, 3);
  EXPECT_EQ(file.text.substr(0, example().size()), example());
}

TEST(SweepFile, DefaultsOfWhatIsNotGiven) {
  const SweepFile file = parse(R"(name = "x"
process = { kind = "flow-matching", time = [0.25, 0.5] }
ensemble = { kind = "gaussian-mixture", dimension = 4 }
measure.speciation = {}
)");
  EXPECT_EQ(file.seed, 1U);
  EXPECT_EQ(file.realizations, 1);
  EXPECT_EQ(file.resources.ranks_per_task, 0);
  EXPECT_EQ(file.resources.memory_per_rank, std::int64_t{4} << 30);
  EXPECT_EQ(file.resources.precision, "double");
  EXPECT_EQ(file.resources.watchdog, 600.0);
  EXPECT_THAT(file.times, ElementsAre(0.25, 0.5));
  EXPECT_EQ(file.measures.at(0).options.at("probes"), 4096.0);
}

TEST(SweepFile, TimeGridsHaveExactEndsAndEqualSteps) {
  const std::vector<double> ratios = time_grid(0.05, 6.0, 64, true);
  const std::vector<double> differences = time_grid(0.05, 6.0, 64, false);
  EXPECT_EQ(ratios.front(), 0.05);
  EXPECT_EQ(ratios.back(), 6.0);
  EXPECT_EQ(differences.front(), 0.05);
  EXPECT_EQ(differences.back(), 6.0);
  for (std::size_t i = 1; i < 64; ++i) {
    EXPECT_NEAR(std::log(ratios[i] / ratios[i - 1]), std::log(120.0) / 63, 1e-12);
    EXPECT_NEAR(differences[i] - differences[i - 1], 5.95 / 63, 1e-12);
  }
}

// ---- what is refused: the message names file, line, key, value and what is allowed ----

struct Refusal {
  const char* old_part;
  const char* new_part;
  const char* line;  // "line 9", or "" where the whole file is meant
  std::vector<const char*> words;
};

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithAMessageThatNamesPlaceKeyAndValue) {
  const Refusal& refusal = GetParam();
  const std::string message = problem_of(with(example(), refusal.old_part, refusal.new_part));
  const std::string place = *refusal.line == '\0' ? "jobs/x.toml: " : std::string("jobs/x.toml, ") + refusal.line;
  EXPECT_THAT(message, StartsWith(place));
  for (const char* word : refusal.words) EXPECT_THAT(message, HasSubstr(word));
}

INSTANTIATE_TEST_SUITE_P(
    Keys, Refused,
    testing::Values(
        Refusal{
            "dimension =", "dimenson =", "line 9: ", {"ensemble.dimenson", "[16, 64]", "did you mean \"dimension\""}},
        Refusal{"[ensemble]", "[ensembl]", "line 7: ", {"ensembl", "did you mean \"ensemble\""}},
        Refusal{"collapse =", "colapse =", "line 17: ", {"measure.colapse", "did you mean \"collapse\""}},
        Refusal{
            "method =", "methd =", "line 17: ", {"measure.collapse.methd", "\"sampled\"", "did you mean \"method\""}},
        Refusal{"from =", "form =", "line 6: ", {"process.time.form", "did you mean \"from\""}},
        Refusal{"seed = 7", "classes = 7", "line 2: ", {"classes = 7", "belongs in [ensemble]"}},
        Refusal{"separation =", "seed =", "line 12: ", {"ensemble.seed", "stands at the top"}},
        Refusal{"separation = 1.0",
                "classes_exponent = 0.1",
                "line 12: ",
                {"ensemble.classes_exponent", "not available in this version"}},
        Refusal{"speciation =", "guidance =", "line 16: ", {"measure.guidance", "not available in this version"}},
        Refusal{"[dataset]", "[guidance]", "line 13: ", {"guidance", "not available in this version"}}));

INSTANTIATE_TEST_SUITE_P(
    Types, Refused,
    testing::Values(
        Refusal{"\"example\"", "3", "line 1: ", {"name = 3", "a string", "an integer"}},
        Refusal{"seed = 7", "seed = \"a\"", "line 2: ", {"seed = \"a\"", "an integer from 0", "a string"}},
        Refusal{"seed = 7", "seed = [7]", "line 2: ", {"seed = [7]", "one value, not a list"}},
        Refusal{"seed = 7", "seed = 1979-05-27", "line 2: ", {"seed = 1979-05-27", "a date"}},
        Refusal{"realizations = 2", "realizations = 2.5", "line 3: ", {"realizations = 2.5", "an integer"}},
        Refusal{"[16, 64]", "true", "line 9: ", {"ensemble.dimension = true", "an integer", "a boolean"}},
        Refusal{"[16, 64]", "[16, [64]]", "line 9: ", {"ensemble.dimension = [64]", "a list"}},
        Refusal{"separation = 1.0", "separation = \"one\"", "line 12: ", {"ensemble.separation = \"one\"", "a number"}},
        Refusal{"separation = 1.0", "weights = 2", "line 12: ", {"ensemble.weights = 2", "\"uniform\"", "an integer"}},
        Refusal{"{ probes = 64 }", "64", "line 16: ", {"measure.speciation = 64", "must be a table"}},
        Refusal{"{ from = 0.05, to = 6.0, count = 5 }", "0.5", "line 6: ", {"process.time = 0.5", "a list of numbers"}},
        Refusal{"probes = 32", "probes = [32]", "line 17: ", {"measure.collapse.probes = [32]", "one value"}}));

INSTANTIATE_TEST_SUITE_P(
    Values, Refused,
    testing::Values(
        Refusal{"\"example\"", "\"\"", "line 1: ", {"name = \"\"", "empty"}},
        Refusal{"\"example\"", "\"../x\"", "line 1: ", {"name = \"../x\"", "folder"}},
        Refusal{"realizations = 2", "realizations = 0", "line 3: ", {"realizations = 0", "from 1"}},
        Refusal{"seed = 7", "seed = -1", "line 2: ", {"seed = -1", "from 0"}},
        Refusal{"[16, 64]", "[]", "line 9: ", {"ensemble.dimension = []", "empty"}},
        Refusal{"[16, 64]", "-4", "line 9: ", {"ensemble.dimension = -4", "an integer from 1"}},
        Refusal{"[16, 64]", "[16, 0]", "line 9: ", {"ensemble.dimension = 0", "from 1"}},
        Refusal{"[16, 64]", "[16, 64, 16.0]", "line 9: ", {"ensemble.dimension", "16 is in the list twice"}},
        Refusal{"[100, 1000]", "[100, 100]", "line 14: ", {"dataset.samples", "100 is in the list twice"}},
        Refusal{"[100, 1000]", "0", "line 14: ", {"dataset.samples = 0", "from 1"}},
        Refusal{"[100, 1000]",
                "\"exp(0.3*n)\"",
                "line 14: ",
                {"dataset.samples = \"exp(0.3*n)\"", "an integer", "exp(ALPHA*d)"}},
        Refusal{"separation = 1.0", "separation = nan", "line 12: ", {"ensemble.separation = nan", "finite"}},
        Refusal{"separation = 1.0", "separation = inf", "line 12: ", {"ensemble.separation = inf", "finite"}},
        Refusal{"separation = 1.0", "sigma = 0", "line 12: ", {"ensemble.sigma = 0", "above 0"}},
        Refusal{"separation = 1.0", "weights = [1, 0]", "line 12: ", {"ensemble.weights = 0", "above 0"}},
        Refusal{"separation = 1.0", "weights = []", "line 12: ", {"ensemble.weights = []", "empty"}},
        Refusal{"separation = 1.0", "representation = \"annealed\"", "line 12: ", {"\"annealed\"", "not available"}},
        Refusal{"\"gaussian-mixture\"", "\"hypershpere\"", "line 8: ", {"did you mean \"hypersphere\""}},
        Refusal{"\"gaussian-mixture\"", "\"gausian-mixture\"", "line 8: ", {"did you mean \"gaussian-mixture\""}},
        Refusal{"\"ornstein-uhlenbeck\"",
                "\"ornstein\"",
                "line 5: ",
                {"process.kind = \"ornstein\"", "variance-exploding"}},
        Refusal{"\"orthogonal\"", "\"ortogonal\"", "line 11: ", {"ensemble.centroids", "did you mean \"orthogonal\""}},
        Refusal{"\"sampled\"", "\"simpled\"", "line 17: ", {"measure.collapse.method", "did you mean \"sampled\""}},
        Refusal{"probes = 32", "probes = 0", "line 17: ", {"measure.collapse.probes = 0", "from 1"}},
        Refusal{
            "probes = 32", "tolerance = 2", "line 17: ", {"measure.collapse.tolerance = 2", "a number from 0 to 1"}},
        Refusal{"from = 0.05", "from = 0", "line 6: ", {"process.time.from = 0", "above 0"}},
        Refusal{"from = 0.05", "from = 7", "line 6: ", {"process.time.from = 7", "to = 6", "ascend"}},
        Refusal{"count = 5", "count = 1", "line 6: ", {"process.time.count = 1", "from 2"}},
        Refusal{"{ from = 0.05, to = 6.0, count = 5 }", "[0, 1]", "line 6: ", {"process.time = 0", "above 0"}},
        Refusal{"{ from = 0.05, to = 6.0, count = 5 }", "[1, 3, 2]", "line 6: ", {"process.time", "2 comes after 3"}},
        Refusal{"{ from = 0.05, to = 6.0, count = 5 }", "[1, 1]", "line 6: ", {"process.time", "1 comes after 1"}},
        Refusal{"\"ornstein-uhlenbeck\"",
                "\"flow-matching\"",
                "line 6: ",
                {"process.time.to = 6", "flow-matching", "ends at 1"}}));

INSTANTIATE_TEST_SUITE_P(
    Missing, Refused,
    testing::Values(Refusal{"name = \"example\"", "", "", {"name is missing"}},
                    Refusal{"kind = \"ornstein-uhlenbeck\"", "", "", {"process.kind is missing"}},
                    Refusal{"time = { from = 0.05, to = 6.0, count = 5 }", "", "", {"process.time is missing"}},
                    Refusal{", count = 5", "", "", {"process.time.count is missing"}},
                    Refusal{"kind = \"gaussian-mixture\"", "", "", {"ensemble.kind is missing"}},
                    Refusal{"dimension = [16, 64]", "", "", {"ensemble.dimension is missing"}},
                    Refusal{"speciation = { probes = 64 }\ncollapse = { probes = 32, method = \"sampled\" }",
                            "",
                            "",
                            {"[measure] is missing", "speciation"}},
                    Refusal{
                        "samples = [100, 1000]", "", "line 17: ", {"measure.collapse", "needs [dataset] samples"}}));

INSTANTIATE_TEST_SUITE_P(
    Geometry, Refused,
    testing::Values(Refusal{"classes = [2, 4]\ncentroids = \"orthogonal\"",
                            "classes = 3\ncentroids = \"opposite\"",
                            "line 10: ",
                            {"classes = 3", "opposite"}},
                    Refusal{"classes = [2, 4]\ncentroids = \"orthogonal\"",
                            "classes = [2, 3]\ncentroids = \"opposite\"",
                            "line 10: ",
                            {"classes = 3", "opposite"}},
                    Refusal{"[2, 4]", "[2, 17]", "line 10: ", {"classes = 17", "orthogonal"}},
                    Refusal{"classes = [2, 4]\ncentroids = \"orthogonal\"",
                            "classes = [2, 18]\ncentroids = \"simplex\"",
                            "line 10: ",
                            {"classes = 18", "simplex"}},
                    Refusal{"separation = 1.0", "weights = [0.5, 0.5]", "line 12: ", {"weights"}},
                    Refusal{"separation = 1.0", "class_sigma = [1, 2, 3]", "line 12: ", {"class_sigma"}},
                    Refusal{"separation = 1.0",
                            "branches = [2, 4]",
                            "line 12: ",
                            {"branches", "only for centroids = \"hierarchical\""}},
                    Refusal{"\"orthogonal\"", "\"hierarchical\"", "line 11: ", {"branches is missing"}},
                    Refusal{"centroids = \"orthogonal\"",
                            "centroids = \"hierarchical\"\nbranches = [2, 4]",
                            "line 10: ",
                            {"ensemble.classes = 2", "8 classes"}},
                    Refusal{"separation = 1.0",
                            "sigma = 2.0\nclass_sigma = [[1, 2], [1, 1]]",
                            "line 12: ",
                            {"ensemble.sigma", "class_sigma"}},
                    Refusal{"[dataset]", "[dataset]\npad = 2", "line 14: ", {"dataset.pad = 2", "gaussian-mixture"}}));

class RefusedManifold : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedManifold, WithAMessageThatNamesPlaceKeyAndValue) {
  const Refusal& refusal = GetParam();
  const std::string message = problem_of(with(manifold_example(), refusal.old_part, refusal.new_part));
  const std::string place = *refusal.line == '\0' ? "jobs/x.toml: " : std::string("jobs/x.toml, ") + refusal.line;
  EXPECT_THAT(message, StartsWith(place));
  for (const char* word : refusal.words) EXPECT_THAT(message, HasSubstr(word));
}

INSTANTIATE_TEST_SUITE_P(
    Blocks, RefusedManifold,
    testing::Values(
        Refusal{"[[{ size = 5, sigma = 1.0 }],",
                "[[{ size = 5 }],",
                "line 9: ",
                {"ensemble.blocks[0].sigma is missing", "a number above 0"}},
        Refusal{"[[{ size = 5, sigma = 1.0 }],",
                "[[{ sise = 5, sigma = 1.0 }],",
                "line 9: ",
                {"unknown key ensemble.blocks[0].sise = 5", "did you mean \"size\""}},
        Refusal{"size = 10, sigma = 0.3",
                "size = 10, sigma = 0",
                "line 9: ",
                {"ensemble.blocks[1].sigma = 0", "a number above 0"}},
        Refusal{"size = 10", "size = 0", "line 9: ", {"ensemble.blocks[1].size = 0", "an integer from 1"}},
        Refusal{"size = 10", "size = 2.5", "line 9: ", {"ensemble.blocks[1].size = 2.5", "an integer from 1"}},
        Refusal{"size = 10", "size = \"a\"", "line 9: ", {"ensemble.blocks[1].size = \"a\"", "not a string"}},
        Refusal{"[[{ size = 5, sigma = 1.0 }],",
                "[[7],",
                "line 9: ",
                {"ensemble.blocks[0] = 7", "a table of size and sigma"}},
        Refusal{
            "[[{ size = 5, sigma = 1.0 }],", "[[],", "line 9: ", {"ensemble.blocks = []", "empty", "a list of tables"}},
        Refusal{"[[{ size = 5, sigma = 1.0 }],",
                "[{ size = 5, sigma = 1.0 },",
                "line 9: ",
                {"ensemble.blocks", "a list of tables", "not a table"}},
        Refusal{"[[{ size = 5, sigma = 1.0 }],",
                "[[{ sigma = 0.3, size = 10 }], [{ size = 10, sigma = 0.3 }],",
                "line 9: ",
                {"ensemble.blocks", "[{size=10,sigma=0.3}] is in the list twice"}},
        Refusal{"size = 10", "size = 26", "line 9: ", {"[ensemble] blocks", "not sum to more than dimension = 30"}}));

INSTANTIATE_TEST_SUITE_P(
    Keys, RefusedManifold,
    testing::Values(
        Refusal{"dimension = 30\n", "", "", {"ensemble.dimension is missing"}},
        Refusal{"factor = \"gaussian\"", "classes = 2", "line 10: ", {"ensemble.classes = 2", "\"linear-manifold\""}},
        Refusal{"factor = \"gaussian\"", "radius = 2", "line 10: ", {"ensemble.radius = 2", "\"linear-manifold\""}},
        Refusal{"factor = \"gaussian\"", "factor = \"gausian\"", "line 10: ", {"did you mean \"gaussian\""}},
        Refusal{"factor = \"gaussian\"",
                "normalisation = \"none\"",
                "line 10: ",
                {"ensemble.normalisation = \"none\"", "only for factor = \"gaussian\""}},
        Refusal{
            "factor = \"gaussian\"", "ambient_noise = -1", "line 10: ", {"ensemble.ambient_noise = -1", "at least 0"}},
        Refusal{"[dataset]", "[dataset]\npad = 1", "line 12: ", {"dataset.pad = 1", "\"linear-manifold\""}},
        Refusal{"samples = [100, 1000]", "", "line 14: ", {"measure.collapse", "needs [dataset] samples"}}));

TEST(SweepFile, KeysOfOtherKindsAndSizesThatDoNotFitAreRefusedForSpheres) {
  EXPECT_THAT(problem_of(sphere_example(), {"ensemble.sigma=2"}),
              AllOf(HasSubstr("ensemble.sigma = 2"), HasSubstr("\"hypersphere\"")));
  EXPECT_THAT(problem_of(with(sphere_example(), "sphere_dimension = 10\n", "")),
              HasSubstr("ensemble.sphere_dimension is missing: hypersphere"));
  EXPECT_THAT(problem_of(sphere_example(), {"ensemble.sphere_dimension=[10, 20]"}),
              AllOf(StartsWith("--set ensemble.sphere_dimension"), HasSubstr("[ensemble] sphere_dimension = 20"),
                    HasSubstr("below dimension = 20")));
  EXPECT_THAT(problem_of(sphere_example(), {"ensemble.radius=0"}), HasSubstr("above 0"));
  EXPECT_THAT(problem_of(example(), {"ensemble.radius=1"}),
              AllOf(HasSubstr("ensemble.radius = 1"), HasSubstr("\"gaussian-mixture\"")));
}

TEST(SweepFile, MemoryWithAnUnknownUnitIsRefused) {
  EXPECT_THAT(problem_of(example() + "[resources]\nmemory_per_rank = \"4 GB\"\n"),
              AllOf(StartsWith("jobs/x.toml, line 19: resources.memory_per_rank = \"4 GB\""), HasSubstr("GiB")));
  EXPECT_THAT(problem_of(example() + "[resources]\nmemory_per_rank = \"-4 GiB\"\n"), HasSubstr("positive"));
  EXPECT_THAT(problem_of(example() + "[resources]\nprecision = \"half\"\n"),
              AllOf(HasSubstr("resources.precision = \"half\""), HasSubstr("\"mixed\""), HasSubstr("\"single\"")));
}

TEST(SweepFile, EveryKeyRefusesAValueOfAnotherType) {
  for (const KeySpec& spec : sweep_keys()) {
    ConfigNode node;
    node.kind = spec.type == KeySpec::Type::boolean ? ConfigNode::Kind::integer : ConfigNode::Kind::boolean;
    node.where = "x.toml, line 3";
    try {
      (void)read_entry(node, spec);
      ADD_FAILURE() << spec.key;
    } catch (const BadInput& error) {
      EXPECT_THAT(error.what(), AllOf(StartsWith("x.toml, line 3: " + spec.key + " = "), HasSubstr(spec.allowed())));
    }
  }
}

TEST(SweepFile, EveryMisspeltKeyNamesTheRightOne) {
  for (const KeySpec& spec : sweep_keys()) {
    const std::string name(spec.name());
    const std::string misspelt = name + "x";
    const std::string table(spec.table());
    const std::string key = table.empty() ? misspelt : fmt::format("{}.{}", table, misspelt);
    EXPECT_THAT(problem_of(example(), {key + "=1"}),
                AllOf(StartsWith(fmt::format("--set {}=1: unknown key {}", key, key)),
                      HasSubstr(fmt::format("did you mean \"{}", name))))
        << spec.key;
  }
}

TEST(SweepFile, TextThatIsNotTomlNamesTheLine) {
  EXPECT_THAT(problem_of("name = \"x\"\nseed = = 3\n"), StartsWith("jobs/x.toml, line 2, column "));
  EXPECT_THAT(problem_of("name = \"x\"\nname = \"y\"\n"), StartsWith("jobs/x.toml, line 2"));
}

// Each part of a key is a table within a table: of a million of them the stack has no room.
TEST(SweepFile, KeysOfManyPartsAreRefused) {
  const auto key = [](int parts, const std::string& part) {
    std::string text = part;
    for (int i = 1; i < parts; ++i) text += " . " + part;
    return text;
  };
  for (const char* part : {"a", "1", "\"$\"", "'#'", "\"\\\"\""}) {
    EXPECT_THAT(problem_of(example() + key(64, part) + " = 1\n"), HasSubstr("unknown key")) << part;
    EXPECT_THAT(problem_of(example() + key(65, part) + " = 1\n"), HasSubstr("line 18: a key has more than 64 parts"));
    EXPECT_THAT(problem_of(example() + "x = [{" + key(1000000, part) + " = 1}]\n"), HasSubstr("more than 64 parts"));
  }
  EXPECT_THAT(problem_of(example(), {key(1000000, "a") + "=1"}), HasSubstr("more than 64 parts"));
}

TEST(SweepFile, DotsThatAreInNoKeyDoNotCount) {
  const std::string dots =
      ".a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
      "a.a.a.a.a.a.a.a.a.a.a";
  std::string times = "0.001";
  for (int i = 2; i < 200; ++i) times += fmt::format(", {:.3f}", 0.001 * i);
  const std::string grid = "time = { from = 0.05, to = 6.0, count = 5 }";
  EXPECT_EQ(parse("# it's" + dots + "\n" + with(example(), grid, "time = [" + times + "]")).times.size(), 199U);
  for (const std::string quote : {"\"", "'", "\"\"\"", "'''"}) {
    const std::string text = with(example(), "\"example\"", fmt::format("{0}x{1}{0}", quote, dots));
    EXPECT_EQ(parse(text).name, "x" + dots);
  }
  EXPECT_EQ(parse(with(example(), "\"example\"", "\"\"\"\"" + dots + "\"\"\"\"\"")).name, "\"" + dots + "\"\"");
}

TEST(SweepFile, AByteOrderMarkIsNoPartOfTheText) {
  const SweepFile file = parse("\xEF\xBB\xBF" + example());
  EXPECT_EQ(file.text, example());
}

TEST(SweepFile, FilesThatCannotBeReadAreNamed) {
  for (const char* path : {"/nowhere/x.toml", "/"}) {
    try {
      (void)parse_sweep_file(path, {}, fake_measures());
      ADD_FAILURE();
    } catch (const BadInput& error) {
      EXPECT_THAT(error.what(), AllOf(StartsWith(path), HasSubstr("cannot be read")));
    }
  }
}

// ---- overrides ----

TEST(Overrides, ReplaceAndAddKeys) {
  const SweepFile file = parse(example(), {"realizations=4", "measure.collapse.probes=64",
                                           "process.time.spacing=linear", "ensemble.sigma=[1, 2]", "name=two words"});
  EXPECT_EQ(file.realizations, 4);
  EXPECT_EQ(file.measures[1].options.at("probes"), 64.0);
  EXPECT_EQ(file.measures[1].words.at("method"), "sampled");
  EXPECT_NEAR(file.times[1] - file.times[0], 5.95 / 4, 1e-12);
  EXPECT_EQ(file.name, "two words");
  EXPECT_EQ(file.entries.back().key, "ensemble.sigma");
  EXPECT_EQ(file.text, example());
}

TEST(Overrides, AreNamedWhereTheyAreWrong) {
  EXPECT_THAT(problem_of(example(), {"realizations=0"}), StartsWith("--set realizations=0: realizations = 0: must be"));
  EXPECT_THAT(problem_of(example(), {"realizations"}), HasSubstr("key=value"));
  EXPECT_THAT(problem_of(example(), {"a..b=3"}), HasSubstr("empty part"));
  EXPECT_THAT(problem_of(example(), {"seed.x=3"}), HasSubstr("not a table"));
  EXPECT_THAT(problem_of(example(), {"ensemble.classes=[2,17]"}),
              AllOf(StartsWith("--set ensemble.classes=[2,17]: "), HasSubstr("classes = 17")));
}

TEST(Overrides, NumbersMayHaveNothingBeforeOrBehindTheirPoint) {
  const auto sigmas = [](const std::string& value) {
    std::vector<double> numbers;
    const SweepFile file = parse(example(), {"ensemble.sigma=" + value});
    for (const SweepValue& each : std::ranges::find(file.entries, "ensemble.sigma", &SweepEntry::key)->values) {
      numbers.push_back(std::get<double>(each));
    }
    return numbers;
  };
  EXPECT_THAT(sigmas(".5"), ElementsAre(0.5));
  EXPECT_THAT(sigmas("+.5e-1"), ElementsAre(0.05));
  EXPECT_THAT(sigmas("5."), ElementsAre(5.0));
  EXPECT_THAT(sigmas("[.5, 2., 3.25]"), ElementsAre(0.5, 2.0, 3.25));
  EXPECT_EQ(parse(example(), {"name=a.b5.c"}).name, "a.b5.c");
  EXPECT_EQ(parse(example(), {"name=8,16"}).name, "8,16");
  EXPECT_THAT(problem_of(example(), {"ensemble.sigma=..5"}), HasSubstr("must be a number"));
}

TEST(Overrides, SayHowAListIsWritten) {
  EXPECT_THAT(problem_of(example(), {"ensemble.dimension=8, 16"}),
              HasSubstr("must be an integer from 1 to 1000000000000, not a string (a list is written [8, 16])"));
  EXPECT_THAT(problem_of(example(), {"ensemble.centroids=random,opposite"}),
              HasSubstr("(a list is written [\"random\", \"opposite\"])"));
  EXPECT_THAT(problem_of(example(), {"ensemble.dimension=8,x"}), Not(HasSubstr("a list is written")));
  EXPECT_THAT(problem_of(example(), {"seed=8,16"}), Not(HasSubstr("a list is written")));
}

TEST(Overrides, NamesHoldNoZeroByte) {
  EXPECT_THAT(problem_of(example(), {"name=\"a\\u0000b\""}),
              HasSubstr("name = \"a\\u0000b\": must not hold a zero byte"));
}

TEST(Overrides, MayHoldControlCharactersButMustBeUtf8) {
  const SweepFile file = parse(example(), {"name=a\x01\x7F\rb"});
  EXPECT_EQ(file.name, "a\x01\x7F\rb");
  EXPECT_EQ(parse(file.effective_text).name, file.name);
  EXPECT_THAT(problem_of(example(), {"name=a\xFF"}), HasSubstr("must be UTF-8"));
}

TEST(Overrides, KeepThePlaceOfAnAxis) {
  const Sweep sweep = sweep_of(example(), {"ensemble.dimension=[16, 32]", "ensemble.separation=[1, 2]"});
  std::vector<std::string> names;
  for (const Axis& axis : sweep.axes) names.push_back(axis.name);
  EXPECT_THAT(names, ElementsAre("dimension", "classes", "separation", "samples"));
}

TEST(Overrides, TheEffectiveTextIsTheSameSweep) {
  const std::vector<std::string> overrides{"realizations=4", "ensemble.sigma=[1, 2]", "process.time=[0.1, 1.0]",
                                           "name=a \"quoted\" \\ name"};
  const SweepFile file = parse(example(), overrides);
  const SweepFile again = parse(file.effective_text);
  EXPECT_EQ(again.name, file.name);
  EXPECT_EQ(again.effective_text, file.effective_text);
  EXPECT_EQ(identities(make_sweep(again)), identities(make_sweep(file)));
  EXPECT_EQ(parse(example()).effective_text, example());
}

// ---- data files ----

const std::string& file_example() {
  static const std::string text = R"(name = "digits"
[process]
kind = "ornstein-uhlenbeck"
time = [0.1, 1.0]
[ensemble]
kind = "file"
[dataset]
file = "images.gz"
labels = "labels.gz"
select_classes = [1, 8]
pad = 2
scaling = "[0,1]"
[measure]
collapse = {}
)";
  return text;
}

TEST(DataFiles, AreDescribedAndNotRead) {
  const Sweep sweep = make_sweep(parse(file_example(), {}, "/jobs/x.toml"));
  ASSERT_EQ(sweep.cells.size(), 1U);
  const DatasetFile& data = sweep.cells[0].parameters.file.value();
  EXPECT_EQ(data.path, "/jobs/images.gz");
  EXPECT_EQ(data.labels, "/jobs/labels.gz");
  EXPECT_THAT(data.select_classes, ElementsAre(1, 8));
  EXPECT_EQ(data.pad, 2);
  EXPECT_FALSE(data.shuffle);
  EXPECT_EQ(data.scaling, Scaling::unit);
}

TEST(DataFiles, PathsOfOverridesStartAtTheCurrentFolder) {
  const Sweep sweep = make_sweep(parse(file_example(), {"dataset.file=data/i.h5:/x"}, "/jobs/x.toml"));
  EXPECT_EQ(sweep.cells[0].parameters.file->path, (std::filesystem::current_path() / "data/i.h5:/x").string());
  EXPECT_EQ(sweep.cells[0].parameters.file->labels, "/jobs/labels.gz");
}

TEST(DataFiles, TheEffectiveTextFindsThemFromAnywhere) {
  for (const std::vector<std::string>& overrides :
       {std::vector<std::string>{}, std::vector<std::string>{"dataset.file=other.gz"}}) {
    const SweepFile file = parse(file_example(), overrides, "/jobs/x.toml");
    const SweepFile moved = parse(file.effective_text, {}, "/elsewhere/sweep.toml");
    EXPECT_EQ(moved.effective_text, file.effective_text);
    const Sweep there = make_sweep(moved);
    const Sweep here = make_sweep(file);
    EXPECT_EQ(there.cells[0].parameters.file->path, here.cells[0].parameters.file->path);
    EXPECT_EQ(there.cells[0].parameters.file->labels, "/jobs/labels.gz");
    EXPECT_EQ(identities(there), identities(here));
  }
}

TEST(DataFiles, KeysOfMixturesAreRefused) {
  EXPECT_THAT(problem_of(with(file_example(), "[dataset]", "dimension = 4\n[dataset]")),
              AllOf(StartsWith("jobs/x.toml, line 7: ensemble.dimension = 4"), HasSubstr("file")));
  EXPECT_THAT(problem_of(with(file_example(), "labels = \"labels.gz\"\n", "")), HasSubstr("needs labels"));
  EXPECT_THAT(problem_of(with(file_example(), "file = \"images.gz\"\n", "")), HasSubstr("dataset.file is missing"));
  EXPECT_EQ(parse(with(file_example(), "[ensemble]\nkind = \"file\"\n", "")).kind, "file");
}

// ---- words ----

TEST(NearestName, CountsEdits) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", "abc"), 0U);
  EXPECT_EQ(edit_distance("dimenson", "dimension"), 1U);
  EXPECT_EQ(edit_distance("form", "from"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("sitting", "kitten"), 3U);
}

TEST(NearestName, FarNamesListAllThatAreKnown) {
  const std::vector<std::string> names{"alpha", "beta"};
  EXPECT_EQ(suggestion("betta", names), " (did you mean \"beta\"?)");
  EXPECT_EQ(suggestion("zzzzzzzz", names), " (known: \"alpha\", \"beta\")");
}

TEST(Defaults, ListEveryKeyWithDefaultAndMeaning) {
  const std::string text = defaults_text(fake_measures());
  for (const KeySpec& spec : sweep_keys()) {
    EXPECT_THAT(text, HasSubstr(std::string(spec.name()) + " "));
    EXPECT_THAT(text, HasSubstr(spec.meaning));
  }
  EXPECT_THAT(text, AllOf(HasSubstr("[measure.collapse]\nprobes           = 1024"), HasSubstr("\"sampled\"")));
}

}  // namespace
}  // namespace diffphase
