#include "sweep/sweep_keys.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "files/bad_input.hpp"
#include "sweep/canonical_number.hpp"
#include "sweep/nearest_name.hpp"
#include "sweep/sample_expression.hpp"

namespace diffphase {

namespace {

using Type = KeySpec::Type;
using Kind = KeySpec::Kind;
using Node = ConfigNode::Kind;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double largest_count = 1e12;

SweepValue word(const char* text) { return std::string(text); }
SweepValue integer(std::int64_t value) { return value; }

std::vector<KeySpec> make_sweep_keys() {
  std::vector<KeySpec> keys;
  keys.push_back({.key = "name",
                  .type = Type::text,
                  .meaning = "name of the sweep; runs/<name> is the default folder of its results",
                  .required = true});
  keys.push_back({.key = "seed",
                  .type = Type::integer,
                  .meaning = "key of all random numbers",
                  .value = integer(1),
                  .minimum = 0,
                  .maximum = 9e18});
  keys.push_back({.key = "realizations",
                  .type = Type::integer,
                  .meaning = "independent ensembles per grid point",
                  .value = integer(1),
                  .minimum = 1,
                  .maximum = 1e6});
  keys.push_back({.key = "folder",
                  .type = Type::text,
                  .meaning = "where relative paths start; default: the folder of the sweep file"});

  keys.push_back({.key = "process.kind",
                  .type = Type::word,
                  .meaning = "the noising process, which is the clock of all times",
                  .required = true,
                  .words = NoisingProcess::names()});
  keys.push_back({.key = "process.time",
                  .type = Type::numbers,
                  .meaning = "the times, ascending, as a list or as { from, to, count, spacing }",
                  .required = true,
                  .minimum = 0,
                  .maximum = infinity,
                  .open = true});
  keys.push_back({.key = "process.time.from",
                  .type = Type::number,
                  .meaning = "first time, exact",
                  .minimum = 0,
                  .maximum = infinity,
                  .open = true});
  keys.push_back({.key = "process.time.to",
                  .type = Type::number,
                  .meaning = "last time, exact",
                  .minimum = 0,
                  .maximum = infinity,
                  .open = true});
  keys.push_back({.key = "process.time.count",
                  .type = Type::integer,
                  .meaning = "number of times, both ends included",
                  .minimum = 2,
                  .maximum = 100000});
  keys.push_back({.key = "process.time.spacing",
                  .type = Type::word,
                  .meaning = "equal ratios or equal differences",
                  .value = word("log"),
                  .words = {"log", "linear"}});

  keys.push_back({.key = "ensemble.kind",
                  .type = Type::word,
                  .meaning = "what the data are",
                  .required = true,
                  .words = {"gaussian-mixture", "linear-manifold", "hypersphere", "file"}});
  keys.push_back({.key = "ensemble.dimension",
                  .type = Type::integer,
                  .meaning = "number of coordinates d",
                  .required = true,
                  .minimum = 1,
                  .maximum = largest_count,
                  .axis = true,
                  .kind = Kind::drawn,
                  .symbol = "d"});
  keys.push_back({.key = "ensemble.classes",
                  .type = Type::integer,
                  .meaning = "number of classes K; 1: a single Gaussian at the origin; hierarchical: a b of branches",
                  .value = integer(1),
                  .minimum = 1,
                  .maximum = 1e9,
                  .axis = true,
                  .kind = Kind::mixture,
                  .symbol = "K"});
  keys.push_back({.key = "ensemble.centroids",
                  .type = Type::word,
                  .meaning = "where the centroids are",
                  .value = word("random"),
                  .words = {"random", "opposite", "orthogonal", "simplex", "hierarchical"},
                  .axis = true,
                  .kind = Kind::mixture});
  keys.push_back({.key = "ensemble.branches",
                  .type = Type::integers,
                  .meaning = "hierarchical centroids: [superclasses, classes in each]",
                  .minimum = 1,
                  .maximum = 1e9,
                  .length = 2,
                  .axis = true,
                  .kind = Kind::mixture});
  keys.push_back({.key = "ensemble.class_fraction",
                  .type = Type::number,
                  .meaning = "hierarchical centroids: share of |mu|^2 that tells the classes of one superclass apart",
                  .value = 0.5,
                  .minimum = 0,
                  .maximum = 1,
                  .open = true,
                  .axis = true,
                  .kind = Kind::mixture});
  keys.push_back({.key = "ensemble.separation",
                  .type = Type::number,
                  .meaning = "norm of the centroids over sqrt(dimension)",
                  .value = 1.0,
                  .minimum = 0,
                  .maximum = infinity,
                  .axis = true,
                  .kind = Kind::mixture});
  keys.push_back({.key = "ensemble.sigma",
                  .type = Type::number,
                  .meaning = "standard deviation within a class",
                  .value = 1.0,
                  .minimum = 0,
                  .maximum = infinity,
                  .open = true,
                  .axis = true,
                  .kind = Kind::mixture});
  keys.push_back({.key = "ensemble.class_sigma",
                  .type = Type::numbers,
                  .meaning = "standard deviation of each class, in place of sigma",
                  .minimum = 0,
                  .maximum = infinity,
                  .open = true,
                  .axis = true,
                  .kind = Kind::mixture});
  keys.push_back({.key = "ensemble.weights",
                  .type = Type::numbers,
                  .meaning = "weight of each class",
                  .value = word("uniform"),
                  .minimum = 0,
                  .maximum = infinity,
                  .open = true,
                  .words = {"uniform"},
                  .axis = true,
                  .kind = Kind::mixture});
  keys.push_back(
      {.key = "ensemble.representation",
       .type = Type::word,
       .meaning = "how the law is computed: every coordinate of every row, the span of the classes, training sets "
                  "drawn in law for each probe, their nearest points (an approximation, for any number of samples); "
                  "auto: reduced where that is far cheaper, extreme beyond 10^10 samples",
       .value = word("auto"),
       .words = {"auto", "explicit", "projected", "streaming", "extreme"},
       .later = {"annealed", "infinite"},
       .axis = true,
       .kind = Kind::mixture});

  keys.push_back({.key = "ensemble.blocks",
                  .type = Type::tables,
                  .meaning = "linear manifold: directions and standard deviation of each variance block",
                  .required = true,
                  .axis = true,
                  .kind = Kind::manifold,
                  .fields = {{.key = "size",
                              .type = Type::integer,
                              .meaning = "directions of the block",
                              .required = true,
                              .minimum = 1,
                              .maximum = largest_count},
                             {.key = "sigma",
                              .type = Type::number,
                              .meaning = "standard deviation along them",
                              .required = true,
                              .minimum = 0,
                              .maximum = infinity,
                              .open = true}}});
  keys.push_back({.key = "ensemble.factor",
                  .type = Type::word,
                  .meaning = "linear manifold: columns of F in x = F z, of exact variance or with Gaussian entries",
                  .value = word("orthonormal"),
                  .words = {"orthonormal", "gaussian"},
                  .axis = true,
                  .kind = Kind::manifold});
  keys.push_back({.key = "ensemble.normalisation",
                  .type = Type::word,
                  .meaning = "gaussian factor: variance of its entries, sigma^2 over the number of its columns, over "
                             "dimension, or itself",
                  .value = word("columns"),
                  .words = {"columns", "dimension", "none"},
                  .axis = true,
                  .kind = Kind::manifold});
  keys.push_back({.key = "ensemble.ambient_noise",
                  .type = Type::number,
                  .meaning = "linear manifold: standard deviation of isotropic noise that is part of the data",
                  .value = 0.0,
                  .minimum = 0,
                  .maximum = infinity,
                  .axis = true,
                  .kind = Kind::manifold});
  keys.push_back({.key = "ensemble.sphere_dimension",
                  .type = Type::integer,
                  .meaning = "hypersphere: dimension of the surface, in sphere_dimension + 1 of the coordinates",
                  .required = true,
                  .minimum = 1,
                  .maximum = largest_count,
                  .axis = true,
                  .kind = Kind::sphere});
  keys.push_back({.key = "ensemble.radius",
                  .type = Type::number,
                  .meaning = "hypersphere: radius",
                  .value = 1.0,
                  .minimum = 0,
                  .maximum = infinity,
                  .open = true,
                  .axis = true,
                  .kind = Kind::sphere});

  keys.push_back({.key = "dataset.samples",
                  .type = Type::integer,
                  .meaning = "size n of the training set; smaller ones are prefixes of the largest; file: all rows",
                  .minimum = 1,
                  .maximum = largest_count,
                  .axis = true,
                  .symbol = "n",
                  .expression = true});
  keys.push_back({.key = "dataset.file",
                  .type = Type::text,
                  .meaning = "training set: IDX or NPY, also gzipped, npz (file.npz:name) or HDF5 (file.h5:/path)",
                  .required = true,
                  .axis = true,
                  .kind = Kind::file});
  keys.push_back({.key = "dataset.labels",
                  .type = Type::text,
                  .meaning = "class of each row, a file of the same formats",
                  .axis = true,
                  .kind = Kind::file});
  keys.push_back({.key = "dataset.select_classes",
                  .type = Type::integers,
                  .meaning = "keep only the rows with these labels; default: all",
                  .minimum = 0,
                  .maximum = 1e9,
                  .axis = true,
                  .kind = Kind::file});
  keys.push_back({.key = "dataset.pad",
                  .type = Type::integer,
                  .meaning = "zeros added on each side of an image",
                  .value = integer(0),
                  .minimum = 0,
                  .maximum = 4096,
                  .axis = true,
                  .kind = Kind::file});
  keys.push_back(
      {.key = "dataset.transpose",
       .type = Type::boolean,
       .meaning = "reverse the axes, so that the last one counts points: of files that MATLAB, Julia or R wrote",
       .value = false,
       .axis = true,
       .kind = Kind::file});
  keys.push_back({.key = "dataset.shuffle",
                  .type = Type::boolean,
                  .meaning = "permute the rows",
                  .value = false,
                  .axis = true,
                  .kind = Kind::file});
  keys.push_back({.key = "dataset.scaling",
                  .type = Type::word,
                  .meaning = "values as stored, integers over their type's maximum, or to mean 0 and deviation 1",
                  .value = word("raw"),
                  .words = {"raw", "[0,1]", "[-1,1]", "standardised"},
                  .axis = true,
                  .kind = Kind::file});

  keys.push_back({.key = "resources.ranks_per_task",
                  .type = Type::integer,
                  .meaning = "ranks that work on one task",
                  .value = word("auto"),
                  .minimum = 1,
                  .maximum = 1e6,
                  .words = {"auto"}});
  keys.push_back({.key = "resources.threads",
                  .type = Type::integer,
                  .meaning = "OpenMP threads of each rank in the posterior pass, for ranks that have several cores",
                  .value = integer(1),
                  .minimum = 1,
                  .maximum = 1024});
  keys.push_back({.key = "resources.memory_per_rank",
                  .type = Type::text,
                  .meaning = "memory that a rank may use, in KiB, MiB or GiB",
                  .value = word("4 GiB")});
  keys.push_back({.key = "resources.precision",
                  .type = Type::word,
                  .meaning = "mixed stores floats and computes in double, single makes the posterior pass in float",
                  .value = word("double"),
                  .words = {"double", "mixed", "single"}});
  keys.push_back({.key = "resources.max_attempts",
                  .type = Type::integer,
                  .meaning = "starts of a task that never ended before it counts as failed",
                  .value = integer(3),
                  .minimum = 1,
                  .maximum = 1000});
  keys.push_back({.key = "resources.watchdog",
                  .type = Type::number,
                  .meaning = "seconds without progress after which a group of ranks is reported; 0: never",
                  .value = 600.0,
                  .minimum = 0,
                  .maximum = 1e9});
  return keys;
}

KeySpec measure_key(const Measure& measure, const MeasureOption& option) {
  KeySpec spec{.key = fmt::format("measure.{}.{}", measure.name(), option.name), .meaning = option.meaning};
  spec.minimum = option.minimum;
  spec.maximum = option.maximum;
  spec.words = option.words;
  if (option.list) {
    spec.type = Type::numbers;
    spec.open = true;
  } else if (!option.words.empty()) {
    spec.type = Type::word;
    spec.value = option.words.front();
  } else if (option.integer) {
    spec.type = Type::integer;
    spec.value = static_cast<std::int64_t>(option.value);
  } else {
    spec.type = Type::number;
    spec.value = option.value;
  }
  return spec;
}

std::string quoted(const std::string& text) {
  std::string out(1, '"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  out += '"';
  return out;
}

std::string printed(double bound) {
  if (std::abs(bound) < 1e15 && bound == std::floor(bound)) return fmt::format("{:.0f}", bound);
  return canonical_number(bound);
}

std::string range_text(const KeySpec& spec) {
  const bool low = std::isfinite(spec.minimum);
  const bool high = std::isfinite(spec.maximum);
  if (spec.open) {
    if (low && high) return fmt::format(" above {} and below {}", printed(spec.minimum), printed(spec.maximum));
    return low ? " above " + printed(spec.minimum) : "";
  }
  if (low && high) return fmt::format(" from {} to {}", printed(spec.minimum), printed(spec.maximum));
  if (low) return " of at least " + printed(spec.minimum);
  return high ? " of at most " + printed(spec.maximum) : "";
}

bool in_range(double number, const KeySpec& spec) {
  if (spec.open) return number > spec.minimum && number < spec.maximum;
  return number >= spec.minimum && number <= spec.maximum;
}

[[noreturn]] void refuse(const ConfigNode& node, const KeySpec& spec, std::string_view problem) {
  throw BadInput(value_message(node, spec.key, problem));
}

bool is_one_of(const std::string& text, const std::vector<std::string>& words) {
  return std::ranges::find(words, text) != words.end();
}

/// " (a list is written [8, 16])" of a string whose parts between commas the key would take.
std::string list_hint(const ConfigNode& node, const KeySpec& spec) {
  if (!node.is(Node::text) || node.text.find(',') == std::string::npos || (!spec.axis && !spec.is_vector())) return "";
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin <= node.text.size();) {
    const std::size_t end = std::min(node.text.find(',', begin), node.text.size());
    std::string item = node.text.substr(begin, end - begin);
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
    if (is_one_of(item, spec.words)) {
      items.push_back(canonical_text(SweepValue(item)));
    } else if (const std::optional<ConfigNode> number = spec.type == Type::word ? std::nullopt : as_number(item)) {
      items.push_back(to_toml_value(*number));
    } else {
      return "";
    }
    begin = end + 1;
  }
  return fmt::format(" (a list is written [{}])", fmt::join(items, ", "));
}

std::string expected(const ConfigNode& node, const KeySpec& spec) {
  return fmt::format("must be {}, not {}{}", spec.allowed(), kind_name(node), list_hint(node, spec));
}

double read_number(const ConfigNode& node, const KeySpec& spec) {
  if (!node.is_numeric()) refuse(node, spec, expected(node, spec));
  const double number = node.is(Node::integer) ? static_cast<double>(node.integer) : node.number;
  if (!std::isfinite(number)) refuse(node, spec, fmt::format("must be {}, a finite number", spec.allowed()));
  const bool integral = spec.type == Type::integer || spec.type == Type::integers;
  if (integral && number != std::floor(number)) refuse(node, spec, expected(node, spec));
  if (!in_range(number, spec)) refuse(node, spec, "must be " + spec.allowed());
  return number;
}

/// The word of a text node if it is one that the key knows.
std::optional<std::string> read_known_word(const ConfigNode& node, const KeySpec& spec) {
  if (!node.is(Node::text)) return std::nullopt;
  if (is_one_of(node.text, spec.words)) return node.text;
  if (is_one_of(node.text, spec.later)) refuse(node, spec, "is not available in this version; " + spec.allowed());
  return std::nullopt;
}

std::vector<double> read_vector(const ConfigNode& node, const KeySpec& spec) {
  if (!node.is(Node::list)) refuse(node, spec, expected(node, spec));
  if (node.items.empty()) refuse(node, spec, fmt::format("the list is empty; must be {}", spec.allowed()));
  if (spec.length != 0 && node.items.size() != spec.length) refuse(node, spec, "must be " + spec.allowed());
  std::vector<double> values;
  for (const ConfigNode& item : node.items) values.push_back(read_number(item, spec));
  return values;
}

/// One table of a list of tables; `key` is "ensemble.blocks[0]".
NumberTable read_table(const ConfigNode& node, const KeySpec& spec, const std::string& key) {
  std::vector<std::string> names;
  for (const KeySpec& field : spec.fields) names.push_back(field.key);
  if (!node.is(Node::table)) {
    throw BadInput(value_message(
        node, key, fmt::format("must be a table of {}, not {}", fmt::join(names, " and "), kind_name(node))));
  }
  for (const ConfigNode& member : node.items) {
    if (std::ranges::find(names, member.key) != names.end()) continue;
    throw BadInput(fmt::format("{}: unknown key {}.{} = {}{}", member.where, key, member.key, to_toml_value(member),
                               suggestion(member.key, names)));
  }
  NumberTable table;
  for (KeySpec field : spec.fields) {
    const ConfigNode* member = node.find(field.key);
    const std::string name = field.key;
    field.key = fmt::format("{}.{}", key, name);
    if (member == nullptr) {
      throw BadInput(fmt::format("{}: {} is missing: {}, {}", node.where, field.key, field.meaning, field.allowed()));
    }
    table.emplace_back(name, read_number(*member, field));
  }
  return table;
}

NumberTables read_tables(const ConfigNode& node, const KeySpec& spec) {
  if (!node.is(Node::list)) refuse(node, spec, expected(node, spec));
  if (node.items.empty()) refuse(node, spec, fmt::format("the list is empty; must be {}", spec.allowed()));
  NumberTables tables;
  for (const ConfigNode& item : node.items) {
    tables.push_back(read_table(item, spec, fmt::format("{}[{}]", spec.key, tables.size())));
  }
  return tables;
}

std::string read_expression(const ConfigNode& node, const KeySpec& spec) {
  const std::optional<SampleExpression> expression = parse_sample_expression(node.text);
  if (!expression) refuse(node, spec, "must be " + spec.allowed());
  return expression->text();
}

/// One value, not an axis.
SweepValue read_value(const ConfigNode& node, const KeySpec& spec) {
  if (std::optional<std::string> known = read_known_word(node, spec)) return *std::move(known);
  if (spec.expression && node.is(Node::text)) return read_expression(node, spec);
  switch (spec.type) {
    case Type::integer: {
      const double number = read_number(node, spec);
      return node.is(Node::integer) ? node.integer : static_cast<std::int64_t>(number);
    }
    case Type::number:
      return read_number(node, spec);
    case Type::integers:
    case Type::numbers:
      return read_vector(node, spec);
    case Type::tables:
      return read_tables(node, spec);
    case Type::boolean:
      if (!node.is(Node::boolean)) refuse(node, spec, expected(node, spec));
      return node.boolean;
    case Type::text:
      if (!node.is(Node::text)) refuse(node, spec, expected(node, spec));
      if (node.text.empty()) refuse(node, spec, "must not be empty");
      if (node.text.find('\0') != std::string::npos) {
        refuse(node, spec, "must not hold a zero byte, which ends a name for the system");
      }
      return node.text;
    case Type::word:
      break;
  }
  if (!node.is(Node::text)) refuse(node, spec, expected(node, spec));
  const std::string list = list_hint(node, spec);
  refuse(node, spec,
         fmt::format("must be {}{}", spec.allowed(), list.empty() ? nearest_name(node.text, spec.words) : list));
}

/// A list is an axis, but a plain list under a key that wants a vector or tables is one value.
bool is_axis(const ConfigNode& node, const KeySpec& spec) {
  if (!node.is(Node::list)) return false;
  if (!spec.is_list()) return true;
  return std::ranges::any_of(node.items,
                             [](const ConfigNode& item) { return item.is(Node::list) || item.is(Node::text); });
}

void read_axis(const ConfigNode& node, const KeySpec& spec, SweepEntry& entry) {
  if (!spec.axis && spec.is_list()) refuse(node, spec, fmt::format("must be {}", spec.allowed()));
  if (!spec.axis) refuse(node, spec, fmt::format("must be one value, not a list: {}", spec.allowed()));
  if (node.items.empty()) refuse(node, spec, fmt::format("the list is empty; each value must be {}", spec.allowed()));
  for (const ConfigNode& item : node.items) entry.values.push_back(read_value(item, spec));
}

}  // namespace

std::string canonical_text(const SweepValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *number);
  if (const double* number = std::get_if<double>(&value)) return canonical_number(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  std::vector<std::string> items;
  if (const auto* tables = std::get_if<NumberTables>(&value)) {
    for (const NumberTable& table : *tables) {
      std::vector<std::string> fields;
      for (const auto& [key, number] : table) fields.push_back(key + "=" + canonical_number(number));
      items.push_back(fmt::format("{{{}}}", fmt::join(fields, ",")));
    }
  } else {
    for (const double number : std::get<std::vector<double>>(value)) items.push_back(canonical_number(number));
  }
  return fmt::format("[{}]", fmt::join(items, ","));
}

std::string_view KeySpec::name() const {
  const std::size_t dot = key.rfind('.');
  return dot == std::string::npos ? std::string_view(key) : std::string_view(key).substr(dot + 1);
}

std::string_view KeySpec::table() const {
  const std::size_t dot = key.rfind('.');
  return dot == std::string::npos ? std::string_view() : std::string_view(key).substr(0, dot);
}

bool KeySpec::is_for(std::string_view ensemble_kind) const {
  switch (kind) {
    case Kind::any:
      return true;
    case Kind::drawn:
      return ensemble_kind != "file";
    case Kind::mixture:
      return ensemble_kind == "gaussian-mixture";
    case Kind::manifold:
      return ensemble_kind == "linear-manifold";
    case Kind::sphere:
      return ensemble_kind == "hypersphere";
    case Kind::file:
      return ensemble_kind == "file";
  }
  return false;
}

std::string KeySpec::allowed() const {
  std::string or_words = type == Type::word || words.empty() ? "" : " or " + quoted_list(words);
  if (expression) or_words += " or \"exp(ALPHA*d)\"";
  switch (type) {
    case Type::integer:
      return "an integer" + range_text(*this) + or_words;
    case Type::number:
      return "a number" + range_text(*this) + or_words;
    case Type::integers:
    case Type::numbers: {
      const std::string what = type == Type::integers ? "integers" : "numbers";
      const std::string count = length == 0 ? "" : fmt::format("{} ", length);
      return fmt::format("a list of {}{}{}{}", count, what, range_text(*this), or_words);
    }
    case Type::tables: {
      std::vector<std::string> each;
      for (const KeySpec& field : fields) each.push_back(fmt::format("{}: {}", field.key, field.allowed()));
      return fmt::format("a list of tables {{ {} }}", fmt::join(each, ", "));
    }
    case Type::word:
      return words.size() == 1 ? quoted_list(words) : "one of " + quoted_list(words);
    case Type::text:
      return "a string";
    case Type::boolean:
      return "true or false";
  }
  return "";
}

const std::vector<KeySpec>& sweep_keys() {
  static const std::vector<KeySpec> keys = make_sweep_keys();
  return keys;
}

std::vector<KeySpec> measure_keys(std::span<const Measure* const> measures) {
  std::vector<KeySpec> keys;
  for (const Measure* measure : measures) {
    for (const MeasureOption& option : measure->options()) keys.push_back(measure_key(*measure, option));
  }
  return keys;
}

const KeySpec& key_spec(std::string_view key) {
  const auto found = std::ranges::find(sweep_keys(), key, &KeySpec::key);
  if (found == sweep_keys().end()) throw std::logic_error(fmt::format("no key {} in sweep files", key));
  return *found;
}

bool is_for_later_version(std::string_view key) {
  static constexpr std::array<std::string_view, 3> later{"guidance", "ensemble.classes_exponent", "measure.guidance"};
  return std::ranges::find(later, key) != later.end();
}

std::string axis_name(std::string_view key) {
  const KeySpec& spec = key_spec(key);
  const bool shared = std::ranges::count_if(sweep_keys(), [&](const KeySpec& other) {
                        return other.axis && other.name() == spec.name();
                      }) > 1;
  return shared ? fmt::format("{}_{}", spec.table(), spec.name()) : std::string(spec.name());
}

std::string value_message(const ConfigNode& node, std::string_view key, std::string_view problem) {
  return fmt::format("{}: {} = {}: {}", node.where, key, to_toml_value(node), problem);
}

std::string value_message(const SweepEntry& entry, std::string_view problem) {
  std::string values;
  for (const SweepValue& value : entry.values) {
    if (!values.empty()) values += ", ";
    values += canonical_text(value);
  }
  if (entry.axis) values = fmt::format("[{}]", values);
  return fmt::format("{}: {} = {}: {}", entry.where, entry.key, values, problem);
}

SweepEntry read_entry(const ConfigNode& node, const KeySpec& spec) {
  SweepEntry entry{
      .key = spec.key, .values = {}, .axis = is_axis(node, spec), .where = node.where, .position = node.position};
  if (entry.axis) {
    read_axis(node, spec, entry);
  } else {
    entry.values.push_back(read_value(node, spec));
  }
  return entry;
}

std::string defaults_text(std::span<const Measure* const> measures) {
  std::vector<KeySpec> keys = sweep_keys();
  const std::vector<KeySpec> of_measures = measure_keys(measures);
  const auto resources = std::ranges::find_if(keys, [](const KeySpec& spec) { return spec.table() == "resources"; });
  keys.insert(resources, of_measures.begin(), of_measures.end());
  std::string text;
  std::string_view table;
  for (const KeySpec& spec : keys) {
    const bool inside_time = spec.table() == "process.time";
    if (spec.table() != table && !inside_time) {
      table = spec.table();
      text += fmt::format("\n[{}]\n", table);
    }
    const std::string name = inside_time ? fmt::format("time.{}", spec.name()) : std::string(spec.name());
    const std::string value = spec.value ? canonical_text(*spec.value) : spec.required ? "(required)" : "(none)";
    text += fmt::format("{:<16} = {:<13} # {}: {}{}\n", name, value, spec.meaning, spec.allowed(),
                        spec.axis ? "; a list is an axis" : "");
  }
  return text;
}

}  // namespace diffphase
