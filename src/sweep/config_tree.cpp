#include "sweep/config_tree.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "files/bad_input.hpp"
#include "sweep/canonical_number.hpp"

namespace diffphase {

namespace {

using Kind = ConfigNode::Kind;

constexpr std::int64_t positions_per_line = std::int64_t{1} << 20;
constexpr std::int64_t end_of_file = std::numeric_limits<std::int64_t>::max() / 2;
constexpr std::size_t most_parts = 64;  // of a key: each is a table in the one before, and a call deeper

[[noreturn]] void refuse_long_key(const std::string& where) {
  throw BadInput(fmt::format("{}: a key has more than {} parts", where, most_parts));
}

bool may_be_in_bare_key(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/// Behind the TOML string that begins at `begin` with its quote; where it has no end, behind the text or the line.
std::size_t end_of_string(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  const bool long_string = text.substr(begin, 3) == std::string(3, quote);
  const std::string_view end = text.substr(begin, long_string ? 3 : 1);
  for (std::size_t at = begin + end.size(); at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text.substr(at, end.size()) == end) {
      at += end.size();
      // Two quotes more may stand before the three that end a long string.
      for (int more = 0; long_string && more < 2 && at < text.size() && text[at] == quote; ++more) ++at;
      return at;
    } else if (text[at] == '\n' && !long_string) {
      return at;
    }
  }
  return text.size();
}

/// The TOML library bounds the depth of lists and inline tables, not that of keys with dots.
void check_keys(std::string_view text, const std::string& name) {
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = end_of_string(text, at);
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '.') {
      if (++dots >= most_parts) {
        refuse_long_key(fmt::format("{}, line {}", name, 1 + std::ranges::count(text.substr(0, at), '\n')));
      }
    } else if (!may_be_in_bare_key(c) && c != ' ' && c != '\t') {
      dots = 0;
    }
    ++at;
  }
}

std::int64_t position_of(const toml::source_region& region) {
  return static_cast<std::int64_t>(region.begin.line) * positions_per_line + region.begin.column;
}

void sort_by_position(std::vector<ConfigNode>& nodes) { std::ranges::stable_sort(nodes, {}, &ConfigNode::position); }

ConfigNode convert(const toml::node& node, const toml::source_region& region, const std::string& file);

void convert_members(const toml::table& table, const std::string& file, ConfigNode& out) {
  for (const auto& [key, value] : table) {
    out.items.push_back(convert(value, key.source(), file));
    out.items.back().key = std::string(key.str());
  }
  sort_by_position(out.items);
}

void convert_items(const toml::array& array, const std::string& file, ConfigNode& out) {
  for (const toml::node& item : array) out.items.push_back(convert(item, item.source(), file));
}

template <class Date>
std::string date_text(const Date& date) {
  std::ostringstream text;
  text << date;
  return text.str();
}

ConfigNode convert(const toml::node& node, const toml::source_region& region, const std::string& file) {
  ConfigNode out;
  out.position = position_of(region);
  out.where = fmt::format("{}, line {}", file, region.begin.line);
  node.visit([&](const auto& value) {
    using Node = std::remove_cvref_t<decltype(value)>;
    if constexpr (toml::is_table<Node>) {
      out.kind = Kind::table;
      convert_members(value, file, out);
    } else if constexpr (toml::is_array<Node>) {
      out.kind = Kind::list;
      convert_items(value, file, out);
    } else if constexpr (toml::is_string<Node>) {
      out.kind = Kind::text;
      out.text = value.get();
    } else if constexpr (toml::is_integer<Node>) {
      out.kind = Kind::integer;
      out.integer = value.get();
    } else if constexpr (toml::is_floating_point<Node>) {
      out.kind = Kind::number;
      out.number = value.get();
    } else if constexpr (toml::is_boolean<Node>) {
      out.kind = Kind::boolean;
      out.boolean = value.get();
    } else {
      out.kind = Kind::date;
      out.text = date_text(value.get());
    }
  });
  return out;
}

std::string toml_string(const std::string& text) {
  std::ostringstream out;
  out << toml::toml_formatter{toml::value<std::string>(text), toml::format_flags::none};
  return out.str();
}

bool is_toml_text(const std::string& text) {
  try {
    return parse_config("value = " + toml_string(text), "").items.at(0).text == text;
  } catch (const BadInput&) {
    return false;
  }
}

std::optional<ConfigNode> toml_value(const std::string& text) {
  try {
    return parse_config("value = " + text, "--set").items.at(0);
  } catch (const BadInput&) {
    return std::nullopt;
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Numbers get the zero that TOML wants before and behind a point: .5 becomes 0.5, and 5. becomes 5.0. Strings stay.
std::string with_digits_around_points(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '"' || text[at] == '\'') {
      const std::size_t end = end_of_string(text, at);
      out += text.substr(at, end - at);
      at = end;
      continue;
    }
    const bool digit_before = at > 0 && is_digit(text[at - 1]);
    const bool digit_behind = at + 1 < text.size() && is_digit(text[at + 1]);
    const bool point = text[at] == '.' && (digit_before || digit_behind);
    if (point && !digit_before) out += '0';
    out += text[at++];
    if (point && !digit_behind) out += '0';
  }
  return out;
}

/// The value of `--set key=value`: TOML if it is, or would be with digits around all points, else the text itself.
ConfigNode override_value(const std::string& value, const std::string& where) {
  std::optional<ConfigNode> toml = toml_value(value);
  if (!toml) toml = toml_value(with_digits_around_points(value));
  ConfigNode node = toml.value_or(ConfigNode{});
  if (!toml) node.kind = Kind::date;
  const bool several_lines = value.find('\n') != std::string::npos;
  if (node.is(Kind::date) || several_lines) {
    node = ConfigNode{};
    node.kind = Kind::text;
    node.text = value;
    if (!is_toml_text(value)) throw BadInput(where + ": must be UTF-8");
  }
  return node;
}

