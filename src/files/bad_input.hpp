#pragma once

#include <stdexcept>

namespace diffphase {

/// What the user must change before the program can do anything: a command line, a sweep file, a data file.
/// The message is one sentence for the user that names file, line, key and value; the program prints it and
/// ends with exit code 2.
class BadInput : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace diffphase
