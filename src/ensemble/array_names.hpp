#pragma once

#include <string>
#include <vector>

namespace diffphase {

/// The end of a message about a file that has no array of the name `wanted`: "; its datasets are a, b", or the five
/// nearest of them, or that it holds none. `what` is the singular.
[[nodiscard]] std::string nearest_arrays(std::vector<std::string> names, const std::string& wanted,
                                         const std::string& what);

}  // namespace diffphase
