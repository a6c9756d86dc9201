#include "sweep/grid.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "sweep/task_selection.hpp"
#include "sweep_examples.hpp"

namespace diffphase {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<std::string> axis_names(const Sweep& sweep) {
  std::vector<std::string> names;
  for (const Axis& axis : sweep.axes) names.push_back(axis.name);
  return names;
}

/// The example with the two axes of [ensemble] single.
std::string single() { return with(with(with(example(), "[16, 64]", "16"), "[2, 4]", "2"), "[100, 1000]", "100"); }

TEST(Grid, PointsAreRowMajorInFileOrder) {
  const Sweep sweep = sweep_of(example());
  EXPECT_THAT(axis_names(sweep), ElementsAre("dimension", "classes", "samples"));
  EXPECT_EQ(sweep.samples_axis, 2U);
  ASSERT_EQ(sweep.points.size(), 8U);
  EXPECT_THAT(sweep.points[0].index, ElementsAre(0, 0, 0));
  EXPECT_THAT(sweep.points[1].index, ElementsAre(0, 0, 1));
  EXPECT_THAT(sweep.points[2].index, ElementsAre(0, 1, 0));
  EXPECT_THAT(sweep.points[7].index, ElementsAre(1, 1, 1));
  EXPECT_EQ(sweep.points[1].samples, 1000);
  EXPECT_THAT(sweep.axes[0].columns[0].numbers, ElementsAre(16, 64));
  EXPECT_TRUE(sweep.axes[0].columns[0].integers);
}

TEST(Grid, SamplesDoNotSplitTasks) {
  const Sweep sweep = sweep_of(example());
  ASSERT_EQ(sweep.cells.size(), 4U);
  EXPECT_THAT(sweep.cells[1].index, ElementsAre(0, 1));
  EXPECT_THAT(sweep.cells[1].parameters.samples, ElementsAre(100, 1000));
  ASSERT_EQ(sweep.tasks.size(), 4U * 2U * 2U);
  for (const SweepTask& task : sweep.tasks) EXPECT_THAT(task.counts, ElementsAre(100, 1000));
}

TEST(Grid, TasksCarryTheirParameters) {
  const Sweep sweep = sweep_of(example());
  const SweepTask& task = sweep.tasks.back();
  const TaskParameters parameters = sweep.parameters(task);
  EXPECT_EQ(parameters.mixture->dimension, 64);
  EXPECT_EQ(parameters.mixture->classes, 4);
  EXPECT_EQ(parameters.mixture->centroids, CentroidKind::orthogonal);
  EXPECT_EQ(parameters.realization, 1);
  EXPECT_EQ(parameters.seed, 7U);
  EXPECT_EQ(parameters.times.size(), 5U);
  EXPECT_EQ(parameters.options.at("probes"), 32.0);
  EXPECT_EQ(parameters.words.at("method"), "sampled");
  EXPECT_EQ(sweep.label(task), "collapse d=64 K=4 realization 1");
  const Sweep no_axes = sweep_of(single());
  EXPECT_EQ(no_axes.label(no_axes.tasks.front()), "speciation realization 0");
}

TEST(Grid, SurvivesAMove) {
  Sweep sweep = sweep_of(example());
  const Sweep moved = std::move(sweep);
  EXPECT_EQ(moved.tasks.back().measure().name(), "collapse");
  EXPECT_EQ(moved.tasks.back().request, &moved.file.measures.back());
}

TEST(Grid, SamplesStayInTheOrderOfTheFileOnTheAxisAndAscendInTasks) {
  const Sweep sweep = sweep_of(example(), {"dataset.samples=[1000, 10]"});
  EXPECT_THAT(sweep.axes[2].columns[0].numbers, ElementsAre(1000, 10));
  EXPECT_EQ(sweep.points[0].samples, 1000);
  EXPECT_THAT(sweep.tasks[0].counts, ElementsAre(10, 1000));
}

TEST(Grid, VectorsAreOneValueAndListsOfVectorsAnAxis) {
  const Sweep one = sweep_of(single(), {"ensemble.weights=[1, 3]"});
  EXPECT_THAT(one.axes, IsEmpty());
  EXPECT_THAT(one.cells[0].parameters.mixture->weights, ElementsAre(1, 3));
  const Sweep axis = sweep_of(single(), {"ensemble.weights=[\"uniform\", [1, 3]]"});
  EXPECT_THAT(axis_names(axis), ElementsAre("weights"));
  EXPECT_TRUE(axis.axes[0].columns[0].vectors);
  EXPECT_THAT(axis.axes[0].columns[0].texts, ElementsAre("uniform", "[1,3]"));
  EXPECT_THAT(axis.cells[0].parameters.mixture->weights, IsEmpty());
  EXPECT_THAT(axis.cells[1].parameters.mixture->weights, ElementsAre(1, 3));
}

TEST(Grid, AListOfTablesIsOneValueAndAListOfThoseAnAxis) {
  const Sweep axis = sweep_of(manifold_example());
  EXPECT_THAT(axis_names(axis), ElementsAre("blocks", "samples"));
  EXPECT_TRUE(axis.axes[0].columns[0].vectors);
  EXPECT_THAT(axis.axes[0].columns[0].texts,
              ElementsAre("[{size=5,sigma=1}]", "[{size=5,sigma=1},{size=10,sigma=0.3}]"));
  ASSERT_EQ(axis.cells.size(), 2U);
  EXPECT_EQ(axis.cells[1].label, "blocks=[{size=5,sigma=1},{size=10,sigma=0.3}]");
  const TaskParameters& parameters = axis.cells[1].parameters;
  EXPECT_FALSE(parameters.mixture.has_value());
  EXPECT_EQ(parameters.dimension(), 30);
  EXPECT_EQ(parameters.manifold->factor, FactorKind::gaussian);
  EXPECT_EQ(parameters.manifold->normalisation, FactorNormalisation::columns);
  EXPECT_THAT(parameters.manifold->blocks,
              ElementsAre(FactorBlock{.size = 5, .sigma = 1.0}, FactorBlock{.size = 10, .sigma = 0.3}));
  const Sweep one = sweep_of(manifold_example(), {"ensemble.blocks=[{ size = 3, sigma = 0.5 }]",
                                                  "ensemble.normalisation=none", "ensemble.ambient_noise=0.25"});
  EXPECT_THAT(axis_names(one), ElementsAre("samples"));
  EXPECT_EQ(one.cells[0].parameters.manifold->columns(), 3);
  EXPECT_EQ(one.cells[0].parameters.manifold->normalisation, FactorNormalisation::none);
  EXPECT_EQ(one.cells[0].parameters.manifold->ambient_noise, 0.25);
  // [[ensemble.blocks]] is the same list.
  const std::string tables = with(
      with(manifold_example(),
           "blocks = [[{ size = 5, sigma = 1.0 }], [{ size = 5, sigma = 1.0 }, { size = 10, sigma = 0.3 }]]\n", ""),
      "[dataset]", "[[ensemble.blocks]]\nsize = 3\nsigma = 0.5\n[dataset]");
  const std::vector<std::string> same =
      identities(sweep_of(manifold_example(), {"ensemble.blocks=[{ size = 3, sigma = 0.5 }]"}));
  EXPECT_EQ(identities(sweep_of(tables)), same);
  const SweepFile overridden = parse(tables, {"ensemble.ambient_noise=0"});
  EXPECT_EQ(identities(make_sweep(parse(overridden.effective_text))), same);
}

TEST(Grid, BlocksStandInZipsAndPoints) {
  const std::string list = R"([[{ size = 5, sigma = 1.0 }], [{ size = 5, sigma = 1.0 }, { size = 10, sigma = 0.3 }]])";
  const std::string text = with(manifold_example(), "[100, 1000]", "100");
  const Sweep zipped = sweep_of(with(with(text, "dimension = 30\n", ""), "blocks = " + list + "\n", "") + R"([[zip]]
ensemble.dimension = [30, 40]
ensemble.blocks = )" + list + "\n");
  ASSERT_EQ(zipped.cells.size(), 2U);
  EXPECT_EQ(zipped.cells[1].parameters.manifold->dimension, 40);
  EXPECT_EQ(zipped.cells[1].parameters.manifold->blocks.size(), 2U);
  const Sweep points = sweep_of(with(text, list, "[{ size = 5, sigma = 1.0 }]") + R"([[point]]
ensemble.blocks = [{ size = 2, sigma = 0.5 }]
[[point]]
ensemble.dimension = 40
)");
  ASSERT_EQ(points.points.size(), 2U);
  EXPECT_THAT(points.axes[0].columns[0].texts, ElementsAre("[{size=2,sigma=0.5}]", "[{size=5,sigma=1}]"));
  EXPECT_THAT(points.cells[0].parameters.manifold->blocks, ElementsAre(FactorBlock{.size = 2, .sigma = 0.5}));
}

TEST(Grid, SpheresCarryTheirParameters) {
  const Sweep sweep = sweep_of(sphere_example());
  EXPECT_THAT(axis_names(sweep), ElementsAre("dimension"));
  const TaskParameters& parameters = sweep.cells[1].parameters;
  EXPECT_EQ(parameters.sphere->dimension, 40);
  EXPECT_EQ(parameters.dimension(), 40);
  EXPECT_EQ(parameters.sphere->span(), 11);
  EXPECT_EQ(parameters.sphere->radius, 3.3);
}

TEST(Grid, AListOfOneIsAnAxis) {
  const Sweep sweep = sweep_of(single(), {"ensemble.dimension=[16]"});
  EXPECT_THAT(axis_names(sweep), ElementsAre("dimension"));
  EXPECT_EQ(sweep.points.size(), 1U);
}

TEST(Grid, BranchesGiveTheClasses) {
  const std::string text = with(with(single(), "classes = 2\n", ""), "\"orthogonal\"", "\"hierarchical\"");
  const Sweep sweep = sweep_of(text, {"ensemble.branches=[[2, 2], [2, 3]]", "ensemble.class_fraction=0.25"});
  EXPECT_THAT(axis_names(sweep), ElementsAre("branches"));
  EXPECT_EQ(sweep.cells[1].parameters.mixture->classes, 6);
  EXPECT_EQ(sweep.cells[1].parameters.mixture->branches[1], 3);
  EXPECT_EQ(sweep.cells[1].parameters.mixture->class_fraction, 0.25);
  EXPECT_EQ(sweep.label(sweep.tasks[0]), "speciation branches=[2,2] realization 0");
}

TEST(Grid, KeysCountOnlyWhereTheyAreUsed) {
  const Sweep both = sweep_of(
      with(with(single(), "classes = 2", "classes = 4"), "\"orthogonal\"", "[\"orthogonal\", \"hierarchical\"]"),
      {"ensemble.branches=[2, 2]"});
  const Sweep orthogonal = sweep_of(with(single(), "classes = 2", "classes = 4"));
  EXPECT_EQ(both.tasks[0].identity, orthogonal.tasks[0].identity);
}

// ---- [[zip]] ----

const char* const zip = R"([[zip]]
name = "pair"
ensemble.dimension = [16, 16, 64]
dataset.samples = [100, 200, 300]
)";

