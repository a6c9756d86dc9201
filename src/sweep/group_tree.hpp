#pragma once

#include <cstddef>
#include <vector>

#include "parallel/communicator.hpp"

namespace diffphase {

/// Consecutive ranks of the world.
struct RankRange {
  int first = 0;
  int size = 0;

  [[nodiscard]] bool contains(int rank) const { return rank >= first && rank < first + size; }
  friend bool operator==(const RankRange&, const RankRange&) = default;
};

/// How a world of ranks is halved into groups, level by level, down to single ranks. Level 0 is the world; a
/// group of s ranks splits into the first (s + 1)/2 and the other s/2; a single rank stays as it is. Sizes on
/// one level therefore differ by at most one. The leader of a group is its first rank.
///
/// A world of more than `dedicated_above` ranks has a dedicated rank 0: it takes part in tasks of the whole
/// world, but below level 0 it only owns the queue, as a group of its own that takes no tasks, and the halves
/// are those of the ranks 1 to size - 1. Pure arithmetic, the same on every rank.
class TreeShape {
 public:
  /// Throws std::invalid_argument if world_size < 1.
  explicit TreeShape(int world_size, int dedicated_above = 64);

  [[nodiscard]] int world_size() const { return world_size_; }
  [[nodiscard]] bool dedicated_root() const { return dedicated_root_; }
  /// Number of levels, at least 1; on the last one every group is a single rank.
  [[nodiscard]] int levels() const { return levels_; }

  /// The group of `rank` at `level`. Throws std::out_of_range for a rank or level that does not exist.
  [[nodiscard]] RankRange group_of(int rank, int level) const;
  /// Whether `rank` works on tasks of `level`: true but for a dedicated rank 0 below level 0.
  [[nodiscard]] bool computes(int rank, int level) const { return level == 0 || rank != 0 || !dedicated_root_; }
  /// Number of groups that take tasks at `level`.
  [[nodiscard]] int groups(int level) const;
  /// Ranks of the smallest group that takes tasks at `level`.
  [[nodiscard]] int smallest_group(int level) const;

 private:
  [[nodiscard]] int ranks_at(int level) const { return level > 0 && dedicated_root_ ? world_size_ - 1 : world_size_; }
  void check_level(int level) const;

  int world_size_;
  bool dedicated_root_;
  int levels_ = 1;
};

/// The communicators of a TreeShape, made once.
class GroupTree {
 public:
  /// Splits `world`, which need not be the world of the job, into all groups. Collective over `world`, which
  /// is not kept. `dedicated_above` as in TreeShape.
  explicit GroupTree(const Communicator& world, int dedicated_above = 64);

  [[nodiscard]] const TreeShape& shape() const { return shape_; }
  [[nodiscard]] const Communicator& world() const { return comms_.front(); }
  /// The communicator of this rank's group at `level`. Throws std::out_of_range for a level that does not
  /// exist.
  [[nodiscard]] const Communicator& group(int level) const;

 private:
  TreeShape shape_;
  std::vector<Communicator> comms_;
  std::vector<std::size_t> comm_of_level_;  // a group that does not split any more is not made again
};

}  // namespace diffphase
