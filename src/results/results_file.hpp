#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace diffphase {

/// Raised when a reader of the file has to know about a change.
inline constexpr std::int64_t results_layout_version = 1;

/// An axis of the results and its coordinate, which gives its length.
struct ResultsDimension {
  std::string name;
  std::variant<std::vector<double>, std::vector<std::int64_t>, std::vector<std::string>> coordinate;
  std::string units;  ///< may be empty, and is for words
  std::string long_name;
};

/// A variable over some of the axes, row-major. xarray takes units of "seconds", "days" and the like for time
/// differences: write "s".
struct ResultsVariable {
  using Values =
      std::variant<std::vector<double>, std::vector<std::int8_t>, std::vector<std::int64_t>, std::vector<std::string>>;
  std::string name;
  std::vector<std::string> dims;  ///< names of dimensions
  Values values;                  ///< NaN where missing; int8: statuses
  std::string units;              ///< may be empty
  std::string long_name;
  std::string source;                      ///< paper and equation; may be empty
  std::vector<std::string> flag_meanings;  ///< of int8 values 0, 1, ...: words without blanks
  bool auxiliary = false;                  ///< labels and the like: xarray lists it as a coordinate
  double tolerance = 0.0;                  ///< of predictions that approximate: an attribute where above 0
};

using ResultsAttribute = std::variant<std::string, double, std::int64_t>;

/// Things beside the results: input text, environment, timings.
struct ResultsGroup {
  std::map<std::string, std::string> texts;
  std::map<std::string, ResultsAttribute> attributes;
};

struct ResultsFile {
  std::vector<ResultsDimension> dimensions;
  std::vector<ResultsVariable> variables;
  std::map<std::string, ResultsAttribute> attributes;  ///< layout_version and Conventions are added
  std::map<std::string, ResultsGroup> groups;
};

/// Writes an HDF5 file that xarray opens (netCDF-4 conventions, a dimension scale on every axis), default
/// format, and puts it atomically in the place of `path`: a reader has the old file or the new one. Built in
/// memory, so that a full disk is noticed before anything is replaced; the values of a variable are released when they
/// are in it, so that a caller who moves the results in has little more than one copy of them at any time. Throws
/// std::logic_error if the contents do not fit together, FileError, Hdf5Error. One process only.
void write_results(const std::filesystem::path& path, ResultsFile results);

}  // namespace diffphase