std::string zipped() { return with(with(single(), "dimension = 16\n", ""), "[dataset]\nsamples = 100\n", "") + zip; }

TEST(Zip, IsOneAxisWithEachKeyAsAColumn) {
  const Sweep sweep = sweep_of(zipped());
  ASSERT_EQ(sweep.axes.size(), 1U);
  EXPECT_EQ(sweep.axes[0].name, "pair");
  EXPECT_EQ(sweep.axes[0].kind, Axis::Kind::zip);
  ASSERT_EQ(sweep.axes[0].columns.size(), 2U);
  EXPECT_EQ(sweep.axes[0].columns[0].name, "dimension");
  EXPECT_THAT(sweep.axes[0].columns[1].numbers, ElementsAre(100, 200, 300));
  EXPECT_FALSE(sweep.samples_axis.has_value());
}

TEST(Zip, PointsThatDifferInSamplesShareATask) {
  const Sweep sweep = sweep_of(zipped());
  ASSERT_EQ(sweep.points.size(), 3U);
  ASSERT_EQ(sweep.cells.size(), 2U);
  EXPECT_EQ(sweep.points[1].cell, 0U);
  EXPECT_EQ(sweep.points[2].cell, 1U);
  EXPECT_THAT(sweep.cells[0].parameters.samples, ElementsAre(100, 200));
}

