#include "sweep/shell_word.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>

namespace diffphase {
namespace {

// What a shell takes the word for.
std::string read_by_shell(const std::string& word) {
  const std::string command = fmt::format("printf %s {}", word);
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string text;
  std::array<char, 256> buffer{};
  while (const std::size_t length = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    text.append(buffer.data(), length);
  }
  return text;
}

TEST(ShellWord, IsReadAsItWasWritten) {
  for (const char* text : {"", "plain/path-1.toml", "my dir/s 1.toml", "it's", "'", "a\"b", "$HOME", "`ls`", "a\\b",
                           "*", "a\nb", "caf\xC3\xA9", "x;y|z&(t)<u>", "~", "!", "ensemble.sigma=[0.5, 1]", "#"}) {
    EXPECT_EQ(read_by_shell(shell_word(text)), text);
  }
}

TEST(ShellWord, OrdinaryPathsStayAsTheyAre) {
  for (const char* text : {"jobs/quickstart.toml", "/a/b_c-d.toml", "measure.collapse.probes=100"}) {
    EXPECT_EQ(shell_word(text), text);
  }
}

}  // namespace
}  // namespace diffphase
