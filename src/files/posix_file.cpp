#include "files/posix_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
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

// True if the process that made this temporary file is known to be gone.
bool is_abandoned(const fs::path& temporary, std::string_view owner) {
  const std::string host = this_process().host + "-";
  if (owner.starts_with(host)) {
    const std::string pid(owner.substr(host.size()));
    char* end = nullptr;
    const long long number = std::strtoll(pid.c_str(), &end, 10);
    return end != pid.c_str() && *end == '\0' && number > 0 && !process_exists(number);
  }
  std::error_code ignored;
  const auto written = fs::last_write_time(temporary, ignored);
  return !ignored && fs::file_time_type::clock::now() - written > std::chrono::hours(24);
}

// Best effort: temporary files of `path` whose writers were killed.
void remove_abandoned_temporaries(const fs::path& path) {
  const std::string prefix = temporary_prefix(path);
  std::error_code ignored;
  for (fs::directory_iterator entry(folder_of(path), ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(temporary_suffix)) continue;
    if (name.size() < prefix.size() + temporary_suffix.size()) continue;
    const std::string owner = name.substr(prefix.size(), name.size() - prefix.size() - temporary_suffix.size());
    std::error_code removal;
    if (is_abandoned(entry->path(), owner)) fs::remove(entry->path(), removal);
  }
}

}  // namespace

FileError::FileError(std::string_view action, const fs::path& path, int code)
    : std::runtime_error(fmt::format("cannot {} {}: {}", action, path.string(), std::generic_category().message(code))),
      code_(code) {}

PosixFile::PosixFile(fs::path path, int flags, std::string_view action) : path_(std::move(path)) {
  constexpr mode_t permissions = 0666;  // less the umask
  descriptor_ = uninterrupted([&] { return ::open(path_.c_str(), flags | O_CLOEXEC, permissions); });
  if (descriptor_ < 0) fail(action);
}

PosixFile PosixFile::open(const fs::path& path) { return {path, O_RDONLY, "open"}; }

PosixFile PosixFile::create(const fs::path& path) { return {path, O_RDWR | O_CREAT | O_EXCL, "create"}; }

PosixFile PosixFile::create_for_appending(const fs::path& path) {
  return {path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, "create"};
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

void sync_folder(const fs::path& folder) {
  PosixFile file = PosixFile::open(folder);
  try {
    file.sync();
  } catch (const FileError& error) {
    if (error.code() != EINVAL && error.code() != ENOTSUP) throw;  // some file systems have no fsync of folders
  }
}

void replace_file(const fs::path& path, const std::function<void(PosixFile&)>& writer) {
  remove_abandoned_temporaries(path);
  const ProcessIdentity self = this_process();
  const fs::path temporary =
      folder_of(path) / fmt::format("{}{}-{}{}", temporary_prefix(path), self.host, self.pid, temporary_suffix);
  std::error_code ignored;
  fs::remove(temporary, ignored);  // of an earlier process with our pid
  try {
    PosixFile file = PosixFile::create(temporary);
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
