#include "sweep/sweep_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>
#include <system_error>

#include "files/bad_input.hpp"
#include "files/posix_file.hpp"
#include "sweep/config_tree.hpp"
#include "sweep/nearest_name.hpp"
#include "sweep/time_grid.hpp"

namespace diffphase {

namespace {

using Node = ConfigNode::Kind;
using Entries = std::vector<SweepEntry>;

/// "process" of "process.time.from".
std::string first_part(std::string_view key) { return std::string(key.substr(0, key.find('.'))); }

/// Turns the tree into entries, each checked against its specification.
class KeyReader {
 public:
  explicit KeyReader(std::span<const Measure* const> measures) : keys_(sweep_keys()) {
    for (KeySpec& spec : measure_keys(measures)) keys_.push_back(std::move(spec));
    for (const Measure* measure : measures) measure_names_.emplace_back(measure->name());
  }

  /// All keys of a table whose own key is `prefix` without the last dot.
  void read_table(const ConfigNode& table, const std::string& prefix, Entries& out) const {
    for (const ConfigNode& node : table.items) read_member(node, prefix + node.key, prefix, out);
  }

  /// The keys of the document but [measure], [[zip]] and [[point]].
  [[nodiscard]] Entries read_document(const ConfigNode& root) const {
    Entries entries;
    for (const ConfigNode& node : root.items) {
      if (node.key == "measure" || node.key == "zip" || node.key == "point") continue;
      read_member(node, node.key, "", entries);
    }
    return entries;
  }

  /// The options given for a measure; checks that there is such a measure.
  [[nodiscard]] Entries read_measure(const ConfigNode& node) const {
    const std::string key = "measure." + node.key;
    if (std::ranges::find(measure_names_, node.key) == measure_names_.end()) refuse_unknown(node, key, "measure.");
    if (!node.is(Node::table)) refuse_non_table(node, key);
    Entries entries;
    read_table(node, key + ".", entries);
    return entries;
  }

  /// The keys of one [[zip]] or [[point]] table, `name` apart.
  [[nodiscard]] Entries read_varied(const ConfigNode& table, const std::string& what) const {
    if (!table.is(Node::table)) throw BadInput(fmt::format("{}: write {} as [[{}]]", table.where, what, what));
    Entries entries;
    for (const ConfigNode& node : table.items) {
      if (what == "zip" && node.key == "name") continue;
      if (node.key != "ensemble" && node.key != "dataset") {
        const std::vector<std::string> known = {"ensemble", "dataset"};
        throw BadInput(fmt::format("{}: [[{}]] key \"{}\": only keys of ensemble and dataset can vary{}", node.where,
                                   what, node.key, suggestion(node.key, known)));
      }
      read_member(node, node.key, "", entries);
    }
    if (entries.empty()) throw BadInput(fmt::format("{}: [[{}]] holds no key", table.where, what));
    for (const SweepEntry& entry : entries) {
      if (!key_spec(entry.key).axis) throw BadInput(value_message(entry, fmt::format("cannot vary in a [[{}]]", what)));
    }
    std::ranges::stable_sort(entries, {}, &SweepEntry::position);
    return entries;
  }

 private:
  void read_member(const ConfigNode& node, const std::string& key, const std::string& prefix, Entries& out) const {
    const auto spec = std::ranges::find(keys_, key, &KeySpec::key);
    const bool is_table = !names_under(key + ".").empty();
    if (node.is(Node::table) && is_table) {
      read_table(node, key + ".", out);
    } else if (spec != keys_.end()) {
      out.push_back(read_entry(node, *spec));
    } else if (is_table) {
      refuse_non_table(node, key);
    } else {
      refuse_unknown(node, key, prefix);
    }
  }

