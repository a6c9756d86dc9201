#include "spectrum/block_krylov.hpp"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase {

namespace {

constexpr int most_restarts = 10000;
constexpr int most_tries = 1000;
constexpr std::size_t panel_columns = 1024;  // of the basis, rotated at a time

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

class BlockKrylovSchur {
 public:
  BlockKrylovSchur(const TaskGroup& group, const SymmetricOperator& op, const KrylovRequest& request)
      : group_(group),
        op_(op),
        request_(request),
        blocks_(group, op),
        local_(index(op.local_size)),
        dimensions_(op.size - request.deflated_count),
        most_(std::min(basis_size(op.size, request), dimensions_)),
        search_{.dimensions = dimensions_, .block = op.block},
        largest_(request.largest) {
    group_.run_guarded([&] {
      basis_.resize(index(most_ + op_.block) * local_);
      image_.resize(index(op_.block) * local_);
      projected_.resize(index(most_ * most_));
    });
  }

  KrylovResult run() {
    fresh_ = append_random(op_.block);
    for (;;) {
      expand();
      // A block is taken whole, or the residuals would not be known.
      const bool full = fresh_ == 0 || size_ + fresh_ > most_;
      if (full || size_ >= next_check_) {
        solve_projected();
        if (converged_ >= std::min(request_.count, size_) && (size_ >= request_.count || size_ == dimensions_)) break;
        if (full && (iterations_ == most_restarts || fresh_ == 0)) break;
        if (full) restart();
        next_check_ = size_ + std::max<std::int64_t>(size_ / 8, fresh_);
      }
    }
    return result();
  }

 private:
  std::span<double> vector(std::int64_t i) { return std::span(basis_).subspan(index(i) * local_, local_); }
  std::span<const double> vectors(std::int64_t first, std::int64_t count) const {
    return std::span(basis_).subspan(index(first) * local_, index(count) * local_);
  }

  // Makes vector `place` a unit vector orthogonal to all before it and to what is deflated.
  bool orthonormalise(std::int64_t place) {
    const std::span<double> v = vector(place);
    if (request_.deflated_count > 0 && !blocks_.orthonormalise(request_.deflated, v)) return false;
    if (!blocks_.orthonormalise(vectors(0, place), v)) return false;
    return request_.deflated_count == 0 || blocks_.orthonormalise(request_.deflated, v);
  }

  // Vector `place` at random. Beside the others it is nothing but rounding with no probability, unless these are no
  // numbers.
  void draw(std::int64_t place) {
    for (int tries = 0; tries < most_tries; ++tries) {
      blocks_.random("Krylov block", request_.start * 1000 + randoms_++, vector(place));
      if (orthonormalise(place)) return;
      group_.agree();
    }
    throw std::runtime_error("the operator yields numbers that are not finite");
  }

  // Up to `count` random vectors after those in use, as far as there are dimensions.
  std::int64_t append_random(std::int64_t count) {
    const std::int64_t end = std::min(size_ + count, dimensions_);
    for (std::int64_t place = size_; place < end; ++place) {
      draw(place);
    }
    return end - size_;
  }

  // Takes the fresh vectors into the basis, and makes the next ones of what A adds to it.
  void expand() {
    const std::int64_t first = size_;
    const std::int64_t count = fresh_;
    const std::span<double> image = std::span(image_).first(index(count) * local_);
    op_.apply(count, vectors(first, count), image);
    products_ += count;
    group_.agree();
    size_ += count;
    project(first, count, image);
    continue_from(image, count);
  }

  // The new rows and columns of V^T A V; what is left of the image is orthogonal to the basis.
  void project(std::int64_t first, std::int64_t count, std::span<double> image) {
    std::vector<double> overlaps = blocks_.products(vectors(0, size_), image);
    group_.comm().broadcast(std::span(overlaps));
    for (std::int64_t i = 0; i < size_; ++i) {
      for (std::int64_t j = 0; j < count; ++j) {
        const double value = overlaps[index(i * count + j)];
        if (!std::isfinite(value)) throw std::runtime_error("the operator yields numbers that are not finite");
        projected_[index(i * most_ + first + j)] = projected_[index((first + j) * most_ + i)] = value;
      }
    }
    const int n = static_cast<int>(local_);
    if (n == 0) return;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(count), n, static_cast<int>(size_), -1.0,
                overlaps.data(), static_cast<int>(count), basis_.data(), n, 1.0, image.data(), n);
  }

  // R, with A V = V T + Q R for the last vectors, and Q as the fresh ones. Fewer where the block was cut short.
  void continue_from(std::span<double> image, std::int64_t count) {
    const std::int64_t next = std::min(count, dimensions_ - size_);
    for (std::int64_t i = 0; i < next; ++i) {
      const auto from = image.subspan(index(i) * local_, local_);
      std::copy(from.begin(), from.end(), vector(size_ + i).begin());
      if (!orthonormalise(size_ + i)) draw(size_ + i);
    }
    fresh_ = next;
    last_ = count;
    coupling_.clear();
    if (next == 0) return;
    coupling_ = blocks_.products(vectors(size_, next), image);
    group_.comm().broadcast(std::span(coupling_));
  }

