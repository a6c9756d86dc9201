#include "ensemble/linear_manifold.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <utility>

#include "ensemble/row_products.hpp"

namespace diffphase {

namespace {

// Random numbers that take as long as one multiplication and addition of a row's product with the factor.
constexpr double numbers_per_product = 0.02;
// Rows whose latent numbers are kept while they are multiplied.
constexpr std::int64_t rows_together = 64;

ManifoldParameters validated(ManifoldParameters parameters) {
  if (const std::string problem = parameters.problem(); !problem.empty()) throw std::invalid_argument(problem);
  return parameters;
}

std::vector<std::int64_t> first_columns(const std::vector<FactorBlock>& blocks) {
  std::vector<std::int64_t> first{0};
  for (const FactorBlock& block : blocks) first.push_back(first.back() + block.size);
  return first;
}

// Rows along the coordinate axes.
class OrthonormalSampler : public RowSampler {
 public:
  OrthonormalSampler(const LinearManifold& manifold, std::int64_t first_column, std::int64_t columns)
      : manifold_(manifold), first_column_(first_column), columns_(columns) {
    for (std::int64_t k = first_column; k < std::min(first_column + columns, manifold.columns()); ++k) {
      sigmas_.push_back(manifold.parameters().blocks[static_cast<std::size_t>(manifold.block(k))].sigma);
    }
  }

  void draw(std::int64_t first_row, std::int64_t rows, std::span<double> out) override {
    const auto columns = static_cast<std::size_t>(columns_);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::span<double> row = out.subspan(static_cast<std::size_t>(i) * columns, columns);
      std::fill(row.begin(), row.end(), 0.0);
      if (!sigmas_.empty()) manifold_.latents(first_row + i, first_column_, row.first(sigmas_.size()));
      std::transform(sigmas_.begin(), sigmas_.end(), row.begin(), row.begin(), std::multiplies<>());
      manifold_.add_ambient_noise(first_row + i, first_column_, row);
    }
  }

 private:
  const LinearManifold& manifold_;
  std::int64_t first_column_;
  std::int64_t columns_;
  std::vector<double> sigmas_;  // of those columns that have one
};

// Products of latent numbers with the sampler's coordinates of all columns of F.
class GaussianSampler : public RowSampler {
 public:
  GaussianSampler(const LinearManifold& manifold, std::int64_t first_column, std::int64_t columns)
      : manifold_(manifold), first_column_(first_column), factor_(manifold.columns(), columns) {}

  [[nodiscard]] std::int64_t vectors() const override { return factor_.vectors(); }

  void prepare(std::int64_t first, std::int64_t count) override {
    std::vector<double> column(static_cast<std::size_t>(factor_.columns()));
    for (std::int64_t k = first; k < first + count; ++k) {
      manifold_.factor_column(k, first_column_, column);
      factor_.set(k, column);
    }
  }

  void draw(std::int64_t first_row, std::int64_t rows, std::span<double> out) override {
    const auto vectors = static_cast<std::size_t>(factor_.vectors());
    const auto columns = static_cast<std::size_t>(factor_.columns());
    for (std::int64_t first = 0; first < rows; first += rows_together) {
      const std::int64_t count = std::min(rows_together, rows - first);
      latents_.resize(static_cast<std::size_t>(count) * vectors);
      for (std::int64_t i = 0; i < count; ++i) {
        manifold_.latents(first_row + first + i, 0,
                          std::span(latents_).subspan(static_cast<std::size_t>(i) * vectors, vectors));
      }
      const std::span<double> part =
          out.subspan(static_cast<std::size_t>(first) * columns, static_cast<std::size_t>(count) * columns);
      factor_.multiply(count, latents_, part);
      for (std::int64_t i = 0; i < count; ++i) {
        manifold_.add_ambient_noise(first_row + first + i, first_column_,
                                    part.subspan(static_cast<std::size_t>(i) * columns, columns));
      }
    }
  }

