#include "files/posix_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include "files/bad_input.hpp"
#include "files/process_identity.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;

// Repeats a call that a signal interrupted.
template <typename Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

constexpr std::string_view temporary_suffix = ".tmp";

std::string temporary_prefix(const fs::path& path) { return fmt::format(".{}.", path.filename().string()); }

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// .NAME.<boot>-<namespace>-<pid>-<letters>.tmp
std::string temporary_maker(const ProcessIdentity& process) {
  return fmt::format("{}-{}-", process.boot, process.pid_namespace);
}

std::string random_letters() {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
  std::random_device random;
  std::uniform_int_distribution<std::size_t> any(0, letters.size() - 1);
  std::string text(8, ' ');
  for (char& letter : text) letter = letters[any(random)];
  return text;
}

// Empty if nobody can tell by the name.
std::optional<bool> maker_has_gone(std::string_view maker) {
  const ProcessIdentity self = this_process();
  const std::string ours = temporary_maker(self);
  if (!shares_processes(self, self) || !maker.starts_with(ours)) return std::nullopt;
  const std::string pid(maker.substr(ours.size()));
  const long long number = std::strtoll(pid.c_str(), nullptr, 10);
  if (number <= 0) return std::nullopt;
  return !process_exists(number);
}

// Best effort: temporary files of `path` whose makers were killed. Those of other machines go when they are a day older
// than `fresh`, which was just made: both have their time from the same clock, that of the file system.
void remove_abandoned_temporaries(const fs::path& path, const fs::path& fresh) {
  constexpr std::chrono::hours abandoned{24};
  const std::string prefix = temporary_prefix(path);
  std::error_code ignored;
  const auto now = fs::last_write_time(fresh, ignored);
  if (ignored) return;
  for (fs::directory_iterator entry(folder_of(path), ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(temporary_suffix)) continue;
    if (name.size() < prefix.size() + temporary_suffix.size()) continue;
    const std::string maker = name.substr(prefix.size(), name.size() - prefix.size() - temporary_suffix.size());
    std::error_code error;
    const auto written = fs::last_write_time(entry->path(), error);
    if (maker_has_gone(maker).value_or(!error && now - written > abandoned)) fs::remove(entry->path(), error);
  }
}

// What a path is that is no regular file.
std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISSOCK(mode)) return "a socket";
  return "something else";
}

struct stat status_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw FileError("look at", path, errno);
  return status;
}

bool is_same_file(const fs::path& a, const fs::path& b) {
  struct stat first {};
  struct stat second {};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// Some network and removable file systems have no hard links.
bool means_no_links(int code) {
  return code == EPERM || code == ENOTSUP || code == EOPNOTSUPP || code == ENOSYS || code == EMLINK || code == EXDEV ||
         code == EINVAL;
}

}  // namespace

FileError::FileError(std::string_view action, const fs::path& path, int code)
    : FileError(action, path, code, std::generic_category().message(code)) {}

FileError::FileError(std::string_view action, const fs::path& path, int code, std::string_view reason)
    : std::runtime_error(fmt::format("cannot {} {}: {}", action, path.string(), reason)), code_(code) {}

PosixFile::PosixFile(fs::path path, int flags, std::string_view action) : path_(std::move(path)) {
  constexpr mode_t permissions = 0666;  // less the umask
  descriptor_ = uninterrupted([&] { return ::open(path_.c_str(), flags | O_CLOEXEC, permissions); });
  if (descriptor_ < 0) fail(action);
}

// O_NONBLOCK: opening a FIFO waits for somebody at its other end, and some devices wait, too.
PosixFile PosixFile::open_regular(const fs::path& path, int flags) {
  PosixFile file(path, flags | O_NONBLOCK | O_NOCTTY, "open");
  struct stat status {};
  if (::fstat(file.descriptor_, &status) != 0) file.fail("look at");
  if (S_ISREG(status.st_mode)) return file;
  throw FileError("open", path, S_ISDIR(status.st_mode) ? EISDIR : EINVAL,
                  fmt::format("it is {}, not a regular file", kind_of(status.st_mode)));
}

PosixFile PosixFile::open(const fs::path& path) { return open_regular(path, O_RDONLY); }

PosixFile PosixFile::open_to_change(const fs::path& path) { return open_regular(path, O_RDWR); }

PosixFile PosixFile::create(const fs::path& path) { return {path, O_RDWR | O_CREAT | O_EXCL, "create"}; }

PosixFile PosixFile::create_for_appending(const fs::path& path) {
  return {path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, "create"};
}

PosixFile PosixFile::create_and_fill(const fs::path& path, std::string_view text) {
  PosixFile file = create(path);
  try {
    file.write_all(text);
    file.sync();
  } catch (const FileError&) {  // on a full disk
    std::error_code ignored;
    fs::remove(path, ignored);
    throw;
  }
  return file;
}

