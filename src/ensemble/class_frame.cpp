#include "ensemble/class_frame.hpp"

#include <cblas.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "random/random_sequence.hpp"

namespace diffphase {

namespace {

double common_norm(const MixtureParameters& mixture) {
  return mixture.classes == 1 ? 0.0 : mixture.separation * std::sqrt(static_cast<double>(mixture.dimension));
}

bool is_random(const MixtureParameters& mixture) {
  return mixture.classes > 1 && mixture.centroids == CentroidKind::random;
}

std::vector<double> random_coordinates(const MixtureParameters& mixture, std::int64_t columns, std::uint64_t seed,
                                       const Hash128& ensemble, std::int64_t realization) {
  const RandomStream below(seed, ensemble, realization, "class frame");
  const RandomStream lengths(seed, ensemble, realization, "class frame lengths");
  std::vector<double> table(static_cast<std::size_t>(mixture.classes * columns));
  for (std::int64_t c = 0; c < mixture.classes; ++c) {
    const auto row = std::span(table).subspan(static_cast<std::size_t>(c * columns), static_cast<std::size_t>(columns));
    below.normals(static_cast<std::uint64_t>(c), 0, row.first(static_cast<std::size_t>(std::min(c, columns))));
    if (c < columns) {
      row[static_cast<std::size_t>(c)] =
          RandomSequence(lengths, static_cast<std::uint64_t>(c)).chi(mixture.dimension - c);
    }
    for (double& value : row) value *= mixture.separation;
  }
  return table;
}

}  // namespace

ClassFrame::ClassFrame(const GaussianMixture& mixture, std::uint64_t seed, const Hash128& ensemble,
                       std::int64_t realization)
    : mixture_(mixture), columns_(columns_of(mixture.parameters())), norm_(common_norm(mixture.parameters())) {
  if (is_random(mixture.parameters())) {
    coordinates_ = random_coordinates(mixture.parameters(), columns_, seed, ensemble, realization);
  }
}

std::int64_t ClassFrame::columns_of(const MixtureParameters& mixture) {
  if (mixture.classes == 1) return 0;
  switch (mixture.centroids) {
    case CentroidKind::opposite:
      return 1;
    case CentroidKind::simplex:
      return mixture.classes - 1;
    case CentroidKind::hierarchical:
      return mixture.branches[0] + mixture.classes;
    case CentroidKind::orthogonal:
    case CentroidKind::random:
      break;
  }
  return std::min(mixture.classes, mixture.dimension);
}

double ClassFrame::bytes_of(const MixtureParameters& mixture) {
  if (!is_random(mixture)) return 0.0;
  return 8.0 * static_cast<double>(mixture.classes) * static_cast<double>(columns_of(mixture));
}

void ClassFrame::centroid(std::int64_t c, std::span<double> out) const {
  if (columns_ == 0) return;
  if (!coordinates_.empty()) {
    std::copy_n(coordinates_.begin() + c * columns_, columns_, out.begin());
  } else if (mixture_.parameters().centroids == CentroidKind::opposite) {
    out[0] = c == 0 ? norm_ : -norm_;
  } else {
    mixture_.centroid(c, 0, out);
  }
}

double ClassFrame::norm2(std::int64_t c) const {
  if (coordinates_.empty()) return norm_ * norm_;
  const double* row = coordinates_.data() + c * columns_;
  return std::inner_product(row, row + columns_, row, 0.0);
}

void ClassFrame::sample(std::int64_t row, std::span<double> out) const {
  const std::int64_t c = mixture_.label(row);
  centroid(c, out);
  mixture_.add_noise(row, c, 0, out);
}

CentroidProducts::CentroidProducts(const ClassFrame& frame, std::span<const double> points, std::int64_t rows)
    : frame_(frame), points_(points), rows_(rows) {
  if (frame.mixture().parameters().centroids != CentroidKind::simplex) return;
  for (std::int64_t i = 0; i < rows; ++i) {
    const double* point = points.data() + i * frame.columns();
    sums_.push_back(std::accumulate(point, point + frame.columns(), 0.0));
  }
}

void CentroidProducts::fill(std::int64_t first, std::int64_t count, double* out, std::int64_t stride) const {
  if (!frame_.coordinates_.empty()) {
    const auto columns = static_cast<blasint>(frame_.columns_);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<blasint>(rows_), static_cast<blasint>(count),
                columns, 1.0, points_.data(), columns, frame_.coordinates_.data() + first * frame_.columns_, columns,
                0.0, out, static_cast<blasint>(stride));
    return;
  }
  for (std::int64_t i = 0; i < rows_; ++i) fill_row(i, first, count, out + i * stride);
}

void CentroidProducts::fill_row(std::int64_t row, std::int64_t first, std::int64_t count, double* out) const {
  const GaussianMixture& mixture = frame_.mixture_;
  const double* point = points_.data() + row * frame_.columns_;
  const double norm = frame_.norm_;
  if (frame_.columns_ == 0) {
    std::fill_n(out, count, 0.0);
    return;
  }
  switch (mixture.parameters().centroids) {
    case CentroidKind::random:  // has a table
      return;
    case CentroidKind::opposite:
      for (std::int64_t c = first; c < first + count; ++c) *out++ = c == 0 ? norm * point[0] : -norm * point[0];
      return;
    case CentroidKind::orthogonal:
      std::transform(point + first, point + first + count, out, [norm](double x) { return norm * x; });
      return;
    case CentroidKind::simplex: {
      // Vertex 0 has equal coordinates; the others have one that differs, at place c - 1.
      std::array<double, 1> all{};
      std::array<double, 2> own_and_other{};
      mixture.centroid(0, 0, all);
      mixture.centroid(1, 0, own_and_other);  // in the line of two vertices there is no other coordinate: 0
      const double sum = sums_[static_cast<std::size_t>(row)];
      const double excess = own_and_other[0] - own_and_other[1];
      for (std::int64_t c = first; c < first + count; ++c) {
        *out++ = c == 0 ? all[0] * sum : own_and_other[1] * sum + excess * point[c - 1];
      }
      return;
    }
    case CentroidKind::hierarchical: {
      const double upper = norm * std::sqrt(1.0 - mixture.parameters().class_fraction);
      const double lower = norm * std::sqrt(mixture.parameters().class_fraction);
      const double* leaves = point + mixture.superclasses();
      for (std::int64_t c = first; c < first + count; ++c)
        *out++ = upper * point[mixture.superclass(c)] + lower * leaves[c];
      return;
    }
  }
}

}  // namespace diffphase
