#include "spectrum/dense_eigenvalues.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <stdexcept>

extern "C" {
void dsyev_(const char* job, const char* triangle, const int* n, double* matrix, const int* stride, double* eigenvalues,
            double* work, const int* work_size, int* info);
void dsterf_(const int* n, double* diagonal, double* off_diagonal, int* info);
}

namespace diffphase {

double dense_largest_eigenvalue(std::vector<double> matrix) {
  const auto k = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(matrix.size()))));
  if (k == 0 || k * k != matrix.size()) {
    throw std::invalid_argument(fmt::format("{} numbers are not a square matrix", matrix.size()));
  }
  const int n = static_cast<int>(k);
  const int work_size = 34 * n;
  int info = 0;
  std::vector<double> eigenvalues(k);
  std::vector<double> work(static_cast<std::size_t>(work_size));
  dsyev_("N", "U", &n, matrix.data(), &n, eigenvalues.data(), work.data(), &work_size, &info);
  if (info != 0) throw std::runtime_error(fmt::format("dsyev of a {0} x {0} matrix failed ({1})", n, info));
  return eigenvalues.back();
}

double tridiagonal_largest_eigenvalue(std::vector<double> diagonal, std::vector<double> off_diagonal) {
  if (diagonal.empty() || off_diagonal.size() + 1 < diagonal.size()) {
    throw std::invalid_argument(fmt::format("{} and {} numbers are not the diagonals of a tridiagonal matrix",
                                            diagonal.size(), off_diagonal.size()));
  }
  const int n = static_cast<int>(diagonal.size());
  int info = 0;
  dsterf_(&n, diagonal.data(), off_diagonal.data(), &info);
  if (info != 0) throw std::runtime_error(fmt::format("dsterf of a {0} x {0} matrix failed ({1})", n, info));
  return diagonal.back();
}

}  // namespace diffphase