TEST(Zip, TablesAndDottedKeysAreTheSame) {
  const std::string tables = R"([[zip]]
name = "pair"
ensemble = { dimension = [16, 16, 64] }
[zip.dataset]
samples = [100, 200, 300]
)";
  const std::string base = with(zipped(), zip, "");
  EXPECT_EQ(identities(sweep_of(base + tables)), identities(sweep_of(zipped())));
}

TEST(Zip, StandsInFileOrderAmongTheOtherAxes) {
  EXPECT_THAT(axis_names(sweep_of(zipped(), {"ensemble.separation=[1, 2]"})), ElementsAre("separation", "pair"));
  EXPECT_EQ(sweep_of(zipped(), {"ensemble.separation=[1, 2]"}).points.size(), 6U);
  const SweepFile overridden = parse(zipped(), {"ensemble.separation=[1, 2]"});
  EXPECT_EQ(identities(make_sweep(parse(overridden.effective_text))), identities(make_sweep(overridden)));
}

TEST(Zip, BadOnesAreNamed) {
  EXPECT_THAT(
      problem_of(with(zipped(), "[100, 200, 300]", "[100, 200]")),
      AllOf(StartsWith("jobs/x.toml, line 18: dataset.samples"), HasSubstr("has 2 values"), HasSubstr("has 3")));
  EXPECT_THAT(problem_of(with(zipped(), "[100, 200, 300]", "100")), HasSubstr("must be a list"));
  EXPECT_THAT(problem_of(with(zipped(), "[100, 200, 300]", "[100, 100, 300]")), HasSubstr("are the same"));
  EXPECT_THAT(problem_of(zipped(), {"ensemble.dimension=4"}), HasSubstr("and also at"));
  EXPECT_THAT(problem_of(with(zipped(), "\"pair\"", "\"time\"")), HasSubstr("zip.name = \"time\""));
  for (const std::string name : {"speciation_time", "speciation_part", "log_samples", "task_seconds"}) {
    EXPECT_THAT(problem_of(with(zipped(), "pair", name)), HasSubstr("zip.name = \"" + name + "\"")) << name;
  }
  EXPECT_THAT(problem_of(with(zipped(), "ensemble.dimension", "process.time")), HasSubstr("only keys of ensemble"));
  EXPECT_THAT(problem_of(with(zipped(), "ensemble.dimension", "ensemble.dimensio")), HasSubstr("did you mean"));
  EXPECT_THAT(problem_of(zipped() + "[[zip]]\nname = \"pair\"\nensemble.sigma = [1]\n"), HasSubstr("two [[zip]]"));
}

