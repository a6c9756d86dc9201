#include "trajectory/reverse_sde.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace diffphase {

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

const DataSlab& require_one_rank(const DataSlab& slab) {
  if (slab.layout.ranks == 1) return slab;
  throw std::invalid_argument("reverse process: all components must be on every rank");
}

}  // namespace

ReverseSchedule::ReverseSchedule(std::span<const double> split_taus, double final_tau, std::int64_t steps) {
  if (split_taus.empty() || steps < 1) throw std::invalid_argument("reverse schedule: no split times or no steps");
  if (!(final_tau > 0.0) || !(final_tau < split_taus.front()) || !std::isfinite(split_taus.back()) ||
      std::adjacent_find(split_taus.begin(), split_taus.end(), [](double a, double b) { return !(a < b); }) !=
          split_taus.end()) {
    throw std::invalid_argument(
        fmt::format("reverse schedule: split levels must ascend from above the final level {}", final_tau));
  }
  const double whole = std::log(split_taus.back() / final_tau);
  taus.push_back(split_taus.back());
  for (std::size_t left = split_taus.size(); left > 0; --left) {
    splits.push_back(taus.size() - 1);
    const double from = split_taus[left - 1];
    const double to = left > 1 ? split_taus[left - 2] : final_tau;
    const double stretch = std::log(from / to);
    const auto parts = std::max<std::int64_t>(std::llround(static_cast<double>(steps) * stretch / whole), 1);
    for (std::int64_t part = 1; part < parts; ++part) {
      taus.push_back(from * std::exp(-stretch * static_cast<double>(part) / static_cast<double>(parts)));
    }
    taus.push_back(to);
  }
}

ReverseSde::ReverseSde(const DataSlab& components, ComponentLaw law, ReverseSampler sampler)
    : components_(require_one_rank(components)),
      sampler_(sampler),
      self_(Communicator::self()),
      group_(self_),
      posterior_(group_, components_, std::move(law)) {}

void ReverseSde::start(double tau, std::int64_t component, std::span<double> x) const {
  const double width = std::hypot(posterior_.law().sigma(component), std::sqrt(tau));
  const std::span<const double> centre = components_.row(component);
  for (std::size_t j = 0; j < x.size(); ++j) x[j] = centre[j] + width * x[j];
}

void ReverseSde::step(double tau, double lower, std::int64_t points, std::span<double> x,
                      std::span<const double> normals, std::span<const double> uniforms) const {
  if (sampler_ == ReverseSampler::euler) {
    euler_step(tau, lower, points, x, normals);
  } else {
    exact_step(tau, lower, points, x, normals, uniforms);
  }
}

// y <- y + E du + sqrt(du) z with y = x/tau and du = 1/lower - 1/tau, written for x.
void ReverseSde::euler_step(double tau, double lower, std::int64_t points, std::span<double> x,
                            std::span<const double> normals) const {
  const std::vector<double> mean = posterior_.moments(NoiseLevel::at_tau(tau), points, x).mean;
  const double kept = lower / tau;
  const double width = std::sqrt(lower * (1.0 - kept));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = mean[i] + kept * (x[i] - mean[i]) + width * normals[i];
  }
}

// Given the component, x_0 ~ N(m, V I) and x_lower = x_0 + (lower/tau)(x - x_0) + sqrt(lower (tau -
// lower)/tau) z: together a Gaussian of mean m + (lower/tau)(x - m) and variance (1 - lower/tau)^2 V + lower
// (1 - lower/tau).
void ReverseSde::exact_step(double tau, double lower, std::int64_t points, std::span<double> x,
                            std::span<const double> normals, std::span<const double> uniforms) const {
  const std::vector<std::int64_t> drawn = draw_components(tau, points, x, uniforms);
  const std::size_t columns = index(dimension());
  const double kept = lower / tau;
  for (std::size_t p = 0; p < drawn.size(); ++p) {
    const ComponentPosterior component(NoiseLevel::at_tau(tau), posterior_.law().sigma(drawn[p]));
    const std::span<const double> centre = components_.row(drawn[p]);
    const double width = std::sqrt((1.0 - kept) * (1.0 - kept) * component.variance + lower * (1.0 - kept));
    for (std::size_t i = p * columns; i < (p + 1) * columns; ++i) {
      const double mean = component.shrink * centre[i - p * columns] + component.pull * x[i];
      x[i] = mean + kept * (x[i] - mean) + width * normals[i];
    }
  }
}

std::vector<std::int64_t> ReverseSde::draw_components(double tau, std::int64_t points, std::span<const double> x,
                                                      std::span<const double> uniforms) const {
  const NoiseLevel level = NoiseLevel::at_tau(tau);
  const std::vector<double> log_evidence = posterior_.log_evidence(level, points, x);
  std::vector<double> cumulative(index(points));
  // The last component that is possible at all stays where rounding leaves the sum below the uniform number.
  std::vector<std::int64_t> drawn(index(points));
  posterior_.responsibilities(level, points, x, log_evidence, [&](const ResponsibilityTile& tile) {
    for (std::size_t p = 0; p < drawn.size(); ++p) {
      for (std::int64_t r = 0; r < tile.rows && cumulative[p] <= uniforms[p]; ++r) {
        const double share = tile.values[p * index(tile.rows) + index(r)];
        cumulative[p] += share;
        if (share > 0.0) drawn[p] = tile.first_row + r;
      }
    }
  });
  return drawn;
}

}  // namespace diffphase
