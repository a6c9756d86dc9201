#include "spectrum/vector_block.hpp"

#include <cblas.h>

#include <cmath>

#include "random/random_stream.hpp"

namespace diffphase {

namespace {

constexpr double rounding_share = 1e-10;  // of a vector's length: below, its direction is not to be trusted

}  // namespace

VectorBlocks::VectorBlocks(const TaskGroup& group, const SymmetricOperator& op)
    : group_(group), size_(op.size), local_size_(op.local_size) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(group.comm().size()));
  sizes[static_cast<std::size_t>(group.comm().rank())] = local_size_;
  group.comm().sum(sizes);
  for (int rank = 0; rank < group.comm().rank(); ++rank) first_ += sizes[static_cast<std::size_t>(rank)];
}

void VectorBlocks::random(std::string_view purpose, std::int64_t number, std::span<double> out) const {
  const RandomStream stream(0, hash_text("eigenvectors"), 0, purpose);
  stream.normals(static_cast<std::uint64_t>(number), static_cast<std::uint64_t>(first_), out);
}

int VectorBlocks::count(std::span<const double> block) const {
  return local_size_ == 0 ? 0 : static_cast<int>(block.size() / static_cast<std::size_t>(local_size_));
}

std::vector<double> VectorBlocks::products(std::span<const double> left, std::span<const double> right) const {
  std::vector<std::int64_t> counts{count(left), count(right)};
  group_.comm().maximum(counts);
  std::vector<double> result(static_cast<std::size_t>(counts[0] * counts[1]));
  const int local = static_cast<int>(local_size_);
  if (local > 0 && !result.empty()) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count(left), count(right), local, 1.0, left.data(), local,
                right.data(), local, 0.0, result.data(), count(right));
  }
  group_.comm().sum(result);
  return result;
}

std::vector<double> VectorBlocks::norms(std::span<const double> block) const {
  std::vector<std::int64_t> counts{count(block)};
  group_.comm().maximum(counts);
  std::vector<double> result(static_cast<std::size_t>(counts[0]));
  const int local = static_cast<int>(local_size_);
  for (std::size_t v = 0; local > 0 && v < result.size(); ++v) {
    const double* vector = block.data() + v * static_cast<std::size_t>(local);
    result[v] = cblas_ddot(local, vector, 1, vector, 1);
  }
  group_.comm().sum(result);
  for (double& value : result) value = std::sqrt(value);
  return result;
}

bool VectorBlocks::orthonormalise(std::span<const double> basis, std::span<double> vector) const {
  const double before = norms(vector).front();
  const int local = static_cast<int>(local_size_);
  for (int pass = 0; pass < 2; ++pass) {
    const std::vector<double> overlaps = products(basis, vector);
    if (local == 0 || overlaps.empty()) continue;
    cblas_dgemv(CblasRowMajor, CblasTrans, static_cast<int>(overlaps.size()), local, -1.0, basis.data(), local,
                overlaps.data(), 1, 1.0, vector.data(), 1);
  }
  const double after = norms(vector).front();
  if (!(after > rounding_share * before)) return false;
  for (double& value : vector) value /= after;
  return true;
}

}  // namespace diffphase
