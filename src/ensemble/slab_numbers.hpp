#pragma once

#include <cstddef>
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

}  // namespace diffphase
