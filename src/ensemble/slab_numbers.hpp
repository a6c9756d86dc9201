#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace diffphase {

/// Memory for the numbers of a slab: it begins with a cache line, so that vectors of numbers do not lie across two, and
/// where there is much of it with a large page (2 MiB), which the system is asked for: products with many rows side by
/// side run faster with both. Throws std::bad_alloc. Local.
[[nodiscard]] void* allocate_slab_memory(std::size_t bytes);
void free_slab_memory(void* memory, std::size_t bytes) noexcept;

template <typename T>
struct SlabAllocator {
  using value_type = T;

  SlabAllocator() = default;
  template <typename Other>
  SlabAllocator(const SlabAllocator<Other>& /*other*/) noexcept {}  // NOLINT: containers convert allocators

  [[nodiscard]] T* allocate(std::size_t count) { return static_cast<T*>(allocate_slab_memory(count * sizeof(T))); }
  void deallocate(T* numbers, std::size_t count) noexcept { free_slab_memory(numbers, count * sizeof(T)); }

  template <typename Other>
  bool operator==(const SlabAllocator<Other>& /*other*/) const noexcept {
    return true;
  }
};

template <typename T>
using SlabNumbers = std::vector<T, SlabAllocator<T>>;

/// Numbers from one row of a slab to the next, for rows of `columns` numbers: an odd number of cache lines, so that the
/// same columns of several rows never share few places of a cache, where a row takes a page (4 KiB) or more; `columns`
/// where it takes less. At most 1/32 more than `columns`.
template <typename T>
[[nodiscard]] constexpr std::int64_t row_stride(std::int64_t columns) {
  constexpr std::int64_t page = 4096 / sizeof(T);
  constexpr std::int64_t line = 64 / sizeof(T);
  if (columns < page) return columns;
  return ((columns + line - 1) / line | 1) * line;
}

}  // namespace diffphase
