#include "measure/lost_directions.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "ensemble/row_view.hpp"
#include "measure/probe_curves.hpp"
#include "measure/probes.hpp"
#include "posterior/point_posterior.hpp"
#include "spectrum/dense_eigenvalues.hpp"
#include "theory/achilli2024.hpp"
#include "transition/humped_curve.hpp"

namespace diffphase {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double lost_level = 0.5;
constexpr double accuracy_of_fractions = 0.1;  // of the predicted ones (theory/achilli2024.hpp)
constexpr double accuracy_at_loss = 0.03;      // of those about 1/2 at fixed probes, as seen in simulations
constexpr double fewest_sets = 16.0;           // that a mean may rest on where a loss time is read off it
constexpr std::int64_t fewest_to_be_lost = 3;  // n points keep the part (n - 1)/n of each block where noise is high

const std::array<ProbeKind, 3> kinds{ProbeKind::planted, ProbeKind::origin, ProbeKind::displaced};
const std::vector<std::string> kind_names{"planted", "origin", "displaced"};

std::int64_t set_count(const TaskParameters& task) { return static_cast<std::int64_t>(task.options.at("sets")); }
std::int64_t probe_count(const TaskParameters& task) { return static_cast<std::int64_t>(task.options.at("probes")); }

// The bands of the manifold, whose directions are coordinates.
std::vector<VarianceBand> bands_of(const TaskParameters& task) { return variance_bands(task.manifold->blocks); }

double variance_of(const TaskParameters& task, const VarianceBand& band) {
  return band.sigma * band.sigma + task.manifold->ambient_noise * task.manifold->ambient_noise;
}

// Variances of the data, those of the blocks first; then the ambient noise in normal directions.
std::vector<VarianceBlock> variances_of(const TaskParameters& task) {
  std::vector<VarianceBlock> variances;
  for (const VarianceBand& band : bands_of(task)) variances.push_back({band.size, variance_of(task, band)});
  const double ambient = task.manifold->ambient_noise * task.manifold->ambient_noise;
  const std::int64_t normal = task.manifold->dimension - task.manifold->columns();
  if (ambient > 0.0 && normal > 0) variances.push_back({normal, ambient});
  return variances;
}

// Probes of one training set at one time, [point][column]: planted ones, the origin, one displaced along each block.
class ProbePoints {
 public:
  ProbePoints(const TaskParameters& task, std::int64_t columns)
      : bands_(bands_of(task)), planted_(probe_count(task)), columns_(columns) {}

  [[nodiscard]] std::int64_t count() const { return planted_ + 1 + static_cast<std::int64_t>(bands_.size()); }
  [[nodiscard]] std::int64_t planted() const { return planted_; }
  [[nodiscard]] std::int64_t origin() const { return planted_; }
  [[nodiscard]] std::int64_t displaced(std::size_t block) const {
    return planted_ + 1 + static_cast<std::int64_t>(block);
  }

  [[nodiscard]] std::vector<double> at(double tau, ProbeBlock& probes) const {
    std::vector<double> x(static_cast<std::size_t>(count() * columns_), 0.0);
    for (std::int64_t p = 0; p < planted_; ++p) {
      const std::span<double> start = probes.start(p);
      const std::span<double> noise = probes.noise(p);
      for (std::size_t j = 0; j < start.size(); ++j) {
        x[static_cast<std::size_t>(p * columns_) + j] = start[j] + std::sqrt(tau) * noise[j];
      }
    }
    for (std::size_t b = 0; b < bands_.size(); ++b) {
      x[static_cast<std::size_t>(displaced(b) * columns_ + bands_[b].columns.front().first)] = std::sqrt(tau);
    }
    return x;
  }

