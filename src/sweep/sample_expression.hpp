#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace diffphase {

/// "exp(0.3*d)" of a sweep file: n = exp(alpha d) training points in d dimensions.
struct SampleExpression {
  double alpha = 0.0;

  /// The one form that identities, labels and coordinates use: exp(0.3*d).
  [[nodiscard]] std::string text() const;
};

/// Reads exp(ALPHA*d), ALPHA a positive number, with blanks anywhere between its parts; none for any other text.
[[nodiscard]] std::optional<SampleExpression> parse_sample_expression(std::string_view text);

}  // namespace diffphase
