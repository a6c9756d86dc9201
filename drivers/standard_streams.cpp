#include "standard_streams.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <system_error>

namespace diffphase {

void open_missing_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest number that is free, which is this one; for reading, so that what is written to it fails.
    if (::open("/dev/null", O_RDONLY) != stream) return;
  }
}

void print_output(const std::string& text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return;
  throw std::runtime_error(fmt::format("cannot write to standard output: {}", std::generic_category().message(errno)));
}

void flush_standard_output() {
  print_output("");  // first: a flush of std::cout would do the same and not say why it fails
  std::cout.flush();
  if (std::cout.fail() || std::ferror(stdout) != 0) throw std::runtime_error("cannot write to standard output");
}

}  // namespace diffphase
