#pragma once

// Small clone experiments with a known answer.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dense_posterior.hpp"
#include "trajectory/clones.hpp"

namespace diffphase::clone_tests {

struct Experiment {
  dense::Mixture mixture;
  ComponentLaw law;
  CloneSettings settings;
  std::vector<double> expected;
  std::vector<double> expected_error;
};

inline CloneStreams streams(const std::string& name) {
  return {.normals = RandomStream(20240228, hash_text(name), 0, "normals"),
          .uniforms = RandomStream(20240228, hash_text(name), 0, "uniforms")};
}

/// E sum_c p_c^2 at x = y_c + sqrt(sigma_c^2 + tau) z, from the dense posterior, and its standard error.
inline void expect_from_identity(Experiment& experiment, std::size_t probes) {
  const dense::Mixture& mixture = experiment.mixture;
  const RandomStream stream(7, hash_text("identity"), 0, "noise");
  for (const double tau : experiment.settings.split_taus) {
    double sum = 0.0;
    double squares = 0.0;
    for (std::size_t p = 0; p < probes; ++p) {
      // Midpoints of `probes` strata, so that components come in proportion to their weights.
      double left = (static_cast<double>(p) + 0.5) / static_cast<double>(probes);
      std::size_t c = 0;
      while (c + 1 < mixture.components() && left >= mixture.weights[c]) left -= mixture.weights[c++];
      std::vector<double> x(mixture.dimension());
      stream.normals(p, 0, x);
      for (std::size_t j = 0; j < x.size(); ++j) {
        x[j] = mixture.centres[c][j] + std::hypot(mixture.sigmas[c], std::sqrt(tau)) * x[j];
      }
      dense::Real agreement = 0;
      for (const dense::Real r : dense::posterior(mixture, 1, std::sqrt(tau), x, false).responsibilities) {
        agreement += r * r;
      }
      sum += static_cast<double>(agreement);
      squares += static_cast<double>(agreement * agreement);
    }
    const auto count = static_cast<double>(probes);
    const double mean = sum / count;
    experiment.expected.push_back(mean);
    experiment.expected_error.push_back(std::sqrt((squares / count - mean * mean) / count));
  }
}

/// Two classes at +-(1, ..., 1) in 16 dimensions with sigma = 1: with c = |mu|/sqrt(1 + tau),
/// phi(c) = (1 + E tanh(c^2 + c g))/2 (Biroli et al. 2024).
inline Experiment opposite_classes(std::int64_t trajectories, std::int64_t steps, ReverseSampler sampler) {
  Experiment experiment;
  experiment.mixture = {.centres = {std::vector<double>(16, 1.0), std::vector<double>(16, -1.0)},
                        .sigmas = {1.0, 1.0},
                        .weights = {0.5, 0.5}};
  experiment.law.sigmas = {1.0};
  for (const double c : {3.0, 2.5, 2.0, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25, 0.1}) {
    experiment.settings.split_taus.push_back(16.0 / (c * c) - 1.0);
  }
  experiment.expected = {0.9979244601, 0.9905240766, 0.9657012956, 0.9013787489, 0.8466375593,
                         0.7752002454, 0.6903664804, 0.6020271328, 0.5294729878, 0.5049508124};
  experiment.expected_error.assign(experiment.expected.size(), 0.0);
  experiment.settings.start = CloneStart::drawn;
  experiment.settings.final_tau = 0.25 * experiment.settings.split_taus.front();
  experiment.settings.trajectories = trajectories;
  experiment.settings.steps = steps;
  experiment.settings.sampler = sampler;
  return experiment;
}

/// Four classes of different width and weight in 6 dimensions.
inline Experiment unequal_classes(std::int64_t trajectories, std::int64_t steps, ReverseSampler sampler) {
  Experiment experiment;
  experiment.mixture = dense::random_points(4, 6, 1.5, "classes");
  experiment.mixture.sigmas = {0.5, 1.0, 0.8, 1.2};
  experiment.mixture.weights = {0.4, 0.3, 0.2, 0.1};
  experiment.law = {.sigmas = experiment.mixture.sigmas, .weights = experiment.mixture.weights};
  experiment.settings = {.split_taus = {0.3, 1.0, 3.0, 9.0, 30.0},
                         .final_tau = 0.05,
                         .trajectories = trajectories,
                         .steps = steps,
                         .sampler = sampler,
                         .start = CloneStart::drawn};
  expect_from_identity(experiment, 10000);
  return experiment;
}

/// 200 points in 16 dimensions.
inline Experiment training_points(std::int64_t trajectories, std::int64_t steps, ReverseSampler sampler) {
  Experiment experiment;
  experiment.mixture = dense::random_points(200, 16, 1.0, "points");
  experiment.settings = {.split_taus = {0.3, 0.5, 0.8, 1.3, 2.0, 4.0},
                         .final_tau = 0.075,
                         .trajectories = trajectories,
                         .steps = steps,
                         .sampler = sampler,
                         .start = CloneStart::cyclic};
  expect_from_identity(experiment, 2000);
  return experiment;
}

inline CloneAgreement simulate(const TaskGroup& group, const Experiment& experiment, const std::string& name) {
  const DataSlab slab = dense::slab_of(experiment.mixture);
  return clone_agreement(group, slab, experiment.law, experiment.settings, streams(name));
}

}  // namespace diffphase::clone_tests
