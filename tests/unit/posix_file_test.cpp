#include "files/posix_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "file_size_limit.hpp"
#include "files/bad_input.hpp"
#include "files/command_output.hpp"
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

TEST(PosixFile, WhatIsNoRegularFileIsRefusedAndNotWaitedFor) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  for (const auto& [path, kind] : {std::pair(folder / "fifo", "a FIFO"), std::pair(folder.path(), "a folder"),
                                   std::pair(std::filesystem::path("/dev/zero"), "a device")}) {
    for (const auto open : {PosixFile::open, PosixFile::open_to_change}) {
      if (open == PosixFile::open_to_change && path == folder.path()) continue;  // the system's own reason
      EXPECT_THAT(message_of([&] { open(path); }),
                  AllOf(HasSubstr(path.string()), HasSubstr(std::string("it is ") + kind), HasSubstr("regular file")));
    }
    EXPECT_THAT(message_of([&] { (void)read_text(path); }), HasSubstr(kind));
  }
}

TEST(PosixFile, CreateWholeMakesOneFileOfThatName) {
  const TemporaryFolder folder;
  PosixFile file = PosixFile::create_whole(folder / "f", "text");
  EXPECT_EQ(read_text(folder / "f"), "text");
  EXPECT_TRUE(file.is_named(folder / "f"));
  file.write_at(0, bytes_of("T"));
  EXPECT_EQ(read_text(folder / "f"), "Text");
  try {
    (void)PosixFile::create_whole(folder / "f", "other");
    FAIL() << "an existing file was created";
  } catch (const FileError& error) {
    EXPECT_EQ(error.code(), EEXIST);
    EXPECT_THAT(error.what(), HasSubstr((folder / "f").string()));
  }
  EXPECT_EQ(read_text(folder / "f"), "Text");
  EXPECT_EQ(folder.entries(), 1);
  EXPECT_THAT(message_of([&] { (void)PosixFile::create_whole(folder / "none/f", ""); }), HasSubstr("No such file"));
  std::filesystem::rename(folder / "f", folder / "g");
  EXPECT_FALSE(file.is_named(folder / "f"));
  EXPECT_TRUE(file.is_named(folder / "g"));
}

TEST(PosixFile, CreateWholeOnAFullDiskLeavesNothing) {
  const TemporaryFolder folder;
  const FileSizeLimit limit(3);
  EXPECT_THAT(message_of([&] { (void)PosixFile::create_whole(folder / "f", "text"); }), HasSubstr("File too large"));
  EXPECT_EQ(folder.entries(), 0);
}

TEST(TemporaryName, IsNobodyElses) {
  const ProcessIdentity self = this_process();
  const std::filesystem::path first = temporary_name("runs/a/results.h5");
  EXPECT_EQ(first.parent_path(), "runs/a");
  EXPECT_THAT(first.filename().string(),
              AllOf(testing::StartsWith(".results.h5."), HasSubstr(self.boot), HasSubstr(self.pid_namespace)));
  EXPECT_NE(first, temporary_name("runs/a/results.h5"));
}

TEST(ReplaceFile, LeavesTemporariesOfOthersAloneUntilTheyAreOld) {
  const TemporaryFolder folder;
  const std::vector<std::string> others{".f.node7-4194305.tmp", ".f.other-boot-4026531836-4194305-abcdefgh.tmp",
                                        ".f." + this_process().boot + "-17-4194305-abcdefgh.tmp"};
  for (const std::string& name : others) PosixFile::create(folder / name);
  replace_file(folder / "f", "new");
  EXPECT_EQ(folder.entries(), 4);
  for (const std::string& name : others) {
    std::filesystem::last_write_time(folder / name,
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(25));
  }
  replace_file(folder / "f", "newer");
  EXPECT_EQ(folder.entries(), 1);
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

TEST(ProcessIdentity, OfOneSystemAndNamespaceOnly) {
  const ProcessIdentity self = this_process();
  ASSERT_FALSE(self.boot.empty());
  ASSERT_FALSE(self.pid_namespace.empty());
  EXPECT_TRUE(shares_processes(self, self));
  EXPECT_FALSE(process_has_ended(self));
  ProcessIdentity other = self;
  other.pid_namespace = "17";
  EXPECT_FALSE(shares_processes(self, other));
  other = self;
  other.boot.clear();
  EXPECT_FALSE(shares_processes(other, other));
  other = self;
  other.start_ticks += 1;
  EXPECT_TRUE(process_has_ended(other));
}

TEST(ProcessIdentity, KnowsTheJobAndItsRestarts) {
  ::setenv("SLURM_JOB_ID", "991", 1);
  ::setenv("SLURM_CLUSTER_NAME", "here", 1);
  ::setenv("SLURM_RESTART_COUNT", "3", 1);
  const ProcessIdentity inside = this_process();
  EXPECT_EQ(inside.slurm_job, "991");
  EXPECT_EQ(inside.slurm_cluster, "here");
  EXPECT_EQ(inside.slurm_restarts, 3);
  ::unsetenv("SLURM_RESTART_COUNT");
  EXPECT_EQ(this_process().slurm_restarts, 0);
  ::unsetenv("SLURM_JOB_ID");
  EXPECT_EQ(this_process().slurm_cluster, "");
  ::unsetenv("SLURM_CLUSTER_NAME");
}

TEST(CommandOutput, IsWhatTheCommandPrints) {
  EXPECT_EQ(command_output("printf 'a b'; echo c >&2"), "a bc\n");
  EXPECT_EQ(command_output("exit 3"), "");
}

// What the program ignores or holds back is not for the programs that it starts.
TEST(CommandOutput, TheCommandFindsSignalsAsEver) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  sigset_t term;
  sigset_t before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  sigprocmask(SIG_BLOCK, &term, &before);
  const std::string status = command_output("grep -E '^Sig(Blk|Ign)' /proc/self/status");
  sigprocmask(SIG_SETMASK, &before, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_DFL);
  std::istringstream fields(status);
  std::string name;
  std::string bits;
  const auto has = [&](int signal_number) { return (std::stoull(bits, nullptr, 16) >> (signal_number - 1) & 1U) != 0; };
  ASSERT_TRUE(fields >> name >> bits);
  EXPECT_FALSE(has(SIGTERM)) << status;
  ASSERT_TRUE(fields >> name >> bits);
  EXPECT_FALSE(has(SIGPIPE) || has(SIGXFSZ)) << status;
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
