#pragma once

#include <functional>

#include "parallel/task_group.hpp"
#include "spectrum/centre_stability.hpp"

namespace diffphase {

/// The score Jacobian of a Gaussian mixture at the weighted centre x = a sum_c w_c mu_c is
///
///   J = -I/v + (a^2/v^2) Cov_p(mu),  v = b^2 + a^2 sigma^2,
///
/// where Cov_p is the covariance of the centroids under the posterior p of the class there. Its largest
/// eigenvalue lambda depends on time through tau = b^2/a^2 (not at all where weights and distances to the
/// centre are equal). The two functions below turn lambda(tau) into the last time, in tau, at which the
/// centre is marginal.
using CentroidVariance = std::function<double(double tau)>;

/// Largest tau >= 0 at which J itself has a zero eigenvalue, lambda(tau) = tau + sigma^2: log P_t stops being
/// concave at the centre. NaN if there is none. `bound`: an upper bound of lambda over all tau, positive (any
/// bound will do, the mean square distance of the centroids from their centre is one for the posterior with
/// equal distances; the largest square distance is one always); NaN if it is not finite. Roots closer than a
/// factor 1.05 in tau + sigma^2 to each other may be missed.
[[nodiscard]] double curvature_instability(const CentroidVariance& lambda, double bound, double sigma);

/// Largest tau >= 0 at which the Jacobian I + 2 J of the reverse Ornstein-Uhlenbeck drift x + 2 S has a zero
/// eigenvalue: with s = tau + sigma^2, s^2 - 2 (lambda - 1 + sigma^2) s - 2 (1 - sigma^2) lambda = 0, that
/// is, for lambda that does not depend on tau, s = lambda - kappa + sqrt(lambda^2 + kappa^2), kappa = 1 -
/// sigma^2. Arguments as above.
[[nodiscard]] double drift_instability(const CentroidVariance& lambda, double bound, double sigma);

/// The same for actual centroids: largest tau at which the largest eigenvalue of J is -offset, offset = 1/2 for
/// the drift, 0 for J itself; the first instability as noise is removed. NaN if there is none. Where classes of unequal
/// sigma let the posterior at the centre switch within a factor of 1.28 in tau, an instability of those times alone may
/// be missed. Collective over the group, with an agreement point at every tau that is tried, at most some thousands;
/// the same on every rank.
[[nodiscard]] double centre_instability(const TaskGroup& group, const CentreStability& centre, double offset);

}  // namespace diffphase
