#include "ensemble/content_hash.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "ensemble/dataset_file.hpp"
#include "random/byte_hash.hpp"
#include "support/array_files.hpp"

namespace diffphase {
namespace {

class ContentHash : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& bytes) {
    test::write_file(folder_ / name, bytes);
    return folder_ / name;
  }
  static std::string error_of(const std::string& path) {
    try {
      (void)content_hash(path);
    } catch (const DatasetError& error) {
      return error.what();
    }
    return "no error";
  }

  test::TemporaryFolder folder_{"content_hash"};
};

TEST_F(ContentHash, IsThatOfTheBytes) {
  EXPECT_EQ(content_hash(write("fox", "The quick brown fox jumps over the lazy dog")).hex(),
            "e34bbc7bbc071b6c7a433ca9c49a9347");
  EXPECT_EQ(content_hash(write("empty", "")), Hash128{});
  std::string long_text(3'000'001, 'x');  // more than one block
  for (std::size_t i = 0; i < long_text.size(); i += 7) long_text[i] = static_cast<char>(i);
  ByteHash hash;
  hash.add(std::as_bytes(std::span(long_text)));
  EXPECT_EQ(content_hash(write("long", long_text)), hash.hash());
  long_text.back() = 'y';
  EXPECT_NE(content_hash(write("long", long_text)), hash.hash());
}

TEST_F(ContentHash, WhatIsNoFileIsNamed) {
  EXPECT_EQ(error_of(folder_ / "none"), std::string(folder_ / "none") + ": No such file or directory");
  EXPECT_EQ(error_of(folder_ / ""), std::string(folder_ / "") + ": is a directory, but a file is needed");
  ASSERT_EQ(mkfifo(std::string(folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_of(folder_ / "pipe"), std::string(folder_ / "pipe") + ": is not a regular file");
}

}  // namespace
}  // namespace diffphase
