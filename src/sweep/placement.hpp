#pragma once

#include <string>

#include "sweep/group_tree.hpp"

namespace diffphase {

/// What a task is predicted to need. Follows from the task alone.
struct TaskLoad {
  double divided_bytes = 0.0;  ///< memory that is split over the ranks of a group
  double rank_bytes = 0.0;     ///< memory that every rank needs
  double operations = 0.0;     ///< floating-point operations, other work expressed in them
  double result_bytes = 0.0;   ///< of its result, which is one record of the journal
};

struct PlacementRules {
  double memory_per_rank = 4.0 * 1024 * 1024 * 1024;  ///< bytes
  int ranks_per_task = 0;                             ///< 0: from the load ("auto")
  /// Operations that one rank may have to do alone: ten minutes at 2e10 operations per second. A nominal
  /// rate, never a measured one, so that the same sweep is placed alike on every machine.
  double operations_per_rank = 600.0 * 2e10;
};

struct Placement {
  int level = 0;        ///< of the tree
  std::string problem;  ///< why the task fits on no group, with what would help; empty if it fits
};

/// "850 MiB", "3.2 GiB".
[[nodiscard]] std::string bytes_text(double bytes);

/// The level of the tree at which a task is computed: the deepest one whose smallest group has the memory,
/// and either ranks_per_task ranks or no more than operations_per_rank operations on each rank. Too many
/// operations for the whole world, or ranks_per_task beyond it, are no problem: level 0. Too much memory is, and a
/// result that is longer than a record (max_record_bytes).
///
/// Monotone: more memory, operations or ranks_per_task never means a smaller group. Pure; depends on nothing
/// measured. Throws std::invalid_argument for a negative or NaN load, memory_per_rank or operations_per_rank
/// not above zero, or negative ranks_per_task.
[[nodiscard]] Placement place(const TaskLoad& load, const TreeShape& shape, const PlacementRules& rules = {});

}  // namespace diffphase
