#include "process/noising_process.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace diffphase {
namespace {

std::vector<NoisingProcess> all_processes() {
  std::vector<NoisingProcess> processes;
  for (const auto& name : NoisingProcess::names()) processes.push_back(NoisingProcess::named(name));
  return processes;
}

/// Times on the clock of `process` from log tau = -9 to 9.
std::vector<double> spread_times(const NoisingProcess& process) {
  std::vector<double> times(49);
  for (std::size_t i = 0; i < times.size(); ++i) {
    times[i] = process.time_at(std::exp(0.375 * static_cast<double>(i) - 9.0));
  }
  return times;
}

TEST(NoisingProcess, NamesAndKindsAgree) {
  EXPECT_EQ(NoisingProcess::named("ornstein-uhlenbeck").kind(), ProcessKind::ornstein_uhlenbeck);
  EXPECT_EQ(NoisingProcess::named("variance-exploding").kind(), ProcessKind::variance_exploding);
  EXPECT_EQ(NoisingProcess::named("flow-matching").kind(), ProcessKind::flow_matching);
  EXPECT_EQ(NoisingProcess::named("ddpm-linear").kind(), ProcessKind::ddpm_linear);
  for (const auto& process : all_processes()) EXPECT_EQ(NoisingProcess::named(process.name()).kind(), process.kind());
  EXPECT_THROW((void)NoisingProcess::named("ornstein"), std::invalid_argument);
  EXPECT_EQ(NoisingProcess::named("ddpm-linear").time_units(), "step");
  EXPECT_EQ(NoisingProcess().time_units(), "1");
}

TEST(NoisingProcess, SignalAndNoiseAreTheirDefinitions) {
  const NoisingProcess ou(ProcessKind::ornstein_uhlenbeck);
  EXPECT_DOUBLE_EQ(ou.signal(0.7), std::exp(-0.7));
  EXPECT_DOUBLE_EQ(ou.noise(0.7), std::sqrt(1.0 - std::exp(-1.4)));
  const NoisingProcess ve(ProcessKind::variance_exploding);
  EXPECT_DOUBLE_EQ(ve.signal(9.0), 1.0);
  EXPECT_DOUBLE_EQ(ve.noise(9.0), 3.0);
  const NoisingProcess flow(ProcessKind::flow_matching);
  EXPECT_DOUBLE_EQ(flow.signal(0.25), 0.75);
  EXPECT_DOUBLE_EQ(flow.noise(0.25), 0.25);
}

TEST(NoisingProcess, DdpmClockIsThatOfTheLinearSchedule) {
  const NoisingProcess ddpm(ProcessKind::ddpm_linear);
  const NoisingProcess ou(ProcessKind::ornstein_uhlenbeck);
  EXPECT_NEAR(convert_time(1000.0, ddpm, ou), 5.058857, 5e-7);
  // Published speciation times of image sets. Their step indices count from 0: index i holds i + 1 betas.
  EXPECT_NEAR(convert_time(447.0, ddpm, ou), 1.0182, 5e-5);
  EXPECT_NEAR(convert_time(527.0, ddpm, ou), 1.4118, 5e-5);
  EXPECT_NEAR(convert_time(330.0, ddpm, ou), 0.5584, 5e-5);
  EXPECT_NEAR(convert_time(496.0, ddpm, ou), 1.2517, 5e-5);
  EXPECT_NEAR(convert_time(636.0, ddpm, ou), 2.0518, 5e-5);
  double alphabar = 1.0;
  for (int s = 1; s <= 1000; ++s) {
    alphabar *= 1.0 - (1e-4 + (2e-2 - 1e-4) * (s - 1) / 999.0);
    EXPECT_NEAR(ddpm.signal(s), std::sqrt(alphabar), 1e-13);
    EXPECT_NEAR(ddpm.noise(s), std::sqrt(1.0 - alphabar), 1e-13);
  }
  // Linear in log alphabar between steps.
  EXPECT_NEAR(std::log(ddpm.signal(10.25)), 0.75 * std::log(ddpm.signal(10)) + 0.25 * std::log(ddpm.signal(11)), 1e-15);
}

TEST(NoisingProcess, EveryFormOfTheSignalToNoiseRatioAgrees) {
  for (const auto& process : all_processes()) {
    double previous = 0.0;
    for (const double t : spread_times(process)) {
      if (std::isnan(t)) continue;
      const double tau = process.noise_to_signal(t);
      const double ratio = process.noise(t) / process.signal(t);
      EXPECT_NEAR(tau / (ratio * ratio), 1.0, 1e-12) << process.name() << " " << t;
      EXPECT_NEAR(process.log_snr(t), -std::log(tau), 1e-12) << process.name() << " " << t;
      EXPECT_NEAR(process.time_at(tau) / t, 1.0, 1e-12) << process.name() << " " << t;
      EXPECT_NEAR(process.time_at_log_snr(process.log_snr(t)) / t, 1.0, 1e-12) << process.name() << " " << t;
      EXPECT_GT(tau, previous);
      EXPECT_TRUE(process.contains(t));
      previous = tau;
    }
  }
}

TEST(NoisingProcess, ConversionsBetweenAllClocksRoundTrip) {
  const auto processes = all_processes();
  for (const auto& from : processes) {
    for (const auto& to : processes) {
      for (const double t : spread_times(from)) {
        const double there = convert_time(t, from, to);
        if (std::isnan(there)) continue;
        EXPECT_NEAR(to.noise_to_signal(there) / from.noise_to_signal(t), 1.0, 1e-11);
        EXPECT_NEAR(convert_time(there, to, from) / t, 1.0, 1e-11) << from.name() << " " << to.name() << " " << t;
        for (const auto& third : processes) {
          const double direct = convert_time(t, from, third);
          if (std::isnan(direct)) continue;
          EXPECT_NEAR(convert_time(there, to, third) / direct, 1.0, 1e-11);
        }
      }
    }
  }
}

TEST(NoisingProcess, ConversionsAreTheKnownFormulas) {
  const NoisingProcess ou(ProcessKind::ornstein_uhlenbeck);
  const NoisingProcess ve(ProcessKind::variance_exploding);
  const NoisingProcess flow(ProcessKind::flow_matching);
  EXPECT_NEAR(convert_time(0.3, ou, ve), std::exp(0.6) - 1.0, 1e-14);
  EXPECT_NEAR(convert_time(4.0, ve, ou), 0.5 * std::log(5.0), 1e-14);
  EXPECT_NEAR(convert_time(4.0, ve, flow), 2.0 / 3.0, 1e-14);
}

TEST(NoisingProcess, SmallTimesKeepTheirDigits) {
  const NoisingProcess ou(ProcessKind::ornstein_uhlenbeck);
  EXPECT_NEAR(ou.noise_to_signal(1e-12) / 2e-12, 1.0, 1e-11);
  EXPECT_NEAR(ou.time_at(2e-12) / 1e-12, 1.0, 1e-11);
  EXPECT_NEAR(ou.log_snr(400.0), -800.0, 1e-9);
  EXPECT_NEAR(ou.time_at_log_snr(-800.0), 400.0, 1e-9);
}

TEST(NoisingProcess, TimesOffTheClockAreNotNumbers) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& process : all_processes()) {
    EXPECT_TRUE(std::isnan(process.time_at(-1.0)));
    EXPECT_TRUE(std::isnan(process.time_at(std::nan(""))));
    EXPECT_TRUE(std::isnan(process.time_at(infinity)));
    EXPECT_EQ(process.time_at(0.0), 0.0);
    EXPECT_FALSE(process.contains(0.0));
    EXPECT_FALSE(process.contains(-1.0));
    EXPECT_FALSE(process.contains(infinity));
  }
  const NoisingProcess ddpm(ProcessKind::ddpm_linear);
  EXPECT_TRUE(ddpm.contains(1000.0));
  EXPECT_FALSE(ddpm.contains(1000.1));
  EXPECT_DOUBLE_EQ(ddpm.time_at(ddpm.noise_to_signal(1000.0)), 1000.0);
  EXPECT_TRUE(std::isnan(convert_time(5.1, NoisingProcess(), ddpm)));
  const NoisingProcess flow(ProcessKind::flow_matching);
  EXPECT_FALSE(flow.contains(1.0));
  EXPECT_DOUBLE_EQ(flow.max_time(), 1.0);
  EXPECT_TRUE(std::isnan(flow.time_at(1e40)));
}

}  // namespace
}  // namespace diffphase