  // Ritz values and how many of the largest have converged.
  void solve_projected() {
    std::vector<double> matrix(index(size_ * size_));
    for (std::int64_t i = 0; i < size_; ++i) {
      std::copy_n(projected_.begin() + i * most_, size_, matrix.begin() + i * size_);
    }
    ritz_ = dense_largest_eigenpairs(group_, std::move(matrix), size_);
    largest_ = std::max({largest_, std::abs(ritz_.values.front()), std::abs(ritz_.values.back())});
    converged_ = 0;
    if (iterations_ == 0) search_.steps = size_ / op_.block;
    while (converged_ < size_ &&
           residual(converged_) <= allowed_residual(request_, search_, ritz_.values[index(converged_)], largest_)) {
      ++converged_;
    }
  }

  // |A v - theta v| of Ritz vector i: R times the last entries of its coordinates.
  double residual(std::int64_t i) const {
    const double* last = ritz_.vectors.data() + (i + 1) * size_ - last_;
    double squares = 0.0;
    for (std::int64_t row = 0; row < fresh_; ++row) {
      const double value = cblas_ddot(static_cast<int>(last_), coupling_.data() + row * last_, 1, last, 1);
      squares += value * value;
    }
    return std::sqrt(squares);
  }

  // Replaces the basis by its `count` largest Ritz vectors.
  void rotate(std::int64_t count) {
    std::vector<double> panel;
    group_.run_guarded([&] { panel.resize(index(count) * panel_columns); });
    for (std::size_t first = 0; first < local_; first += panel_columns) {
      const std::size_t columns = std::min(panel_columns, local_ - first);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(count), static_cast<int>(columns),
                  static_cast<int>(size_), 1.0, ritz_.vectors.data(), static_cast<int>(size_), basis_.data() + first,
                  static_cast<int>(local_), 0.0, panel.data(), static_cast<int>(columns));
      for (std::size_t i = 0; i < index(count); ++i) {
        std::copy_n(panel.begin() + static_cast<std::ptrdiff_t>(i * columns), columns,
                    basis_.begin() + static_cast<std::ptrdiff_t>(i * local_ + first));
      }
    }
  }

  // Thick restart: the better half of the Ritz vectors, and the fresh vectors after them.
  void restart() {
    ++iterations_;
    const std::int64_t kept =
        std::clamp((converged_ + size_) / 2, std::int64_t{1}, std::max<std::int64_t>(size_ - op_.block, 1));
    rotate(kept);
    for (std::int64_t i = 0; i < fresh_; ++i) {
      const auto from = vector(size_ + i);
      std::copy(from.begin(), from.end(), vector(kept + i).begin());
    }
    std::fill(projected_.begin(), projected_.end(), 0.0);
    for (std::int64_t i = 0; i < kept; ++i) projected_[index(i * (most_ + 1))] = ritz_.values[index(i)];
    size_ = kept;
  }

  KrylovResult result() {
    KrylovResult found;
    const std::int64_t wanted = kept_pairs(op_.size, request_, converged_);
    group_.run_guarded([&] {
      found.eigenvalues.assign(ritz_.values.begin(), ritz_.values.begin() + wanted);
      rotate_into(found.vectors, wanted);
    });
    found.iterations = iterations_;
    found.products = products_;
    found.stop_reason = converged_ >= std::min(request_.count, size_) ? "CONVERGED_TOL" : "DIVERGED_ITS";
    return found;
  }

  // The first `count` Ritz vectors.
  void rotate_into(std::vector<double>& out, std::int64_t count) const {
    out.resize(index(count) * local_);
    if (out.empty()) return;
    const int n = static_cast<int>(local_);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(count), n, static_cast<int>(size_), 1.0,
                ritz_.vectors.data(), static_cast<int>(size_), basis_.data(), n, 0.0, out.data(), n);
  }

  const TaskGroup& group_;
  const SymmetricOperator& op_;
  const KrylovRequest& request_;
  VectorBlocks blocks_;
  std::size_t local_;
  std::int64_t dimensions_;  // there are outside the deflated space
  std::int64_t most_;        // vectors of the basis
  KrylovSearch search_;
  double largest_;
  std::int64_t next_check_ = 0;    // vectors in use
  std::vector<double> basis_;      // [vector][local]: those in use, then the fresh ones
  std::vector<double> image_;      // of a block
  std::vector<double> projected_;  // V^T A V, most_ x most_
  std::vector<double> coupling_;   // R, fresh_ x last_
  DenseEigenpairs ritz_;
  std::int64_t size_ = 0;   // vectors in use
  std::int64_t fresh_ = 0;  // orthonormal vectors after them
  std::int64_t last_ = 0;   // vectors that R belongs to, the last ones in use
  std::int64_t converged_ = 0;
  std::int64_t products_ = 0;
  std::int64_t randoms_ = 0;
  int iterations_ = 0;
};

}  // namespace

KrylovResult block_krylov_schur(const TaskGroup& group, const SymmetricOperator& op, const KrylovRequest& request) {
  return BlockKrylovSchur(group, op, request).run();
}

}  // namespace diffphase
