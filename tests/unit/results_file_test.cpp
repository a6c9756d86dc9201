#include "results/results_file.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "file_size_limit.hpp"
#include "files/hdf5_handle.hpp"
#include "files/posix_file.hpp"
#include "results/provenance.hpp"
#include "temporary_folder.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const double nan = std::numeric_limits<double>::quiet_NaN();

// The first Python that has what the analysis needs; empty if none.
std::string find_python() {
  const char* chosen = std::getenv("PYTHON");
  for (std::string python : {chosen == nullptr ? "" : chosen, "python3", "/usr/bin/python3"}) {
    const std::string test = python + " -c 'import numpy, h5netcdf, xarray' 2>/dev/null";
    if (!python.empty() && std::system(test.c_str()) == 0) return python;
  }
  return {};
}

// Runs statements that see the opened file as `data`, and its path as `path`.
::testing::AssertionResult python_agrees(const fs::path& path, const std::string& statements) {
  const std::string python = find_python();
  const fs::path script = path.string() + ".py";
  fs::remove(script);
  PosixFile::create(script).write_all(
      fmt::format("import numpy as np, xarray as xr\npath = '{}'\ndata = xr.open_dataset(path, engine='h5netcdf')\n{}",
                  path.string(), statements));
  const std::string output = path.string() + ".out";
  const int status = std::system(fmt::format("{} {} > {} 2>&1", python, script.string(), output).c_str());
  if (status == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << read_text(output);
}

ResultsFile some_results() {
  ResultsFile results;
  results.dimensions = {
      {"dimension", std::vector<std::int64_t>{256, 1024}, "1", "dimension of the data"},
      {"sampler", std::vector<std::string>{"sde", "öde", ""}, "", "sampler"},
      {"time", std::vector<double>{0.25, 0.5}, "1", "time of the process"},
      {"classes", std::vector<std::int64_t>{0}, "", "classes"},
      {"none", std::vector<double>{}, "1", "empty axis"},
  };
  results.variables = {
      {.name = "agreement",
       .dims = {"dimension", "sampler", "time"},
       .values = std::vector<double>{0, 1, 2, 3, 4, 5, 6, nan, 8, 9, 10, 11},
       .units = "1",
       .long_name = "class agreement",
       .source = "a paper, equation (3)",
       .flag_meanings = {},
       .tolerance = 0.05},
      {.name = "square",
       .dims = {"time", "dimension"},
       .values = std::vector<double>{1, 2, 3, 4},
       .units = "1",
       .long_name = "axes of equal length",
       .source = "",
       .flag_meanings = {}},
      {.name = "status",
       .dims = {"dimension"},
       .values = std::vector<std::int8_t>{0, 2},
       .units = "",
       .long_name = "status",
       .source = "",
       .flag_meanings = {"pending", "done", "failed"}},
      {.name = "attempts",
       .dims = {"dimension"},
       .values = std::vector<std::int64_t>{1, std::int64_t{1} << 60U},
       .units = "1",
       .long_name = "attempts",
       .source = "",
       .flag_meanings = {}},
      {.name = "seconds",
       .dims = {},
       .values = std::vector<double>{1.5},
       .units = "s",
       .long_name = "seconds",
       .source = "",
       .flag_meanings = {}},
      {.name = "classes_label",
       .dims = {"classes"},
       .values = std::vector<std::string>{"{ branches = [2, 4] }"},
       .units = "",
       .long_name = "label",
       .source = "",
       .flag_meanings = {},
       .auxiliary = true},
      {.name = "nothing",
       .dims = {"none", "time"},
       .values = std::vector<double>{},
       .units = "1",
       .long_name = "empty",
       .source = "",
       .flag_meanings = {}},
  };
  results.attributes = {{"text", std::string("τ = 1\n") + std::string(100000, 'x')},
                        {"empty", std::string()},
                        {"number", 2.5},
                        {"integer", std::int64_t{-7}}};
  results.groups["timings"] = {{{"table", "one\ntwo"}}, {{"total", 3.0}}};
  return results;
}

TEST(ResultsFile, XarrayOpensIt) {
  if (find_python().empty()) GTEST_SKIP() << "no Python with numpy, h5netcdf and xarray: set PYTHON";
  const TemporaryFolder folder;
  write_results(folder / "results.h5", some_results());
  EXPECT_TRUE(python_agrees(folder / "results.h5", R"(
assert dict(data.sizes) == dict(dimension=2, sampler=3, time=2, classes=1, none=0), data.sizes
assert data.agreement.dims == ('dimension', 'sampler', 'time')
expected = np.arange(12.0).reshape(2, 3, 2)
expected[1, 0, 1] = np.nan
assert np.array_equal(data.agreement, expected, equal_nan=True)
assert data.agreement.dtype == np.float64
assert data.agreement.attrs == dict(units='1', long_name='class agreement', source='a paper, equation (3)', tolerance=0.05)
assert np.isnan(data.agreement.encoding['_FillValue'])
assert data.square.dims == ('time', 'dimension')
assert list(data.dimension.values) == [256, 1024] and data.dimension.dtype == np.int64
assert list(data.sampler.values) == ['sde', 'öde', '']
assert list(data.time.values) == [0.25, 0.5]
assert data.time.attrs == dict(units='1', long_name='time of the process')
assert data.agreement.sel(dimension=1024, sampler='öde', time=0.5) == 9
assert data.status.dtype == np.int8 and list(data.status.values) == [0, 2]
assert list(data.status.attrs['flag_values']) == [0, 1, 2]
assert data.status.attrs['flag_meanings'] == 'pending done failed'
assert 'source' not in data.status.attrs and 'units' not in data.status.attrs
assert data.attempts.dtype == np.int64 and data.attempts.values[1] == 2**60
assert data.seconds.dtype == np.float64 and float(data.seconds) == 1.5
assert 'classes_label' in data.coords and data.classes_label.dims == ('classes',)
assert data.classes_label.values[0] == '{ branches = [2, 4] }'
assert data.nothing.shape == (0, 2)
assert data.attrs['layout_version'] == 1 and data.attrs['Conventions'] == 'CF-1.8'
assert data.attrs['text'] == 'τ = 1\n' + 'x' * 100000 and data.attrs['number'] == 2.5
assert data.attrs['integer'] == -7 and data.attrs['empty'] == ''
timings = xr.open_dataset(path, engine='h5netcdf', group='timings')
assert timings.table.item() == 'one\ntwo' and timings.attrs['total'] == 3.0
)"));
}

TEST(ResultsFile, AnEmptyOneOpensToo) {
  if (find_python().empty()) GTEST_SKIP() << "no Python with numpy, h5netcdf and xarray: set PYTHON";
  const TemporaryFolder folder;
  write_results(folder / "results.h5", {});
  EXPECT_TRUE(python_agrees(folder / "results.h5", "assert not data.variables and data.attrs['layout_version'] == 1"));
}

TEST(ResultsFile, IsReplacedWhileAReaderHasItOpen) {
  const TemporaryFolder folder;
  const fs::path path = folder / "results.h5";
  write_results(path, some_results());
  quiet_hdf5();
  const Hdf5Handle reader(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, "cannot open");
  ResultsFile results = some_results();
  results.attributes["number"] = 3.5;
  write_results(path, results);
  const Hdf5Handle attribute(H5Aopen(reader.get(), "number", H5P_DEFAULT), H5Aclose, "cannot open");
  double number = 0.0;
  check_hdf5(H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, &number), "cannot read");
  EXPECT_EQ(number, 2.5);
  EXPECT_EQ(folder.entries(), 1);
}

TEST(ResultsFile, FullDiskKeepsTheOldOne) {
  const TemporaryFolder folder;
  const fs::path path = folder / "results.h5";
  ResultsFile results = some_results();
  write_results(path, results);
  const std::string before = read_text(path);
  {
    const FileSizeLimit limit(20000);
    try {
      write_results(path, results);
      FAIL() << "a full disk was not noticed";
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("cannot write"), HasSubstr("results.h5")));
    }
  }
  EXPECT_EQ(read_text(path), before);
  EXPECT_EQ(folder.entries(), 1);
  write_results(path, results);
}

