#include "spectrum/row_factorisation.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

extern "C" {
void dsyevd_(const char* job, const char* triangle, const int* n, double* matrix, const int* stride,
             double* eigenvalues, double* work, const int* work_size, int* int_work, const int* int_work_size,
             int* info);
void dtpqrt_(const int* rows, const int* columns, const int* triangular_rows, const int* panel, double* triangle,
             const int* triangle_stride, double* matrix, const int* stride, double* t, const int* t_stride,
             double* work, int* info);
void dgesdd_(const char* job, const int* rows, const int* columns, double* matrix, const int* stride, double* values,
             double* u, const int* u_stride, double* vt, const int* vt_stride, double* work, const int* work_size,
             int* int_work, int* info);
}

namespace diffphase {

namespace {

// What LAPACK gives up at: numbers that are not finite, or too large to be squared.
void require_computed(const char* what, int n, int info) {
  if (info == 0) return;
  throw std::runtime_error(fmt::format("the {} of a {} x {} matrix leave the range of doubles ({})", what, n, n, info));
}

constexpr int triangle_tag = 271;
constexpr std::size_t message_numbers = std::size_t{1} << 23;

// Pieces of this rank's rows such that every rank has the same number of them and none takes long.
class Pieces {
 public:
  Pieces(const TaskGroup& group, std::int64_t columns, std::int64_t rows, std::int64_t most_rows) : rows_(rows) {
    const double operations_per_row = 2.0 * static_cast<double>(columns) * static_cast<double>(columns);
    size_ = std::clamp<std::int64_t>(static_cast<std::int64_t>(4e9 / operations_per_row), 64, most_rows);
    std::array<std::int64_t, 1> count{(rows + size_ - 1) / size_};
    group.comm().maximum(count);
    count_ = count[0];
  }
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t first(std::int64_t piece) const { return std::min(rows_, piece * size_); }
  [[nodiscard]] std::int64_t rows(std::int64_t piece) const { return first(piece + 1) - first(piece); }

 private:
  std::int64_t rows_;
  std::int64_t size_ = 0;
  std::int64_t count_ = 0;
};

std::vector<double> eigenvalues_of(std::vector<double>& matrix, int n) {
  std::vector<double> eigenvalues(static_cast<std::size_t>(n));
  std::vector<double> work(static_cast<std::size_t>(66 * n + 1));
  const int work_size = static_cast<int>(work.size());
  const int int_work_size = 1;
  int int_work = 0;
  int info = 0;
  // The upper triangle of the row-major matrix is LAPACK's lower one.
  dsyevd_("N", "L", &n, matrix.data(), &n, eigenvalues.data(), work.data(), &work_size, &int_work, &int_work_size,
          &info);
  require_computed("eigenvalues", n, info);
  std::reverse(eigenvalues.begin(), eigenvalues.end());
  for (double& value : eigenvalues) value = std::max(0.0, value);
  return eigenvalues;
}

std::vector<double> singular_values_of(std::vector<double>& matrix, int n) {
  std::vector<double> values(static_cast<std::size_t>(n));
  std::vector<int> int_work(static_cast<std::size_t>(8 * n));
  const int one = 1;
  const int query = -1;
  int info = 0;
  double unused = 0.0;
  double best = 0.0;
  dgesdd_("N", &n, &n, matrix.data(), &n, values.data(), &unused, &one, &unused, &one, &best, &query, int_work.data(),
          &info);
  const int work_size = static_cast<int>(best);
  std::vector<double> work(static_cast<std::size_t>(work_size));
  dgesdd_("N", &n, &n, matrix.data(), &n, values.data(), &unused, &one, &unused, &one, work.data(), &work_size,
          int_work.data(), &info);
  require_computed("singular values", n, info);
  return values;
}

// The triangle R of the rows so far, R^T R = A^T A: rows are put below R and the whole is factorised again, without
// touching the zeros of R.
class Triangle {
 public:
  Triangle(std::int64_t columns, std::int64_t most_rows)
      : n_(static_cast<std::size_t>(columns)),
        panel_(std::min<std::size_t>(32, n_)),
        triangle_(n_ * n_),
        below_(n_ * static_cast<std::size_t>(most_rows)),
        reflectors_(panel_ * n_),
        work_(panel_ * n_) {}

  /// At most `most_rows` rows of a row-major matrix.
  void add(std::span<const double> rows) {
    const std::size_t count = rows.size() / n_;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < n_; ++j) below_[j * count + i] = rows[i * n_ + j];
    }
    if (count > 0) factorise(below_, count, 0);
  }

  /// Columns of the triangle, without its zeros.
  [[nodiscard]] std::vector<double> packed() const {
    std::vector<double> numbers;
    numbers.reserve(n_ * (n_ + 1) / 2);
    for (std::size_t j = 0; j < n_; ++j) {
      const auto column = triangle_.begin() + static_cast<std::ptrdiff_t>(j * n_);
      numbers.insert(numbers.end(), column, column + static_cast<std::ptrdiff_t>(j) + 1);
    }
    return numbers;
  }

  /// The triangle of another rank.
  void add_packed(std::span<const double> numbers) {
    std::vector<double> other(n_ * n_);
    for (std::size_t j = 0; j < n_; ++j) {
      std::copy_n(numbers.begin() + static_cast<std::ptrdiff_t>(j * (j + 1) / 2), j + 1,
                  other.begin() + static_cast<std::ptrdiff_t>(j * n_));
    }
    factorise(other, n_, n_);
  }

