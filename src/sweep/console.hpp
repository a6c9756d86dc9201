#pragma once

#include <string>

namespace diffphase {

/// What goes to standard error, for people: by spdlog, with the time of day. Standard output is for results only.
enum class Verbosity { quiet = 0, normal = 1, verbose = 2 };

/// Sets what is shown; quiet shows warnings and errors. Called once, on every rank; other ranks than 0 show errors
/// only.
void open_console(Verbosity verbosity, bool is_root);

void show_detail(const std::string& text);
void show_info(const std::string& text);
void show_warning(const std::string& text);
void show_error(const std::string& text);

}  // namespace diffphase
