#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace diffphase {

/// Reads two journals of one run as the program does, at once and while they grow, and requires that both ways
/// give the same, that nothing but BadInput is thrown, and that no more is known than the bytes can hold.
/// `part`, from 0 to 1, is how much of each is there at the first look.
void check_journals(std::span<const std::byte> first, std::span<const std::byte> second, double part);

}  // namespace diffphase