 private:
  std::vector<VarianceBand> bands_;
  std::int64_t planted_;
  std::int64_t columns_;
};

// Over the directions of a band.
double squared_distance(const VarianceBand& band, const double* y, const double* mean) {
  double squares = 0.0;
  for (const ColumnRange& range : band.columns) {
    for (std::int64_t k = range.first; k < range.first + range.count; ++k) {
      squares += (y[k] - mean[k]) * (y[k] - mean[k]);
    }
  }
  return squares;
}

// Wider covariance matrices are not formed: the number of open directions is then unknown.
constexpr std::int64_t widest_covariance = 1024;
constexpr double negligible_weight = 1e-20;  // n of them change no eigenvalue that is compared with tau/2

// What is read off Cov at some points.
struct PointCovariances {
  std::vector<double> block_variances;  // [point][block]: mean Cov_kk over the directions of the block
  std::vector<double> open;             // [point]: eigenvalues of N = 1 - Cov/tau below 1/2; NaN where not counted
};

// Sums of the covariances of several points over one pass through the data. Memory: points w^2 doubles, w columns.
class CovarianceSums {
 public:
  CovarianceSums(std::int64_t points, std::int64_t columns, const PosteriorMoments& moments)
      : points_(points),
        columns_(columns),
        moments_(moments),
        matrices_(columns <= widest_covariance ? index(points * columns * columns) : 0) {}

  // Adds rows of the data, `stride` numbers apart, with their weights.
  void add(const double* rows, std::int64_t stride, const ResponsibilityTile& tile) {
    if (matrices_.empty()) return;
    scaled_.resize(index(tile.rows * columns_));
    for (std::int64_t p = 0; p < points_; ++p) {
      const std::int64_t kept = scale(rows, stride, tile, p);
      if (kept == 0) continue;
      cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, static_cast<blasint>(columns_), static_cast<blasint>(kept),
                  1.0, scaled_.data(), static_cast<blasint>(columns_), 1.0, matrices_.data() + p * columns_ * columns_,
                  static_cast<blasint>(columns_));
    }
  }

  void sum_over(const TaskGroup& group) { group.comm().sum(matrices_); }

  // Eigenvalues of Cov above `bound` at each point.
  [[nodiscard]] std::vector<double> count_above(double bound) const {
    std::vector<double> counts(index(points_), nan);
    if (matrices_.empty()) return counts;
    const std::size_t size = index(columns_ * columns_);
    for (std::size_t p = 0; p < counts.size(); ++p) {
      // By rows the lower triangle, by columns the upper: the count takes the other one.
      std::vector<double> matrix(matrices_.begin() + static_cast<std::ptrdiff_t>(p * size),
                                 matrices_.begin() + static_cast<std::ptrdiff_t>((p + 1) * size));
      for (std::int64_t i = 0; i < columns_; ++i) {
        for (std::int64_t k = 0; k < i; ++k) matrix[index(k * columns_ + i)] = matrix[index(i * columns_ + k)];
      }
      counts[p] = static_cast<double>(columns_ - eigenvalues_below(std::move(matrix), bound));
    }
    return counts;
  }

 private:
  static std::size_t index(std::int64_t number) { return static_cast<std::size_t>(number); }

  // sqrt(weight) (y - mean) of the rows that count, one after another; how many.
  std::int64_t scale(const double* rows, std::int64_t stride, const ResponsibilityTile& tile, std::int64_t point) {
    const double* mean = moments_.mean.data() + point * columns_;
    double* out = scaled_.data();
    std::int64_t kept = 0;
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      const double weight = tile.values[index(point * tile.rows + row)];
      if (weight < negligible_weight) continue;
      const double root = std::sqrt(weight);
      for (std::int64_t k = 0; k < columns_; ++k) *out++ = root * (rows[row * stride + k] - mean[k]);
      ++kept;
    }
    return kept;
  }

  std::int64_t points_;
  std::int64_t columns_;
  const PosteriorMoments& moments_;
  std::vector<double> matrices_;  // [point][column][column], lower triangles
  std::vector<double> scaled_;
};

