#include "spectrum/hutchinson.hpp"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <stdexcept>
#include <vector>

namespace diffphase {

namespace {

void check(const HutchinsonSettings& settings) {
  if (settings.probes < 1 || settings.block < 1) {
    throw std::invalid_argument("Hutchinson: probes and block must be positive");
  }
}

// Calls `work` with (first probe, number of probes) of each block, with an agreement point after each.
void for_blocks(const TaskGroup& group, const HutchinsonSettings& settings,
                const std::function<void(std::int64_t, std::int64_t)>& work) {
  for (int first = 0; first < settings.probes; first += settings.block) {
    work(first, std::min(settings.block, settings.probes - first));
    group.agree();
  }
}

double dot(std::int64_t n, const double* x, const double* y) {
  return n == 0 ? 0.0 : cblas_ddot(static_cast<blasint>(n), x, 1, y, 1);
}

// For every probe z^T J z, (|J z|^2 + |J^T z|^2)/2 and |J z - J^T z|^2, summed over ranks.
struct ProbeNumbers {
  explicit ProbeNumbers(int probes)
      : trace(static_cast<std::size_t>(probes)), squares(trace.size()), differences(trace.size()) {}

  void sum(const TaskGroup& group) {
    for (std::vector<double>* numbers : {&trace, &squares, &differences}) group.comm().sum(std::span(*numbers));
  }

  std::vector<double> trace;
  std::vector<double> squares;
  std::vector<double> differences;
};

// One block: z, J z and J^T z of `count` probes from `first` on, n local numbers each; overwrites J^T z.
void add_block(ProbeNumbers& numbers, std::int64_t first, std::int64_t count, std::int64_t n,
               const std::vector<double>& z, const std::vector<double>& product, std::vector<double>& transposed) {
  for (std::int64_t p = 0; p < count; ++p) {
    const auto probe = static_cast<std::size_t>(first + p);
    const double* a = product.data() + p * n;
    double* b = transposed.data() + p * n;
    numbers.trace[probe] = dot(n, z.data() + p * n, a);
    numbers.squares[probe] = 0.5 * (dot(n, a, a) + dot(n, b, b));
    for (std::int64_t i = 0; i < n; ++i) b[i] -= a[i];
    numbers.differences[probe] = dot(n, b, b);
  }
}

// V^T A V of the block whose rows are V^T and (A V)^T, summed over ranks.
void quadratic_forms(const TaskGroup& group, std::int64_t count, std::int64_t n, const std::vector<double>& z,
                     const std::vector<double>& product, std::span<double> forms) {
  const auto vectors = static_cast<blasint>(count);
  const auto length = static_cast<blasint>(n);
  std::fill(forms.begin(), forms.end(), 0.0);
  if (n > 0) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, vectors, vectors, length, 1.0, z.data(), length,
                product.data(), length, 0.0, forms.data(), vectors);
  }
  group.comm().sum(forms);
}

// D/(4 S) of the means D and S over probes, and its root, by the jackknife.
ProbeMean relative_asymmetry(const std::vector<double>& differences, const std::vector<double>& squares) {
  const ProbeMean s = mean_over_probes(squares);
  if (s.value == 0.0) return {0.0, s.standard_error};
  const double ratio = mean_over_probes(differences).value / (4.0 * s.value);
  std::vector<double> deviations;
  for (std::size_t p = 0; p < squares.size(); ++p) {
    deviations.push_back((differences[p] / 4.0 - ratio * squares[p]) / s.value);
  }
  return square_root({ratio, mean_over_probes(deviations).standard_error});
}

// |J - J^T|_F / (2 |J|_F) of two estimates, their errors taken as independent.
ProbeMean half_ratio(const ProbeMean& asymmetry, const ProbeMean& frobenius) {
  if (frobenius.value == 0.0) return {};
  const double ratio = asymmetry.value / (2.0 * frobenius.value);
  return {ratio, std::hypot(asymmetry.standard_error / 2.0, ratio * frobenius.standard_error) / frobenius.value};
}

// The pairs of probes of all blocks: for each probe the sum of squares over its pairs and how many it has.
class PairedProbes {
 public:
  explicit PairedProbes(int probes) : sums_(static_cast<std::size_t>(probes)), pairs_(sums_.size()) {}

  // products = V^T A V of a block of `count` probes from `first` on.
  void add(std::int64_t first, std::int64_t count, std::span<const double> products) {
    for (std::int64_t p = 0; p < count; ++p) {
      for (std::int64_t q = 0; q < count; ++q) {
        const double s =
            products[static_cast<std::size_t>(p * count + q)] - products[static_cast<std::size_t>(q * count + p)];
        sums_[static_cast<std::size_t>(first + p)] += s * s;
      }
      pairs_[static_cast<std::size_t>(first + p)] += static_cast<double>(count - 1);
    }
  }

