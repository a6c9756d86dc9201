#include "spectrum/dense_eigenvalues.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <utility>

extern "C" {
void dsyev_(const char* job, const char* triangle, const int* n, double* matrix, const int* stride, double* eigenvalues,
            double* work, const int* work_size, int* info);
void dsyevd_(const char* job, const char* triangle, const int* n, double* matrix, const int* stride,
             double* eigenvalues, double* work, const int* work_size, int* integers, const int* integer_size,
             int* info);
void dsyevr_(const char* job, const char* range, const char* triangle, const int* n, double* matrix, const int* stride,
             const double* lowest, const double* highest, const int* first, const int* last, const double* tolerance,
             int* found, double* eigenvalues, double* vectors, const int* vector_stride, int* support, double* work,
             const int* work_size, int* integers, const int* integer_size, int* info);
void dsterf_(const int* n, double* diagonal, double* off_diagonal, int* info);
void dsytrf_(const char* triangle, const int* n, double* matrix, const int* stride, int* pivots, double* work,
             const int* work_size, int* info);
}

namespace diffphase {

namespace {

// What LAPACK gives up at: numbers that are not finite, or too large to be squared.
void require_computed(const char* what, int n, int info) {
  if (info == 0) return;
  throw std::runtime_error(fmt::format("the {} of a {} x {} matrix leave the range of doubles ({})", what, n, n, info));
}

std::size_t side_of(const std::vector<double>& matrix) {
  const auto k = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(matrix.size()))));
  if (k == 0 || k * k != matrix.size()) {
    throw std::invalid_argument(fmt::format("{} numbers are not a square matrix", matrix.size()));
  }
  return k;
}

// Of a factorisation by Bunch and Kaufman: its 2 x 2 blocks (marked by negative pivots, in pairs) have one eigenvalue
// of either sign.
std::int64_t negative_blocks(const std::vector<double>& factor, const std::vector<int>& pivots) {
  const std::size_t n = pivots.size();
  std::int64_t negative = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (pivots[i] > 0) {
      negative += factor[i * n + i] < 0.0 ? 1 : 0;
    } else {
      ++negative;
      ++i;
    }
  }
  return negative;
}

// `ascending` has a vector of length n for each value; the last `count` of both, the largest first.
DenseEigenpairs largest_of(std::span<const double> values, std::span<const double> ascending, std::size_t count) {
  DenseEigenpairs pairs;
  const std::size_t n = ascending.size() / values.size();
  for (std::size_t i = values.size(); i-- > values.size() - count;) {
    pairs.values.push_back(values[i]);
    const auto vector = ascending.subspan(i * n, n);
    pairs.vectors.insert(pairs.vectors.end(), vector.begin(), vector.end());
  }
  return pairs;
}

// dsyevr for the largest eigenvalues only; overwrites the matrix. Returns LAPACK's info.
int some_eigenpairs(std::vector<double>& matrix, int n, int count, DenseEigenpairs& pairs) {
  const int first = n - count + 1;
  const double unused = 0.0;
  int found = 0;
  int info = 0;
  int work_size = 32 * n;
  int integer_size = 10 * n;
  std::vector<double> values(static_cast<std::size_t>(n));
  std::vector<double> vectors(static_cast<std::size_t>(n) * static_cast<std::size_t>(count));
  std::vector<int> support(2 * static_cast<std::size_t>(count));
  std::vector<double> work(static_cast<std::size_t>(work_size));
  std::vector<int> integers(static_cast<std::size_t>(integer_size));
  dsyevr_("V", "I", "U", &n, matrix.data(), &n, &unused, &unused, &first, &n, &unused, &found, values.data(),
          vectors.data(), &n, support.data(), work.data(), &work_size, integers.data(), &integer_size, &info);
  if (info == 0 && found != count) info = 1;
  const auto size = static_cast<std::size_t>(count);
  if (info == 0) pairs = largest_of(std::span(values).first(size), vectors, size);
  return info;
}

