#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace diffphase {

/// How the law of the data is computed, [ensemble] representation. All but extreme are exact.
///  - automatic: the one of the others that is expected to take the least work, `full` in doubt
///  - full ("explicit"): all coordinates of all rows
///  - projected: what lies in the span of the classes, and one length for the rest
///  - streaming: projected probes, each with a training set of its own that is drawn in law and never stored
///  - extreme: projected probes, each with a training set of its own of which only the nearest points are drawn, and
///    the others enter by their means: any number of samples, an approximation (posterior/extreme_values.hpp)
enum class Representation { automatic, full, projected, streaming, extreme };

/// As in sweep files: auto, explicit, projected, streaming, extreme.
[[nodiscard]] std::string_view representation_name(Representation representation);
/// Throws std::invalid_argument for another name.
[[nodiscard]] Representation representation_of(std::string_view name);

/// Why a representation was taken, as results record it.
///  - asked_for: by the sweep file
///  - less_work: `automatic` expects it to take little enough of explicit's work
///  - little_gain: explicit, as the reduced one would not
///  - not_eligible: explicit, as `automatic` takes no other one for such an ensemble or such measures
///  - beyond_counting: extreme, for a number of samples that nothing can draw
enum class RepresentationReason { asked_for, less_work, little_gain, not_eligible, beyond_counting };

/// Names of the reasons in their order, for flags.
[[nodiscard]] std::vector<std::string> representation_reasons();

/// What a measure takes, and why: for the results, and in words for the log.
struct RepresentationChoice {
  Representation representation = Representation::full;
  RepresentationReason reason = RepresentationReason::asked_for;
  std::string explanation;
};

/// Points of the largest training set of a mixture that `automatic` draws, far more than a machine draws in a day:
/// beyond, only the law of the set is known.
inline constexpr std::int64_t most_drawn_samples = 10'000'000'000;

/// How many times less work a reduced representation must be for `automatic` to take it: it has other random numbers
/// than the full one, whose numbers are those of every other measure of the same realization. A change here is a new
/// numerics_version.
inline constexpr double least_gain_of_reduction = 4.0;

/// What is asked for, unless that is `automatic`: then `reduced` if it takes at most 1/least_gain_of_reduction of the
/// operations, else full. The work is predicted from the task alone, never from measured seconds.
[[nodiscard]] RepresentationChoice choose_representation(Representation asked, double full_operations,
                                                         Representation reduced, double reduced_operations);

}  // namespace diffphase
