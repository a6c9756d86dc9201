#pragma once

#include <cstdint>
#include <span>

#include "parallel/instruction_set.hpp"
#include "random/text_hash.hpp"

namespace diffphase {

/// Standard normal or uniform numbers of columns [first_column, first_column + out.size()) of a row of the stream that
/// has this key; see RandomStream, which uses the widest instruction set. The processor must have `set`, on which the
/// numbers do not depend. Local.
void normals_of_row(InstructionSet set, const Hash128& key, std::uint64_t row, std::uint64_t first_column,
                    std::span<double> out);
void uniforms_of_row(InstructionSet set, const Hash128& key, std::uint64_t row, std::uint64_t first_column,
                     std::span<double> out);

}  // namespace diffphase
