#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "measure/measure.hpp"
#include "process/noising_process.hpp"
#include "sweep/identity.hpp"
#include "sweep/sweep_keys.hpp"

namespace diffphase {

/// [[zip]]: lists that move together, one axis.
struct SweepZip {
  std::string name;
  std::vector<SweepEntry> entries;  ///< at least one, of equal length
  std::string where;
  std::int64_t position = 0;
};

/// [[point]]: one more point of the grid.
struct SweepExtraPoint {
  std::vector<SweepEntry> entries;  ///< one value each
  std::string where;
};

/// A measure that the sweep file asks for, with its options, defaults filled in.
struct MeasureRequest {
  const Measure* measure = nullptr;
  std::map<std::string, double> options;
  std::map<std::string, std::string> words;
  std::map<std::string, std::vector<double>> lists;
  IdentityKeys identity;  ///< name and options that are not at their default

  std::map<std::string, std::string> option_where;  ///< of the options given, by key: "measure.gap.threshold"
  std::string where;                                ///< of its table: "sweep.toml, line 12" or "--set ..."

  /// Where what `problem` says can be mended: at the option that it names, else at the measure.
  [[nodiscard]] const std::string& where_of(const std::string& problem) const;
};

struct Resources {
  std::int64_t ranks_per_task = 0;   ///< 0: auto
  std::int64_t memory_per_rank = 0;  ///< bytes
  std::string precision;
  std::int64_t max_attempts = 0;
  double watchdog = 0.0;     ///< seconds; 0: off
  std::int64_t threads = 1;  ///< kernel threads of a rank
};

/// A sweep file, checked key by key. The grid is checked by make_sweep.
struct SweepFile {
  std::string path;            ///< what messages call it
  std::string text;            ///< as it was read
  std::string effective_text;  ///< stands alone: overrides applied, `folder` given where paths are relative

  std::vector<std::string> overrides;  ///< "key=value", as they were given

  std::string name;
  std::uint64_t seed = 1;
  std::int64_t realizations = 1;
  std::string folder;  ///< where relative paths of data files start

  NoisingProcess process;
  std::vector<double> times;     ///< ascending, on the process's clock
  IdentityKeys common_identity;  ///< process, times, seed, precision

  std::string kind;                 ///< [ensemble] kind
  std::vector<SweepEntry> entries;  ///< the other keys of [ensemble] and [dataset], in file order
  std::vector<SweepZip> zips;
  std::vector<SweepExtraPoint> points;
  std::vector<MeasureRequest> measures;  ///< in the order of the list of measures
  Resources resources;
};

/// Reads and checks a sweep file. `overrides` are texts `key=value` as of --set; relative data paths in them
/// start at the current folder, those in the file at the file's folder (or the key `folder`). `measures`: all
/// that exist. Reads no data. Throws BadInput, one sentence with file, line, key, value and what is allowed,
/// for a file that cannot be read or is not TOML; an unknown key or word (names the nearest); a wrong type;
/// an empty list or one with a value twice; a number out of range, NaN or infinite; a time grid that is not
/// ascending, starts at 0 or leaves the clock; a missing key; zipped lists of different lengths; a key given
/// twice.
[[nodiscard]] SweepFile parse_sweep_file(const std::string& path, std::span<const std::string> overrides,
                                         std::span<const Measure* const> measures);

/// The text of a sweep file. Throws BadInput for a file that cannot be read.
[[nodiscard]] std::string read_sweep_text(const std::string& path);

/// The same as parse_sweep_file for a text; `path` is what messages call it and, up to the last '/', where relative
/// paths start.
[[nodiscard]] SweepFile parse_sweep_text(const std::string& text, const std::string& path,
                                         std::span<const std::string> overrides,
                                         std::span<const Measure* const> measures);

}  // namespace diffphase
