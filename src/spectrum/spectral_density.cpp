#include "spectrum/spectral_density.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "spectrum/block_lanczos.hpp"
#include "spectrum/probe_mean.hpp"

namespace diffphase {

namespace {

constexpr double smallest_weight = 1e-12;  // of a node that is more than rounding after the end of a recurrence

double integrate(const Quadrature& quadrature, const std::function<double(double)>& f) {
  double sum = 0.0;
  for (std::size_t i = 0; i < quadrature.nodes.size(); ++i) sum += quadrature.weights[i] * f(quadrature.nodes[i]);
  return sum;
}

// A mean over probes from all steps and from half of them, scaled to the dimension that is left, beside the exact part.
struct PairedValues {
  std::vector<double> full;
  std::vector<double> half;

  [[nodiscard]] DensityEstimate estimate(double exact, double remaining, const std::vector<double>& weights) const {
    if (full.empty()) return {exact, 0.0, 0.0};
    const ProbeMean all = mean_over_probes(full, weights);
    const ProbeMean less = mean_over_probes(half, weights);
    return {exact + remaining * all.value, remaining * all.standard_error, remaining * (all.value - less.value)};
  }
};

DistributionValue mass_between(const LanczosRecurrence& recurrence, double lower, double upper) {
  if (recurrence.diagonal.empty()) return {};
  const DistributionValue below = distribution_function(recurrence, lower);
  const DistributionValue up_to = distribution_function(recurrence, upper);
  return {up_to.value - below.value, up_to.bound + below.bound};
}

Quadrature quadrature_of(const LanczosRecurrence& recurrence) {
  return recurrence.diagonal.empty() ? Quadrature{} : gauss_quadrature(recurrence);
}

ProbeSpectrum probe_spectrum(ProbeRecurrence probe, int steps, double weight) {
  ProbeSpectrum spectrum;
  spectrum.weight = weight;
  spectrum.half_recurrence = first_steps(probe.recurrence, std::max(1, steps / 2));
  spectrum.recurrence = std::move(probe.recurrence);
  spectrum.quadrature = quadrature_of(spectrum.recurrence);
  spectrum.half_quadrature = quadrature_of(spectrum.half_recurrence);
  return spectrum;
}

std::vector<ProbeRecurrence> run_probes(BlockLanczos& lanczos, const ProbeVectors& vectors, int probes, int block) {
  std::vector<ProbeRecurrence> all;
  for (int first = 0; first < probes; first += block) {
    const int count = std::min(block, probes - first);
    auto part = lanczos.run(count, [&](std::span<double> out) { vectors.fill(first, count, out); });
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  return all;
}

// A Gaussian probe says nothing by its length; the length of a Rademacher probe is that of the subspace it is left in.
std::vector<double> probe_weights(const std::vector<ProbeRecurrence>& probes, ProbeLaw law) {
  std::vector<double> weights(probes.size(), 1.0);
  double mean = 0.0;
  double shortest = probes.front().squared_length;
  for (const ProbeRecurrence& p : probes) {
    mean += p.squared_length / static_cast<double>(probes.size());
    shortest = std::min(shortest, p.squared_length);
  }
  if (mean == 0.0 || (law == ProbeLaw::gaussian && shortest == 0.0)) {
    throw std::runtime_error("spectral density: nothing of a probe lies outside the deflated space");
  }
  if (law == ProbeLaw::gaussian) return weights;
  std::transform(probes.begin(), probes.end(), weights.begin(),
                 [&](const ProbeRecurrence& p) { return p.squared_length / mean; });
  return weights;
}

}  // namespace

std::int64_t density_bytes(std::int64_t local_size, const DensitySettings& settings) {
  const std::int64_t block = std::min(settings.block, settings.probes);
  return 8 * local_size * block * (std::int64_t{settings.steps} + 1);
}

SpectralDensity::SpectralDensity(std::int64_t size, std::vector<double> peaks, std::vector<ProbeSpectrum> probes)
    : size_(size), peaks_(std::move(peaks)), probes_(std::move(probes)) {
  if (static_cast<std::int64_t>(peaks_.size()) > size_ || (remaining() > 0.0 && probes_.empty())) {
    throw std::invalid_argument("spectral density: peaks and probes do not fill the space");
  }
}

double SpectralDensity::remaining() const {
  return static_cast<double>(size_ - static_cast<std::int64_t>(peaks_.size()));
}

std::vector<double> SpectralDensity::weights() const {
  std::vector<double> all;
  for (const ProbeSpectrum& p : probes_) all.push_back(p.weight);
  return all;
}

DensityEstimate SpectralDensity::integral(const std::function<double(double)>& f) const {
  PairedValues values;
  for (const ProbeSpectrum& p : probes_) {
    values.full.push_back(integrate(p.quadrature, f));
    values.half.push_back(integrate(p.half_quadrature, f));
  }
  double exact = 0.0;
  for (const double peak : peaks_) exact += f(peak);
  return values.estimate(exact, remaining(), weights());
}

DensityEstimate SpectralDensity::moment(int degree) const {
  return integral([degree](double x) { return std::pow(x, degree); });
}

CountEstimate SpectralDensity::count(double lower, double upper) const {
  if (!(lower < upper)) throw std::invalid_argument("spectral density: an interval needs its ends in order");
  PairedValues values;
  std::vector<double> bounds;
  for (const ProbeSpectrum& p : probes_) {
    const DistributionValue mass = mass_between(p.recurrence, lower, upper);
    values.full.push_back(mass.value);
    bounds.push_back(mass.bound);
    values.half.push_back(mass_between(p.half_recurrence, lower, upper).value);
  }
  const auto exact = std::count_if(peaks_.begin(), peaks_.end(), [&](double x) { return lower < x && x <= upper; });
  const DensityEstimate e = values.estimate(static_cast<double>(exact), remaining(), weights());
  const double bound = bounds.empty() ? 0.0 : remaining() * mean_over_probes(bounds, weights()).value;
  return {e.value, e.standard_error, e.bias, bound};
}

CountEstimate SpectralDensity::cumulative(double x) const { return count(-std::numeric_limits<double>::infinity(), x); }

SmoothedDensity SpectralDensity::smoothed(std::span<const double> grid, double width) const {
  if (!(width > 0.0)) throw std::invalid_argument("spectral density: the kernel's width must be positive");
  SmoothedDensity density{"gaussian", width, {grid.begin(), grid.end()}, {}, {}, {}};
  const double height = 1.0 / (width * std::sqrt(2.0 * std::numbers::pi));
  for (const double x : grid) {
    const DensityEstimate e = integral([&](double node) {
      const double u = (x - node) / width;
      return height * std::exp(-0.5 * u * u);
    });
    density.values.push_back(e.value);
    density.standard_errors.push_back(e.standard_error);
    density.biases.push_back(e.bias);
  }
  return density;
}

double SpectralDensity::width_of_steps() const {
  double distance = 0.0;
  for (const ProbeSpectrum& p : probes_) {
    if (p.recurrence.exact) continue;
    std::vector<double> nodes;
    for (std::size_t i = 0; i < p.quadrature.nodes.size(); ++i) {
      if (p.quadrature.weights[i] > smallest_weight) nodes.push_back(p.quadrature.nodes[i]);
    }
    if (nodes.size() > 1) {
      distance = std::max(distance, (nodes.back() - nodes.front()) / static_cast<double>(nodes.size() - 1));
    }
  }
  return 2.0 * distance;
}

int SpectralDensity::exact_probes() const {
  return static_cast<int>(
      std::count_if(probes_.begin(), probes_.end(), [](const ProbeSpectrum& p) { return p.recurrence.exact; }));
}

SpectralDensity spectral_density(const TaskGroup& group, const SymmetricOperator& op, const RandomStream& stream,
                                 const DensitySettings& settings, const DeflatedSpace& deflated) {
  if (settings.probes < 1 || settings.steps < 1 || settings.block < 1) {
    throw std::invalid_argument("spectral density: probes, steps and block must be positive");
  }
  const std::int64_t left = op.size - deflated.dimension();
  if (left == 0) return {op.size, deflated.eigenvalues, {}};
  const int steps = static_cast<int>(std::min<std::int64_t>(settings.steps, std::max<std::int64_t>(left, 1)));
  const int block = std::min(settings.block, settings.probes);
  const ProbeVectors vectors(group, op.local_size, stream, settings.law);
  BlockLanczos lanczos(group, op, deflated, steps, block);
  std::vector<ProbeRecurrence> recurrences = run_probes(lanczos, vectors, settings.probes, block);
  const std::vector<double> weights = probe_weights(recurrences, settings.law);
  std::vector<ProbeSpectrum> probes;
  group.run_guarded([&] {
    for (std::size_t p = 0; p < recurrences.size(); ++p) {
      probes.push_back(probe_spectrum(std::move(recurrences[p]), steps, weights[p]));
    }
  });
  SpectralDensity density(op.size, deflated.eigenvalues, std::move(probes));
  density.products = lanczos.products();
  return density;
}

}  // namespace diffphase
