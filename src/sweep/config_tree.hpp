#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace diffphase {

/// A TOML document as a plain tree in file order, every node with the place it came from. Nothing outside
/// config_tree.cpp sees the TOML library.
struct ConfigNode {
  enum class Kind { boolean, integer, number, text, date, list, table };

  Kind kind = Kind::table;
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0.0;
  std::string text;               ///< text and date
  std::vector<ConfigNode> items;  ///< list: its elements; table: its members, each with a key

  std::string key;            ///< of a member of a table
  std::string where;          ///< "sweep.toml, line 12" or "--set realizations=4"
  std::int64_t position = 0;  ///< grows along the file; sorts keys into file order

  [[nodiscard]] bool is(Kind other) const { return kind == other; }
  [[nodiscard]] bool is_numeric() const { return kind == Kind::integer || kind == Kind::number; }
  /// The member of that key, nullptr if there is none.
  [[nodiscard]] const ConfigNode* find(std::string_view member) const;
};

/// "a string", "a list", ...: how messages call the node's kind.
[[nodiscard]] std::string_view kind_name(const ConfigNode& node);

/// Parses a TOML document; `name` is what messages call it. Throws BadInput with line and column where it is
/// not TOML, or where a key has more than 64 parts.
[[nodiscard]] ConfigNode parse_config(std::string_view text, const std::string& name);

/// The number that a text is: as TOML writes it, or with nothing before or behind its point (.5, 5.), as other
/// languages allow. Nothing if it is none.
[[nodiscard]] std::optional<ConfigNode> as_number(const std::string& text);

/// Applies `key=value`, key with dots ("measure.collapse.probes"), value in TOML, or a number as of as_number(),
/// also in lists and tables; what is neither is a string. A key that exists keeps its position, a new one goes to the
/// end. Returns the changed node. Throws BadInput for a text without "=", an empty part of the key or more than 64, and
/// a part of it that is not a table.
ConfigNode& apply_override(ConfigNode& root, const std::string& assignment);

/// The node as a TOML value on one line; numbers in their shortest form that reads back exactly.
[[nodiscard]] std::string to_toml_value(const ConfigNode& node);

/// The whole document, one `table.key = value` per line in file order; parses to the same tree.
[[nodiscard]] std::string to_toml(const ConfigNode& root);

}  // namespace diffphase