PointCovariances point_covariances(const TaskGroup& group, const PointPosterior& posterior,
                                   const std::vector<VarianceBand>& bands, double tau, std::int64_t points,
                                   std::span<const double> x) {
  const NoiseLevel level = NoiseLevel::at_tau(tau);
  const PosteriorMoments moments = posterior.moments(level, points, x);
  const std::size_t width = bands.size();
  PointCovariances found;
  std::vector<double>& variances = found.block_variances;
  std::vector<double> buffer;
  std::optional<CovarianceSums> covariances;
  group.run_guarded([&] {
    variances.assign(static_cast<std::size_t>(points) * width, 0.0);
    covariances.emplace(points, posterior.local_columns(), moments);
  });
  posterior.responsibilities(level, points, x, moments.log_evidence, [&](const ResponsibilityTile& tile) {
    const std::int64_t stride = posterior.rows().stride();
    buffer.resize(static_cast<std::size_t>(tile.rows * stride));
    const double* rows = posterior.rows().rows(tile.first_row, tile.rows, buffer);
    covariances->add(rows, stride, tile);
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      const double* y = rows + row * stride;
      for (std::size_t b = 0; b < width; ++b) {
        for (std::int64_t p = 0; p < points; ++p) {
          const double weight = tile.values[static_cast<std::size_t>(p * tile.rows + row)];
          if (weight == 0.0) continue;
          const double* mean = moments.mean.data() + p * posterior.local_columns();
          variances[static_cast<std::size_t>(p) * width + b] += weight * squared_distance(bands[b], y, mean);
        }
      }
    }
  });
  group.comm().sum(variances);
  covariances->sum_over(group);
  group.run_guarded([&] { found.open = covariances->count_above(0.5 * tau); });
  for (std::size_t i = 0; i < variances.size(); ++i) variances[i] /= static_cast<double>(bands[i % width].size);
  return found;
}

// Retained fractions of one sample count, a curve over times for each training set.
struct RetainedCurves {
  std::array<std::vector<ProbeCurves>, 3> fractions;  // [kind][block]
  std::vector<ProbeCurves> open;                      // [kind]: directions

  RetainedCurves(std::size_t blocks, std::int64_t sets, std::int64_t times) : open(3, ProbeCurves(sets, times)) {
    for (auto& of_kind : fractions) of_kind.assign(blocks, ProbeCurves(sets, times));
  }
};

// One training set: all counts, all times.
class OneSet {
 public:
  OneSet(const TaskGroup& group, const TaskParameters& task, std::vector<std::int64_t> counts)
      : group_(group), task_(task), bands_(bands_of(task)), counts_(std::move(counts)) {
    std::ranges::sort(counts_, std::greater<>());
  }

  void measure(std::int64_t set, std::map<std::int64_t, RetainedCurves>& curves) const {
    TaskParameters own = task_;
    own.realization = task_.realization * set_count(task_) + set;
    DataSlab slab = make_nonzero_training_set(group_, own, Partition::component, counts_.front());
    const ProbeStarts starts(own);
    for (const std::int64_t count : counts_) {
      keep_prefix(slab, count);
      ProbeBlock probes = fetch_probes(group_, slab, starts.noise(), 0, probe_count(task_),
                                       [&](std::int64_t p) { return starts.row(p, count); });
      measure_count(slab, probes, set, curves.at(count));
    }
  }

 private:
  void measure_count(const DataSlab& slab, ProbeBlock& probes, std::int64_t set, RetainedCurves& curves) const {
    const PointPosterior posterior(group_, slab);
    const ProbePoints points(task_, posterior.local_columns());
    for (std::size_t t = 0; t < task_.times.size(); ++t) {
      const double tau = task_.process.noise_to_signal(task_.times[t]);
      std::vector<double> x;
      group_.run_guarded([&] { x = points.at(tau, probes); });
      const PointCovariances found = point_covariances(group_, posterior, bands_, tau, points.count(), x);
      record_fractions(found.block_variances, points, tau, set, t, curves);
      record_open(found.open, points, set, t, curves);
    }
  }

