#pragma once

// Reference implementation: the posterior of a mixture written down directly, in long double, one logit at a
// time.

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "posterior/posterior_sums.hpp"

namespace diffphase::dense {

struct Component {
  std::vector<double> centre;
  double sigma = 0.0;
  double log_weight = 0.0;
};

/// log w_i N(x; a y_i, (b^2 + a^2 sigma_i^2) I) for every component.
inline std::vector<long double> log_densities(const std::vector<Component>& components,
                                              std::span<const double> x, double a, double b) {
  const long double pi = 3.141592653589793238462643383279502884L;
  std::vector<long double> logs;
  for (const Component& c : components) {
    const long double v =
        static_cast<long double>(b) * b + static_cast<long double>(a) * a * c.sigma * c.sigma;
    long double distance2 = 0.0L;
    for (std::size_t j = 0; j < x.size(); ++j) {
      const long double difference =
          static_cast<long double>(x[j]) - static_cast<long double>(a) * c.centre[j];
      distance2 += difference * difference;
    }
    logs.push_back(c.log_weight - distance2 / (2.0L * v) -
                   0.5L * static_cast<long double>(x.size()) * std::log(2.0L * pi * v));
  }
  return logs;
}

inline std::vector<long double> responsibilities(const std::vector<long double>& logs,
                                                 long double& log_evidence) {
  long double largest = logs[0];
  for (const long double l : logs) largest = std::max(largest, l);
  long double sum = 0.0L;
  for (const long double l : logs) sum += std::exp(l - largest);
  log_evidence = largest + std::log(sum);
  std::vector<long double> w;
  for (const long double l : logs) w.push_back(std::exp(l - log_evidence));
  return w;
}

inline PosteriorSummary summary(const std::vector<Component>& components, std::span<const double> x, double a,
                                double b, std::size_t parent) {
  long double log_evidence = 0.0L;
  const auto w = responsibilities(log_densities(components, x, a, b), log_evidence);
  PosteriorSummary s{};
  s.log_evidence = static_cast<double>(log_evidence);
  long double y = 0.0L, h = 0.0L, largest = 0.0L;
  for (const long double p : w) {
    y += p * p;
    if (p > 0.0L) h -= p * std::log(p);
    largest = std::max(largest, p);
  }
  s.participation = static_cast<double>(y);
  s.entropy = static_cast<double>(h);
  s.largest_weight = static_cast<double>(largest);
  s.parent_weight = static_cast<double>(w[parent]);
  return s;
}

}  // namespace diffphase::dense
