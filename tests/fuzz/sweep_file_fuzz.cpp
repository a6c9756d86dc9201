// Texts of sweep files. Lines at the front that begin with "--set " are options of the command line.

#include <filesystem>
#include <vector>

#include "files/bad_input.hpp"
#include "fuzz_input.hpp"
#include "sweep/sweep_file.hpp"

namespace diffphase {
namespace {

// A measure with a key of every kind, under the name of one that sweep files use.
class KeyedMeasure : public Measure {
 public:
  explicit KeyedMeasure(std::string_view name) : name_(name) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::vector<MeasureOption> options() const override {
    return {{.name = "probes", .value = 4, .minimum = 1, .maximum = 1e6, .meaning = "count"},
            {.name = "threshold", .value = 0.1, .minimum = 1e-6, .maximum = 1, .integer = false, .meaning = "number"},
            {.name = "score", .meaning = "word", .words = {"automatic", "exact", "training"}},
            {.name = "times", .maximum = 1e300, .integer = false, .meaning = "list", .list = true}};
  }
  [[nodiscard]] std::string problem(const TaskParameters& /*task*/) const override { return {}; }
  [[nodiscard]] std::vector<VariableSpec> variables(const TaskParameters& /*task*/) const override { return {}; }
  [[nodiscard]] Cost cost(const TaskParameters& /*task*/, const TaskRequest& /*request*/) const override { return {}; }
  [[nodiscard]] MeasureResult run(const TaskParameters& /*task*/, const TaskRequest& /*request*/,
                                  const TaskGroup& /*group*/) const override {
    return {};
  }
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters& /*task*/) const override { return {}; }

 private:
  std::string_view name_;
};

std::span<const Measure* const> keyed_measures() {
  static const KeyedMeasure speciation("speciation");
  static const KeyedMeasure collapse("collapse");
  static const KeyedMeasure spectrum("spectrum");
  static const KeyedMeasure gap("gap");
  static const KeyedMeasure dimension("dimension");
  static const KeyedMeasure lost_directions("lost_directions");
  static const std::vector<const Measure*> all = {&speciation, &collapse,  &spectrum,
                                                  &gap,        &dimension, &lost_directions};
  return all;
}

std::vector<std::string> split_overrides(std::string& text) {
  const std::string mark = "--set ";
  std::vector<std::string> overrides;
  while (text.starts_with(mark)) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    overrides.push_back(text.substr(mark.size(), end - mark.size()));
    text.erase(0, end + 1);
  }
  return overrides;
}

std::string print(const std::vector<SweepEntry>& entries, const std::filesystem::path& folder) {
  std::string text;
  for (const SweepEntry& entry : entries) {
    const bool is_path = entry.key == "dataset.file" || entry.key == "dataset.labels";
    text += entry.key + (entry.axis ? " axis" : "");
    for (const SweepValue& value : entry.values) {
      text +=
          ' ' + (is_path ? (folder / std::get<std::string>(value)).lexically_normal().string() : canonical_text(value));
    }
    text += '\n';
  }
  return text;
}

// Everything of a sweep that decides what is computed.
std::string print(const SweepFile& file) {
  std::string text = file.name + '\n' + file.kind + '\n' + identity_text(file.common_identity);
  text += std::to_string(file.seed) + ' ' + std::to_string(file.realizations) + '\n' + print(file.entries, file.folder);
  for (const SweepZip& zip : file.zips) text += "zip " + zip.name + '\n' + print(zip.entries, file.folder);
  for (const SweepExtraPoint& point : file.points) text += "point\n" + print(point.entries, file.folder);
  for (const MeasureRequest& request : file.measures) text += identity_text(request.identity);
  return text;
}

// What a journal keeps of a sweep is the same sweep, wherever it lies.
void check_effective_text(const SweepFile& file) {
  SweepFile again;
  try {
    again = parse_sweep_text(file.effective_text, "/elsewhere/sweep.toml", {}, keyed_measures());
  } catch (const BadInput& error) {
    require(false, std::string("the effective text is a sweep file: ") + error.what() + '\n' + file.effective_text);
  }
  require(print(again) == print(file),
          "the effective text gives the same sweep:\n" + print(file) + '\n' + print(again));
}

}  // namespace
}  // namespace diffphase

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffphase;
  std::string text = text_of(std::as_bytes(std::span(data, size)));
  const std::vector<std::string> overrides = split_overrides(text);
  try {
    const SweepFile file = parse_sweep_text(text, "sweep.toml", overrides, keyed_measures());
    check_effective_text(file);
  } catch (const BadInput&) {  // NOLINT(bugprone-empty-catch): refused
  }
  return 0;
}