  void record_fractions(const std::vector<double>& variances, const ProbePoints& points, double tau, std::int64_t set,
                        std::size_t t, RetainedCurves& curves) const {
    for (std::size_t b = 0; b < bands_.size(); ++b) {
      const double variance = variance_of(task_, bands_[b]);
      const double full = variance * tau / (variance + tau);
      const auto fraction = [&](std::int64_t point) {
        return variances[static_cast<std::size_t>(point) * bands_.size() + b] / full;
      };
      double planted = 0.0;
      for (std::int64_t p = 0; p < points.planted(); ++p) planted += fraction(p);
      curves.fractions[0][b].at(set, t) = planted / static_cast<double>(points.planted());
      curves.fractions[1][b].at(set, t) = fraction(points.origin());
      curves.fractions[2][b].at(set, t) = fraction(points.displaced(b));
    }
  }

  // Means over the probes of each kind.
  void record_open(const std::vector<double>& open, const ProbePoints& points, std::int64_t set, std::size_t t,
                   RetainedCurves& curves) const {
    const auto mean = [&](std::int64_t first, std::int64_t count) {
      const auto begin = open.begin() + first;
      return std::accumulate(begin, begin + count, 0.0) / static_cast<double>(count);
    };
    curves.open[0].at(set, t) = mean(0, points.planted());
    curves.open[1].at(set, t) = mean(points.origin(), 1);
    curves.open[2].at(set, t) = mean(points.displaced(0), static_cast<std::int64_t>(bands_.size()));
  }

  const TaskGroup& group_;
  const TaskParameters& task_;
  std::vector<VarianceBand> bands_;
  std::vector<std::int64_t> counts_;
};

// (sum r)^2/sum r^2 at each time: on how many sets the mean rests. Below the condensation of a fixed probe, fractions
// that are seldom and large make the mean, and few sets do not show it.
std::vector<double> effective_sets(const ProbeCurves& curves) {
  std::vector<double> effective;
  const auto times = static_cast<std::size_t>(curves.times);
  for (std::size_t t = 0; t < times; ++t) {
    double sum = 0.0;
    double squares = 0.0;
    for (std::size_t i = t; i < curves.values.size(); i += times) {
      sum += curves.values[i];
      squares += curves.values[i] * curves.values[i];
    }
    effective.push_back(squares > 0.0 ? sum * sum / squares : 0.0);
  }
  return effective;
}

void append_fractions(VariableCollector& collector, const RetainedCurves& curves) {
  std::vector<MeasuredCurve> averages;
  std::vector<std::vector<double>> effective;
  for (const auto& of_kind : curves.fractions) {
    for (const ProbeCurves& c : of_kind) {
      averages.push_back(average_curve(c.values, c.probes, c.times));
      effective.push_back(effective_sets(c));
    }
  }
  const auto times = static_cast<std::size_t>(curves.fractions[0][0].times);
  for (std::size_t t = 0; t < times; ++t) {
    for (const MeasuredCurve& average : averages) {
      collector.append("retained_fraction", average.mean[t]);
      collector.append("retained_fraction_stderr", average.standard_error[t]);
    }
    for (const std::vector<double>& sets : effective) collector.append("retained_fraction_effective_sets", sets[t]);
  }
}

void append_open_directions(VariableCollector& collector, const RetainedCurves& curves) {
  std::vector<MeasuredCurve> averages;
  for (const ProbeCurves& c : curves.open) averages.push_back(average_curve(c.values, c.probes, c.times));
  for (std::size_t t = 0; t < averages.front().mean.size(); ++t) {
    for (const MeasuredCurve& average : averages) {
      collector.append("open_directions", average.mean[t]);
      collector.append("open_directions_stderr", average.standard_error[t]);
    }
  }
}

// The curves at the times from `first` on.
ProbeCurves later_part(const ProbeCurves& curves, std::size_t first) {
  const auto times = static_cast<std::size_t>(curves.times);
  ProbeCurves part(curves.probes, curves.times - static_cast<std::int64_t>(first));
  for (std::int64_t set = 0; set < curves.probes; ++set) {
    for (std::size_t t = first; t < times; ++t) {
      part.at(set, t - first) = curves.values[static_cast<std::size_t>(set) * times + t];
    }
  }
  return part;
}

