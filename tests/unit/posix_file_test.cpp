#include "files/posix_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "file_size_limit.hpp"
#include "files/bad_input.hpp"
#include "files/process_identity.hpp"
#include "files/wall_clock.hpp"
#include "temporary_folder.hpp"

namespace diffphase {
namespace {

using testing::HasSubstr;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

template <typename Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no exception";
}

TEST(PosixFile, WhatWasWrittenIsRead) {
  const TemporaryFolder folder;
  PosixFile file = PosixFile::create(folder / "f");
  file.write_all("0123456789");
  file.write_at(3, bytes_of("xy"));
  file.write_all("!");
  EXPECT_EQ(read_text(folder / "f"), "012xy56789!");
  file.truncate(4);
  EXPECT_EQ(file.size(), 4U);
  std::string part(9, '?');
  EXPECT_EQ(file.read_at(2, std::as_writable_bytes(std::span(part))), 2U);
  EXPECT_EQ(part.substr(0, 2), "2x");
}

TEST(PosixFile, ErrorsNameTheFileAndTheReason) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of([&] { PosixFile::open(folder / "absent"); }),
              AllOf(HasSubstr((folder / "absent").string()), HasSubstr("No such file")));
  PosixFile::create(folder / "there");
  try {
    PosixFile::create(folder / "there");
    FAIL() << "an existing file was created";
  } catch (const FileError& error) {
    EXPECT_EQ(error.code(), EEXIST);
  }
}

TEST(PosixFile, MovingHandsTheFileOver) {
  const TemporaryFolder folder;
  PosixFile first = PosixFile::create(folder / "a");
  PosixFile second = PosixFile::create(folder / "b");
  second = std::move(first);
  EXPECT_FALSE(first.is_open());  // NOLINT: that is what is tested
  second.write_all("to a");
  EXPECT_EQ(read_text(folder / "a"), "to a");
  EXPECT_EQ(read_text(folder / "b"), "");
}

TEST(PosixFile, AppendOnAFullDiskLeavesNothing) {
  const TemporaryFolder folder;
  PosixFile file = PosixFile::create_for_appending(folder / "f");
  file.append_or_undo(bytes_of("whole"));
  {
    const FileSizeLimit limit(8);
    EXPECT_THROW(file.append_or_undo(bytes_of("too long")), FileError);
    EXPECT_EQ(read_text(folder / "f"), "whole");
    file.append_or_undo(bytes_of("fit"));
  }
  file.append_or_undo(bytes_of("!"));
  EXPECT_EQ(read_text(folder / "f"), "wholefit!");
}

TEST(ReplaceFile, ReplacesAndLeavesNothingElse) {
  const TemporaryFolder folder;
  replace_file(folder / "f", "old");
  replace_file(folder / "f", "new");
  EXPECT_EQ(read_text(folder / "f"), "new");
  EXPECT_EQ(folder.entries(), 1);
}

TEST(ReplaceFile, FullDiskKeepsTheOldFile) {
  const TemporaryFolder folder;
  replace_file(folder / "f", "old");
  const FileSizeLimit limit(1000);
  EXPECT_THAT(message_of([&] { replace_file(folder / "f", std::string(5000, 'x')); }),
              AllOf(HasSubstr("cannot write"), HasSubstr(folder.path().string()), HasSubstr("File too large")));
  EXPECT_EQ(read_text(folder / "f"), "old");
  EXPECT_EQ(folder.entries(), 1);
}

TEST(ReplaceFile, AWriterThatThrowsKeepsTheOldFile) {
  const TemporaryFolder folder;
  replace_file(folder / "f", "old");
  const auto broken = [](PosixFile& file) {
    file.write_all("half");
    throw std::runtime_error("no more");
  };
  EXPECT_EQ(message_of([&] { replace_file(folder / "f", broken); }), "no more");
  EXPECT_EQ(read_text(folder / "f"), "old");
  EXPECT_EQ(folder.entries(), 1);
}

TEST(ReplaceFile, KilledWritersLeaveTheOldFileAndTheirTracesGo) {
  const TemporaryFolder folder;
  replace_file(folder / "f", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    replace_file(folder / "f", [](PosixFile& file) {
      file.write_all("half");
      ::_exit(0);
    });
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(read_text(folder / "f"), "old");
  EXPECT_EQ(folder.entries(), 2);
  replace_file(folder / "f", "new");
  EXPECT_EQ(read_text(folder / "f"), "new");
  EXPECT_EQ(folder.entries(), 1);
}

TEST(EnsureDirectory, CreatesWhatIsMissing) {
  const TemporaryFolder folder;
  ensure_directory(folder / "a/b");
  ensure_directory(folder / "a/b");
  replace_file(folder / "a/b/f", "x");
  replace_file(folder / "file", "x");
  EXPECT_THAT(message_of([&] { ensure_directory(folder / "file"); }), HasSubstr((folder / "file").string()));
  EXPECT_THROW(ensure_directory(folder / "file/below"), BadInput);
  EXPECT_THROW(ensure_directory("/proc/diffphase"), BadInput);
}

TEST(ProcessIdentity, KnowsTheLivingAndTheDead) {
  const ProcessIdentity self = this_process();
  EXPECT_EQ(self.pid, ::getpid());
  EXPECT_GT(self.start_ticks, 0);
  EXPECT_TRUE(process_exists(self.pid));
  EXPECT_FALSE(process_exists(0));
  EXPECT_FALSE(process_exists(-1));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t ended{};
  ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
  EXPECT_FALSE(process_exists(child)) << "it has ended, though nobody has waited for it";
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(process_exists(child));
  EXPECT_EQ(process_start_ticks(child), std::nullopt);
  EXPECT_EQ(file_name_part("a/b c.d_e-9"), "a_b_c.d_e-9");
}

TEST(WallClock, WritesUtc) {
  const WallTime time = from_unix_seconds(1709115072.25);
  EXPECT_EQ(iso8601(time), "2024-02-28T10:11:12.250Z");
  EXPECT_EQ(compact_iso8601(time), "20240228T101112.250Z");
  EXPECT_NEAR(unix_seconds(time), 1709115072.25, 1e-6);
}

TEST(WallClock, RefusesWhatNoClockShows) {
  for (const double seconds : {-1.0, 1e10, 1e300, std::numeric_limits<double>::infinity(), std::nan("")}) {
    EXPECT_THROW((void)from_unix_seconds(seconds), std::out_of_range) << seconds;
  }
  EXPECT_EQ(iso8601(from_unix_seconds(9e9)).substr(0, 4), "2255");
}

}  // namespace
}  // namespace diffphase