  [[nodiscard]] std::vector<double> singular_values() const {
    std::vector<double> matrix(triangle_);
    return singular_values_of(matrix, static_cast<int>(n_));
  }

 private:
  // The last `triangular` of the rows below have zeros as an upper triangle has.
  void factorise(std::vector<double>& below, std::size_t rows, std::size_t triangular) {
    const int m = static_cast<int>(rows);
    const int n = static_cast<int>(n_);
    const int l = static_cast<int>(triangular);
    const int panel = static_cast<int>(panel_);
    int info = 0;
    dtpqrt_(&m, &n, &l, &panel, triangle_.data(), &n, below.data(), &m, reflectors_.data(), &panel, work_.data(),
            &info);
    if (info != 0) throw std::runtime_error(fmt::format("dtpqrt of a {} x {} matrix failed ({})", m, n, info));
  }

  std::size_t n_;
  std::size_t panel_;
  std::vector<double> triangle_;  // column-major, zeros below the diagonal
  std::vector<double> below_;     // column-major
  std::vector<double> reflectors_;
  std::vector<double> work_;
};

void send_numbers(const Communicator& comm, std::span<const double> numbers, int destination) {
  for (std::size_t first = 0; first < numbers.size(); first += message_numbers) {
    const auto part = numbers.subspan(first, std::min(message_numbers, numbers.size() - first));
    comm.send(std::as_bytes(part), destination, triangle_tag);
  }
}

void receive_numbers(const Communicator& comm, std::span<double> numbers, int source) {
  for (std::size_t first = 0; first < numbers.size(); first += message_numbers) {
    const auto part = std::as_writable_bytes(numbers.subspan(first, std::min(message_numbers, numbers.size() - first)));
    const std::vector<std::byte> bytes = comm.receive(source, triangle_tag);
    std::copy_n(bytes.begin(), std::min(bytes.size(), part.size()), part.begin());
  }
}

// Rank r takes the triangle of r + distance wherever 2 distance divides r, for distances 1, 2, 4, ...
void reduce_to_root(const TaskGroup& group, Triangle& triangle, std::int64_t columns) {
  const Communicator& comm = group.comm();
  const int rank = comm.rank();
  std::vector<double> numbers;
  for (int distance = 1; distance < comm.size(); distance *= 2) {
    const bool sends = rank % (2 * distance) == distance;
    const bool receives = rank % (2 * distance) == 0 && rank + distance < comm.size();
    group.run_guarded([&] {
      if (sends) numbers = triangle.packed();
      if (receives) numbers.resize(static_cast<std::size_t>(columns * (columns + 1) / 2));
    });
    if (sends) send_numbers(comm, numbers, rank - distance);
    if (receives) receive_numbers(comm, numbers, rank + distance);
    group.run_guarded([&] {
      if (receives) triangle.add_packed(numbers);
    });
  }
}

}  // namespace

std::vector<double> gram_eigenvalues(const TaskGroup& group, std::int64_t columns, std::span<const double> rows) {
  const auto n = static_cast<std::size_t>(columns);
  std::vector<double> gram;
  group.run_guarded([&] { gram.resize(n * n); });
  const Pieces pieces(group, columns, static_cast<std::int64_t>(rows.size() / n), std::int64_t{1} << 30);
  for (std::int64_t p = 0; p < pieces.count(); ++p) {
    if (pieces.rows(p) > 0) {
      cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, static_cast<blasint>(columns),
                  static_cast<blasint>(pieces.rows(p)), 1.0, rows.data() + pieces.first(p) * columns,
                  static_cast<blasint>(columns), 1.0, gram.data(), static_cast<blasint>(columns));
    }
    group.agree();
  }
  group.comm().sum(std::span(gram));
  std::vector<double> eigenvalues;
  group.run_guarded([&] {
    eigenvalues.resize(n);
    if (group.comm().is_root()) eigenvalues = eigenvalues_of(gram, static_cast<int>(columns));
  });
  group.comm().broadcast(std::span(eigenvalues));
  return eigenvalues;
}

std::vector<double> tsqr_singular_values(const TaskGroup& group, std::int64_t columns, std::span<const double> rows) {
  const auto n = static_cast<std::size_t>(columns);
  const std::int64_t most_rows = std::clamp<std::int64_t>(4 * columns, 1024, 4096);
  const Pieces pieces(group, columns, static_cast<std::int64_t>(rows.size() / n), most_rows);
  std::vector<Triangle> triangle;
  group.run_guarded([&] { triangle.emplace_back(columns, most_rows); });
  for (std::int64_t p = 0; p < pieces.count(); ++p) {
    group.run_guarded([&] {
      triangle.front().add(
          rows.subspan(static_cast<std::size_t>(pieces.first(p)) * n, static_cast<std::size_t>(pieces.rows(p)) * n));
    });
  }
  reduce_to_root(group, triangle.front(), columns);
  std::vector<double> values;
  group.run_guarded([&] {
    values.resize(n);
    if (group.comm().is_root()) values = triangle.front().singular_values();
  });
  group.comm().broadcast(std::span(values));
  return values;
}

}  // namespace diffphase
