#pragma once

#include <cstdint>
#include <limits>

namespace diffphase {

/// What a softmax over components is worth, from one pass: sums over a set of components with logits l_i,
/// relative to some m that is not far from the largest of them. Sums of disjoint sets merge; the order changes rounding
/// only.
struct PosteriorSums {
  double reference = -std::numeric_limits<double>::infinity();  ///< m
  double sum = 0.0;                                             ///< sum e^(l - m)
  double weighted_logit = 0.0;                                  ///< sum (l - m) e^(l - m)
  double sum_of_squares = 0.0;                                  ///< sum e^(2 (l - m))
  double largest = -std::numeric_limits<double>::infinity();    ///< max l
  double parent = -std::numeric_limits<double>::infinity();     ///< logit of the probe's own component, if in the set
};

/// The factor that brings sums with reference `from` to the larger reference `to`: e^(from - to), 0 for an empty
/// set.
[[nodiscard]] double rescaling(double from, double to);

/// Sums over the union of two disjoint sets. The one place where partial sums over blocks, ranks and restarts
/// meet.
[[nodiscard]] PosteriorSums merge(const PosteriorSums& a, const PosteriorSums& b);

/// Reduced responsibilities w_i = e^(l_i) / sum e^(l_j) of one probe at one time.
struct PosteriorSummary {
  double log_evidence = 0.0;    ///< log sum e^(l_i), with whatever normalisation the logits carry
  double participation = 0.0;   ///< Y = sum w_i^2
  double entropy = 0.0;         ///< H = -sum w_i log w_i, nats
  double parent_weight = 0.0;   ///< w of the probe's own component; 0 if it is not in the set
  double largest_weight = 0.0;  ///< max w_i
};

/// NaN throughout for an empty set.
[[nodiscard]] PosteriorSummary summarise(const PosteriorSums& sums);

}  // namespace diffphase
