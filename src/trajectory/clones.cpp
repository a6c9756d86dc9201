#include "trajectory/clones.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

namespace diffphase {

namespace {

constexpr std::int64_t most_trajectories = 64;                 // in a block: enough for matrix products
constexpr std::int64_t most_points = 256;                      // in one call of the posterior
constexpr std::int64_t state_numbers = std::int64_t{1} << 22;  // of a block: 32 MiB
constexpr double operations_per_step = 4e9;                    // of a block: keeps agreement points close

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// Does not depend on the group, so that every block does the same arithmetic wherever it runs.
std::int64_t block_size(const DataSlab& components, std::size_t splits) {
  const double states = static_cast<double>(splits + 1);
  const double numbers = states * static_cast<double>(components.layout.columns);
  const double operations = 4.0 * numbers * static_cast<double>(components.layout.rows);
  const double bound = std::min(static_cast<double>(state_numbers) / numbers, operations_per_step / operations);
  return static_cast<std::int64_t>(std::clamp(bound, 1.0, static_cast<double>(most_trajectories)));
}

// A block of trajectories with their clones: state s of trajectory i is row s trajectories + i, state 0 is
// the trajectory itself, state k the clone split off at the k-th split level. `ordinal` counts what has been
// drawn for one trajectory; it gives every update of every state its own columns of the streams.
class CloneBlock {
 public:
  CloneBlock(const ReverseSde& process, const ReverseSchedule& schedule, const CloneStreams& streams,
             std::int64_t first, std::int64_t trajectories)
      : process_(process),
        schedule_(schedule),
        streams_(streams),
        first_(first),
        trajectories_(trajectories),
        columns_(process.dimension()),
        stride_((columns_ + 3) / 4 * 4) {
    points_.reserve(index(trajectories * columns_) * (schedule.splits.size() + 1));
  }

  void start(CloneStart rule, const ComponentLaw& law) {
    points_.resize(index(trajectories_ * columns_));
    fill_normals(0, trajectories_, points_);
    for (std::int64_t i = 0; i < trajectories_; ++i) {
      process_.start(schedule_.taus.front(), parent(rule, law, i), part(i, 1));
    }
    ordinal_ = 1;
  }

  void advance(std::size_t step) {
    if (split_ < schedule_.splits.size() && schedule_.splits[split_] == step) split_off();
    const std::int64_t rows = states() * trajectories_;
    normals_.resize(index(std::min(rows, most_points) * columns_));
    for (std::int64_t row = 0; row < rows; row += most_points) {
      const std::int64_t count = std::min(most_points, rows - row);
      const std::span<double> normals = std::span(normals_).first(index(count * columns_));
      fill_normals(row, count, normals);
      process_.step(schedule_.taus[step], schedule_.taus[step + 1], count, part(row, count), normals,
                    uniforms(row, count));
    }
    ordinal_ += states();
  }

  /// Adds 1 to agreements[k] for every trajectory that ends in the component of its k-th clone.
  void count_agreements(std::span<std::int64_t> agreements) const {
    std::vector<std::int64_t> ends;
    for (std::int64_t row = 0; row < states() * trajectories_; row += most_points) {
      const std::int64_t count = std::min(most_points, states() * trajectories_ - row);
      const std::vector<std::int64_t> drawn =
          process_.draw_components(schedule_.taus.back(), count, part(row, count), uniforms(row, count));
      ends.insert(ends.end(), drawn.begin(), drawn.end());
    }
    for (std::size_t k = 0; k < agreements.size(); ++k) {
      for (std::size_t i = 0; i < index(trajectories_); ++i) {
        if (ends[i] == ends[(k + 1) * index(trajectories_) + i]) ++agreements[k];
      }
    }
  }

 private:
  [[nodiscard]] std::int64_t states() const { return static_cast<std::int64_t>(split_) + 1; }

  void split_off() {
    const std::size_t size = index(trajectories_ * columns_);
    points_.resize(points_.size() + size);
    std::copy_n(points_.begin(), size, points_.end() - static_cast<std::ptrdiff_t>(size));
    ++split_;
  }

  [[nodiscard]] std::span<double> part(std::int64_t row, std::int64_t count) {
    return std::span(points_).subspan(index(row * columns_), index(count * columns_));
  }
  [[nodiscard]] std::span<const double> part(std::int64_t row, std::int64_t count) const {
    return std::span(points_).subspan(index(row * columns_), index(count * columns_));
  }