// On how many of its sets a mean has to rest.
double enough_sets(const ProbeCurves& curves) {
  return std::min(fewest_sets, 0.5 * static_cast<double>(curves.probes));
}

// The first time from which on the mean of a fixed point rests on enough sets. Planted probes differ less from each
// other: each of them is near a point of its set.
std::size_t first_reliable(ProbeKind kind, const ProbeCurves& curves) {
  if (kind == ProbeKind::planted) return 0;
  const std::vector<double> effective = effective_sets(curves);
  const double enough = enough_sets(curves);
  std::size_t first = effective.size();
  while (first > 0 && effective[first - 1] >= enough) --first;
  return first;
}

// The loss times of one sample count, and what is said where there is none.
class LossTimes {
 public:
  LossTimes(const TaskParameters& task, const RetainedCurves& curves, std::int64_t count)
      : task_(task),
        curves_(curves),
        count_(count),
        theory_(variances_of(task), std::log(static_cast<double>(count))) {}

  void append(VariableCollector& collector) const {
    for (std::size_t k = 0; k < kinds.size(); ++k) {
      for (std::size_t b = 0; b < curves_.fractions[k].size(); ++b) append(collector, k, b);
    }
  }

 private:
  void append(VariableCollector& collector, std::size_t kind, std::size_t block) const {
    const ProbeCurves& curves = curves_.fractions[kind][block];
    const std::size_t first = first_reliable(kinds[kind], curves);
    const CriticalTime found = loss_time(curves, first, kind, block);
    const bool unresolved = found.status == RootStatus::unresolved;
    const double needed = unresolved ? sets_needed(curves, first, kind, block) : nan;
    collector.append_found("loss_time", found);
    collector.append("loss_time_sets_needed", needed);
    const std::string name = fmt::format("loss_time of n = {}, {} probes, block {}", count_, kind_names[kind], block);
    const std::string warning =
        unresolved ? fmt::format(
                         "{} is not known: below the time {:.3g} the mean rests on fewer than {:.0f} training sets; it "
                         "takes about {:.0f} sets per realization to tell (measure.lost_directions.sets).",
                         name, task_.times[std::min(first, task_.times.size() - 1)], enough_sets(curves), needed)
                   : grid_warning(name, found, task_.times);
    if (!warning.empty()) collector.warn(warning);
  }

  // unresolved where only times could tell at which the mean rests on too few sets, never where none would.
  [[nodiscard]] CriticalTime loss_time(const ProbeCurves& curves, std::size_t first, std::size_t kind,
                                       std::size_t block) const {
    CriticalTime found{.time = nan, .standard_error = nan, .status = RootStatus::never};
    if (count_ < fewest_to_be_lost) return found;
    found.status = RootStatus::before_grid;
    if (first < task_.times.size()) {
      const ProbeCurves reliable = later_part(curves, first);
      found = largest_crossing_of_mean(std::span(task_.times).subspan(first), reliable.values, reliable.probes,
                                       lost_level, task_.process, /*falling=*/false);
    }
    if (found.status != RootStatus::before_grid) return found;
    // Fractions of few points fall lower than those of many: by 0.2 of 3, by 0.1 of 10 (dense simulations).
    const double margin = accuracy_of_fractions + 0.6 / static_cast<double>(count_);
    if (theory_.lowest_retained_fraction(kinds[kind], block) > lost_level + margin) {
      found.status = RootStatus::never;
    } else if (first > 0) {
      found.status = RootStatus::unresolved;
    }
    return found;
  }