DenseEigenpairs all_eigenpairs(std::vector<double>& matrix, int n, int count) {
  const std::size_t k = static_cast<std::size_t>(n);
  const int work_size = 1 + 6 * n + 2 * n * n;
  const int integer_size = 3 + 5 * n;
  int info = 0;
  std::vector<double> values(k);
  std::vector<double> work(static_cast<std::size_t>(work_size));
  std::vector<int> integers(static_cast<std::size_t>(integer_size));
  dsyevd_("V", "U", &n, matrix.data(), &n, values.data(), work.data(), &work_size, integers.data(), &integer_size,
          &info);
  require_computed("eigenvalues", n, info);
  return largest_of(values, matrix, static_cast<std::size_t>(count));
}

}  // namespace

DenseEigenpairs dense_largest_eigenpairs(std::vector<double> matrix, std::int64_t count) {
  const int n = static_cast<int>(side_of(matrix));
  if (count < 0 || count > n) {
    throw std::invalid_argument(fmt::format("{} eigenvalues of a {} x {} matrix", count, n, n));
  }
  if (count == 0) return {};
  if (n > largest_matrix) throw std::length_error(fmt::format("a {0} x {0} matrix is too large for LAPACK", n));
  DenseEigenpairs pairs;
  std::vector<double> copy = matrix;
  if (some_eigenpairs(copy, n, static_cast<int>(count), pairs) == 0) return pairs;
  return all_eigenpairs(matrix, n, static_cast<int>(count));
}

DenseEigenpairs dense_largest_eigenpairs(const TaskGroup& group, std::vector<double> matrix, std::int64_t count) {
  DenseEigenpairs pairs;
  group.run_guarded([&] {
    const std::size_t n = side_of(matrix);
    if (group.comm().is_root()) {
      pairs = dense_largest_eigenpairs(std::move(matrix), count);
    } else {
      pairs.values.resize(static_cast<std::size_t>(count));
      pairs.vectors.resize(static_cast<std::size_t>(count) * n);
    }
  });
  group.comm().broadcast(std::span(pairs.values));
  group.comm().broadcast(std::span(pairs.vectors));
  return pairs;
}

double dense_largest_eigenvalue(std::vector<double> matrix) {
  const std::size_t k = side_of(matrix);
  const int n = static_cast<int>(k);
  const int work_size = 34 * n;
  int info = 0;
  std::vector<double> eigenvalues(k);
  std::vector<double> work(static_cast<std::size_t>(work_size));
  dsyev_("N", "U", &n, matrix.data(), &n, eigenvalues.data(), work.data(), &work_size, &info);
  require_computed("eigenvalues", n, info);
  return eigenvalues.back();
}

std::int64_t eigenvalues_below(std::vector<double> matrix, double x) {
  const std::size_t k = side_of(matrix);
  const int n = static_cast<int>(k);
  if (std::isinf(x)) return x > 0.0 ? n : 0;
  for (std::size_t i = 0; i < k; ++i) matrix[i * (k + 1)] -= x;
  const int work_size = 64 * n;
  int info = 0;
  std::vector<int> pivots(k);
  std::vector<double> work(static_cast<std::size_t>(work_size));
  dsytrf_("L", &n, matrix.data(), &n, pivots.data(), work.data(), &work_size, &info);
  if (info < 0) throw std::runtime_error(fmt::format("dsytrf of a {0} x {0} matrix failed ({1})", n, info));
  return negative_blocks(matrix, pivots);
}

double tridiagonal_largest_eigenvalue(std::vector<double> diagonal, std::vector<double> off_diagonal) {
  if (diagonal.empty() || off_diagonal.size() + 1 < diagonal.size()) {
    throw std::invalid_argument(fmt::format("{} and {} numbers are not the diagonals of a tridiagonal matrix",
                                            diagonal.size(), off_diagonal.size()));
  }
  const int n = static_cast<int>(diagonal.size());
  int info = 0;
  dsterf_(&n, diagonal.data(), off_diagonal.data(), &info);
  require_computed("eigenvalues", n, info);
  return diagonal.back();
}

}  // namespace diffphase
