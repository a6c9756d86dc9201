#include "measure/probes.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "ensemble/centroid_rows.hpp"
#include "ensemble/class_frame.hpp"
#include "ensemble/row_view.hpp"

namespace diffphase {

ProbeStarts::ProbeStarts(const TaskParameters& task)
    : task_(task), noise_(task.seed, task.ensemble, task.realization, "noise") {}

std::int64_t ProbeStarts::row(std::int64_t probe, std::int64_t count) const {
  if (!task_.file) return probe % count;
  const RandomStream starts(task_.seed, task_.ensemble, task_.realization, "starts " + std::to_string(count));
  return std::min(count - 1, static_cast<std::int64_t>(starts.uniform(static_cast<std::uint64_t>(probe), 0) *
                                                       static_cast<double>(count)));
}

std::vector<std::vector<std::int64_t>> ProbeStarts::groups(std::span<const std::int64_t> counts, std::int64_t first,
                                                           std::int64_t probes) const {
  const auto same_rows = [&](std::int64_t a, std::int64_t b) {
    for (std::int64_t p = first; p < first + probes; ++p) {
      if (row(p, a) != row(p, b)) return false;
    }
    return true;
  };
  std::vector<std::vector<std::int64_t>> groups;
  for (const std::int64_t count : counts) {
    const auto same =
        std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return same_rows(group.front(), count); });
    if (same == groups.end()) {
      groups.push_back({count});
    } else {
      same->push_back(count);
    }
  }
  return groups;
}

namespace {

// Calls `fill(p)` for every probe, with agreement points where that takes long.
void fill_probes(const TaskGroup& group, const SlabLayout& layout, std::int64_t probes,
                 const std::function<void(std::int64_t)>& fill) {
  const std::int64_t together =
      std::max<std::int64_t>(1, numbers_per_draw / std::max<std::int64_t>(1, 2 * layout.most_local_columns()));
  for (std::int64_t first = 0; first < probes; first += together) {
    group.run_guarded([&] {
      for (std::int64_t p = first; p < std::min(probes, first + together); ++p) fill(p);
    });
  }
}

}  // namespace

ProbeBlock draw_probes(const TaskGroup& group, const GaussianMixture& mixture, const RandomStream& noise,
                       const SlabLayout& layout, std::int64_t first, std::int64_t probes,
                       const std::function<std::int64_t(std::int64_t)>& row_of) {
  ProbeBlock block(probes, layout.local_columns());
  fill_probes(group, layout, probes, [&](std::int64_t p) {
    const std::int64_t row = row_of(first + p);
    mixture.sample(row, layout.first_column(), block.start(p));
    noise.normals(static_cast<std::uint64_t>(first + p), static_cast<std::uint64_t>(layout.first_column()),
                  block.noise(p));
    block.parents[static_cast<std::size_t>(p)] = mixture.label(row);
  });
  block.measure(group, layout.partition);
  return block;
}

ProbeBlock fetch_probes(const TaskGroup& group, RowView rows, const RandomStream& noise, std::int64_t first,
                        std::int64_t probes, const std::function<std::int64_t(std::int64_t)>& row_of,
                        std::int64_t noises) {
  const SlabLayout& layout = rows.layout();
  ProbeBlock block(probes, layout.local_columns(), noises);
  std::vector<std::int64_t> parents;
  for (std::int64_t start = 0; start < block.starts(); ++start) parents.push_back(row_of(first / noises + start));
  for (std::int64_t p = 0; p < probes; ++p) {
    block.parents[static_cast<std::size_t>(p)] = parents[static_cast<std::size_t>(p / noises)];
  }
  block.starts_at_parent = true;
  fetch_rows(group, rows, parents,
             std::span(block.points).first(parents.size() * static_cast<std::size_t>(block.columns)));
  fill_probes(group, layout, probes, [&](std::int64_t p) {
    const std::span<double> drawn = block.noise(p);
    noise.normals(static_cast<std::uint64_t>(first + p), static_cast<std::uint64_t>(layout.first_column()), drawn);
    if (!rows.is_single()) return;
    std::transform(drawn.begin(), drawn.end(), drawn.begin(), [](double x) { return static_cast<float>(x); });
  });
  block.measure(group, layout.partition);
  return block;
}

namespace {

Cost draw_cost(const ManifoldParameters& manifold, Partition partition, double n) {
  const auto dimension = static_cast<double>(manifold.dimension);
  const auto columns = static_cast<double>(manifold.columns());
  Cost cost;
  cost.normals = n * (columns + (manifold.ambient_noise > 0.0 ? dimension : 0.0));
  if (manifold.factor == FactorKind::orthonormal) return cost;
  cost.normals += columns * dimension;
  cost.flops = 2.0 * n * columns * dimension;
  (partition == Partition::dimension ? cost.divided_bytes : cost.rank_bytes) = 8.0 * columns * dimension;
  return cost;
}

}  // namespace

