#pragma once

#include <cstdint>
#include <string>

namespace diffphase {

/// Sizes n of training sets as 64-bit keys, also where n is beyond counting: up to most_countable_samples the number
/// itself, beyond it the bits of log n as a double, with log n >= 1. Keys ascend with n, but for those made of a log n
/// below that of most_countable_samples, which come after all numbers.

inline constexpr std::int64_t most_countable_samples = std::int64_t{1} << 53U;

/// The key of a size that is given by its logarithm; 1 <= log_n < inf, or std::invalid_argument.
[[nodiscard]] std::int64_t samples_of_log(double log_n);
/// Whether the key is a number, and not a logarithm.
[[nodiscard]] bool is_countable(std::int64_t samples);
/// log n, of either kind of key; samples >= 1.
[[nodiscard]] double log_samples(std::int64_t samples);
/// "20000", "e^300": for messages and labels.
[[nodiscard]] std::string samples_text(std::int64_t samples);

}  // namespace diffphase
