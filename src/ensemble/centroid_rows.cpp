#include "ensemble/centroid_rows.hpp"

#include <span>

namespace diffphase {

namespace {

class CentroidSampler : public RowSampler {
 public:
  CentroidSampler(const GaussianMixture& mixture, std::int64_t first_column, std::int64_t columns)
      : mixture_(mixture), first_column_(first_column), columns_(static_cast<std::size_t>(columns)) {}

  void draw(std::int64_t first_row, std::int64_t rows, std::span<double> out) override {
    for (std::int64_t i = 0; i < rows; ++i) {
      mixture_.centroid(first_row + i, first_column_, out.subspan(static_cast<std::size_t>(i) * columns_, columns_));
    }
  }

 private:
  const GaussianMixture& mixture_;
  std::int64_t first_column_;
  std::size_t columns_;
};

}  // namespace

std::unique_ptr<RowSampler> CentroidRows::sampler(std::int64_t first_column, std::int64_t columns) const {
  return std::make_unique<CentroidSampler>(mixture_, first_column, columns);
}

}  // namespace diffphase