  // For a mean that rests on enough sets from the predicted loss time on, or from the first time of the grid that is
  // not earlier: if the part of the sets that makes it stays the same.
  [[nodiscard]] double sets_needed(const ProbeCurves& curves, std::size_t first, std::size_t kind,
                                   std::size_t block) const {
    const double expected = task_.process.time_at(theory_.finite_loss_tau(kinds[kind], block));
    std::size_t at = 0;
    while (at + 1 < first && task_.times[at] < expected) ++at;
    const std::vector<double> effective = effective_sets(curves);
    double fewest = effective[at];
    for (; at < first; ++at) fewest = std::min(fewest, effective[at]);
    return std::ceil(fewest_sets * static_cast<double>(curves.probes) / std::max(fewest, 1.0));
  }

  const TaskParameters& task_;
  const RetainedCurves& curves_;
  std::int64_t count_;
  Achilli2024 theory_;
};

const std::vector<std::string> kind_and_block{"probe_kind", "block"};

VariableSpec fraction_spec() {
  return per_sample_spec("retained_fraction", "1",
                         "E[Cov_kk] over s_k tau/(s_k + tau) of a variance block; displaced: along this block",
                         "Achilli et al. 2024 (arXiv:2410.08727), empirical score", {"time", "probe_kind", "block"});
}
VariableSpec loss_spec() {
  return per_sample_spec("loss_time", "time", "largest time at which the retained fraction crosses 1/2",
                         "Achilli et al. 2024 (arXiv:2410.08727), empirical score", kind_and_block);
}
VariableSpec needed_spec() {
  return possibly_missing(per_sample_spec(
      "loss_time_sets_needed", "1", "training sets per realization that would tell a loss time that is unresolved", "",
      kind_and_block));
}
VariableSpec shift_spec() {
  return per_sample_spec("loss_time_shift", "time",
                         "finite-size shift of the crossing of 1/2 from loss_time_theory; planted probes", "",
                         kind_and_block);
}
VariableSpec tolerance_spec() {
  return per_sample_spec(
      "loss_time_tolerance", "time",
      "accuracy of loss_time_theory: fixed probes, fractions of 1/2 are good to 0.03; planted, of the fit", "",
      kind_and_block);
}
VariableSpec open_spec() {
  return per_sample_spec("open_directions", "1", "eigenvalues of N below 1/2", "", {"time", "probe_kind"});
}
VariableSpec condensation_spec(const char* name, const char* meaning, const char* prediction) {
  VariableSpec spec = per_sample_spec(name, "time", meaning, Achilli2024::source(prediction), kind_and_block);
  spec.prediction = true;
  return spec;
}

// Predictions of one sample count.
class Predictions {
 public:
  Predictions(const TaskParameters& task, std::int64_t count)
      : task_(task), bands_(bands_of(task)), theory_(variances_of(task), std::log(static_cast<double>(count))) {}

  void append(VariableCollector& collector) const {
    for (const double time : task_.times) append_time(collector, task_.process.noise_to_signal(time));
    for (const ProbeKind kind : kinds) {
      for (std::size_t b = 0; b < bands_.size(); ++b) {
        const double expected = theory_.finite_loss_tau(kind, b);
        collector.append("loss_time_theory", on_clock(expected));
        collector.append("loss_time_tolerance", tolerance(kind, b, expected));
        collector.append("loss_time_theory_asymptotic", on_clock(theory_.loss_tau(kind, b)));
        collector.append("loss_time_shift", kind == ProbeKind::planted ? shift(b, expected) : nan);
        collector.append("condensation_time", on_clock(condensation_tau(kind, b)));
        collector.append("condensation_time_code", on_clock(code_condensation_tau(kind, b)));
      }
    }
  }

 private:
  [[nodiscard]] double on_clock(double tau) const { return task_.process.time_at(tau); }

  void append_time(VariableCollector& collector, double tau) const {
    for (const ProbeKind kind : kinds) {
      for (std::size_t b = 0; b < bands_.size(); ++b) {
        collector.append("retained_fraction_theory", theory_.finite_retained_fraction(kind, b, tau, b));
        collector.append("retained_fraction_theory_asymptotic", theory_.retained_fraction(kind, b, tau, b));
      }
      collector.append("open_directions_theory_asymptotic", open_directions(kind, tau));
    }
  }

