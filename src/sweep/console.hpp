#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

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

/// What a run says on standard output. That nobody reads it any more, or that the disk of a log is full, is no error of
/// the run.
void print_result_text(const std::string& text);
template <typename... Values>
void print_result(fmt::format_string<Values...> format, Values&&... values) {
  print_result_text(fmt::format(format, std::forward<Values>(values)...));
}

}  // namespace diffphase
