#include "spectrum/block_lanczos.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace diffphase {

namespace {

constexpr double invariant = 1e-11;

// What of a start vector may lie outside the deflated space by rounding alone, of its squared length.
constexpr double nothing_left = 1e-24;

void check(const SymmetricOperator& op, const DeflatedSpace& deflated, int steps, std::int64_t block) {
  if (steps < 1 || block < 1) {
    throw std::invalid_argument(fmt::format("Lanczos: {} steps of {} vectors make no sense", steps, block));
  }
  if (deflated.dimension() >= op.size) {
    throw std::invalid_argument(
        fmt::format("Lanczos: nothing is left of {} dimensions without {}", op.size, deflated.dimension()));
  }
  if (static_cast<std::int64_t>(deflated.vectors.size()) != deflated.dimension() * op.local_size) {
    throw std::invalid_argument("Lanczos: the deflated vectors do not have the length of the operator's");
  }
  if (block * std::max<std::int64_t>(op.local_size, 1) > std::numeric_limits<blasint>::max()) {
    throw std::invalid_argument(
        fmt::format("Lanczos: {} vectors of {} local components are too many for one block", block, op.local_size));
  }
}

double largest_row(const LanczosRecurrence& recurrence) {
  double largest = 0.0;
  for (std::size_t i = 0; i < recurrence.diagonal.size(); ++i) {
    const double before = i == 0 ? 0.0 : recurrence.off_diagonal[i - 1];
    largest = std::max(largest, std::abs(recurrence.diagonal[i]) + before + recurrence.off_diagonal[i]);
  }
  return largest;
}

}  // namespace

BlockLanczos::BlockLanczos(const TaskGroup& group, const SymmetricOperator& op, DeflatedSpace deflated, int steps,
                           std::int64_t block)
    : group_(group), op_(op), deflated_(std::move(deflated)), steps_(steps), block_(block) {
  group.run_guarded([&] {
    check(op_, deflated_, steps_, block_);
    const auto vectors = static_cast<std::size_t>(block_ * op_.local_size);
    basis_.resize(vectors * static_cast<std::size_t>(steps_));
    work_.resize(vectors);
    coefficients_.resize(static_cast<std::size_t>(block_ * (deflated_.dimension() + steps_)));
  });
}

double* BlockLanczos::vectors(int step) {
  return basis_.data() + static_cast<std::size_t>(step) * static_cast<std::size_t>(block_ * op_.local_size);
}

std::vector<ProbeRecurrence> BlockLanczos::run(std::int64_t count, const std::function<void(std::span<double>)>& fill) {
  std::vector<ProbeRecurrence> probes;
  group_.run_guarded([&] {
    if (count < 1 || count > block_) throw std::logic_error("Lanczos: more start vectors than the block holds");
    probes.resize(static_cast<std::size_t>(count));
    fill(std::span(work_).first(static_cast<std::size_t>(count * op_.local_size)));
  });
  count_ = count;
  start(probes);
  for (int step = 0; step < steps_; ++step) {
    if (!advance(step, probes)) break;
    group_.agree();
  }
  return probes;
}

void BlockLanczos::start(std::vector<ProbeRecurrence>& probes) {
  std::vector<double> unused(probes.size());
  const std::vector<double> before = squared_lengths(unused);
  orthogonalise(0, unused);
  const std::vector<double> after = squared_lengths(unused);
  for (std::size_t p = 0; p < probes.size(); ++p) {
    const bool empty = !(after[p] > nothing_left * before[p]);
    probes[p].squared_length = empty ? 0.0 : after[p];
    probes[p].recurrence.exact = empty;
    scale(p, empty ? 0.0 : 1.0 / std::sqrt(after[p]), vectors(0));
  }
}

