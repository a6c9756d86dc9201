#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "measure/measure.hpp"
#include "sweep/config_tree.hpp"

namespace diffphase {

/// A list of tables of numbers, as { size = 20, sigma = 0.1 }: the fields of each in the order of KeySpec::fields.
using NumberTable = std::vector<std::pair<std::string, double>>;
using NumberTables = std::vector<NumberTable>;

/// One value of the sweep file. Vectors and tables hold integers too.
using SweepValue = std::variant<bool, std::int64_t, double, std::string, std::vector<double>, NumberTables>;

/// A value in the one form that identities and labels use: 3, 0.1, "word", true, [1,2], [{size=20,sigma=0.1}].
[[nodiscard]] std::string canonical_text(const SweepValue& value);

/// One key of the sweep file: what it may be, its default and its meaning. The validator, the identities and
/// `diffphase plan --defaults` all read this table.
struct KeySpec {
  enum class Type { integer, number, word, text, boolean, integers, numbers, tables };
  /// drawn: every kind but file.
  enum class Kind { any, drawn, mixture, manifold, sphere, file };

  std::string key;  ///< "ensemble.dimension"
  Type type = Type::text;
  std::string meaning;
  std::optional<SweepValue> value = std::nullopt;  ///< default; none: required, or absent
  bool required = false;                           ///< for the kind of data that `kind` says
  double minimum = 0.0;                            ///< of each number
  double maximum = 0.0;
  bool open = false;                    ///< minimum and maximum are not allowed themselves
  std::size_t length = 0;               ///< of a vector; 0: any but empty
  std::vector<std::string> words = {};  ///< type word: the allowed ones; else: words allowed in place of the value
  std::vector<std::string> later = {};  ///< words that a later version will know
  bool axis = false;                    ///< may be a list: an axis of the grid
  Kind kind = Kind::any;                ///< the kind of data that the key is for
  std::string symbol = {};              ///< short name in task labels
  bool expression = false;              ///< exp(ALPHA*d) is allowed in place of a number; kept as its text
  std::vector<KeySpec> fields = {};     ///< type tables: what each table must hold, keys without prefix

  /// "dimension" of "ensemble.dimension".
  [[nodiscard]] std::string_view name() const;
  /// "ensemble" of "ensemble.dimension", "measure.collapse" of "measure.collapse.probes"; empty at the top.
  [[nodiscard]] std::string_view table() const;
  [[nodiscard]] bool is_vector() const { return type == Type::integers || type == Type::numbers; }
  /// The value itself is a list: a vector or a list of tables.
  [[nodiscard]] bool is_list() const { return is_vector() || type == Type::tables; }
  /// Whether the key belongs to [ensemble] kind = `ensemble_kind`.
  [[nodiscard]] bool is_for(std::string_view ensemble_kind) const;
  /// "an integer from 1 to 1000000", "one of "raw", "[0,1]"", ...
  [[nodiscard]] std::string allowed() const;
};

/// Every key but those of the measures, in the order in which documents list them.
[[nodiscard]] const std::vector<KeySpec>& sweep_keys();
/// The keys of the measures' tables: "measure.collapse.probes", ...
[[nodiscard]] std::vector<KeySpec> measure_keys(std::span<const Measure* const> measures);
/// The specification of a key of sweep_keys(); throws std::logic_error if there is none.
[[nodiscard]] const KeySpec& key_spec(std::string_view key);
/// Names that the design reserves for later versions: tables, keys ("ensemble.classes_exponent") and measures
/// ("measure.spectrum").
[[nodiscard]] bool is_for_later_version(std::string_view key);

/// Name of the dimension that a list under this key makes in the results: the last part of the key,
/// `table_key` where two tables share it.
[[nodiscard]] std::string axis_name(std::string_view key);

/// A key with its values as the sweep file gives them.
struct SweepEntry {
  std::string key;
  std::vector<SweepValue> values;  ///< one, or those of an axis
  bool axis = false;               ///< given as a list (of one value, too)
  std::string where;               ///< "sweep.toml, line 12" or "--set ..."
  std::int64_t position = 0;       ///< sorts entries into file order
};

/// Reads the node of a key: type, range, words, list or not. Throws BadInput naming place, key, value and
/// what is allowed.
[[nodiscard]] SweepEntry read_entry(const ConfigNode& node, const KeySpec& spec);

/// `WHERE: KEY = VALUE: problem`.
[[nodiscard]] std::string value_message(const ConfigNode& node, std::string_view key, std::string_view problem);

/// The same for values that were read.
[[nodiscard]] std::string value_message(const SweepEntry& entry, std::string_view problem);

/// Text of `diffphase plan --defaults`: every key with default, meaning and what is allowed.
[[nodiscard]] std::string defaults_text(std::span<const Measure* const> measures);

}  // namespace diffphase