std::string problem(const ResultsFile& results) {
  const TemporaryFolder folder;
  try {
    write_results(folder / "results.h5", results);
  } catch (const std::logic_error& error) {
    EXPECT_EQ(folder.entries(), 0);
    return error.what();
  }
  return "none";
}

TEST(ResultsFile, RefusesWhatDoesNotFitTogether) {
  const auto with = [](auto change) {
    ResultsFile results = some_results();
    change(results);
    return problem(results);
  };
  EXPECT_EQ(with([](ResultsFile& /*r*/) {}), "none");
  EXPECT_THAT(with([](ResultsFile& r) { r.variables[0].dims[1] = "absent"; }), HasSubstr("unknown dimension absent"));
  EXPECT_THAT(with([](ResultsFile& r) { r.variables[0].values = std::vector<double>(11); }),
              HasSubstr("agreement has 11 values"));
  EXPECT_THAT(with([](ResultsFile& r) { r.variables[1].dims = {"time", "time"}; }), HasSubstr("twice"));
  EXPECT_THAT(with([](ResultsFile& r) { r.variables[1].name = "time"; }), HasSubstr("twice"));
  EXPECT_THAT(with([](ResultsFile& r) { r.variables[1].name = "a/b"; }), HasSubstr("a/b"));
  EXPECT_THAT(with([](ResultsFile& r) { r.variables[2].flag_meanings.pop_back(); }), HasSubstr("flag"));
  EXPECT_THAT(with([](ResultsFile& r) { r.variables[2].flag_meanings.clear(); }), HasSubstr("flag"));
  EXPECT_THAT(with([](ResultsFile& r) { r.variables[2].flag_meanings[1] = "two words"; }), HasSubstr("two words"));
  EXPECT_THAT(with([](ResultsFile& r) { r.attributes["layout_version"] = 2.0; }), HasSubstr("layout_version"));
  EXPECT_THAT(with([](ResultsFile& r) { r.groups["square"]; }), HasSubstr("twice"));
}

