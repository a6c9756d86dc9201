#include "spectrum/formed_matrix.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "spectrum/probe_vectors.hpp"

namespace diffphase {

std::vector<double> formed_matrix(const TaskGroup& group, const SymmetricOperator& op) {
  constexpr std::int64_t block = 64;
  const auto size = static_cast<std::size_t>(op.size);
  const auto local = static_cast<std::size_t>(op.local_size);
  const std::int64_t first = first_local_index(group, op.local_size);
  std::vector<double> matrix;
  std::vector<double> units;
  std::vector<double> images;
  group.run_guarded([&] {
    matrix.resize(size * size);
    units.resize(block * local);
    images.resize(units.size());
  });
  for (std::int64_t row = 0; row < op.size; row += block) {
    const std::int64_t rows = std::min(block, op.size - row);
    std::ranges::fill(units, 0.0);
    for (std::int64_t v = 0; v < rows; ++v) {
      const std::int64_t own = row + v - first;
      if (own >= 0 && own < op.local_size) units[static_cast<std::size_t>(v * op.local_size + own)] = 1.0;
    }
    const std::size_t used = static_cast<std::size_t>(rows) * local;
    op.apply(rows, std::span<const double>(units).first(used), std::span(images).first(used));
    const auto made =
        std::span(matrix).subspan(static_cast<std::size_t>(row) * size, static_cast<std::size_t>(rows) * size);
    for (std::size_t v = 0; v < static_cast<std::size_t>(rows); ++v) {
      std::copy_n(images.data() + v * local, local, made.data() + v * size + static_cast<std::size_t>(first));
    }
    group.comm().sum(made);
    group.agree();
  }
  return matrix;
}

}  // namespace diffphase
