#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "random/random_sequence.hpp"
#include "random/text_hash.hpp"
#include "theory/marchenko_pastur.hpp"

extern "C" void dgesvd_(const char* left, const char* right, const int* rows, const int* columns, double* matrix,
                        const int* leading, double* values, double* u, const int* leading_u, double* vt,
                        const int* leading_vt, double* work, const int* work_size, int* info);

namespace diffphase {

/// A d x m factor, column after column, with entries sigma_k N(0, 1)/sqrt(scale).
inline std::vector<double> sampled_factor(std::int64_t dimension, std::span<const FactorBlock> blocks, double scale,
                                          int replica) {
  const RandomStream stream(1, hash_text("sampled factor"), 0, "sampled factor");
  RandomSequence random(stream, static_cast<std::uint64_t>(replica));
  std::vector<double> factor;
  for (const FactorBlock& block : blocks) {
    for (std::int64_t i = 0; i < block.size * dimension; ++i) {
      factor.push_back(block.sigma * random.normal() / std::sqrt(scale));
    }
  }
  return factor;
}

/// Nonzero eigenvalues of F F^T for that factor, descending.
inline std::vector<double> sampled_factor_eigenvalues(std::int64_t dimension, std::span<const FactorBlock> blocks,
                                                      double scale, int replica) {
  std::vector<double> factor = sampled_factor(dimension, blocks, scale, replica);
  const int rows = static_cast<int>(dimension);
  const int columns = static_cast<int>(static_cast<std::int64_t>(factor.size()) / dimension);
  std::vector<double> values(static_cast<std::size_t>(std::min(rows, columns)));
  std::vector<double> work(static_cast<std::size_t>(40 * (rows + columns)));
  const int work_size = static_cast<int>(work.size());
  const int one = 1;
  int info = 0;
  dgesvd_("N", "N", &rows, &columns, factor.data(), &rows, values.data(), nullptr, &one, nullptr, &one, work.data(),
          &work_size, &info);
  if (info != 0) throw std::runtime_error("dgesvd failed");
  for (double& value : values) value *= value;
  return values;
}

}  // namespace diffphase
