#include "sweep/sample_expression.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "sweep/canonical_number.hpp"

namespace diffphase {

std::string SampleExpression::text() const { return "exp(" + canonical_number(alpha) + "*d)"; }

std::optional<SampleExpression> parse_sample_expression(std::string_view text) {
  constexpr std::string_view begin = "exp(";
  constexpr std::string_view end = "*d)";
  std::string dense(text);
  std::erase(dense, ' ');
  if (dense.size() <= begin.size() + end.size() || !dense.starts_with(begin) || !dense.ends_with(end)) {
    return std::nullopt;
  }
  const char* const last = dense.data() + dense.size() - end.size();
  SampleExpression expression;
  const auto read = std::from_chars(dense.data() + begin.size(), last, expression.alpha);
  const bool valid =
      read.ec == std::errc() && read.ptr == last && expression.alpha > 0.0 && std::isfinite(expression.alpha);
  return valid ? std::optional(expression) : std::nullopt;
}

}  // namespace diffphase