TEST(Hdf5, ErrorsCarryTheStack) {
  quiet_hdf5();
  try {
    const Hdf5Handle file(H5Fopen("/nonexistent/file.h5", H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose,
                          "cannot open /nonexistent/file.h5");
    FAIL() << "opened";
  } catch (const Hdf5Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("cannot open /nonexistent/file.h5: "), HasSubstr("No such file")));
  }
}

TEST(Provenance, SaysWhoMadeTheResults) {
  ::setenv("SLURM_JOB_ID", "991", 1);
  ::setenv("SLURM_JOB_USER", "somebody", 1);
  ResultsFile results;
  const WallTime start = from_unix_seconds(1709115072.25);
  add_provenance(results, {.command_line = "diffphase run x.toml",
                           .sweep = "name = \"x\"",
                           .mpi_size = 4,
                           .start = start,
                           .end = start + std::chrono::seconds(5)});
  const auto text = [&](const char* name) { return std::get<std::string>(results.attributes.at(name)); };
  EXPECT_EQ(text("program"), "diffphase");
  EXPECT_EQ(text("version"), program_version());
  EXPECT_FALSE(text("git_revision").empty());
  EXPECT_EQ(text("start_time"), "2024-02-28T10:11:12.250Z");
  EXPECT_EQ(text("end_time"), "2024-02-28T10:11:17.250Z");
  EXPECT_EQ(text("command_line"), "diffphase run x.toml");
  EXPECT_EQ(text("sweep"), "name = \"x\"");
  EXPECT_EQ(std::get<std::int64_t>(results.attributes.at("mpi_size")), 4);
  for (const char* library : {"mpi=", "petsc=", "slepc=", "hdf5=", "boost=", "blas="}) {
    EXPECT_THAT(text("libraries"), HasSubstr(library));
  }
  const std::string environment = results.groups.at("provenance").texts.at("environment");
  EXPECT_THAT(environment, HasSubstr("SLURM_JOB_ID=991"));
  EXPECT_THAT(environment, Not(HasSubstr("somebody")));
  EXPECT_EQ(problem(results), "none");
  ::unsetenv("SLURM_JOB_ID");
  ::unsetenv("SLURM_JOB_USER");
}

}  // namespace
}  // namespace diffphase
