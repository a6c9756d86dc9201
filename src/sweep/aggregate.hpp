#pragma once

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "results/results_file.hpp"
#include "sweep/grid.hpp"
#include "sweep/journal.hpp"

namespace diffphase {

/// From the records of a sweep's tasks to the contents of its results file: measured variables placed on the axes they
/// depend on, predictions beside them, statuses, and the sweep's fixed values as attributes. What is missing is NaN
/// (statuses: failed; task_status tells pending from failed). Not collective; predictions are computed once and kept.
class Aggregator {
 public:
  /// `sweep` is the whole sweep, nothing deselected, with data summaries attached; it must outlive the aggregator.
  explicit Aggregator(const Sweep& sweep);

  /// Predictions that are not known yet are begun for `seconds`, cell by cell; those of other cells are NaN. One that
  /// cannot be computed is NaN, with a warning.
  [[nodiscard]] ResultsFile results(const JournalState& journals,
                                    double seconds = std::numeric_limits<double>::infinity());

  /// Computes all predictions that are not known yet, without a limit.
  void predict_all();

  /// Whether the last results() left predictions out.
  [[nodiscard]] bool left_out() const { return left_out_; }

 private:
  // A variable of the results: its dims, the shape that goes with them, and where a grid point lies in it.
  struct Slot {
    const Measure* measure = nullptr;
    VariableSpec spec;
    std::vector<std::size_t> axes;   // of the sweep
    std::vector<std::size_t> shape;  // of spec.dims
    std::size_t inner = 1;           // product of shape
  };
  using MeasureCell = std::pair<const Measure*, std::size_t>;
  using Histories = std::map<MeasureCell, std::vector<const TaskHistory*>>;  // [realization]

  void find_slots();
  void add_slot(const SweepTask& task, VariableSpec spec);
  void find_dimensions(const SweepTask& task);
  [[nodiscard]] std::size_t length(const std::string& dim) const;
  [[nodiscard]] std::vector<std::size_t> shape_of(const Slot& slot, std::size_t cell) const;
  void add_axes(ResultsFile& file) const;
  void add_axis(ResultsFile& file, const Axis& axis) const;
  void add_log_samples(ResultsFile& file) const;
  void add_attributes(ResultsFile& file) const;
  [[nodiscard]] std::vector<std::vector<std::size_t>> task_positions(const Slot& slot) const;
  void add_task_tables(ResultsFile& file, const JournalState& journals) const;
  [[nodiscard]] ResultsVariable variable(const Slot& slot, const Histories& histories);
  [[nodiscard]] Histories find_histories(const JournalState& journals) const;
  void fill_measured(const Slot& slot, const Histories& histories, std::vector<double>& values) const;
  void fill_predicted(const Slot& slot, std::vector<double>& values);
  [[nodiscard]] std::vector<std::string> dims_of(const Slot& slot) const;
  [[nodiscard]] std::size_t size_of(const Slot& slot) const;
  [[nodiscard]] std::size_t position(const Slot& slot, const GridPoint& point) const;
  [[nodiscard]] std::map<std::string, std::vector<double>> predict(const Slot& slot, std::size_t cell) const;
  [[nodiscard]] const std::vector<double>* prediction(const Slot& slot, std::size_t cell);

  const Sweep& sweep_;
  std::vector<Slot> slots_;
  std::vector<const Measure*> measures_;
  std::vector<DimensionSpec> dimensions_;                              // of measures, the longest of their cells
  std::map<MeasureCell, std::map<std::string, std::size_t>> lengths_;  // of the dimensions of one cell
  std::map<MeasureCell, const SweepTask*> first_tasks_;                // realization 0
  std::map<MeasureCell, std::vector<Hash128>> identities_;             // [realization]
  std::map<MeasureCell, std::map<std::string, std::vector<double>>> predictions_;
  double end_of_predictions_ = 0.0;  // steady_seconds() at which no more are begun
  bool left_out_ = false;
};

}  // namespace diffphase
