#pragma once

#include <cstddef>
#include <cstdint>

#include "parallel/instruction_set.hpp"
#include "random/philox.hpp"

namespace diffphase {

/// words[i * stride + b] := word i of block first_block + b of the row, for b < blocks, i < 4.
using BlockDrawer = void (*)(const PhiloxRow& row, std::uint64_t first_block, std::size_t blocks, std::uint64_t* words,
                             std::size_t stride);

/// The fastest way to draw many blocks that the processor, which must have `set`, knows: by vectors of eight with
/// AVX-512; one by one else, since four products of halves for each of a product of 64 bits are no gain in narrower
/// vectors. The words are the same.
[[nodiscard]] BlockDrawer block_drawer(InstructionSet set);

}  // namespace diffphase
