#include "sweep/data_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "files/bad_input.hpp"
#include "temporary_folder.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class DataFiles : public testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(file_) << text; }
  void start(const std::string& stem) const {
    Journal(folder_.path(), stem, {.data = {data_file(file_.string())}, .summaries = {}});
  }
  [[nodiscard]] std::vector<std::string> check() const {
    return check_data_files(read_journals(folder_.path()), {data_file(file_.string())});
  }

  TemporaryFolder folder_;
  fs::path file_ = folder_ / "x.npy";
};

TEST_F(DataFiles, AreTheSameWhereTheirBytesAre) {
  write("numbers");
  EXPECT_THAT(check(), IsEmpty()) << "no start before";
  start("1");
  fs::remove(file_);
  write("numbers");
  EXPECT_THAT(check(), IsEmpty()) << "another file of the same bytes";
}

TEST_F(DataFiles, AreRefusedWhereTheirBytesHaveChanged) {
  write("numbers");
  start("1");
  write("NUMBERS");
  try {
    static_cast<void>(check());
    FAIL() << "not refused";
  } catch (const BadInput& refusal) {
    EXPECT_THAT(refusal.what(), AllOf(HasSubstr(file_.string()), HasSubstr("the start 1 "), HasSubstr("7 bytes"),
                                      HasSubstr("--accept-changed-data")));
  }
  start("2");  // of somebody who accepted it: what was read last counts
  EXPECT_THAT(check(), IsEmpty());
  write("numbers");
  EXPECT_THROW(static_cast<void>(check()), BadInput);
}

TEST_F(DataFiles, OfStartsThatSaidNothingOfThemAreWarnedOfOnce) {
  write("numbers");
  JournalState state = read_journals(folder_.path());
  state.begin_own("1", {.summaries = {}, .knows_data = false});
  const std::vector<DataFileRecord> now{data_file(file_.string())};
  EXPECT_THAT(check_data_files(state, now), SizeIs(1));
  state.begin_own("2", {.data = now, .summaries = {}});
  EXPECT_THAT(check_data_files(state, now), IsEmpty());
}

TEST_F(DataFiles, ThatAreNotThereAreNamed) {
  try {
    static_cast<void>(data_file((folder_ / "absent").string()));
    FAIL() << "not refused";
  } catch (const BadInput& refusal) {
    EXPECT_THAT(refusal.what(), HasSubstr((folder_ / "absent").string()));
  }
}

}  // namespace
}  // namespace diffphase
