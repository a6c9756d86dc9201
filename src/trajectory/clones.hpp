#pragma once

#include <cstdint>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "parallel/task_group.hpp"
#include "posterior/point_posterior.hpp"
#include "random/random_stream.hpp"
#include "trajectory/reverse_sde.hpp"

namespace diffphase {

/// The component whose noised law a trajectory starts from: row p mod n for trajectory p (rows in random
/// order), or drawn with the weights.
enum class CloneStart { cyclic, drawn };

struct CloneSettings {
  std::vector<double> split_taus;  ///< b^2/a^2 of the split times, strictly ascending
  double final_tau = 0.0;          ///< where the components of the ends are drawn; below all split levels
  std::int64_t trajectories = 10000;
  std::int64_t steps = 500;  ///< from the largest split level to final_tau
  ReverseSampler sampler = ReverseSampler::euler;
  CloneStart start = CloneStart::cyclic;
};

/// Row = trajectory; every state's every step has its own columns.
struct CloneStreams {
  RandomStream normals;
  RandomStream uniforms;
};

struct CloneAgreement {
  std::vector<double> agreement;       ///< one per split level, in the order of split_taus
  std::vector<double> standard_error;  ///< binomial, over trajectories
};

/// Numbers of state updates (one posterior at one point) of one trajectory with all its clones.
[[nodiscard]] std::int64_t clone_updates(const ReverseSchedule& schedule);

/// Probability that two clones of the reverse process, split at a level, end in the same component.
///
/// Every trajectory starts in the exact law at the largest split level and runs down to final_tau. At every
/// split level a clone is split off; the trajectory itself is the other one of the pair, for given its state
/// at the split their futures are independent. All states of a block of trajectories move together. The
/// component of each end is drawn from the posterior there, which makes the answer independent of final_tau.
/// Expected: E sum_c p_c(x)^2 at the split level (identities I2 and I5), up to the sampler's step error.
/// Agreements of one trajectory at different levels are correlated.
///
/// The group shares blocks of trajectories; every rank holds all components (`components` is laid out for one
/// rank): 8 K d bytes and at most about 100 MiB per rank, more only where one trajectory with its clones
/// needs it. The result is the same bit for bit on any number of ranks. Collective, one agreement point per
/// step.
[[nodiscard]] CloneAgreement clone_agreement(const TaskGroup& group, const DataSlab& components,
                                             const ComponentLaw& law, const CloneSettings& settings,
                                             const CloneStreams& streams);

}  // namespace diffphase
