#pragma once

#include <stdexcept>

namespace diffphase {

/// What the user gave cannot be used; the message names it and says what to do. Exit code 2.
class BadInput : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace diffphase
