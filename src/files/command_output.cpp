#include "files/command_output.hpp"

#include <array>
#include <cstdio>

namespace diffphase {

std::string command_output(const std::string& command) {
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {};
  std::string output;
  std::array<char, 512> piece{};
  while (std::fgets(piece.data(), static_cast<int>(piece.size()), pipe) != nullptr) output += piece.data();
  ::pclose(pipe);
  return output;
}

}  // namespace diffphase
