#include "ensemble/slab_numbers.hpp"

#include <sys/mman.h>

#include <new>

namespace diffphase {

namespace {

constexpr std::size_t cache_line = 64;
constexpr std::size_t large_page = std::size_t{1} << 21;

// Much: what is lost at the end of the last page is little of it.
std::align_val_t alignment(std::size_t bytes) {
  return std::align_val_t{bytes >= 4 * large_page ? large_page : cache_line};
}

}  // namespace

void* allocate_slab_memory(std::size_t bytes) {
  void* const memory = operator new(bytes, alignment(bytes));
#if defined(MADV_HUGEPAGE)
  // A wish: whole pages only, and it does not matter if the system refuses.
  if (bytes >= 4 * large_page) static_cast<void>(madvise(memory, bytes / large_page * large_page, MADV_HUGEPAGE));
#endif
  return memory;
}

void free_slab_memory(void* memory, std::size_t bytes) noexcept { operator delete(memory, alignment(bytes)); }

}  // namespace diffphase
