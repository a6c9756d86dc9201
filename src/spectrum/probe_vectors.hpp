#pragma once

#include <cstdint>
#include <span>

#include "parallel/task_group.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

/// The law of the independent numbers of a probe, both of mean 0 and variance 1. For quadratic forms z^T A z the
/// diagonal of A adds nothing to the variance of Rademacher probes; Gaussian ones do not depend on the basis.
enum class ProbeLaw { gaussian, rademacher };

/// Random vectors split over the ranks of a group in contiguous pieces, in rank order. Number i of probe p is a pure
/// function of the stream, p and the global index i: the same on any number of ranks.
class ProbeVectors {
 public:
  /// `stream` must outlive it; use it for nothing else. Collective over the group.
  ProbeVectors(const TaskGroup& group, std::int64_t local_size, const RandomStream& stream, ProbeLaw law);

  /// Local pieces of probes [first, first + count): [probe][local_size]. Local.
  void fill(std::int64_t first, std::int64_t count, std::span<double> out) const;

 private:
  void fill_signs(std::uint64_t probe, std::span<double> out) const;

  std::int64_t first_index_ = 0;
  std::int64_t local_size_;
  const RandomStream* stream_;
  ProbeLaw law_;
};

/// Global index of this rank's first component, where every rank has `local_size` of them. Collective over the group.
[[nodiscard]] std::int64_t first_local_index(const TaskGroup& group, std::int64_t local_size);

}  // namespace diffphase