void set_where(ConfigNode& node, const std::string& where, std::int64_t& position) {
  node.where = where;
  node.position = position++;
  for (ConfigNode& item : node.items) set_where(item, where, position);
}

/// The member of that key; made as an empty table at the end if there is none.
ConfigNode& member(ConfigNode& table, const std::string& key, const std::string& where) {
  if (!table.is(Kind::table)) {
    throw BadInput(fmt::format("{}: \"{}\" is not a table, \"{}\" cannot be set in it", where, table.key, key));
  }
  const auto found = std::ranges::find(table.items, key, &ConfigNode::key);
  if (found != table.items.end()) return *found;
  ConfigNode& made = table.items.emplace_back();
  made.key = key;
  made.where = where;
  made.position = end_of_file;
  return made;
}

std::vector<std::string> split_key(const std::string& key) {
  std::vector<std::string> parts(1);
  for (const char c : key) {
    if (c == '.') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::int64_t last_position(const ConfigNode& node) {
  std::int64_t last = node.position;
  for (const ConfigNode& item : node.items) last = std::max(last, last_position(item));
  return last;
}

bool is_bare(const std::string& key) { return !key.empty() && std::ranges::all_of(key, may_be_in_bare_key); }

std::string toml_key(const std::string& key) { return is_bare(key) ? key : toml_string(key); }

std::string toml_float(double number) {
  std::string text = canonical_number(number);
  const bool marked = text.find_first_of(".en") != std::string::npos;  // 1.5, 1e+20, nan, inf
  return marked ? text : text + ".0";
}

struct Line {
  std::int64_t position;
  std::string text;
};

/// Lines `prefix.key = value` of everything in the table; empty tables and lists of tables are values.
void collect_lines(const ConfigNode& table, const std::string& prefix, std::vector<Line>& lines) {
  for (const ConfigNode& node : table.items) {
    const std::string key = prefix + toml_key(node.key);
    if (node.is(Kind::table) && !node.items.empty()) {
      collect_lines(node, key + ".", lines);
    } else {
      lines.push_back({node.position, fmt::format("{} = {}\n", key, to_toml_value(node))});
    }
  }
}

}  // namespace

const ConfigNode* ConfigNode::find(std::string_view member) const {
  if (kind != Kind::table) return nullptr;
  const auto found = std::ranges::find(items, member, &ConfigNode::key);
  return found == items.end() ? nullptr : &*found;
}

std::string_view kind_name(const ConfigNode& node) {
  switch (node.kind) {
    case Kind::boolean:
      return "a boolean";
    case Kind::integer:
      return "an integer";
    case Kind::number:
      return "a number";
    case Kind::text:
      return "a string";
    case Kind::date:
      return "a date";
    case Kind::list:
      return "a list";
    case Kind::table:
      return "a table";
  }
  return "";
}

ConfigNode parse_config(std::string_view text, const std::string& name) {
  check_keys(text, name);
  try {
    const toml::table document = toml::parse(text, name);
    ConfigNode root;
    root.where = name;
    convert_members(document, name, root);
    return root;
  } catch (const toml::parse_error& error) {
    const toml::source_position& at = error.source().begin;
    throw BadInput(fmt::format("{}, line {}, column {}: not TOML: {}", name, at.line, at.column, error.description()));
  }
}

std::optional<ConfigNode> as_number(const std::string& text) {
  std::optional<ConfigNode> node = toml_value(with_digits_around_points(text));
  return node && node->is_numeric() ? node : std::nullopt;
}

ConfigNode& apply_override(ConfigNode& root, const std::string& assignment) {
  const std::string where = "--set " + assignment;
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos) throw BadInput(where + ": must be key=value, for example realizations=4");
  std::int64_t position = std::max(end_of_file, last_position(root) + 1);
  ConfigNode* node = &root;
  const std::vector<std::string> parts = split_key(assignment.substr(0, equals));
  if (parts.size() > most_parts) refuse_long_key(where);
  for (const std::string& part : parts) {
    if (part.empty()) throw BadInput(where + ": the key has an empty part");
    node = &member(*node, part, where);
  }
  ConfigNode value = override_value(assignment.substr(equals + 1), where);
  set_where(value, where, position);
  value.key = node->key;
  if (node->position < end_of_file) value.position = node->position;
  *node = std::move(value);
  return *node;
}

std::string to_toml_value(const ConfigNode& node) {
  switch (node.kind) {
    case Kind::boolean:
      return node.boolean ? "true" : "false";
    case Kind::integer:
      return fmt::format("{}", node.integer);
    case Kind::number:
      return toml_float(node.number);
    case Kind::text:
      return toml_string(node.text);
    case Kind::date:
      return node.text;
    case Kind::list:
    case Kind::table:
      break;
  }
  const bool table = node.is(Kind::table);
  std::string text;
  for (const ConfigNode& item : node.items) {
    if (!text.empty()) text += ", ";
    if (table) text += toml_key(item.key) + " = ";
    text += to_toml_value(item);
  }
  if (!table) return fmt::format("[{}]", text);
  return text.empty() ? "{}" : fmt::format("{{ {} }}", text);
}

std::string to_toml(const ConfigNode& root) {
  std::vector<Line> lines;
  collect_lines(root, "", lines);
  std::ranges::stable_sort(lines, {}, &Line::position);
  std::string text;
  for (const Line& line : lines) text += line.text;
  return text;
}

}  // namespace diffphase