// ---- [[point]] ----

TEST(Point, JoinsTheProductGridOnOneAxis) {
  const Sweep sweep = sweep_of(example() + R"([[point]]
ensemble.dimension = 128
ensemble.classes = 8
dataset.samples = 500
[[point]]
ensemble = { dimension = 16, classes = 2, sigma = 2.0 }
dataset.samples = 500
)");
  EXPECT_THAT(axis_names(sweep), ElementsAre("point"));
  ASSERT_EQ(sweep.points.size(), 10U);
  EXPECT_THAT(sweep.points[9].index, ElementsAre(9));
  const std::vector<AxisColumn>& columns = sweep.axes[0].columns;
  ASSERT_EQ(columns.size(), 4U);
  EXPECT_EQ(columns[0].name, "dimension");
  EXPECT_EQ(columns[0].numbers[8], 128);
  EXPECT_EQ(columns[3].name, "sigma");
  EXPECT_EQ(columns[3].numbers[0], 1);
  EXPECT_EQ(columns[3].numbers[9], 2);
  EXPECT_EQ(sweep.cells.size(), 6U);
}

TEST(Point, AloneAreTheWholeGrid) {
  const Sweep sweep = sweep_of(single() + "[[point]]\nensemble.dimension = 32\n[[point]]\nensemble.classes = 4\n");
  ASSERT_EQ(sweep.points.size(), 2U);
  EXPECT_EQ(sweep.cells[0].parameters.mixture->dimension, 32);
  EXPECT_EQ(sweep.cells[0].parameters.mixture->classes, 2);
  EXPECT_EQ(sweep.cells[1].parameters.mixture->dimension, 16);
}

TEST(Point, BadOnesAreNamed) {
  EXPECT_THAT(problem_of(example() + "[[point]]\nensemble.dimension = 32\n"),
              AllOf(StartsWith("jobs/x.toml, line 18: the [[point]] must give"), HasSubstr("line 10")));
  EXPECT_THAT(problem_of(single() + "[[point]]\nensemble.dimension = [32]\n"),
              AllOf(StartsWith("jobs/x.toml, line 19: ensemble.dimension"), HasSubstr("one value")));
  EXPECT_THAT(problem_of(single() + "[[point]]\nensemble.sigma = 2\n[[point]]\nensemble.sigma = 2.0\n"),
              HasSubstr("are the same"));
  EXPECT_THAT(problem_of(single() + "[[point]]\nensemble.kind = \"file\"\n"), HasSubstr("cannot vary"));
  EXPECT_THAT(problem_of(single() + "[[point]]\n"), HasSubstr("no key"));
  EXPECT_THAT(problem_of(single() + "[point]\nensemble.sigma = 2\n"), HasSubstr("[[point]]"));
}

