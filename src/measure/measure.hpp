#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ensemble/dataset_file.hpp"
#include "ensemble/gaussian_mixture.hpp"
#include "ensemble/hypersphere.hpp"
#include "ensemble/linear_manifold.hpp"
#include "measure/representation.hpp"
#include "parallel/task_group.hpp"
#include "process/noising_process.hpp"
#include "random/text_hash.hpp"

namespace diffphase {

/// Everything that defines one task: one measure at one point of the axes for one realization. Built by the
/// sweep from the sweep file; valid when a measure sees it.
struct TaskParameters {
  NoisingProcess process;
  std::vector<double> times;  ///< ascending, on the process's clock

  // What the data are: exactly one of these.
  std::optional<MixtureParameters> mixture;                   ///< [ensemble] kind = "gaussian-mixture"
  Representation representation = Representation::automatic;  ///< of `mixture`
  std::optional<ManifoldParameters> manifold;                 ///< [ensemble] kind = "linear-manifold"
  std::optional<SphereParameters> sphere;                     ///< [ensemble] kind = "hypersphere"
  std::optional<DatasetFile> file;                            ///< [ensemble] kind = "file"
  DatasetSummary file_summary;                                ///< of `file`

  /// [dataset] samples as keys (ensemble/sample_count.hpp), ascending; empty where nothing is drawn. For files without
  /// `samples`: all rows.
  std::vector<std::int64_t> samples;

  std::uint64_t seed = 1;
  std::int64_t realization = 0;
  Hash128 ensemble;  ///< hash of the ensemble point: key of the random streams

  std::map<std::string, double> options;             ///< the measure's numbers (probes, ...), defaults filled in
  std::map<std::string, std::string> words;          ///< the measure's words, defaults filled in
  std::map<std::string, std::vector<double>> lists;  ///< the measure's lists; absent where not given
  bool mixed_precision = false;                      ///< data are stored as float, all arithmetic is in double
  bool single_precision = false;                     ///< the posterior pass is in float, its sums in double

  [[nodiscard]] std::int64_t dimension() const;
  /// Coordinates of the data from this one on are zero in every row.
  [[nodiscard]] std::int64_t nonzero_columns() const;
};

/// One draw of the ensemble that the task's data come from; nullptr for files. Local.
[[nodiscard]] std::unique_ptr<Ensemble> make_ensemble(const TaskParameters& task);

/// A dimension of its own that variables of a measure have, with its coordinate. Where tasks of a sweep have different
/// lengths of it, the results have the longest, and NaN where a task has nothing.
struct DimensionSpec {
  std::string name;
  std::variant<std::vector<double>, std::vector<std::int64_t>, std::vector<std::string>> coordinate;
  std::string units;  ///< as of a VariableSpec; empty for words
  std::string long_name;

  [[nodiscard]] std::size_t size() const;
};

/// 0, 1, ..., count - 1: the coordinate of things that are counted.
[[nodiscard]] std::vector<std::int64_t> counting_up(std::int64_t count);

/// One variable of the results file that a measure fills. Its dims there: the sweep axes it depends on,
/// `samples` if per_sample, `realization` unless prediction, then `dims`.
struct VariableSpec {
  /// status: values are those of RootStatus (transition/critical_time.hpp); flags: those of `flag_meanings`, 0, 1, ...,
  /// and one more where missing
  enum class Kind { number, status, flags };

  std::string name;
  std::string units;  ///< "1" for pure numbers; "time": replaced by the units of the process's clock
  std::string long_name;
  std::string source;  ///< paper and equation; may be empty
  bool per_sample = false;
  bool prediction = false;        ///< theory: no realization, filled by predict()
  std::vector<std::string> dims;  ///< after realization; "time" or one of the measure's own dims
  double tolerance = 0.0;         ///< of a prediction that only approximates: deviations below it are expected
  Kind kind = Kind::number;
  std::vector<std::string> flag_meanings{};  ///< of flags: words without blanks
  /// NaN is an answer: there is no such time, or nothing was asked for. A measured NaN elsewhere fails the task.
  bool may_be_missing = false;
};

/// Values of one variable for one task: [count of the request, if per_sample][dims...], row-major.
struct VariableValues {
  std::string name;
  std::vector<double> values;
};

/// What a task is asked for: sample counts not yet known, and whether the variables that do not depend on the
/// sample count are wanted too (they are not when only `samples` was extended).
struct TaskRequest {
  std::vector<std::int64_t> counts;
  bool count_free = true;
};

struct MeasureResult {
  std::vector<VariableValues> variables;  ///< complete on rank 0 of the group, empty elsewhere
  std::vector<std::string> warnings;      ///< on rank 0 of the group
  std::vector<std::string> notes;         ///< how it was computed, for the log; on rank 0 of the group
};

/// Predicted work and memory of a task; decides group size, order in the queue and `diffphase plan`.
struct Cost {
  /// What of the work the kernel threads of a rank share (parallel/kernel_threads.hpp).
  enum class Threaded { nothing, posterior_pass, everything };

