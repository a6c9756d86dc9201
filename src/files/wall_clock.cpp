#include "files/wall_clock.hpp"

#include <fmt/format.h>

#include <ctime>
#include <stdexcept>

namespace diffphase {
namespace {

struct CalendarTime {
  std::tm date{};
  int milliseconds = 0;
};

CalendarTime calendar_time(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  CalendarTime calendar;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(whole);
  ::gmtime_r(&seconds, &calendar.date);
  calendar.milliseconds = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count());
  return calendar;
}

}  // namespace

WallClock system_wall_clock() {
  return [] { return std::chrono::system_clock::now(); };
}

std::string iso8601(WallTime time) {
  const auto [date, milliseconds] = calendar_time(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday,
                     date.tm_hour, date.tm_min, date.tm_sec, milliseconds);
}

std::string compact_iso8601(WallTime time) {
  const auto [date, milliseconds] = calendar_time(time);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}.{:03}Z", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday,
                     date.tm_hour, date.tm_min, date.tm_sec, milliseconds);
}

double unix_seconds(WallTime time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

WallTime from_unix_seconds(double seconds) {
  constexpr double latest = 9e9;
  if (!(seconds >= 0.0 && seconds <= latest)) {
    throw std::out_of_range(fmt::format("{} s since 1970 are no time of a clock", seconds));
  }
  return WallTime(std::chrono::round<std::chrono::microseconds>(std::chrono::duration<double>(seconds)));
}

}  // namespace diffphase
