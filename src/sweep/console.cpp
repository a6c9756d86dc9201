#include "sweep/console.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>

namespace diffphase {

namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("diffphase", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("[%H:%M:%S] %v");
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

}  // namespace

void open_console(Verbosity verbosity, bool is_root) {
  const auto level = verbosity == Verbosity::verbose ? spdlog::level::debug
                     : verbosity == Verbosity::quiet ? spdlog::level::warn
                                                     : spdlog::level::info;
  logger().set_level(is_root ? level : spdlog::level::err);
}

void print_result_text(const std::string& text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stdout));
  static_cast<void>(std::fflush(stdout));
}

void show_detail(const std::string& text) { logger().debug("{}", text); }
void show_info(const std::string& text) { logger().info("{}", text); }
void show_warning(const std::string& text) { logger().warn("warning: {}", text); }
void show_error(const std::string& text) { logger().error("error: {}", text); }

}  // namespace diffphase