  // Mean over the probes: one displaced probe along each band.
  [[nodiscard]] double open_directions(ProbeKind kind, double tau) const {
    if (kind != ProbeKind::displaced) return theory_.open_directions(kind, tau);
    double sum = 0.0;
    for (std::size_t b = 0; b < bands_.size(); ++b) sum += theory_.open_directions(kind, tau, b);
    return sum / static_cast<double>(bands_.size());
  }

  // How far a fraction that is off by its accuracy moves the crossing, on the clock; at planted probes, the error of
  // the fit.
  [[nodiscard]] double tolerance(ProbeKind kind, std::size_t block, double tau) const {
    if (std::isnan(tau)) return nan;
    if (kind == ProbeKind::planted) {
      const double shifted = shifted_loss_tau(block);
      return on_clock(shifted * std::exp(theory_.loss_tolerance())) - on_clock(shifted);
    }
    constexpr double step = 0.05;
    const auto fraction = [&](double log_shift) {
      return theory_.finite_retained_fraction(kind, block, tau * std::exp(log_shift), block);
    };
    const double slope = std::abs(fraction(step) - fraction(-step)) / (2.0 * step);
    const double width = accuracy_at_loss / slope;
    return 0.5 * (on_clock(tau * std::exp(width)) - on_clock(tau * std::exp(-width)));
  }

  // Of planted probes, which lose all blocks with the collapse, but not at the same time.
  [[nodiscard]] double shifted_loss_tau(std::size_t block) const {
    return theory_.collapse_tau() * std::exp(theory_.loss_shift(block));
  }
  [[nodiscard]] double shift(std::size_t block, double expected) const {
    return on_clock(shifted_loss_tau(block)) - on_clock(expected);
  }

  [[nodiscard]] double condensation_tau(ProbeKind kind, std::size_t block) const {
    if (kind == ProbeKind::planted) return theory_.collapse_tau();
    return kind == ProbeKind::origin ? theory_.origin_condensation_tau() : theory_.displaced_condensation_tau(block);
  }

  // The code has no planted probes.
  [[nodiscard]] double code_condensation_tau(ProbeKind kind, std::size_t block) const {
    if (kind == ProbeKind::planted) return nan;
    return kind == ProbeKind::origin ? theory_.code_origin_condensation_tau()
                                     : theory_.code_displaced_condensation_tau(block);
  }

  const TaskParameters& task_;
  std::vector<VarianceBand> bands_;
  Achilli2024 theory_;
};

}  // namespace

std::vector<MeasureOption> LostDirectionsMeasure::options() const {
  return {integer_option("sets", 20, 2, 1e6, "training sets per realization, each with an origin and displaced probes"),
          integer_option("probes", 16, 1, 1e6, "planted probes per training set: noised training points")};
}

std::string LostDirectionsMeasure::problem(const TaskParameters& task) const {
  if (!task.manifold || task.manifold->factor != FactorKind::orthonormal) {
    return "measure.lost_directions needs ensemble.kind = \"linear-manifold\" with factor = \"orthonormal\": its "
           "variance blocks are followed direction by direction";
  }
  if (task.samples.empty()) return "measure.lost_directions needs [dataset] samples: the size of the training sets";
  if (task.samples.front() < 2) return "measure.lost_directions needs at least 2 samples";
  return {};
}

std::vector<DimensionSpec> LostDirectionsMeasure::dimensions(const TaskParameters& task) const {
  return {{"probe_kind", kind_names, "", "where the posterior is looked at"},
          {"block", counting_up(static_cast<std::int64_t>(bands_of(task).size())), "1",
           "variance block of the manifold, the largest sigma first"}};
}

