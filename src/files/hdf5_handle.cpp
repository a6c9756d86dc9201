#include "files/hdf5_handle.hpp"

#include <fmt/format.h>

#include <string>

namespace diffphase {
namespace {

herr_t add_description(unsigned /*depth*/, const H5E_error2_t* error, void* text) {
  if (error->desc == nullptr || *error->desc == '\0') return 0;
  auto& stack = *static_cast<std::string*>(text);
  stack += fmt::format("{}{} ({})", stack.empty() ? "" : "; ", error->desc, error->func_name);
  return 0;
}

std::string error_stack() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, add_description, &text);
  H5Eclear2(H5E_DEFAULT);
  return text.empty() ? "HDF5 gives no reason" : text;
}

}  // namespace

void quiet_hdf5() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

long long check_hdf5(long long status, std::string_view what) {
  if (status < 0) throw Hdf5Error(fmt::format("{}: {}", what, error_stack()));
  return status;
}

}  // namespace diffphase
