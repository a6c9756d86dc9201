#pragma once

#include <span>
#include <string>
#include <string_view>

namespace diffphase {

/// The smallest number of insertions, deletions, replacements and swaps of neighbours that make `a` of `b`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// ' (did you mean "sigma"?)' where one of `names` is near `word`, else nothing.
[[nodiscard]] std::string nearest_name(std::string_view word, std::span<const std::string> names);

/// What to tell someone who wrote `word` where one of `names` was expected: ' (did you mean "sigma"?)' where
/// one is near, else ' (known: ...)'. Empty if there are no names.
[[nodiscard]] std::string suggestion(std::string_view word, std::span<const std::string> names);

/// `"a", "b", "c"`.
[[nodiscard]] std::string quoted_list(std::span<const std::string> names);

}  // namespace diffphase