 private:
  const LinearManifold& manifold_;
  std::int64_t first_column_;
  PackedFactor factor_;
  std::vector<double> latents_;
};

}  // namespace

LinearManifold::LinearManifold(ManifoldParameters parameters, std::uint64_t seed, const Hash128& ensemble,
                               std::int64_t realization)
    : parameters_(validated(std::move(parameters))),
      first_columns_(first_columns(parameters_.blocks)),
      factor_stream_(seed, ensemble, realization, "factor"),
      latent_stream_(seed, ensemble, realization, "latents"),
      ambient_stream_(seed, ensemble, realization, "ambient") {}

std::int64_t LinearManifold::block(std::int64_t column) const {
  return std::upper_bound(first_columns_.begin(), first_columns_.end(), column) - first_columns_.begin() - 1;
}

void LinearManifold::factor_column(std::int64_t k, std::int64_t first_coordinate, std::span<double> out) const {
  const double sigma = parameters_.blocks[static_cast<std::size_t>(block(k))].sigma;
  if (parameters_.factor == FactorKind::orthonormal) {
    std::fill(out.begin(), out.end(), 0.0);
    const std::int64_t place = k - first_coordinate;
    if (place >= 0 && place < static_cast<std::int64_t>(out.size())) out[static_cast<std::size_t>(place)] = sigma;
    return;
  }
  const double scale = sigma / std::sqrt(parameters_.scale());
  factor_stream_.normals(static_cast<std::uint64_t>(k), static_cast<std::uint64_t>(first_coordinate), out);
  for (double& value : out) value *= scale;
}

void LinearManifold::latents(std::int64_t row, std::int64_t first, std::span<double> out) const {
  latent_stream_.normals(static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(first), out);
}

void LinearManifold::add_ambient_noise(std::int64_t row, std::int64_t first_coordinate, std::span<double> out) const {
  if (parameters_.ambient_noise == 0.0) return;
  constexpr std::size_t chunk = 512;
  std::array<double, chunk> xi{};
  for (std::size_t done = 0; done < out.size(); done += chunk) {
    const std::span<double> part = out.subspan(done, std::min(chunk, out.size() - done));
    ambient_stream_.normals(static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(first_coordinate) + done,
                            std::span(xi).first(part.size()));
    for (std::size_t i = 0; i < part.size(); ++i) part[i] += parameters_.ambient_noise * xi[i];
  }
}

std::unique_ptr<RowSampler> LinearManifold::sampler(std::int64_t first_column, std::int64_t columns) const {
  if (parameters_.factor == FactorKind::orthonormal) {
    return std::make_unique<OrthonormalSampler>(*this, first_column, columns);
  }
  return std::make_unique<GaussianSampler>(*this, first_column, columns);
}

double LinearManifold::numbers_per_row(std::int64_t columns) const {
  const auto own = static_cast<double>(columns);
  const auto m = static_cast<double>(this->columns());
  const double ambient = parameters_.ambient_noise > 0.0 ? own : 0.0;
  if (parameters_.factor == FactorKind::orthonormal) return std::min(own, m) + ambient;
  return m + ambient + numbers_per_product * m * own;
}

DataSlab factor_matrix(const LinearManifold& manifold, const SlabLayout& layout) {
  if (layout.rows != manifold.columns() || layout.columns != manifold.dimension()) {
    throw std::logic_error(fmt::format("a factor matrix of {} x {} for {} columns in {} dimensions", layout.rows,
                                       layout.columns, manifold.columns(), manifold.dimension()));
  }
  DataSlab slab = zero_slab(layout);
  for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
    const std::int64_t k = layout.global_row(local);
    manifold.factor_column(k, layout.first_column(), slab.row(local));
    slab.labels.push_back(static_cast<std::int32_t>(manifold.block(k)));
  }
  return slab;
}

}  // namespace diffphase
