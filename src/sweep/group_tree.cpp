#include "sweep/group_tree.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace diffphase {

namespace {

// The half of `range` that holds `rank`.
RankRange half(const RankRange& range, int rank) {
  const RankRange front{range.first, (range.size + 1) / 2};
  return front.contains(rank) ? front : RankRange{range.first + front.size, range.size - front.size};
}

}  // namespace

TreeShape::TreeShape(int world_size, int dedicated_above)
    : world_size_(world_size), dedicated_root_(world_size > std::max(dedicated_above, 2)) {
  if (world_size < 1) throw std::invalid_argument("TreeShape: a world has at least one rank");
  for (int reach = 1; reach < ranks_at(levels_); reach *= 2) ++levels_;
}

void TreeShape::check_level(int level) const {
  if (level < 0 || level >= levels_) {
    throw std::out_of_range("level " + std::to_string(level) + " of a tree with " + std::to_string(levels_));
  }
}

RankRange TreeShape::group_of(int rank, int level) const {
  check_level(level);
  if (rank < 0 || rank >= world_size_) {
    throw std::out_of_range("rank " + std::to_string(rank) + " of " + std::to_string(world_size_));
  }
  if (!computes(rank, level)) return {rank, 1};
  RankRange range{world_size_ - ranks_at(level), ranks_at(level)};
  for (int l = 0; l < level; ++l) range = half(range, rank);
  return range;
}

int TreeShape::groups(int level) const {
  check_level(level);
  return std::min(ranks_at(level), 1 << level);
}

int TreeShape::smallest_group(int level) const {
  check_level(level);
  return std::max(ranks_at(level) >> level, 1);
}

GroupTree::GroupTree(const Communicator& world, int dedicated_above)
    : shape_(world.size(), dedicated_above), comm_of_level_{0} {
  comms_.push_back(world.duplicate());
  for (int level = 1; level < shape_.levels(); ++level) {
    const Communicator& parent = comms_.back();
    if (parent.size() > 1) {
      comms_.push_back(parent.split(shape_.group_of(world.rank(), level).first));
    }
    comm_of_level_.push_back(comms_.size() - 1);
  }
}

const Communicator& GroupTree::group(int level) const {
  return comms_[comm_of_level_.at(static_cast<std::size_t>(level))];
}

}  // namespace diffphase