// ---- selections ----

TEST(Selection, KeepsTasksAndCountsOfThePoints) {
  Sweep sweep = sweep_of(example());
  select_points(sweep, "1:2,7");
  ASSERT_EQ(sweep.tasks.size(), 3U * 2U * 2U);
  EXPECT_THAT(sweep.tasks[0].counts, ElementsAre(1000));
  EXPECT_THAT(sweep.tasks[4].counts, ElementsAre(100));
  EXPECT_EQ(sweep.tasks.back().cell, 3U);
  EXPECT_EQ(sweep.points.size(), 8U);
  EXPECT_EQ(sweep.cells.size(), 4U);
  EXPECT_THAT(sweep.parameters(sweep.tasks[0]).samples, ElementsAre(100, 1000));
  EXPECT_FALSE(sweep.points[0].selected);
  EXPECT_TRUE(sweep.points[7].selected);
}

TEST(Selection, BadOnesAreNamed) {
  for (const char* selection : {"", "x", "1:", ":1", "3:2", "8", "-1", "0:8", "1,,2", "1.5"}) {
    Sweep sweep = sweep_of(example());
    try {
      select_points(sweep, selection);
      ADD_FAILURE() << selection;
    } catch (const BadInput& error) {
      EXPECT_THAT(error.what(), StartsWith(std::string("--points ") + selection));
    }
  }
  for (const char* shard : {"", "1", "0/2", "3/2", "a/b", "1/0", "1/2/3"}) {
    Sweep sweep = sweep_of(example());
    EXPECT_THROW(select_shard(sweep, shard), BadInput) << shard;
  }
}

// ---- data files ----

const char* const files = R"(name = "digits"
[process]
kind = "ornstein-uhlenbeck"
time = [0.1, 1.0]
[ensemble]
kind = "file"
[dataset]
file = ["/a.npy", "/b.npy"]
[measure]
collapse = {}
speciation = {}
)";

DatasetSummary summary_of(std::int64_t rows) {
  DatasetSummary summary;
  summary.rows = rows;
  summary.dimension = 4;
  return summary;
}

TEST(DataFiles, AreInspectedOnceAndGiveTheSamples) {
  Sweep sweep = sweep_of(files);
  std::vector<std::string> asked;
  attach_dataset_summaries(sweep, [&](const DatasetFile& file) {
    asked.push_back(file.path);
    return summary_of(file.path == "/a.npy" ? 10 : 20);
  });
  EXPECT_THAT(asked, ElementsAre("/a.npy", "/b.npy"));
  EXPECT_THAT(axis_names(sweep), ElementsAre("file"));
  EXPECT_EQ(sweep.points[1].samples, 20);
  EXPECT_THAT(sweep.tasks.back().counts, ElementsAre(20));
  EXPECT_EQ(sweep.parameters(sweep.tasks.front()).file_summary.rows, 10);
}

TEST(DataFiles, MoreSamplesThanRowsAreRefused) {
  Sweep sweep = sweep_of(files, {"dataset.samples=[5, 11]"});
  try {
    attach_dataset_summaries(sweep, [](const DatasetFile&) { return summary_of(10); });
    FAIL();
  } catch (const BadInput& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("samples = 11"), HasSubstr("/a.npy"), HasSubstr("10 rows")));
  }
}

TEST(DataFiles, UnreadableOnesAreBadInput) {
  Sweep sweep = sweep_of(files);
  try {
    attach_dataset_summaries(
        sweep, [](const DatasetFile& file) -> DatasetSummary { throw DatasetError(file.path + ": no such file"); });
    FAIL();
  } catch (const BadInput& error) {
    EXPECT_THAT(error.what(), AllOf(StartsWith("jobs/x.toml, line 8: "), HasSubstr("/a.npy: no such file")));
  }
}

// ---- the job files of this project ----

TEST(Jobs, EveryOneIsASweep) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(DIFFPHASE_SOURCE_DIR "/jobs")) {
    if (entry.path().extension() != ".toml") continue;
    const Sweep sweep = make_sweep(parse_sweep_file(entry.path().string(), {}, measures()));
    EXPECT_FALSE(sweep.tasks.empty()) << entry.path();
    ++count;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace diffphase
