#include "ensemble/row_products.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "parallel/instruction_set.hpp"

namespace diffphase {

namespace {

constexpr std::int64_t tile_columns = 8;
constexpr std::int64_t tile_rows = 4;

using Lanes = double __attribute__((vector_size(tile_columns * sizeof(double))));

// tile_rows x tile_columns products; `left` has tile_rows rows of `vectors` numbers, `tile` one tile.
DIFFPHASE_INLINE void multiply_tile_loop(const double* left, const double* tile, std::int64_t vectors, double* out) {
  std::array<Lanes, tile_rows> sums{};
  for (std::int64_t k = 0; k < vectors; ++k) {
    Lanes factor;
    std::memcpy(&factor, tile + k * tile_columns, sizeof factor);
    for (std::size_t r = 0; r < tile_rows; ++r) sums[r] += left[static_cast<std::int64_t>(r) * vectors + k] * factor;
  }
  std::memcpy(out, sums.data(), sizeof sums);
}

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_TILE(suffix, attribute)                                                                            \
  attribute void multiply_tile_##suffix(const double* left, const double* tile, std::int64_t vectors, double* out) { \
    multiply_tile_loop(left, tile, vectors, out);                                                                    \
  }
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DIFFPHASE_TILE)

const auto multiply_tile = DIFFPHASE_CHOOSE(multiply_tile, widest_instruction_set());

std::int64_t tiles_of(std::int64_t columns) { return (columns + tile_columns - 1) / tile_columns; }

}  // namespace

PackedFactor::PackedFactor(std::int64_t vectors, std::int64_t columns)
    : vectors_(vectors),
      columns_(columns),
      tiles_(static_cast<std::size_t>(vectors) * static_cast<std::size_t>(tiles_of(columns) * tile_columns)) {}

void PackedFactor::set(std::int64_t vector, std::span<const double> values) {
  if (vector < 0 || vector >= vectors_ || static_cast<std::int64_t>(values.size()) != columns_) {
    throw std::logic_error("PackedFactor::set: no such vector, or of another length");
  }
  for (std::int64_t first = 0; first < columns_; first += tile_columns) {
    const std::int64_t width = std::min(tile_columns, columns_ - first);
    std::copy_n(values.begin() + first, width, tiles_.begin() + first * vectors_ + vector * tile_columns);
  }
}

void PackedFactor::multiply(std::int64_t rows, std::span<const double> left, std::span<double> out) const {
  const auto product = [](std::int64_t a, std::int64_t b) {
    return static_cast<std::size_t>(a) * static_cast<std::size_t>(b);
  };
  if (left.size() != product(rows, vectors_) || out.size() != product(rows, columns_)) {
    throw std::logic_error("PackedFactor::multiply: sizes do not match");
  }
  // The last rows, with zeros for those that are missing.
  const std::int64_t whole = rows / tile_rows * tile_rows;
  std::vector<double> rest(whole < rows ? static_cast<std::size_t>(tile_rows * vectors_) : 0);
  std::copy(left.begin() + whole * vectors_, left.end(), rest.begin());
  std::array<double, tile_rows * tile_columns> products{};
  for (std::int64_t first = 0; first < columns_; first += tile_columns) {
    const double* tile = tiles_.data() + first * vectors_;
    const std::int64_t width = std::min(tile_columns, columns_ - first);
    for (std::int64_t row = 0; row < rows; row += tile_rows) {
      multiply_tile(row < whole ? left.data() + row * vectors_ : rest.data(), tile, vectors_, products.data());
      for (std::int64_t r = 0; r < std::min(tile_rows, rows - row); ++r) {
        std::copy_n(products.begin() + r * tile_columns, width, out.begin() + (row + r) * columns_ + first);
      }
    }
  }
}

}  // namespace diffphase
