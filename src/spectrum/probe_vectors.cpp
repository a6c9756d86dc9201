#include "spectrum/probe_vectors.hpp"

#include <numeric>
#include <vector>

namespace diffphase {

std::int64_t first_local_index(const TaskGroup& group, std::int64_t local_size) {
  const auto rank = static_cast<std::size_t>(group.comm().rank());
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(group.comm().size()));
  sizes[rank] = local_size;
  group.comm().sum(std::span(sizes));
  return std::accumulate(sizes.begin(), sizes.begin() + group.comm().rank(), std::int64_t{0});
}

ProbeVectors::ProbeVectors(const TaskGroup& group, std::int64_t local_size, const RandomStream& stream, ProbeLaw law)
    : first_index_(first_local_index(group, local_size)), local_size_(local_size), stream_(&stream), law_(law) {}

void ProbeVectors::fill(std::int64_t first, std::int64_t count, std::span<double> out) const {
  const auto n = static_cast<std::size_t>(local_size_);
  for (std::int64_t p = 0; p < count; ++p) {
    const auto vector = out.subspan(static_cast<std::size_t>(p) * n, n);
    const auto probe = static_cast<std::uint64_t>(first + p);
    if (law_ == ProbeLaw::gaussian) {
      stream_->normals(probe, static_cast<std::uint64_t>(first_index_), vector);
    } else {
      fill_signs(probe, vector);
    }
  }
}

// One word of the stream has the signs of 64 components.
void ProbeVectors::fill_signs(std::uint64_t probe, std::span<double> out) const {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t index = static_cast<std::uint64_t>(first_index_) + i;
    if (i == 0 || index % 64 == 0) word = stream_->bits(probe, index / 64);
    out[i] = ((word >> (index % 64)) & 1U) != 0 ? 1.0 : -1.0;
  }
}

}  // namespace diffphase
