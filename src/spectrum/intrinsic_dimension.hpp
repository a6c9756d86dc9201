#pragma once

#include <cstdint>
#include <span>

namespace diffphase {

/// A dimension read off a spectrum and the gap that decided it.
struct IntrinsicDimension {
  std::int64_t dimension = 0;
  double above = 0.0;  ///< the values on either side of the gap
  double below = 0.0;
};

/// The estimator of Stanczuk, Batzolis, Deveney, Schoenlieb (2024) from the singular values s_1 >= .. >= s_d of a
/// matrix of scores near a point: normal directions have large ones, k = d - argmax_i (s_i - s_(i+1)), i = 1..d-1.
/// Missing values (fewer rows than columns) count as 0. It never says 0 or d: whether the gap is one, `above` and
/// `below` tell. A single dimension is a tangent one. Local. Throws std::invalid_argument if there are no values, more
/// than `columns`, or if they do not descend.
[[nodiscard]] IntrinsicDimension dimension_by_largest_gap(std::span<const double> singular_values,
                                                          std::int64_t columns);

/// The same from the eigenvalues of N = -b^2 J, in any order: a tangent direction has one near 0, a normal one near 1;
/// k is the number of those below the largest gap between neighbours. Local.
[[nodiscard]] IntrinsicDimension dimension_of_score_by_largest_gap(std::span<const double> eigenvalues);

/// Directions with an eigenvalue of N = -b^2 J below `threshold`, which are open (resolved) at this time; 1/2 is where
/// the variance of a direction is the noise's. `above` and `below` are its neighbours, NaN where there is none. Local.
[[nodiscard]] IntrinsicDimension dimension_by_threshold(std::span<const double> eigenvalues, double threshold = 0.5);

}  // namespace diffphase