std::vector<VariableSpec> LostDirectionsMeasure::variables(const TaskParameters& task) const {
  std::vector<VariableSpec> specs;
  const auto add = [&](const std::vector<VariableSpec>& more) { specs.insert(specs.end(), more.begin(), more.end()); };
  VariableSpec expected = prediction_spec(fraction_spec(), Achilli2024::source("finite_retained_fraction"));
  expected.tolerance = accuracy_of_fractions;
  add(curve_specs(fraction_spec()));
  specs.push_back(per_sample_spec("retained_fraction_effective_sets", "1",
                                  "(sum R)^2/sum R^2 over training sets: on how many the mean rests", "",
                                  {"time", "probe_kind", "block"}));
  VariableSpec open = open_spec();
  open.may_be_missing = task.nonzero_columns() > widest_covariance;
  add(curve_specs(open));
  add(critical_time_specs(loss_spec()));
  specs.push_back(needed_spec());
  add({expected, prediction_spec(fraction_spec(), Achilli2024::source("retained_fraction"), "_theory_asymptotic"),
       prediction_spec(open_spec(), Achilli2024::source("open_directions"), "_theory_asymptotic"),
       prediction_spec(loss_spec(), Achilli2024::source("finite_loss_tau")),
       prediction_spec(loss_spec(), Achilli2024::source("loss_tau"), "_theory_asymptotic"),
       prediction_spec(shift_spec(), Achilli2024::source("loss_shift"), ""),
       prediction_spec(tolerance_spec(), Achilli2024::source("finite_loss_tau"), ""),
       condensation_spec("condensation_time",
                         "time at which the posterior condenses at this probe, exact large deviations; planted: "
                         "collapse",
                         "origin_condensation_tau"),
       condensation_spec("condensation_time_code", "the same by the formula of the paper's public code",
                         "code_origin_condensation_tau")});
  return specs;
}

Cost LostDirectionsMeasure::cost(const TaskParameters& task, const TaskRequest& request) const {
  const auto sets = static_cast<double>(set_count(task));
  const auto times = static_cast<double>(task.times.size());
  const auto columns = static_cast<double>(task.nonzero_columns());
  const auto points = static_cast<double>(probe_count(task) + 1) + static_cast<double>(bands_of(task).size());
  const std::int64_t largest = *std::ranges::max_element(request.counts);
  Cost cost = draw_cost(task, Partition::component, largest);
  cost.normals *= sets;
  cost.flops *= sets;
  for (const std::int64_t count : request.counts) {
    const double terms = sets * times * points * static_cast<double>(count);
    cost.flops += 16.0 * terms * columns;
    if (columns <= widest_covariance) cost.flops += terms * columns * columns;
    cost.exponentials += 2.0 * terms;
  }
  cost.divided_bytes += 8.0 * stored_numbers(static_cast<double>(largest), columns);
  cost.rank_bytes += 8.0 * points * columns * 6.0;
  if (columns <= widest_covariance) cost.rank_bytes += 8.0 * points * columns * columns;
  return cost;
}

MeasureResult LostDirectionsMeasure::run(const TaskParameters& task, const TaskRequest& request,
                                         const TaskGroup& group) const {
  std::map<std::int64_t, RetainedCurves> curves;
  for (const std::int64_t count : request.counts) {
    curves.emplace(
        count, RetainedCurves(bands_of(task).size(), set_count(task), static_cast<std::int64_t>(task.times.size())));
  }
  if (request.counts.empty()) return {};
  const OneSet one(group, task, request.counts);
  for (std::int64_t set = 0; set < set_count(task); ++set) one.measure(set, curves);
  VariableCollector collector;
  group.run_guarded([&] {
    if (!group.comm().is_root()) return;
    for (const std::int64_t count : request.counts) {
      append_fractions(collector, curves.at(count));
      append_open_directions(collector, curves.at(count));
      LossTimes(task, curves.at(count), count).append(collector);
    }
  });
  return collector.take();
}

std::vector<VariableValues> LostDirectionsMeasure::predict(const TaskParameters& task) const {
  VariableCollector collector;
  for (const std::int64_t count : task.samples) Predictions(task, count).append(collector);
  return collector.take().variables;
}

}  // namespace diffphase