  double flops = 0.0;          ///< in matrix products
  double exponentials = 0.0;   ///< evaluations of the reduction, one per (probe, component, time)
  double normals = 0.0;        ///< random numbers
  double divided_bytes = 0.0;  ///< memory that is split over the ranks of a group
  double rank_bytes = 0.0;     ///< memory that every rank needs
  Threaded threaded = Threaded::nothing;

  /// Nominal floating-point operations that one exponential of the reduction and one normal random number stand for.
  static constexpr double operations_per_exponential = 40.0;
  static constexpr double operations_per_normal = 200.0;
  [[nodiscard]] double operations() const {
    return flops + operations_per_exponential * exponentials + operations_per_normal * normals;
  }

  /// Of both, one after the other, with everything kept; threads share what they share of either.
  Cost& operator+=(const Cost& other);
};

/// One key of a measure's table in the sweep file.
struct MeasureOption {
  std::string name;
  double value = 0.0;  ///< default
  double minimum = 0.0;
  double maximum = 0.0;
  bool integer = true;
  std::string meaning;
  std::vector<std::string> words{};  ///< not empty: the option is a word, one of these, the first is the default
  bool list = false;                 ///< the option is a list of numbers, absent unless given
};

[[nodiscard]] MeasureOption integer_option(std::string name, double value, double minimum, double maximum,
                                           std::string meaning);
[[nodiscard]] MeasureOption number_option(std::string name, double value, double minimum, double maximum,
                                          std::string meaning);
[[nodiscard]] MeasureOption word_option(std::string name, std::string meaning, std::vector<std::string> words);

/// A measured quantity: declares its variables, costs, predictions, and computes one task. One file each in
/// measure/.
class Measure {
 public:
  Measure() = default;
  Measure(const Measure&) = delete;
  Measure& operator=(const Measure&) = delete;
  virtual ~Measure() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::vector<MeasureOption> options() const = 0;

  /// Why this measure cannot be taken of these data, a sentence that begins with the measure's or the option's key
  /// (measure.NAME...) and names what it needs; empty if it can.
  [[nodiscard]] virtual std::string problem(const TaskParameters& task) const = 0;

  /// The variables that exist for this kind of data, predictions included. The same for all points of a sweep
  /// that differ only in numbers.
  [[nodiscard]] virtual std::vector<VariableSpec> variables(const TaskParameters& task) const = 0;

  /// The dimensions, beside time, that variables() name.
  [[nodiscard]] virtual std::vector<DimensionSpec> dimensions(const TaskParameters& /*task*/) const { return {}; }

  /// Whether the measure can be taken in this representation of a mixture; all know automatic and full.
  [[nodiscard]] virtual bool knows(Representation representation) const {
    return representation == Representation::automatic || representation == Representation::full;
  }
  /// Why it cannot be taken in the task's representation, or for so many samples, a sentence as of problem(); empty if
  /// it can.
  [[nodiscard]] std::string representation_problem(const TaskParameters& task) const;

  /// Whether the measure knows data stored in single precision.
  [[nodiscard]] virtual bool knows_mixed_precision() const { return false; }
  /// Whether the measure is a posterior pass that can be made in single precision.
  [[nodiscard]] virtual bool knows_single_precision() const { return false; }

  [[nodiscard]] virtual Cost cost(const TaskParameters& task, const TaskRequest& request) const = 0;

  /// Computes the task. Collective over the group, with agreement points at most about 2 s apart; throws
  /// Stopped or GroupError on every rank. Random numbers do not depend on the group.
  [[nodiscard]] virtual MeasureResult run(const TaskParameters& task, const TaskRequest& request,
                                          const TaskGroup& group) const = 0;

  /// Theory for the prediction variables, for all of task.samples. NaN where no theory is known. Local.
  [[nodiscard]] virtual std::vector<VariableValues> predict(const TaskParameters& task) const = 0;
};

/// All measures, in the order in which results and documents list them.
[[nodiscard]] const std::vector<const Measure*>& measures();
/// nullptr if there is none of that name.
[[nodiscard]] const Measure* find_measure(std::string_view name);

/// Every option of the measure at its default, in place of what the task has for it; lists are absent by default.
void set_default_options(const Measure& measure, TaskParameters& task);

}  // namespace diffphase
