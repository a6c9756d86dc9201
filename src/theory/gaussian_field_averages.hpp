#pragma once

#include <cstdint>
#include <span>

namespace diffphase {

/// E sigmoid(m + s g) and E log(1 + e^(m + s g)) for g ~ N(0, 1), to 1e-13; any finite m, s >= 0.
[[nodiscard]] double mean_sigmoid(double mean, double deviation);
[[nodiscard]] double mean_softplus(double mean, double deviation);

/// Classes of equal prior weight: `count` of them, each of `weight`.
struct WeightGroup {
  double weight = 1.0;
  double count = 1.0;
};

/// Averages over the posterior p of a class in a Gaussian field, the parent class drawn from the prior.
struct FieldAverages {
  double agreement = 0.0;    ///< E sum_c p_c^2 = E p_parent
  double information = 0.0;  ///< E log(p_parent / prior_parent), nats: mutual information of class and observation
};

/// The posterior of equidistant classes: logits log w_c + c g_c + c^2 [c is the parent], g_c ~ N(0, 1)
/// independent, which is the law for centroids with |mu_i - mu_j|^2 = 2 m^2 (orthogonal of norm m, and their
/// translations, as the simplex) observed at c = a m / sqrt(b^2 + a^2 sigma^2).
///
/// With S = sum_c e^logit_c, E[e^l / S] = int dv E[e^(v + l) e^(-e^v S)] and E log S = int dv (e^(-e^v) - E
/// e^(-e^v S)) factorise over the independent fields, so that the cost does not depend on the number of
/// classes of one weight:
///
///   agreement   = sum_c w_c int dv A(v + log w_c) prod_(j != c) B(v + log w_j)
///   information = c^2 + int dv sum_c w_c A_0(v + log w_c) prod_(j != c) B(v + log w_j) - int dv e^(-e^v)
///   A(v) = E exp(y - e^y), A_0(v) = E exp(-e^y), y = v + c^2 + c g;  B(v) = E exp(-e^(v + c g))
///
/// all on one uniform grid of v, where the trapezoidal rule converges exponentially. Relative accuracy 1e-10
/// for 1 to 1e9 classes. groups: weights positive, sum of weight * count = 1; c >= 0 and finite.
[[nodiscard]] FieldAverages equidistant_averages(double c, std::span<const WeightGroup> groups);

/// Averages of the two-level field.
struct HierarchicalAverages {
  FieldAverages leaf;
  double branch_agreement = 0.0;  ///< E sum_A (sum_B p_AB)^2
};

/// The same for `branches` superclasses with `leaves` classes each, all of equal weight: logits
/// c_A g_A + c_B g_AB (+ c_A^2 on the parent's branch, + c_B^2 on the parent). The integral over v nests: the
/// average over g_A of the product over the leaves of a branch is again a function of v alone.
[[nodiscard]] HierarchicalAverages hierarchical_averages(double branch_c, double leaf_c, std::int64_t branches,
                                                         std::int64_t leaves);

}  // namespace diffphase
