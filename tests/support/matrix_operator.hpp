#pragma once

// Matrices of known spectrum, given whole on every rank, as operators whose vectors are split over the ranks.

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "parallel/task_group.hpp"
#include "random/random_stream.hpp"
#include "spectrum/symmetric_operator.hpp"

extern "C" {
void dsyev_(const char* job, const char* triangle, const int* n, double* matrix, const int* stride, double* eigenvalues,
            double* work, const int* work_size, int* info);
}

namespace diffphase::test {

/// Contiguous piece of [0, size) of a rank; uneven, and empty for some where there are more ranks than components.
struct Piece {
  Piece(std::int64_t size, const Communicator& comm)
      : first(size * comm.rank() / comm.size()), count(size * (comm.rank() + 1) / comm.size() - first) {}
  std::int64_t first;
  std::int64_t count;
};

/// A square matrix, row-major, applied to split vectors; `transposed`: its transpose.
class SplitMatrix {
 public:
  SplitMatrix(const TaskGroup& group, std::int64_t size, std::vector<double> matrix)
      : group_(group), size_(size), piece_(size, group.comm()), matrix_(std::move(matrix)) {}

  void apply(bool transposed, std::int64_t vectors, std::span<const double> in, std::span<double> out) const {
    const auto d = static_cast<std::size_t>(size_);
    const auto local = static_cast<std::size_t>(piece_.count);
    const auto first = static_cast<std::size_t>(piece_.first);
    std::vector<double> whole(static_cast<std::size_t>(vectors) * d);
    std::vector<double> product(whole.size());
    for (std::size_t v = 0; v < static_cast<std::size_t>(vectors); ++v) {
      std::copy_n(in.data() + v * local, local, whole.data() + v * d + first);
    }
    group_.comm().sum(std::span(whole));
    const int n = static_cast<int>(size_);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasNoTrans : CblasTrans, static_cast<int>(vectors), n, n,
                1.0, whole.data(), n, matrix_.data(), n, 0.0, product.data(), n);
    for (std::size_t v = 0; v < static_cast<std::size_t>(vectors); ++v) {
      std::copy_n(product.data() + v * d + first, local, out.data() + v * local);
    }
  }

  /// Refers to this object.
  [[nodiscard]] SymmetricOperator symmetric() const {
    return {.size = size_,
            .local_size = piece_.count,
            .apply = [this](std::int64_t v, std::span<const double> in, std::span<double> out) {
              apply(false, v, in, out);
            }};
  }
  [[nodiscard]] const std::vector<double>& matrix() const { return matrix_; }
  [[nodiscard]] const Piece& piece() const { return piece_; }

 private:
  const TaskGroup& group_;
  std::int64_t size_;
  Piece piece_;
  std::vector<double> matrix_;
};

/// Random numbers of a name, the same on every rank.
inline std::vector<double> normals(std::string_view name, std::size_t count) {
  std::vector<double> out(count);
  RandomStream(1, hash_text(name), 0, "test").normals(0, 0, out);
  return out;
}

/// sum_k eigenvalue_k h_k h_k^T with the rows h_k of an orthogonal matrix.
inline std::vector<double> with_spectrum(const std::vector<double>& eigenvalues, const std::vector<double>& rows) {
  const std::size_t d = eigenvalues.size();
  std::vector<double> scaled(rows);
  for (std::size_t k = 0; k < d; ++k) {
    for (std::size_t j = 0; j < d; ++j) scaled[k * d + j] *= eigenvalues[k];
  }
  std::vector<double> matrix(d * d);
  const int n = static_cast<int>(d);
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, n, n, 1.0, rows.data(), n, scaled.data(), n, 0.0,
              matrix.data(), n);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < i; ++j) matrix[i * d + j] = matrix[j * d + i];
  }
  return matrix;
}

/// X^T X / samples of standard normal samples: the Marchenko-Pastur law of ratio d/samples.
inline std::vector<double> wishart(std::string_view name, std::size_t samples, std::size_t d) {
  const std::vector<double> x = normals(name, samples * d);
  std::vector<double> matrix(d * d);
  const int n = static_cast<int>(d);
  const int rows = static_cast<int>(samples);
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, n, rows, 1.0 / static_cast<double>(samples), x.data(), n,
              x.data(), n, 0.0, matrix.data(), n);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < i; ++j) matrix[i * d + j] = matrix[j * d + i];
  }
  return matrix;
}

/// All eigenvalues of a symmetric matrix in ascending order; the rows of `matrix` become the eigenvectors.
inline std::vector<double> eigensystem(std::vector<double>& matrix) {
  const int n = static_cast<int>(std::lround(std::sqrt(static_cast<double>(matrix.size()))));
  const int work_size = 66 * n;
  int info = 0;
  std::vector<double> eigenvalues(static_cast<std::size_t>(n));
  std::vector<double> work(static_cast<std::size_t>(work_size));
  dsyev_("V", "U", &n, matrix.data(), &n, eigenvalues.data(), work.data(), &work_size, &info);
  return eigenvalues;
}

/// A random orthogonal matrix: the eigenvectors of a Wishart matrix, as rows.
inline std::vector<double> rotation(std::string_view name, std::size_t d) {
  std::vector<double> matrix = wishart(name, d, d);
  (void)eigensystem(matrix);
  return matrix;
}

/// Local pieces of rows [first, first + count) of a row-major matrix.
inline std::vector<double> local_rows(const std::vector<double>& matrix, std::size_t d, std::size_t first,
                                      std::size_t count, const Piece& piece) {
  std::vector<double> local;
  for (std::size_t r = first; r < first + count; ++r) {
    const auto start = matrix.begin() + static_cast<std::ptrdiff_t>(r * d) + piece.first;
    local.insert(local.end(), start, start + piece.count);
  }
  return local;
}

}  // namespace diffphase::test