  // Mean square over all pairs with the jackknife error: every probe left out in turn.
  [[nodiscard]] ProbeMean mean_square() const {
    double total = 0.0;
    double pairs = 0.0;
    for (std::size_t p = 0; p < sums_.size(); ++p) {
      total += 0.5 * sums_[p];
      pairs += 0.5 * pairs_[p];
    }
    const auto n = static_cast<double>(sums_.size());
    std::vector<double> pseudo;
    for (std::size_t p = 0; p < sums_.size(); ++p) {
      const double rest = pairs - pairs_[p];
      const double without = rest > 0.0 ? (total - sums_[p]) / rest : 0.0;
      pseudo.push_back(n * total / pairs - (n - 1.0) * without);
    }
    const bool one_pair = pairs < 2.0;
    return {total / pairs, one_pair ? HUGE_VAL : mean_over_probes(pseudo).standard_error};
  }

 private:
  std::vector<double> sums_;
  std::vector<double> pairs_;
};

}  // namespace

HutchinsonEstimates hutchinson(const TaskGroup& group, const LinearOperator& op, const RandomStream& stream,
                               const HutchinsonSettings& settings) {
  check(settings);
  const std::int64_t n = op.local_size;
  std::vector<double> z;
  std::vector<double> product;
  std::vector<double> transposed;
  group.run_guarded([&] {
    z.resize(static_cast<std::size_t>(settings.block * n));
    product.resize(z.size());
    transposed.resize(z.size());
  });
  const ProbeVectors vectors(group, n, stream, settings.law);
  ProbeNumbers numbers(settings.probes);
  for_blocks(group, settings, [&](std::int64_t first, std::int64_t count) {
    const auto used = static_cast<std::size_t>(count * n);
    vectors.fill(first, count, std::span(z).first(used));
    op.apply(count, std::span<const double>(z).first(used), std::span(product).first(used));
    op.apply_transposed(count, std::span<const double>(z).first(used), std::span(transposed).first(used));
    add_block(numbers, first, count, n, z, product, transposed);
  });
  numbers.sum(group);
  return {mean_over_probes(numbers.trace), square_root(mean_over_probes(numbers.squares)),
          square_root(mean_over_probes(numbers.differences)), relative_asymmetry(numbers.differences, numbers.squares),
          2 * std::int64_t{settings.probes}};
}

HutchinsonEstimates hutchinson(const TaskGroup& group, const SymmetricOperator& op, const RandomStream& stream,
                               const HutchinsonSettings& settings) {
  check(settings);
  if (settings.probes < 2 || settings.block < 2) {
    throw std::invalid_argument("Hutchinson: the asymmetry of a symmetric operator needs pairs of probes");
  }
  const std::int64_t n = op.local_size;
  const auto block = static_cast<std::size_t>(settings.block);
  std::vector<double> z;
  std::vector<double> product;
  std::vector<double> forms;
  group.run_guarded([&] {
    z.resize(block * static_cast<std::size_t>(n));
    product.resize(z.size());
    forms.resize(block * block);
  });
  const ProbeVectors vectors(group, n, stream, settings.law);
  ProbeNumbers numbers(settings.probes);
  PairedProbes pairs(settings.probes);
  for_blocks(group, settings, [&](std::int64_t first, std::int64_t count) {
    const auto used = static_cast<std::size_t>(count * n);
    const auto products = std::span(forms).first(static_cast<std::size_t>(count * count));
    vectors.fill(first, count, std::span(z).first(used));
    op.apply(count, std::span<const double>(z).first(used), std::span(product).first(used));
    quadratic_forms(group, count, n, z, product, products);
    pairs.add(first, count, products);
    for (std::int64_t p = 0; p < count; ++p) {
      const auto probe = static_cast<std::size_t>(first + p);
      numbers.trace[probe] = products[static_cast<std::size_t>(p * count + p)];
      numbers.squares[probe] = dot(n, product.data() + p * n, product.data() + p * n);
    }
  });
  group.comm().sum(std::span(numbers.squares));
  const ProbeMean frobenius = square_root(mean_over_probes(numbers.squares));
  const ProbeMean asymmetry = square_root(pairs.mean_square());
  return {mean_over_probes(numbers.trace), frobenius, asymmetry, half_ratio(asymmetry, frobenius), settings.probes};
}

}  // namespace diffphase
