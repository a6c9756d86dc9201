#pragma once

#include <string>
#include <string_view>

namespace diffphase {

/// `text` as one word of a command that people paste into a shell: in quotes where it has other characters than
/// letters, digits and those of ordinary paths and options.
[[nodiscard]] std::string shell_word(std::string_view text);

}  // namespace diffphase
