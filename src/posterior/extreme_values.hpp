#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "posterior/posterior_sums.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

/// How many of the smallest energies of a class are drawn where nothing else is said: with it the means of
/// participation and entropy are within 1e-4 of those with all energies drawn.
inline constexpr std::int64_t default_extreme_energies = 300;

/// The points y = mu + sigma z of one class of a training set, as x_t sees them: their energies
/// E = |x_t - a y|^2/(2 b^2) = scale D, D noncentral chi-square.
struct ClassOfEnergies {
  double log_points = 0.0;     ///< logarithm of their expected number; -inf: none
  double noncentrality = 0.0;  ///< |x_t - a mu|^2/(a sigma)^2
  double scale = 0.0;          ///< a^2 sigma^2/(2 b^2)
};

/// The probe's own training point, of energy `energy`.
[[nodiscard]] PosteriorSums parent_sums(double energy);

/// log G_1, ..., log G_count: logarithms of the arrival times of a Poisson process of unit rate, sums of unit
/// exponentials from row `row` of the stream. The first ones do not depend on `count`.
[[nodiscard]] std::vector<double> log_arrivals(const RandomStream& stream, std::uint64_t row, std::int64_t count);

/// One draw of the sums over all points of a class, at a cost that does not depend on their number.
///
/// The points are a Poisson process, so that P(D <= D_k) n_c = G_k for the k-th smallest: as many energies as there are
/// arrivals (those with G_k < n_c) are quantiles; the points beyond the last enter by the conditional means of
/// sum e^-E, sum E e^-E and sum e^-2E, tail probabilities of the tilted law. Exact in law up to the error of
/// NoncentralChiSquare and what the points beyond fluctuate; the number of points is Poisson, which is felt where
/// n_c is small (relative deviations of order 1/n_c).
///
/// `reference`: the logit of something that is in the same posterior (its parent). What cannot come near it, or near
/// the points beyond the nearest, to e^-50 is not drawn: a class, or all of its energies, by its means.
///
/// Scale > 0, or std::invalid_argument. Local.
[[nodiscard]] PosteriorSums draw_extreme_sums(std::int64_t dimension, const ClassOfEnergies& points,
                                              std::span<const double> log_arrivals, double reference);

}  // namespace diffphase
