#include "spectrum/row_view.hpp"

#include <algorithm>

namespace diffphase {

SinglePrecisionSlab single_precision(const DataSlab& slab) {
  SinglePrecisionSlab out{.layout = slab.layout, .values = std::vector<float>(slab.values.size())};
  std::transform(slab.values.begin(), slab.values.end(), out.values.begin(),
                 [](double value) { return static_cast<float>(value); });
  return out;
}

const double* RowView::rows(std::int64_t first, std::int64_t count, std::vector<double>& buffer) const {
  if (!is_single()) return double_row(first);
  const float* stored = single_row(first);
  std::copy(stored, stored + count * layout_->local_columns(), buffer.begin());
  return buffer.data();
}

}  // namespace diffphase
