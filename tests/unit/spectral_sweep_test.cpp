// Sweep files with measures of spectra: lists as options, mixed precision, and what they do to identities.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sweep_examples.hpp"

namespace diffphase {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string text_with(const std::string& measure, const std::string& more = "") {
  return R"(name = "spectra"
[process]
kind = "variance-exploding"
time = [0.1, 1.0]
[ensemble]
kind = "gaussian-mixture"
dimension = 16
classes = 2
[measure]
)" + measure +
         "\n" + more;
}

Sweep spectral_sweep(const std::string& measure, const std::string& more = "",
                     const std::vector<std::string>& overrides = {}) {
  return make_sweep(parse_sweep_text(text_with(measure, more), "jobs/x.toml", overrides, measures()));
}

std::string identity_of(const std::string& measure, const std::string& more = "") {
  return spectral_sweep(measure, more).tasks.front().identity.hex();
}

TEST(SpectralSweep, AListOfTimesReachesTheTask) {
  const Sweep sweep = spectral_sweep("spectrum = { times = [0.5, 1, 2.0] }");
  const TaskParameters task = sweep.parameters(sweep.tasks.front());
  ASSERT_EQ(task.lists.count("times"), 1U);
  EXPECT_THAT(task.lists.at("times"), ElementsAre(0.5, 1.0, 2.0));
  EXPECT_THAT(task.times, ElementsAre(0.1, 1.0)) << "the grid of the process stays as it is";
  EXPECT_EQ(sweep.tasks.size(), 1U) << "a list under this key is no axis";
}

TEST(SpectralSweep, WithoutOneTheTaskHasNoList) {
  const Sweep sweep = spectral_sweep("spectrum = {}");
  EXPECT_THAT(sweep.parameters(sweep.tasks.front()).lists, IsEmpty());
}

TEST(SpectralSweep, AListCanBeSetOnTheCommandLine) {
  const Sweep sweep = spectral_sweep("spectrum = { times = [3.0] }", "", {"measure.spectrum.times=[0.25, 0.5]"});
  EXPECT_THAT(sweep.parameters(sweep.tasks.front()).lists.at("times"), ElementsAre(0.25, 0.5));
}

TEST(SpectralSweep, ListsArePartOfTheIdentity) {
  const std::string without = identity_of("spectrum = {}");
  const std::string with_list = identity_of("spectrum = { times = [0.5, 1.0] }");
  EXPECT_NE(without, with_list);
  EXPECT_NE(with_list, identity_of("spectrum = { times = [0.5, 2.0] }"));
  EXPECT_NE(with_list, identity_of("spectrum = { times = [0.5] }"));
  EXPECT_EQ(with_list, identity_of("spectrum = { times = [0.5, 1] }")) << "1 and 1.0 are one number";
  EXPECT_EQ(without, identity_of("spectrum = { probes = 4, score = \"automatic\", tolerance = 1e-8 }")) << "defaults";
}

TEST(SpectralSweep, MixedPrecisionIsPartOfTheIdentityAndReachesTheTask) {
  const std::string mixed = "[resources]\nprecision = \"mixed\"\n";
  const Sweep sweep = spectral_sweep("spectrum = {}", mixed);
  EXPECT_TRUE(sweep.parameters(sweep.tasks.front()).mixed_precision);
  EXPECT_NE(identity_of("spectrum = {}"), identity_of("spectrum = {}", mixed));
  EXPECT_EQ(identity_of("spectrum = {}"), identity_of("spectrum = {}", "[resources]\nprecision = \"double\"\n"));
  EXPECT_FALSE(spectral_sweep("spectrum = {}").cells.front().parameters.mixed_precision);
}

TEST(SpectralSweep, MixedPrecisionIsRefusedForMeasuresWithoutIt) {
  const std::string mixed = "[resources]\nprecision = \"mixed\"\n";
  for (const char* measure : {"speciation = {}", "spectrum = {}\nspeciation = {}"}) {
    try {
      (void)spectral_sweep(measure, mixed);
      ADD_FAILURE() << "accepted: " << measure;
    } catch (const BadInput& error) {
      EXPECT_THAT(error.what(), HasSubstr("resources.precision = \"mixed\""));
      EXPECT_THAT(error.what(), Not(HasSubstr("measure.spectrum")));
    }
  }
}

}  // namespace
}  // namespace diffphase