// link() fails if the name is there, on every system, NFS included; but its answer may be lost on the way and the call
// be repeated, so that the count of links says what became of it.
PosixFile PosixFile::create_whole(const fs::path& path, std::string_view text) {
  const fs::path temporary = temporary_name(path);
  std::error_code ignored;
  try {
    create_and_fill(temporary, text).close();
    remove_abandoned_temporaries(path, temporary);
    const int code = ::link(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
    const bool linked = status_of(temporary).st_nlink == 2 || (code == 0 && is_same_file(temporary, path));
    if (!linked && !means_no_links(code)) throw FileError("create", path, code == 0 ? EIO : code);
    PosixFile file = linked ? open_linked(path, temporary) : create_and_fill(path, text);
    if (!file.is_named(path)) throw FileError("create", path, EEXIST);  // somebody took it for abandoned
    fs::remove(temporary, ignored);
    return file;
  } catch (...) {
    fs::remove(temporary, ignored);
    throw;
  }
}

// By its new name, and not kept open from before: NFS keeps the first name of an open file under a third.
PosixFile PosixFile::open_linked(const fs::path& path, const fs::path& temporary) {
  try {
    PosixFile file = open_to_change(path);
    if (file.is_named(temporary)) return file;
  } catch (const FileError& error) {
    if (error.code() != ENOENT) throw;
  }
  throw FileError("create", path, EEXIST);
}

bool PosixFile::is_named(const fs::path& path) const {
  struct stat mine {};
  struct stat there {};
  return ::fstat(descriptor_, &mine) == 0 && ::stat(path.c_str(), &there) == 0 && mine.st_dev == there.st_dev &&
         mine.st_ino == there.st_ino;
}

PosixFile::PosixFile(PosixFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

PosixFile& PosixFile::operator=(PosixFile&& other) noexcept {
  if (this != &other) {
    if (is_open()) ::close(descriptor_);
    path_ = std::move(other.path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

PosixFile::~PosixFile() {
  if (is_open()) ::close(descriptor_);
}

void PosixFile::fail(std::string_view action) const { throw FileError(action, path_, errno); }

// At `offset`, or at the current position if that is negative.
void PosixFile::write_pieces(std::span<const std::byte> bytes, off_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = uninterrupted([&] {
      return offset < 0 ? ::write(descriptor_, bytes.data(), bytes.size())
                        : ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    });
    if (written < 0) fail("write");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    if (offset >= 0) offset += written;
  }
}

void PosixFile::write_all(std::span<const std::byte> bytes) { write_pieces(bytes, -1); }

void PosixFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  write_pieces(bytes, static_cast<off_t>(offset));
}

void PosixFile::append_or_undo(std::span<const std::byte> bytes) {
  const std::uint64_t before = size();
  try {
    write_all(bytes);
  } catch (const FileError&) {
    // If even this fails, nothing may be appended behind the broken piece any more.
    if (::ftruncate(descriptor_, static_cast<off_t>(before)) != 0) ::close(std::exchange(descriptor_, -1));
    throw;
  }
}

std::size_t PosixFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = uninterrupted(
        [&] { return ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done)); });
    if (count < 0) fail("read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

std::uint64_t PosixFile::size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail("look at");
  return static_cast<std::uint64_t>(status.st_size);
}

void PosixFile::truncate(std::uint64_t size) {
  if (uninterrupted([&] { return ::ftruncate(descriptor_, static_cast<off_t>(size)); }) != 0) fail("shorten");
}

void PosixFile::sync_data() {
  if (uninterrupted([&] { return ::fdatasync(descriptor_); }) != 0) fail("bring to disk");
}

void PosixFile::sync() {
  if (uninterrupted([&] { return ::fsync(descriptor_); }) != 0) fail("bring to disk");
}

void PosixFile::close() {
  // Never repeated: after EINTR the descriptor is closed all the same.
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) fail("close");
}

std::string read_text(const fs::path& path) {
  const PosixFile file = PosixFile::open(path);
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  text.resize(file.read_at(0, std::as_writable_bytes(std::span(text))));
  return text;
}

fs::path temporary_name(const fs::path& path) {
  const ProcessIdentity self = this_process();
  return folder_of(path) / fmt::format("{}{}{}-{}{}", temporary_prefix(path), temporary_maker(self), self.pid,
                                       random_letters(), temporary_suffix);
}

void sync_folder(const fs::path& folder) {
  PosixFile file(folder, O_RDONLY | O_DIRECTORY, "open");
  try {
    file.sync();
  } catch (const FileError& error) {
    if (error.code() != EINVAL && error.code() != ENOTSUP) throw;  // some file systems have no fsync of folders
  }
}

void replace_file(const fs::path& path, const std::function<void(PosixFile&)>& writer) {
  const fs::path temporary = temporary_name(path);
  std::error_code ignored;
  try {
    PosixFile file = PosixFile::create(temporary);
    remove_abandoned_temporaries(path, temporary);
    writer(file);
    file.sync();
    file.close();
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw FileError("replace", path, errno);
  } catch (...) {
    fs::remove(temporary, ignored);
    throw;
  }
  sync_folder(folder_of(path));
}

void replace_file(const fs::path& path, std::string_view text) {
  replace_file(path, [text](PosixFile& file) { file.write_all(text); });
}

namespace {

// Of a folder and those above it, the first that exists and is no folder.
std::optional<std::string> what_is_in_the_way(const fs::path& folder) {
  fs::path above;
  for (const fs::path& part : folder) {
    above /= part;
    std::error_code ignored;
    if (fs::exists(above, ignored) && !fs::is_directory(above, ignored)) return above.string() + " is not a folder";
  }
  return std::nullopt;
}

}  // namespace

void ensure_directory(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder)) {
    throw BadInput(fmt::format("cannot create the folder {}: {}", folder.string(),
                               what_is_in_the_way(folder).value_or(error.message())));
  }
  if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
    const int code = errno;
    throw BadInput(
        fmt::format("cannot write to the folder {}: {}", folder.string(), std::generic_category().message(code)));
  }
}

}  // namespace diffphase
