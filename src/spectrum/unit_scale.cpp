#include "spectrum/unit_scale.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <vector>

namespace diffphase {

namespace {

constexpr double ordinary = 1e100;      // up to which, and down to whose inverse, nothing is done
constexpr int largest_exponent = 1000;  // of two, of a vector that is multiplied

void scale_by_power(std::span<double> values, int exponent) {
  for (double& value : values) value = std::ldexp(value, exponent);
}

}  // namespace

double ScaledOperator::unscaled(double value) const { return std::ldexp(value, -exponent); }

std::optional<ScaledOperator> scaled_to_unit(const SymmetricOperator& op) {
  const double trace = op.trace.value_or(0.0);
  if (!(trace > 0.0) || std::isinf(trace) || (trace >= 1.0 / ordinary && trace <= ordinary)) return std::nullopt;
  // Even: rows are scaled by its half.
  const int exponent = -(std::ilogb(trace) / 2) * 2;
  ScaledOperator scaled{.op = op, .exponent = exponent};
  scaled.op.trace = std::ldexp(trace, exponent);
  // Vectors before the product, so that what is small or large in it is not lost before it is scaled.
  const int before = std::clamp(exponent, -largest_exponent, largest_exponent);
  const auto larger = std::make_shared<std::vector<double>>();
  scaled.op.apply = [&op, larger, before, after = exponent - before](std::int64_t vectors, std::span<const double> in,
                                                                     std::span<double> out) {
    larger->assign(in.begin(), in.end());
    scale_by_power(*larger, before);
    op.apply(vectors, *larger, out);
    scale_by_power(out, after);
  };
  if (op.factor) {
    scaled.op.factor->shift = std::ldexp(op.factor->shift, exponent);
    scaled.op.factor->read = [&op, half = exponent / 2](std::int64_t panel, std::int64_t panels,
                                                        std::span<double> out) {
      op.factor->read(panel, panels, out);
      scale_by_power(out, half);
    };
  }
  return scaled;
}

}  // namespace diffphase
