#pragma once

#include <string>

namespace diffphase {

/// Standard streams that the program was started without become ones that have nothing to read and cannot be written:
/// no file that is opened later is taken for one of them. To be called first of all.
void open_missing_streams();

/// Writes to standard output, at once. Throws std::runtime_error with the reason if that fails.
void print_output(const std::string& text);

/// Brings to standard output what is still on its way there. Throws std::runtime_error if that, or anything before it,
/// could not be written.
void flush_standard_output();

}  // namespace diffphase