// Whether any recurrence goes on.
bool BlockLanczos::advance(int step, std::vector<ProbeRecurrence>& probes) {
  const auto numbers = probes.size() * static_cast<std::size_t>(op_.local_size);
  op_.apply(count_, std::span<const double>(vectors(step), numbers), std::span(work_).first(numbers));
  products_ += count_;
  std::vector<double> diagonal(probes.size());
  orthogonalise(step + 1, diagonal);
  std::vector<double> numbers_of_root = squared_lengths(diagonal);
  bool goes_on = false;
  for (std::size_t p = 0; p < probes.size(); ++p) {
    LanczosRecurrence& recurrence = probes[p].recurrence;
    if (!recurrence.exact) {
      const double remainder = std::sqrt(numbers_of_root[p]);
      recurrence.diagonal.push_back(numbers_of_root[probes.size() + p]);
      recurrence.off_diagonal.push_back(remainder);
      if (!std::isfinite(remainder + recurrence.diagonal.back())) {
        throw std::runtime_error("Lanczos: the operator yields numbers that are not finite");
      }
      recurrence.exact = remainder <= invariant * largest_row(recurrence);
    }
    goes_on = goes_on || !recurrence.exact;
    if (step + 1 < steps_) scale(p, recurrence.exact ? 0.0 : 1.0 / recurrence.off_diagonal.back(), vectors(step + 1));
  }
  return goes_on;
}

// Twice is enough (Kahan, Parlett); the components along the last vectors add up to the diagonal element.
void BlockLanczos::orthogonalise(int basis, std::span<double> diagonal) {
  const auto deflated = static_cast<std::size_t>(count_ * deflated_.dimension());
  for (int pass = 0; pass < 2; ++pass) {
    subtract_projections(basis);
    for (std::size_t p = 0; basis > 0 && p < diagonal.size(); ++p) {
      diagonal[p] += coefficients_[deflated + (p + 1) * static_cast<std::size_t>(basis) - 1];
    }
  }
}

void BlockLanczos::subtract_projections(int basis) {
  const auto n = static_cast<blasint>(op_.local_size);
  const auto k = static_cast<blasint>(deflated_.dimension());
  const auto count = static_cast<blasint>(count_);
  const auto stride = static_cast<blasint>(block_) * n;
  const auto used = static_cast<std::size_t>(count_ * (deflated_.dimension() + basis));
  if (used == 0) return;
  double* along = coefficients_.data() + static_cast<std::size_t>(count_ * deflated_.dimension());
  std::fill_n(coefficients_.begin(), used, 0.0);
  if (n > 0 && k > 0) {
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, k, count, n, 1.0, deflated_.vectors.data(), n, work_.data(), n,
                0.0, coefficients_.data(), k);
  }
  for (std::ptrdiff_t p = 0; n > 0 && basis > 0 && p < count; ++p) {
    cblas_dgemv(CblasColMajor, CblasTrans, n, basis, 1.0, vectors(0) + p * n, stride, work_.data() + p * n, 1, 0.0,
                along + p * basis, 1);
  }
  group_.comm().sum(std::span(coefficients_).first(used));
  if (n > 0 && k > 0) {
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, count, k, -1.0, deflated_.vectors.data(), n,
                coefficients_.data(), k, 1.0, work_.data(), n);
  }
  for (std::ptrdiff_t p = 0; n > 0 && basis > 0 && p < count; ++p) {
    cblas_dgemv(CblasColMajor, CblasNoTrans, n, basis, -1.0, vectors(0) + p * n, stride, along + p * basis, 1, 1.0,
                work_.data() + p * n, 1);
  }
}

// Squared lengths of the work vectors, then `diagonal`: those of the root, so that every rank decides alike.
std::vector<double> BlockLanczos::squared_lengths(std::span<const double> diagonal) {
  const auto n = static_cast<std::ptrdiff_t>(op_.local_size);
  std::vector<double> numbers(2 * diagonal.size());
  for (std::size_t p = 0; p < diagonal.size() && n > 0; ++p) {
    const double* vector = work_.data() + static_cast<std::ptrdiff_t>(p) * n;
    numbers[p] = cblas_ddot(static_cast<blasint>(n), vector, 1, vector, 1);
  }
  group_.comm().sum(std::span(numbers).first(diagonal.size()));
  std::copy(diagonal.begin(), diagonal.end(), numbers.begin() + static_cast<std::ptrdiff_t>(diagonal.size()));
  group_.comm().broadcast(std::span(numbers));
  return numbers;
}

// out := factor * work for one probe.
void BlockLanczos::scale(std::size_t probe, double factor, double* out) const {
  const auto n = static_cast<std::size_t>(op_.local_size);
  for (std::size_t i = probe * n; i < (probe + 1) * n; ++i) out[i] = factor * work_[i];
}

}  // namespace diffphase