Cost draw_cost(const TaskParameters& task, Partition partition, std::int64_t count) {
  const auto n = static_cast<double>(count);
  if (task.manifold) return draw_cost(*task.manifold, partition, n);
  Cost cost;
  cost.normals = n * static_cast<double>(task.sphere ? task.sphere->span() : task.dimension());
  return cost;
}

Cost frame_probes_cost(const MixtureParameters& mixture, double probes) {
  constexpr double numbers_of_the_rest = 70.0;  // a RandomSequence draws 64 at once
  const auto columns = static_cast<double>(ClassFrame::columns_of(mixture));
  const auto classes = static_cast<double>(mixture.classes);
  const bool has_table = ClassFrame::bytes_of(mixture) > 0.0;
  Cost cost;
  cost.normals = probes * (2.0 * columns + numbers_of_the_rest) + (has_table ? 0.5 * classes * columns : 0.0);
  cost.flops = 4.0 * probes * classes * (has_table ? columns : 1.0);
  return cost;
}

namespace {

SlabLayout layout_of(const TaskGroup& group, const TaskParameters& task, Partition partition, std::int64_t count,
                     std::int64_t columns) {
  constexpr std::int64_t block = SlabLayout::block;
  SlabLayout layout{.partition = partition,
                    .rows = (count + block - 1) / block * block,
                    .columns = columns,
                    .ranks = group.comm().size(),
                    .rank = group.comm().rank()};
  if (task.file) layout.rows = std::min(layout.rows, task.file_summary.rows);
  return layout;
}

TrainingSetDraw finished_draw(const TaskGroup& group, const Ensemble& ensemble, const SlabLayout& layout, bool single) {
  std::optional<TrainingSetDraw> draw;
  group.run_guarded([&] { draw.emplace(ensemble, layout, single); });
  for (std::int64_t i = 0; i < draw->steps(); ++i) group.run_guarded([&] { draw->step(); });
  return std::move(*draw);
}

std::unique_ptr<Ensemble> ensemble_of(const TaskGroup& group, const TaskParameters& task) {
  std::unique_ptr<Ensemble> ensemble;
  group.run_guarded([&] { ensemble = make_ensemble(task); });
  return ensemble;
}

// No quantity of a training set depends on where it lies, and what is common to all points would take digits.
void subtract_first_row(const TaskGroup& group, DataSlab& slab) {
  std::vector<double> first(static_cast<std::size_t>(slab.layout.local_columns()));
  constexpr std::array<std::int64_t, 1> first_row{0};
  fetch_rows(group, slab, first_row, first);
  group.run_guarded([&] {
    for (std::int64_t i = 0; i < slab.layout.local_rows(); ++i) {
      const std::span<double> row = slab.row(i);
      std::transform(row.begin(), row.end(), first.begin(), row.begin(), std::minus<>());
    }
  });
}

DataSlab make_columns(const TaskGroup& group, const TaskParameters& task, const SlabLayout& layout) {
  if (task.file) {
    DataSlab slab = read_dataset(group, *task.file, task.file_summary, layout);
    subtract_first_row(group, slab);
    return slab;
  }
  const std::unique_ptr<Ensemble> ensemble = ensemble_of(group, task);
  return finished_draw(group, *ensemble, layout, /*single=*/false).take();
}

}  // namespace

DataSlab make_training_set(const TaskGroup& group, const TaskParameters& task, Partition partition,
                           std::int64_t count) {
  return make_columns(group, task, layout_of(group, task, partition, count, task.dimension()));
}

DataSlab make_nonzero_training_set(const TaskGroup& group, const TaskParameters& task, Partition partition,
                                   std::int64_t count) {
  return make_columns(group, task, layout_of(group, task, partition, count, task.nonzero_columns()));
}

SinglePrecisionSlab make_single_precision_training_set(const TaskGroup& group, const TaskParameters& task,
                                                       Partition partition, std::int64_t count) {
  const SlabLayout layout = layout_of(group, task, partition, count, task.nonzero_columns());
  if (task.file) return read_single_precision_differences(group, *task.file, task.file_summary, layout);
  const std::unique_ptr<Ensemble> ensemble = ensemble_of(group, task);
  return finished_draw(group, *ensemble, layout, /*single=*/true).take_single();
}

DataSlab make_centroids(const TaskGroup& group, const GaussianMixture& mixture, const SlabLayout& layout) {
  return finished_draw(group, CentroidRows(mixture), layout, /*single=*/false).take();
}

SinglePrecisionSlab make_single_precision_centroids(const TaskGroup& group, const GaussianMixture& mixture,
                                                    const SlabLayout& layout) {
  return finished_draw(group, CentroidRows(mixture), layout, /*single=*/true).take_single();
}

}  // namespace diffphase
