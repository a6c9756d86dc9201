#include "spectrum/score_jacobian.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace diffphase {

namespace {

// sum_c factor(c) (y_c - origin) over all rows of the slab, this rank's columns.
template <typename Factor>
std::vector<double> weighted_sum(const TaskGroup& group, RowView rows, std::span<const double> origin,
                                 const Factor& factor) {
  std::vector<double> sum;
  group.run_guarded([&] {
    sum.resize(origin.size());
    const auto add = [&](double f, auto stored) {
      for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += f * (static_cast<double>(stored[j]) - origin[j]);
    };
    for (std::int64_t row = 0; row < rows.layout().local_rows(); ++row) {
      const double f = factor(row);
      if (f == 0.0) continue;
      rows.is_single() ? add(f, rows.single_row(row)) : add(f, rows.double_row(row));
    }
  });
  if (rows.layout().partition == Partition::component) group.comm().sum(sum);
  return sum;
}

void check(const RowView& rows, NoiseLevel level, std::span<const double> x, std::span<const double> responsibilities) {
  if (!(level.signal > 0.0) || !(level.noise > 0.0)) {
    throw std::invalid_argument(
        fmt::format("score Jacobian: signal {} and noise {} must be positive", level.signal, level.noise));
  }
  if (static_cast<std::int64_t>(x.size()) != rows.layout().local_columns() ||
      static_cast<std::int64_t>(responsibilities.size()) != rows.layout().local_rows()) {
    throw std::invalid_argument(
        fmt::format("score Jacobian: {} columns of x and {} responsibilities for a slab of {} "
                    "rows and {} columns",
                    x.size(), responsibilities.size(), rows.layout().local_rows(), rows.layout().local_columns()));
  }
}

// To sum 1 as exactly as can be: a weight of 1 + e on a single row would leave a deviation of e from its own mean.
void normalise(const TaskGroup& group, Partition partition, std::vector<double>& responsibilities) {
  double total = std::accumulate(responsibilities.begin(), responsibilities.end(), 0.0);
  if (partition == Partition::component) group.comm().sum(std::span(&total, 1));
  group.run_guarded([&] {
    if (!(std::abs(total - 1.0) < 1e-3)) {
      throw std::invalid_argument(fmt::format("score Jacobian: responsibilities of sum {}", total));
    }
  });
  for (double& p : responsibilities) p /= total;
}

}  // namespace

struct ScoreJacobian::Parts {
  double isotropic = 0.0;
  RowTerms terms;
};

ScoreJacobian::Parts ScoreJacobian::split(const TaskGroup& group, RowView rows, const ComponentLaw& law,
                                          NoiseLevel level, std::span<const double> x,
                                          std::vector<double> responsibilities) {
  const SlabLayout& layout = rows.layout();
  const bool shared = law.sigmas.size() <= 1;
  const double snr = level.signal / level.noise;
  Parts parts;
  RowTerms& terms = parts.terms;
  std::vector<double> origin;
  group.run_guarded([&] { check(rows, level, x, responsibilities); });
  normalise(group, layout.partition, responsibilities);
  group.run_guarded([&] {
    for (std::int64_t row = 0; row < (shared ? 1 : layout.local_rows()); ++row) {
      terms.scales.push_back(ComponentPosterior(level, law.sigma(layout.global_row(row))).shrink);
    }
    for (std::int64_t row = 0; row < layout.local_rows(); ++row) {
      const ComponentPosterior component(level, law.sigma(layout.global_row(row)));
      parts.isotropic += snr * snr * responsibilities[static_cast<std::size_t>(row)] * component.variance;
    }
    origin.resize(x.size());
    if (!shared) std::transform(x.begin(), x.end(), origin.begin(), [&](double v) { return v / level.signal; });
  });
  const auto p = [&](std::int64_t row) { return responsibilities[static_cast<std::size_t>(row)]; };
  if (layout.partition == Partition::component) group.comm().sum(std::span(&parts.isotropic, 1));
  if (shared) {
    terms.reference = weighted_sum(group, rows, origin, p);
  } else {
    terms.shift = weighted_sum(group, rows, origin,
                               [&](std::int64_t row) { return p(row) * terms.scales[static_cast<std::size_t>(row)]; });
    for (double& value : terms.shift) value *= snr;
    terms.reference = std::move(origin);
  }
  for (double& scale : terms.scales) scale *= snr;
  terms.weights = std::move(responsibilities);
  return parts;
}

ScoreJacobian::ScoreJacobian(const TaskGroup& group, RowView rows, Parts parts)
    : isotropic_(parts.isotropic), rows_(group, rows, std::move(parts.terms)) {}

ScoreJacobian::ScoreJacobian(const TaskGroup& group, RowView rows, const ComponentLaw& law, NoiseLevel level,
                             std::span<const double> x, std::vector<double> responsibilities)
    : ScoreJacobian(group, rows, split(group, rows, law, level, x, std::move(responsibilities))) {}

ScoreJacobian ScoreJacobian::at(const TaskGroup& group, const PointPosterior& posterior, NoiseLevel level,
                                std::span<const double> x) {
  const double log_evidence = posterior.log_evidence(level, 1, x).front();
  std::vector<double> responsibilities;
  posterior.responsibilities(level, 1, x, std::span(&log_evidence, 1), [&](const ResponsibilityTile& tile) {
    responsibilities.insert(responsibilities.end(), tile.values.begin(), tile.values.end());
  });
  return {group, posterior.rows(), posterior.law(), level, x, std::move(responsibilities)};
}

}  // namespace diffphase
