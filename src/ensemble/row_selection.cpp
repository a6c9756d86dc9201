#include "ensemble/row_selection.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <utility>

#include "ensemble/row_reader.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

namespace {

std::int64_t integer_label(const std::string& name, std::size_t row, double value) {
  constexpr double largest = 0x1p53;                              // beyond it a double no longer holds every integer
  if (std::trunc(value) != value || std::abs(value) > largest) {  // also true for NaN and infinity
    throw DatasetError(
        fmt::format("{}: the label of row {} is {}, but labels must be integers (up to 2^53)", name, row, value));
  }
  return static_cast<std::int64_t>(value);
}

// Labels are of one axis, whichever that is: a row of them is taken for a column.
std::unique_ptr<RowReader> open_labels(const std::string& name) {
  auto reader = open_rows(name, Axes::stored);
  const ArrayInfo& info = reader->info();
  const bool is_row = info.rows() == 1 && info.row_size() > 1 && info.shape.back() == info.row_size();
  return is_row ? open_rows(name, Axes::reversed) : std::move(reader);
}

// All labels of a file, in file order.
std::vector<std::int64_t> stored_labels(const std::string& name) {
  const auto reader = open_labels(name);
  const ArrayInfo& info = reader->info();
  if (info.row_size() != 1) {
    throw DatasetError(
        fmt::format("{}: labels must be one integer for each row, but their shape is {}", name, info.shape_text()));
  }
  std::vector<std::int64_t> labels(static_cast<std::size_t>(info.rows()));
  std::vector<double> block(std::size_t{1} << 16);
  for (std::size_t done = 0; done < labels.size(); done += block.size()) {
    const std::span<double> part = std::span(block).first(std::min(block.size(), labels.size() - done));
    reader->read(part);
    for (std::size_t i = 0; i < part.size(); ++i) labels[done + i] = integer_label(name, done + i, part[i]);
  }
  reader->finish();
  return labels;
}

// The first labels of a set, for a message.
std::string list_of(const std::set<std::int64_t>& labels) {
  constexpr std::size_t most = 20;
  std::vector<std::int64_t> shown(labels.begin(), labels.end());
  const bool all = shown.size() <= most;
  shown.resize(std::min(shown.size(), most));
  return fmt::format("{}{}", fmt::join(shown, ", "), all ? "" : ", ...");
}

// The label that each stored label becomes: its place in `selected`, or among those present where that is
// empty.
std::map<std::int64_t, std::int32_t> new_labels(const DatasetFile& file, const std::set<std::int64_t>& present) {
  std::vector<std::int64_t> chosen = file.select_classes;
  if (chosen.empty()) chosen.assign(present.begin(), present.end());
  std::map<std::int64_t, std::int32_t> result;
  for (const std::int64_t label : chosen) {
    if (!present.contains(label)) {
      throw DatasetError(
          fmt::format("{}: select_classes = [{}], but no row has the label {}; the labels present are {}", file.labels,
                      fmt::join(chosen, ", "), label, list_of(present)));
    }
    if (!result.emplace(label, static_cast<std::int32_t>(result.size())).second) {
      throw DatasetError(fmt::format("{}: select_classes = [{}] names the label {} twice", file.labels,
                                     fmt::join(chosen, ", "), label));
    }
  }
  return result;
}

// Fisher-Yates: position of each of `rows` rows.
std::vector<std::int64_t> shuffled_positions(std::int64_t rows, std::uint64_t seed) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(rows));
  std::iota(positions.begin(), positions.end(), std::int64_t{0});
  const RandomStream stream(seed, hash_text("shuffle"), 0, "shuffle");
  for (std::size_t i = positions.size(); i-- > 1;) {
    // The high word of bits * (i + 1): uniform on 0..i but for a bias below i / 2^64.
    __extension__ using Wide = unsigned __int128;
    const auto j = static_cast<std::size_t>((static_cast<Wide>(stream.bits(i, 0)) * (i + 1)) >> 64U);
    std::swap(positions[i], positions[j]);
  }
  return positions;
}

}  // namespace

RowSelection::RowSelection(const DatasetFile& file, std::int64_t stored_rows) : stored_rows_(stored_rows) {
  rows_ = stored_rows;
  if (!file.labels.empty()) {
    const std::vector<std::int64_t> stored = stored_labels(file.labels);
    if (static_cast<std::int64_t>(stored.size()) != stored_rows) {
      throw DatasetError(
          fmt::format("{}: has {} labels, but {} has {} rows", file.labels, stored.size(), file.path, stored_rows));
    }
    map_labels(file, stored);
  } else if (!file.select_classes.empty()) {
    throw DatasetError(fmt::format("{}: select_classes = [{}] needs labels, but no file of labels is given", file.path,
                                   fmt::join(file.select_classes, ", ")));
  }
  if (file.shuffle) positions_ = shuffled_positions(rows_, file.seed);
}

RowSelection::RowSelection(const DatasetFile& file) {
  const std::vector<std::int64_t> stored = stored_labels(file.labels);
  stored_rows_ = static_cast<std::int64_t>(stored.size());
  map_labels(file, stored);
  if (file.shuffle) positions_ = shuffled_positions(rows_, file.seed);
}

void RowSelection::map_labels(const DatasetFile& file, const std::vector<std::int64_t>& stored) {
  const std::set<std::int64_t> present(stored.begin(), stored.end());
  if (present.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw DatasetError(fmt::format("{}: has {} different labels, more than 2^31 - 1", file.labels, present.size()));
  }
  const auto mapping = new_labels(file, present);
  class_sizes_.assign(mapping.size(), 0);
  labels_.reserve(stored.size());
  for (const std::int64_t label : stored) {
    const auto found = mapping.find(label);
    labels_.push_back(found == mapping.end() ? -1 : found->second);
    if (found != mapping.end()) ++class_sizes_[static_cast<std::size_t>(found->second)];
  }
  rows_ = std::accumulate(class_sizes_.begin(), class_sizes_.end(), std::int64_t{0});
}

}  // namespace diffphase
