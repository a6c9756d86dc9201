#include "ensemble/manifold_parameters.hpp"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

namespace diffphase {

namespace {

std::string problem_of_block(const FactorBlock& block, std::size_t place) {
  if (block.size < 1) return fmt::format("blocks[{}].size = {}: must be at least 1", place, block.size);
  if (!std::isfinite(block.sigma) || block.sigma <= 0.0) {
    return fmt::format("blocks[{}].sigma = {}: must be a finite number above 0", place, block.sigma);
  }
  return {};
}

std::int64_t columns_of(std::span<const FactorBlock> blocks) {
  return std::accumulate(blocks.begin(), blocks.end(), std::int64_t{0},
                         [](std::int64_t sum, const FactorBlock& block) { return sum + block.size; });
}

}  // namespace

std::vector<VarianceBand> variance_bands(std::span<const FactorBlock> blocks) {
  std::map<double, VarianceBand, std::greater<>> bands;
  std::int64_t first = 0;
  for (const FactorBlock& block : blocks) {
    VarianceBand& band = bands[block.sigma];
    band.sigma = block.sigma;
    band.size += block.size;
    band.columns.push_back({first, block.size});
    first += block.size;
  }
  std::vector<VarianceBand> ordered;
  ordered.reserve(bands.size());
  for (auto& [sigma, band] : bands) ordered.push_back(std::move(band));
  return ordered;
}

double factor_scale(std::int64_t dimension, std::span<const FactorBlock> blocks, FactorNormalisation normalisation) {
  switch (normalisation) {
    case FactorNormalisation::columns:
      return static_cast<double>(columns_of(blocks));
    case FactorNormalisation::dimension:
      return static_cast<double>(dimension);
    case FactorNormalisation::none:
      break;
  }
  return 1.0;
}

std::string ManifoldParameters::problem() const {
  if (dimension < 1) return fmt::format("dimension = {}: must be at least 1", dimension);
  if (blocks.empty()) return "blocks: must hold at least one block";
  std::int64_t left = dimension;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (std::string problem = problem_of_block(blocks[i], i); !problem.empty()) return problem;
    if (blocks[i].size > left) {
      return fmt::format("blocks: their sizes must not sum to more than dimension = {}", dimension);
    }
    left -= blocks[i].size;
  }
  if (!std::isfinite(ambient_noise) || ambient_noise < 0.0) {
    return fmt::format("ambient_noise = {}: must be a finite number, 0 or above", ambient_noise);
  }
  return {};
}

std::int64_t ManifoldParameters::columns() const { return columns_of(blocks); }

std::int64_t ManifoldParameters::nonzero_columns() const {
  return factor == FactorKind::orthonormal && ambient_noise == 0.0 ? columns() : dimension;
}

}  // namespace diffphase
