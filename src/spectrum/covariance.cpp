#include "spectrum/covariance.hpp"

#include <cblas.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

namespace diffphase {

namespace {

// C v = (1/n) Y^T (Y v - mean(Y v)) for the rank's part of Y. `x` and `z` cover the slab's local columns.
class CovarianceProduct {
 public:
  CovarianceProduct(const TaskGroup& group, const DataSlab& slab, std::int64_t count)
      : group_(group), slab_(slab), count_(count) {
    SlabLayout prefix = slab.layout;
    prefix.rows = count;
    rows_ = prefix.local_rows();
    columns_ = slab.layout.local_columns();
    projections_.resize(static_cast<std::size_t>(rows_));
  }

  void operator()(std::span<const double> x, std::span<double> z) {
    project(x);
    subtract_mean();
    if (rows_ == 0 || columns_ == 0) {
      std::fill(z.begin(), z.end(), 0.0);
      return;
    }
    cblas_dgemv(CblasRowMajor, CblasTrans, static_cast<blasint>(rows_), static_cast<blasint>(columns_),
                1.0 / static_cast<double>(count_), slab_.values.data(), static_cast<blasint>(columns_),
                projections_.data(), 1, 0.0, z.data(), 1);
  }

 private:
  void project(std::span<const double> x) {
    std::fill(projections_.begin(), projections_.end(), 0.0);
    if (rows_ > 0 && columns_ > 0) {
      cblas_dgemv(CblasRowMajor, CblasNoTrans, static_cast<blasint>(rows_), static_cast<blasint>(columns_), 1.0,
                  slab_.values.data(), static_cast<blasint>(columns_), x.data(), 1, 0.0, projections_.data(), 1);
    }
    if (slab_.layout.partition == Partition::dimension) group_.comm().sum(projections_);
  }

  void subtract_mean() {
    double total = std::accumulate(projections_.begin(), projections_.end(), 0.0);
    if (slab_.layout.partition == Partition::component) group_.comm().sum(std::span(&total, 1));
    const double mean = total / static_cast<double>(count_);
    for (double& y : projections_) y -= mean;
  }

  const TaskGroup& group_;
  const DataSlab& slab_;
  std::int64_t count_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::vector<double> projections_;
};

}  // namespace

LargestEigenvalue largest_covariance_eigenvalue(const TaskGroup& group, const DataSlab& slab, std::int64_t count) {
  // The solver's vectors are split by columns also where the slab is split by rows.
  SlabLayout pieces = slab.layout;
  pieces.partition = Partition::dimension;
  const auto first = static_cast<std::size_t>(pieces.first_column());
  const auto local = static_cast<std::size_t>(pieces.local_columns());
  const bool by_rows = slab.layout.partition == Partition::component;

  std::vector<double> whole;
  std::vector<double> product;
  std::unique_ptr<CovarianceProduct> covariance;
  group.run_guarded([&] {
    covariance = std::make_unique<CovarianceProduct>(group, slab, count);
    if (by_rows) {
      whole.resize(static_cast<std::size_t>(slab.layout.columns));
      product.resize(whole.size());
    }
  });

  SymmetricOperator op{.size = slab.layout.columns, .local_size = pieces.local_columns(), .apply = {}};
  // The solver asks for one vector at a time.
  op.apply = [&](std::int64_t, std::span<const double> in, std::span<double> out) {
    if (!by_rows) {
      (*covariance)(in, out);
      return;
    }
    std::fill(whole.begin(), whole.end(), 0.0);
    std::copy(in.begin(), in.end(), whole.begin() + static_cast<std::ptrdiff_t>(first));
    group.comm().sum(whole);
    (*covariance)(whole, product);
    group.comm().sum(product);
    std::copy_n(product.begin() + static_cast<std::ptrdiff_t>(first), local, out.begin());
  };
  return largest_eigenvalue(group, op);
}

}  // namespace diffphase