  [[nodiscard]] std::uint64_t trajectory(std::int64_t row) const {
    return static_cast<std::uint64_t>(first_ + row % trajectories_);
  }
  [[nodiscard]] std::uint64_t draw(std::int64_t row) const {
    return static_cast<std::uint64_t>(ordinal_ + row / trajectories_);
  }

  void fill_normals(std::int64_t row, std::int64_t count, std::span<double> out) const {
    for (std::int64_t i = 0; i < count; ++i) {
      streams_.normals.normals(trajectory(row + i), draw(row + i) * static_cast<std::uint64_t>(stride_),
                               out.subspan(index(i * columns_), index(columns_)));
    }
  }

  [[nodiscard]] std::vector<double> uniforms(std::int64_t row, std::int64_t count) const {
    std::vector<double> out(index(count));
    for (std::int64_t i = 0; i < count; ++i) {
      out[index(i)] = streams_.uniforms.uniform(trajectory(row + i), draw(row + i));
    }
    return out;
  }

  [[nodiscard]] std::int64_t parent(CloneStart rule, const ComponentLaw& law, std::int64_t i) const {
    const std::int64_t components = process_.components();
    if (rule == CloneStart::cyclic) return (first_ + i) % components;
    double left = streams_.uniforms.uniform(trajectory(i), 0);
    if (law.weights.empty()) {
      return std::min(static_cast<std::int64_t>(left * static_cast<double>(components)), components - 1);
    }
    std::int64_t c = 0;
    while (c < components - 1 && left >= law.weight(c, components)) left -= law.weight(c++, components);
    return c;
  }

  const ReverseSde& process_;
  const ReverseSchedule& schedule_;
  const CloneStreams& streams_;
  std::int64_t first_;
  std::int64_t trajectories_;
  std::int64_t columns_;
  std::int64_t stride_;  // columns of the stream that one update takes: whole Philox blocks
  std::int64_t ordinal_ = 0;
  std::size_t split_ = 0;
  std::vector<double> points_;
  std::vector<double> normals_;
};

CloneAgreement binomial(std::vector<std::int64_t> agreements, std::int64_t trajectories) {
  const auto count = static_cast<double>(trajectories);
  CloneAgreement out;
  // Split levels are met from the largest down, and reported ascending.
  std::reverse(agreements.begin(), agreements.end());
  for (const std::int64_t agreeing : agreements) {
    const double share = static_cast<double>(agreeing) / count;
    out.agreement.push_back(share);
    out.standard_error.push_back(std::sqrt(share * (1.0 - share) / (count - 1.0)));
  }
  return out;
}

}  // namespace

std::int64_t clone_updates(const ReverseSchedule& schedule) {
  auto updates = static_cast<std::int64_t>(schedule.steps());
  for (const std::size_t split : schedule.splits) updates += static_cast<std::int64_t>(schedule.steps() - split);
  return updates;
}

CloneAgreement clone_agreement(const TaskGroup& group, const DataSlab& components, const ComponentLaw& law,
                               const CloneSettings& settings, const CloneStreams& streams) {
  std::optional<ReverseSchedule> schedule;
  std::unique_ptr<ReverseSde> process;
  std::vector<std::int64_t> agreements(settings.split_taus.size());
  group.run_guarded([&] {
    if (settings.trajectories < 1) throw std::invalid_argument("clones: no trajectories");
    schedule.emplace(settings.split_taus, settings.final_tau, settings.steps);
    process = std::make_unique<ReverseSde>(components, law, settings.sampler);
  });
  const std::int64_t size = block_size(components, schedule->splits.size());
  const std::int64_t blocks = (settings.trajectories + size - 1) / size;
  // In every round each rank takes one block, the last ranks none in the last round; all meet after every
  // step.
  for (std::int64_t round = 0; round < blocks; round += group.comm().size()) {
    const std::int64_t first = (round + group.comm().rank()) * size;
    std::unique_ptr<CloneBlock> block;
    group.run_guarded([&] {
      if (first >= settings.trajectories) return;
      block = std::make_unique<CloneBlock>(*process, *schedule, streams, first,
                                           std::min(size, settings.trajectories - first));
      block->start(settings.start, law);
    });
    for (std::size_t step = 0; step < schedule->steps(); ++step) {
      group.run_guarded([&] {
        if (block) block->advance(step);
      });
    }
    group.run_guarded([&] {
      if (block) block->count_agreements(agreements);
    });
  }
  group.comm().sum(std::span(agreements));
  return binomial(std::move(agreements), settings.trajectories);
}

}  // namespace diffphase
