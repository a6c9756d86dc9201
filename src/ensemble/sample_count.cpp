#include "ensemble/sample_count.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <stdexcept>

namespace diffphase {

std::int64_t samples_of_log(double log_n) {
  if (!(log_n >= 1.0) || std::isinf(log_n)) {
    throw std::invalid_argument(
        fmt::format("a number of samples e^{} is not known: the exponent is at least 1", log_n));
  }
  return std::bit_cast<std::int64_t>(log_n);
}

bool is_countable(std::int64_t samples) { return samples <= most_countable_samples; }

double log_samples(std::int64_t samples) {
  return is_countable(samples) ? std::log(static_cast<double>(samples)) : std::bit_cast<double>(samples);
}

std::string samples_text(std::int64_t samples) {
  return is_countable(samples) ? fmt::format("{}", samples) : fmt::format("e^{:.10g}", log_samples(samples));
}

}  // namespace diffphase
