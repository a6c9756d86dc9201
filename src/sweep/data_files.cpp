#include "sweep/data_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include "ensemble/content_hash.hpp"
#include "ensemble/row_reader.hpp"
#include "files/bad_input.hpp"
#include "files/wall_clock.hpp"

namespace diffphase {

namespace {

namespace fs = std::filesystem;

std::string description(const DataFileRecord& file) {
  std::string changed;
  try {
    changed = ", last changed " + iso8601(from_unix_seconds(file.time));
  } catch (const std::out_of_range&) {  // NOLINT(bugprone-empty-catch): a file system may say anything
  }
  return fmt::format("{} bytes{}, hash {}", file.size, changed, file.hash.hex());
}

// The last start that read the file, with what it found.
const DataFileRecord* last_seen(const JournalState& journals, const std::string& path, std::string& stem) {
  const DataFileRecord* last = nullptr;
  for (const auto& [start, header] : journals.headers()) {
    const auto found = std::ranges::find(header.data, path, &DataFileRecord::path);
    if (found == header.data.end()) continue;
    last = &*found;
    stem = start;
  }
  return last;
}

}  // namespace

DataFileRecord data_file(const std::string& path) {
  DataFileRecord record;
  record.path = fs::absolute(path).lexically_normal().string();
  struct stat status {};
  if (::stat(record.path.c_str(), &status) != 0) {
    throw BadInput(fmt::format("cannot look at {}: {}", record.path, std::generic_category().message(errno)));
  }
  record.size = static_cast<std::uint64_t>(status.st_size);
  record.time = static_cast<double>(status.st_mtim.tv_sec) + 1e-9 * static_cast<double>(status.st_mtim.tv_nsec);
  record.hash = content_hash(record.path);
  return record;
}

std::vector<DataFileRecord> data_files(const Sweep& sweep) {
  std::set<std::string> names;
  for (const GridCell& cell : sweep.cells) {
    if (!cell.parameters.file) continue;
    for (const std::string& name : {cell.parameters.file->path, cell.parameters.file->labels}) {
      if (!name.empty()) names.insert(split_data_name(name).file);
    }
  }
  std::vector<DataFileRecord> files;
  files.reserve(names.size());
  for (const std::string& name : names) files.push_back(data_file(name));
  return files;
}

std::vector<std::string> check_data_files(const JournalState& journals, const std::vector<DataFileRecord>& files) {
  std::vector<std::string> warnings;
  for (const DataFileRecord& now : files) {
    std::string stem;
    const DataFileRecord* before = last_seen(journals, now.path, stem);
    if (before != nullptr && before->hash != now.hash) {
      throw BadInput(
          fmt::format("{} is not what it was: the start {} read {}; this start finds {}. Results of different data are "
                      "not mixed: choose another folder with -o, put the former file back, or keep what was computed "
                      "from it with --accept-changed-data",
                      now.path, stem, description(*before), description(now)));
    }
    const bool silent = before == nullptr && std::ranges::any_of(journals.headers(), [](const auto& start) {
                          return !start.second.knows_data;
                        });
    if (silent) {
      warnings.push_back(fmt::format(
          "earlier starts of this run did not record what they read from {}: if the file has changed since, "
          "choose another folder with -o",
          now.path));
    }
  }
  return warnings;
}

}  // namespace diffphase
