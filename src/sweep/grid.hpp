#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ensemble/dataset_file.hpp"
#include "measure/measure.hpp"
#include "random/text_hash.hpp"
#include "sweep/sweep_file.hpp"

namespace diffphase {

/// The values of one key along an axis.
struct AxisColumn {
  std::string name;                ///< in the results: "dimension"
  std::string key;                 ///< in the sweep file: "ensemble.dimension"
  std::vector<double> numbers;     ///< one per position; empty where the values are texts
  std::vector<std::string> texts;  ///< words, or labels of vectors and tables; empty where the values are numbers
  bool integers = false;           ///< numbers are all integers
  bool vectors = false;            ///< texts are labels of vectors or tables: the axis itself counts 0, 1, ...

  /// The value at a position, as labels and tables print it.
  [[nodiscard]] std::string text(std::int64_t position) const;
};

/// A dimension of the results: a list, a [[zip]] of several, or all the points of a sweep with [[point]].
struct Axis {
  enum class Kind { list, zip, point };

  Kind kind = Kind::list;
  std::string name;  ///< that of the column for a list; `zip` or its name; `point`
  std::int64_t size = 0;
  std::vector<AxisColumn> columns;  ///< one for a list
};

/// One point of the grid, a row of what `diffphase plan` prints.
struct GridPoint {
  std::vector<std::int64_t> index;  ///< position on each of Sweep::axes
  std::size_t cell = 0;             ///< in Sweep::cells
  std::int64_t samples = 0;         ///< 0 where nothing is drawn or the file's size is not yet known
  bool selected = true;             ///< by --points
};

/// All grid points that differ in `samples` only: what a task computes in one pass.
struct GridCell {
  TaskParameters parameters;  ///< all but realization, options and words
  IdentityKeys identity;      ///< all but measure and realization
  /// Position on each axis but `samples` of the first point of this cell. Where `samples` is part of a
  /// [[zip]] or a
  /// [[point]] several points can share a cell: go through Sweep::points to place its numbers.
  std::vector<std::int64_t> index;
  std::string label;  ///< values that vary: "d=1024 K=4"
  std::string where;  ///< of the key that messages about these data name
};

/// One measure at one cell for one realization.
struct SweepTask {
  const MeasureRequest* request = nullptr;  ///< in Sweep::file.measures
  std::size_t cell = 0;
  std::int64_t realization = 0;
  Hash128 identity;
  std::vector<std::int64_t> counts;  ///< of the selected points, ascending; empty where nothing is drawn

  [[nodiscard]] const Measure& measure() const { return *request->measure; }
};

/// The whole sweep: grid and tasks. Move-only, because tasks point into it.
struct Sweep {
  explicit Sweep(SweepFile sweep_file) : file(std::move(sweep_file)) {}
  Sweep(Sweep&&) = default;
  Sweep& operator=(Sweep&&) = default;
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;
  ~Sweep() = default;

  SweepFile file;
  std::vector<Axis> axes;                   ///< in file order
  std::optional<std::size_t> samples_axis;  ///< where `samples` is a list of its own: its place in `axes`
  std::vector<GridPoint> points;            ///< in plan order: row-major, the last axis fastest, then [[point]]s
  std::vector<GridCell> cells;              ///< in order of their first point
  std::vector<SweepTask> tasks;             ///< of this run: cells, realizations, measures; the last fastest

  /// Everything the task's measure needs.
  [[nodiscard]] TaskParameters parameters(const SweepTask& task) const;
  /// "collapse d=1024 K=4 realization 3".
  [[nodiscard]] std::string label(const SweepTask& task) const;
};

/// Whether tasks get their identities. Ranks that keep no journal need none, and hashing them is most of the work where
/// there are many realizations.
enum class TaskIdentities { computed, left_out };

/// Makes grid and tasks and checks every point: the law's problem(), Measure::problem() (of drawn
/// data; for files attach_dataset_summaries does), keys that no point uses, points given twice. With any
/// [[point]] there is one axis `point`: first the points of the product grid, if there are lists, then the
/// [[point]]s, each of which gives every key that is a list elsewhere. Throws BadInput.
[[nodiscard]] Sweep make_sweep(SweepFile file, TaskIdentities identities = TaskIdentities::computed);

/// Calls `inspect` once for each data file of the sweep, fills TaskParameters::file_summary, and `samples`
/// with all rows where the sweep file has none, then checks samples <= rows and Measure::problem(). Throws
/// BadInput naming the file, also for a DatasetError from `inspect`. Does nothing for drawn data. Call before
/// select_points.
void attach_dataset_summaries(Sweep& sweep, const std::function<DatasetSummary(const DatasetFile&)>& inspect);

}  // namespace diffphase
