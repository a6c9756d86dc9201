#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace diffphase {

/// A matrix of m vectors (rows) by some columns, stored for products Z F with rows Z of m numbers each. Every entry of
/// a product is the same sum in the same order whatever rows and columns are computed with it, so that the parts that
/// different ranks make agree bit for bit (those of a BLAS product may not). Memory: 8 m (columns + 7) bytes. Local.
class PackedFactor {
 public:
  PackedFactor(std::int64_t vectors, std::int64_t columns);

  [[nodiscard]] std::int64_t vectors() const { return vectors_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }

  /// Sets vector `vector`; `values` has one number for each column.
  void set(std::int64_t vector, std::span<const double> values);

  /// Rows x columns products of rows x vectors numbers, both row-major.
  void multiply(std::int64_t rows, std::span<const double> left, std::span<double> out) const;

 private:
  std::int64_t vectors_;
  std::int64_t columns_;
  std::vector<double> tiles_;  // [tile of columns][vector][column of the tile], the last tile padded with zeros
};

}  // namespace diffphase