  /// The names that may follow a prefix such as "ensemble.".
  [[nodiscard]] std::vector<std::string> names_under(const std::string& prefix) const {
    if (prefix == "measure.") return measure_names_;
    std::vector<std::string> names;
    for (const KeySpec& spec : keys_) {
      if (!spec.key.starts_with(prefix)) continue;
      std::string name = first_part(std::string_view(spec.key).substr(prefix.size()));
      if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
    if (prefix.empty()) {
      for (const char* table : {"measure", "zip", "point"}) {
        if (std::ranges::find(names, table) == names.end()) names.emplace_back(table);
      }
    }
    return names;
  }

  [[noreturn]] static void refuse_non_table(const ConfigNode& node, const std::string& key) {
    throw BadInput(value_message(node, key, fmt::format("must be a table, not {}", kind_name(node))));
  }

  [[noreturn]] void refuse_unknown(const ConfigNode& node, const std::string& key, const std::string& prefix) const {
    if (is_for_later_version(key)) {
      throw BadInput(fmt::format("{}: {} is not available in this version", node.where, key));
    }
    const std::string value = node.is(Node::table) ? "" : " = " + to_toml_value(node);
    const auto elsewhere = std::ranges::find(keys_, node.key, &KeySpec::name);
    const std::string hint = elsewhere == keys_.end() ? suggestion(node.key, names_under(prefix))
                             : elsewhere->table().empty()
                                 ? fmt::format(" ({} stands at the top, before any table)", node.key)
                                 : fmt::format(" ({} belongs in [{}])", node.key, elsewhere->table());
    throw BadInput(fmt::format("{}: unknown key {}{}{}", node.where, key, value, hint));
  }

  std::vector<KeySpec> keys_;
  std::vector<std::string> measure_names_;
};

const SweepEntry* find_entry(const Entries& entries, std::string_view key) {
  const auto found = std::ranges::find(entries, key, &SweepEntry::key);
  return found == entries.end() ? nullptr : &*found;
}

/// The one value of a key, given or default. Throws BadInput for a key that must be given.
SweepValue value_of(const Entries& entries, std::string_view key, const std::string& path) {
  if (const SweepEntry* entry = find_entry(entries, key)) return entry->values.front();
  const KeySpec& spec = key_spec(key);
  if (!spec.value) throw BadInput(fmt::format("{}: {} is missing: {}, {}", path, key, spec.meaning, spec.allowed()));
  return *spec.value;
}

template <class Value>
Value get(const Entries& entries, std::string_view key, const std::string& path) {
  return std::get<Value>(value_of(entries, key, path));
}

/// Adds the key if it is given and not at its default.
void add_identity(IdentityKeys& keys, const Entries& entries, std::string_view key) {
  const SweepEntry* entry = find_entry(entries, key);
  if (entry == nullptr) return;
  const std::optional<SweepValue>& value = key_spec(key).value;
  std::string text = canonical_text(entry->values.front());
  if (!value || text != canonical_text(*value)) keys.emplace(key, std::move(text));
}

void check_name(const Entries& entries, const std::string& name) {
  const bool usable = name.front() != '.' && name.find_first_of("/\n") == std::string::npos;
  if (!usable) {
    throw BadInput(value_message(*find_entry(entries, "name"),
                                 "names a folder: it must not start with \".\" or hold \"/\" or a line break"));
  }
}

std::int64_t memory_bytes(const Entries& entries, const std::string& path) {
  const auto text = get<std::string>(entries, "resources.memory_per_rank", path);
  double number = 0.0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit(rest, text.data() + text.size());
  unit.erase(0, unit.find_first_not_of(' '));
  const double scale = unit == "KiB" ? 0x1p10 : unit == "MiB" ? 0x1p20 : unit == "GiB" ? 0x1p30 : 0.0;
  const double bytes = number * scale;
  if (error != std::errc{} || !(bytes >= 1024.0) || bytes > 0x1p60) {
    throw BadInput(value_message(*find_entry(entries, "resources.memory_per_rank"),
                                 "must be a positive number and KiB, MiB or GiB, for example \"4 GiB\""));
  }
  return static_cast<std::int64_t>(bytes);
}

Resources read_resources(const Entries& entries, const std::string& path) {
  Resources resources;
  const SweepValue ranks = value_of(entries, "resources.ranks_per_task", path);
  if (const auto* number = std::get_if<std::int64_t>(&ranks)) resources.ranks_per_task = *number;
  resources.memory_per_rank = memory_bytes(entries, path);
  resources.precision = get<std::string>(entries, "resources.precision", path);
  resources.max_attempts = get<std::int64_t>(entries, "resources.max_attempts", path);
  resources.watchdog = get<double>(entries, "resources.watchdog", path);
  resources.threads = get<std::int64_t>(entries, "resources.threads", path);
  return resources;
}

/// { from, to, count, spacing }.
std::vector<double> read_time_table(const Entries& entries, const std::string& path) {
  const auto from = get<double>(entries, "process.time.from", path);
  const auto to = get<double>(entries, "process.time.to", path);
  const auto count = get<std::int64_t>(entries, "process.time.count", path);
  const auto spacing = get<std::string>(entries, "process.time.spacing", path);
  if (!(from < to)) {
    throw BadInput(value_message(*find_entry(entries, "process.time.from"),
                                 "must be below to = " + canonical_text(SweepValue(to)) + ": times ascend"));
  }
  return time_grid(from, to, count, spacing == "log");
}

void check_times(const std::vector<double>& times, const NoisingProcess& process, const SweepEntry& entry) {
  for (std::size_t i = 1; i < times.size(); ++i) {
    if (times[i] > times[i - 1]) continue;
    throw BadInput(value_message(entry, fmt::format("times must ascend: {} comes after {}", times[i], times[i - 1])));
  }
  for (const double time : times) {
    if (process.contains(time)) continue;
    throw BadInput(value_message(entry, fmt::format("time {} is not on the clock of {}, which ends at {}", time,
                                                    process.name(), process.max_time())));
  }
}

void read_process(const Entries& entries, SweepFile& file) {
  file.process = NoisingProcess::named(get<std::string>(entries, "process.kind", file.path));
  const SweepEntry* list = find_entry(entries, "process.time");
  const auto in_table = [](const SweepEntry& entry) { return entry.key.starts_with("process.time."); };
  const bool table = std::ranges::any_of(entries, in_table);
  file.times =
      table ? read_time_table(entries, file.path) : get<std::vector<double>>(entries, "process.time", file.path);
  check_times(file.times, file.process, table ? *find_entry(entries, "process.time.to") : *list);
  for (const KeySpec& spec : sweep_keys()) {
    if (spec.key.starts_with("process.")) add_identity(file.common_identity, entries, spec.key);
  }
}

void read_kind(const Entries& entries, SweepFile& file) {
  const bool has_kind = find_entry(entries, "ensemble.kind") != nullptr;
  const SweepEntry* data = find_entry(entries, "dataset.file");
  file.kind = !has_kind && data != nullptr ? "file" : get<std::string>(entries, "ensemble.kind", file.path);
}

void check_no_repeats(const SweepEntry& entry) {
  std::set<std::string> seen;
  for (const SweepValue& value : entry.values) {
    const std::string text = canonical_text(value);
    if (!seen.insert(text).second) throw BadInput(value_message(entry, text + " is in the list twice"));
  }
}

/// The keys of [ensemble] but kind, and of [dataset], in file order.
Entries data_entries(const Entries& entries) {
  Entries out;
  for (const SweepEntry& entry : entries) {
    const std::string table = first_part(entry.key);
    if (entry.key == "ensemble.kind" || (table != "ensemble" && table != "dataset")) continue;
    check_no_repeats(entry);
    out.push_back(entry);
  }
  std::ranges::stable_sort(out, {}, &SweepEntry::position);
  return out;
}

/// A key of another kind of data is an error, not ignored.
void check_kind(const SweepEntry& entry, const std::string& kind) {
  if (key_spec(entry.key).is_for(kind)) return;
  throw BadInput(value_message(entry, fmt::format("is not for [ensemble] kind = \"{}\"", kind)));
}

void check_kinds(const SweepFile& file) {
  for (const SweepEntry& entry : file.entries) check_kind(entry, file.kind);
  for (const SweepZip& zip : file.zips) {
    for (const SweepEntry& entry : zip.entries) check_kind(entry, file.kind);
  }
  for (const SweepExtraPoint& point : file.points) {
    for (const SweepEntry& entry : point.entries) check_kind(entry, file.kind);
  }
}

/// The tables of [[zip]] or [[point]].
std::span<const ConfigNode> tables_of(const ConfigNode& root, const std::string& key) {
  const ConfigNode* node = root.find(key);
  if (node == nullptr) return {};
  if (!node->is(Node::list)) throw BadInput(fmt::format("{}: write {} as [[{}]]", node->where, key, key));
  return node->items;
}

std::string zip_name(const ConfigNode& table) {
  const ConfigNode* name = table.find("name");
  if (name == nullptr) return "zip";
  const auto in_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (!name->is(Node::text) || name->text.empty() || !std::ranges::all_of(name->text, in_word)) {
    throw BadInput(value_message(*name, "zip.name", "must be a string of letters, digits and _"));
  }
  return name->text;
}

void check_zip(const SweepZip& zip) {
  const SweepEntry& first = zip.entries.front();
  for (const SweepEntry& entry : zip.entries) {
    if (!entry.axis) throw BadInput(value_message(entry, "must be a list in a [[zip]]"));
    if (entry.values.size() == first.values.size()) continue;
    throw BadInput(value_message(entry, fmt::format("has {} values, but {} in the same [[zip]] has {}",
                                                    entry.values.size(), first.key, first.values.size())));
  }
}

/// A list of a zip may repeat a value, as in dimension = [256, 256] beside samples = [1000, 2000].
void read_zips(const KeyReader& reader, const ConfigNode& root, SweepFile& file) {
  const std::span<const ConfigNode> tables = tables_of(root, "zip");
  std::int64_t position = tables.empty() ? 0 : root.find("zip")->position;
  for (const ConfigNode& table : tables) {
    SweepZip zip{.name = {}, .entries = reader.read_varied(table, "zip"), .where = table.where, .position = position++};
    zip.name = zip_name(table);
    check_zip(zip);
    const auto same_name = [&](const SweepZip& other) { return other.name == zip.name; };
    if (std::ranges::any_of(file.zips, same_name)) {
      throw BadInput(
          fmt::format("{}: two [[zip]] tables are called \"{}\": give each its own name", zip.where, zip.name));
    }
    file.zips.push_back(std::move(zip));
  }
}

void read_points(const KeyReader& reader, const ConfigNode& root, SweepFile& file) {
  for (const ConfigNode& table : tables_of(root, "point")) {
    SweepExtraPoint point{.entries = reader.read_varied(table, "point"), .where = table.where};
    for (const SweepEntry& entry : point.entries) {
      if (entry.axis) throw BadInput(value_message(entry, "must be one value in a [[point]], not a list"));
    }
    file.points.push_back(std::move(point));
  }
}

/// A key of a zip cannot stand elsewhere too; a key of a point may, as the value of all other points.
void check_zip_keys_once(const SweepFile& file) {
  std::vector<const SweepEntry*> seen;
  for (const SweepEntry& entry : file.entries) seen.push_back(&entry);
  for (const SweepZip& zip : file.zips) {
    for (const SweepEntry& entry : zip.entries) {
      const auto same = std::ranges::find(seen, entry.key, &SweepEntry::key);
      if (same != seen.end()) {
        throw BadInput(value_message(entry, fmt::format("stands in a [[zip]] and also at {}", (*same)->where)));
      }
      seen.push_back(&entry);
    }
  }
}

MeasureRequest make_request(const Measure& measure, const Entries& given) {
  MeasureRequest request;
  request.measure = &measure;
  for (const SweepEntry& entry : given) request.option_where[entry.key] = entry.where;
  request.identity["measure"] = canonical_text(SweepValue(std::string(measure.name())));
  const Measure* const one[] = {&measure};
  for (const KeySpec& spec : measure_keys(one)) {
    const SweepEntry* entry = find_entry(given, spec.key);
    if (entry == nullptr && !spec.value) continue;
    const SweepValue& value = entry != nullptr ? entry->values.front() : *spec.value;
    const std::string name(spec.name());
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      request.options[name] = static_cast<double>(*integer);
    } else if (const auto* number = std::get_if<double>(&value)) {
      request.options[name] = *number;
    } else if (const auto* list = std::get_if<std::vector<double>>(&value)) {
      request.lists[name] = *list;
    } else {
      request.words[name] = std::get<std::string>(value);
    }
    const std::string text = canonical_text(value);
    if (!spec.value || text != canonical_text(*spec.value)) request.identity[spec.key] = text;
  }
  return request;
}

void read_measures(const KeyReader& reader, const ConfigNode& root, std::span<const Measure* const> measures,
                   SweepFile& file) {
  const ConfigNode* table = root.find("measure");
  if (table != nullptr && !table->is(Node::table)) {
    throw BadInput(value_message(*table, "measure", fmt::format("must be a table, not {}", kind_name(*table))));
  }
  std::map<std::string, Entries, std::less<>> given;
  std::map<std::string, std::string, std::less<>> where;
  if (table != nullptr) {
    for (const ConfigNode& node : table->items) {
      given[node.key] = reader.read_measure(node);
      where[node.key] = node.where;
    }
  }
  std::vector<std::string> known;
  for (const Measure* measure : measures) {
    known.emplace_back(measure->name());
    const auto options = given.find(measure->name());
    if (options == given.end()) continue;
    file.measures.push_back(make_request(*measure, options->second));
    file.measures.back().where = where.find(measure->name())->second;
  }
  if (file.measures.empty()) {
    throw BadInput(fmt::format("{}: [measure] is missing: name at least one of {}, for example {} = {{}}", file.path,
                               quoted_list(known), known.empty() ? "NAME" : known.front()));
  }
}

/// Where relative paths of data files start: the key `folder`, itself relative to the sweep file, or its
/// folder.
std::string data_folder(const Entries& entries, const std::string& path) {
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (const SweepEntry* given = find_entry(entries, "folder")) folder /= std::get<std::string>(given->values.front());
  return std::filesystem::absolute(folder.empty() ? "." : folder).lexically_normal().string();
}

bool is_data_path(std::string_view key) { return key == "dataset.file" || key == "dataset.labels"; }

bool has_relative_path(const Entries& entries) {
  const auto relative = [](const SweepValue& value) {
    return std::filesystem::path(std::get<std::string>(value)).is_relative();
  };
  return std::ranges::any_of(entries, [&](const SweepEntry& entry) {
    return is_data_path(entry.key) && std::ranges::any_of(entry.values, relative);
  });
}

bool has_relative_path(const SweepFile& file) {
  const auto in_table = [](const auto& table) { return has_relative_path(table.entries); };
  return has_relative_path(file.entries) || std::ranges::any_of(file.zips, in_table) ||
         std::ranges::any_of(file.points, in_table);
}

// An empty path stays so, for the check of its key to name it.
void make_absolute(ConfigNode& node) {
  if (node.is(Node::text) && !node.text.empty())
    node.text = std::filesystem::absolute(node.text).lexically_normal().string();
  for (ConfigNode& item : node.items) make_absolute(item);
}

void apply_overrides(ConfigNode& root, std::span<const std::string> overrides) {
  for (const std::string& assignment : overrides) {
    ConfigNode& node = apply_override(root, assignment);
    if (is_data_path(assignment.substr(0, assignment.find('=')))) make_absolute(node);
  }
}

/// Not allowed in a comment.
bool is_control(char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7F'; }

std::string folder_line(const std::string& folder) {
  ConfigNode node;
  node.kind = Node::text;
  node.text = folder;
  return "folder = " + to_toml_value(node) + "\n";
}

/// A text that parses to the same sweep wherever it lies.
std::string effective_text(const SweepFile& file, ConfigNode root, std::span<const std::string> overrides) {
  const bool needs_folder = has_relative_path(file);
  const ConfigNode* folder = root.find("folder");
  const bool stands_alone = !needs_folder || (folder != nullptr && std::filesystem::path(folder->text).is_absolute());
  if (overrides.empty() && stands_alone) return file.text;
  if (overrides.empty() && folder == nullptr) return folder_line(file.folder) + file.text;
  std::string text;
  for (std::string line : overrides) {
    std::ranges::replace_if(line, is_control, ' ');
    text += "# --set " + line + "\n";
  }
  std::erase_if(root.items, [](const ConfigNode& node) { return node.key == "folder"; });
  return text + (needs_folder ? folder_line(file.folder) : "") + to_toml(root);
}

}  // namespace

const std::string& MeasureRequest::where_of(const std::string& problem) const {
  // A key that another one begins with is not meant where that one stands.
  const auto names = [&](const std::string& key) {
    for (std::size_t at = problem.find(key); at != std::string::npos; at = problem.find(key, at + 1)) {
      const char behind = at + key.size() < problem.size() ? problem[at + key.size()] : ' ';
      if (behind != '_' && std::isalnum(static_cast<unsigned char>(behind)) == 0) return true;
    }
    return false;
  };
  const auto named = std::ranges::find_if(option_where, [&](const auto& option) { return names(option.first); });
  return named == option_where.end() ? where : named->second;
}

std::string read_sweep_text(const std::string& path) {
  const auto refuse = [&](const std::string& reason) {
    throw BadInput(fmt::format("{}: the sweep file cannot be read: {}", path, reason));
  };
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) refuse(error.message());
  if (std::filesystem::is_directory(status)) refuse("it is a folder");
  // What is none may be waited for, or never end.
  if (!std::filesystem::is_regular_file(status)) refuse("it is no regular file");
  try {
    return read_text(path);
  } catch (const FileError& failure) {
    refuse(std::generic_category().message(failure.code()));
  }
  return "";
}

SweepFile parse_sweep_text(const std::string& text, const std::string& path, std::span<const std::string> overrides,
                           std::span<const Measure* const> measures) {
  SweepFile file;
  file.path = path;
  file.overrides.assign(overrides.begin(), overrides.end());
  // Of TOML no part, and where something is put before the text, none of UTF-8.
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  file.text = text.substr(text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0);
  ConfigNode root = parse_config(file.text, path);
  apply_overrides(root, overrides);

  const KeyReader reader(measures);
  const Entries entries = reader.read_document(root);
  file.name = get<std::string>(entries, "name", path);
  check_name(entries, file.name);
  file.seed = static_cast<std::uint64_t>(get<std::int64_t>(entries, "seed", path));
  file.realizations = get<std::int64_t>(entries, "realizations", path);
  file.folder = data_folder(entries, path);
  read_process(entries, file);
  add_identity(file.common_identity, entries, "seed");
  add_identity(file.common_identity, entries, "resources.precision");
  file.resources = read_resources(entries, path);

  read_kind(entries, file);
  file.entries = data_entries(entries);
  read_zips(reader, root, file);
  read_points(reader, root, file);
  check_kinds(file);
  check_zip_keys_once(file);
  read_measures(reader, root, measures, file);
  file.effective_text = effective_text(file, std::move(root), overrides);
  return file;
}

SweepFile parse_sweep_file(const std::string& path, std::span<const std::string> overrides,
                           std::span<const Measure* const> measures) {
  return parse_sweep_text(read_sweep_text(path), path, overrides, measures);
}

}  // namespace diffphase
