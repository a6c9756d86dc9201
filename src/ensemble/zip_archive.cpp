// The parts of the zip format (APPNOTE.TXT of PKWARE) that npz files use: a central directory at the end, of the old or
// of the 64-bit form; members that are stored or deflated.
#include "ensemble/zip_archive.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "ensemble/array_names.hpp"
#include "ensemble/dataset_file.hpp"

namespace diffphase {

namespace {

constexpr std::string_view array_suffix = ".npy";

struct ZipMember {
  std::string name;
  unsigned flags = 0;
  unsigned method = 0;
  std::uint32_t checksum = 0;
  std::uint64_t stored_size = 0;
  std::uint64_t size = 0;
  std::uint64_t header = 0;  // where its local header begins
};

// Little-endian numbers at known places of some bytes; places beyond the end are an error of the archive.
class ZipRecord {
 public:
  ZipRecord(const std::string& file, std::string_view bytes) : file_(file), bytes_(bytes) {}

  [[nodiscard]] std::uint64_t number(std::uint64_t at, unsigned width) const {
    require(at, width);
    std::uint64_t value = 0;
    for (unsigned i = width; i-- > 0;) value = value << 8U | static_cast<unsigned char>(bytes_[at + i]);
    return value;
  }
  [[nodiscard]] std::string_view text(std::uint64_t at, std::uint64_t size) const {
    require(at, size);
    return bytes_.substr(at, size);
  }
  [[nodiscard]] bool begins_with(std::uint64_t at, std::string_view signature) const {
    return at <= bytes_.size() && bytes_.substr(at).starts_with(signature);
  }
  [[noreturn]] void fail() const {
    throw DatasetError(file_ + ": the zip archive is truncated or damaged: its directory is not whole");
  }

 private:
  void require(std::uint64_t at, std::uint64_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) fail();
  }

  const std::string& file_;
  std::string_view bytes_;
};

class ZipArchive {
 public:
  explicit ZipArchive(const std::string& path)
      : path_(path), size_(regular_file_size(path)), file_(open_data_file(path)) {
    read_directory(directory_place());
  }

  [[nodiscard]] const std::vector<ZipMember>& members() const { return members_; }

  // The bytes of a member as they lie in the file.
  [[nodiscard]] std::unique_ptr<StoredBytes> bytes_of(const ZipMember& member) const {
    const std::string header = read(member.header, local_header_size);
    const ZipRecord record(path_, header);
    if (!record.begins_with(0, zip_magic)) record.fail();
    const std::uint64_t begin = member.header + local_header_size + record.number(26, 2) + record.number(28, 2);
    if (begin > size_ || member.stored_size > size_ - begin) record.fail();
    return std::make_unique<StoredBytes>(file_, begin, member.stored_size);
  }

 private:
  static constexpr std::uint64_t local_header_size = 30;
  static constexpr std::uint64_t end_record_size = 22;

  struct Place {
    std::uint64_t begin;
    std::uint64_t size;
  };

  [[nodiscard]] std::string read(std::uint64_t begin, std::uint64_t size) const {
    if (begin > size_ || size > size_ - begin) ZipRecord(path_, "").fail();
    std::string bytes(size, '\0');
    ByteStream(path_, std::make_unique<StoredBytes>(file_, begin, size), size)
        .read(std::as_writable_bytes(std::span(bytes)), "the directory of the zip archive");
    return bytes;
  }

  // The last record of the file says where the directory is; a comment of up to 64 KiB may follow.
  [[nodiscard]] Place directory_place() const {
    constexpr std::uint64_t longest_comment = 65535;
    const std::uint64_t tail_size = std::min(size_, end_record_size + longest_comment);
    const std::string tail = read(size_ - tail_size, tail_size);
    const std::size_t end = tail.rfind("PK\x05\x06");
    const ZipRecord record(path_, tail);
    if (end == std::string::npos) record.fail();
    (void)record.text(end + end_record_size, record.number(end + 20, 2));  // the comment is whole, too
    const Place place{record.number(end + 16, 4), record.number(end + 12, 4)};
    const bool is_small = place.begin != UINT32_MAX && place.size != UINT32_MAX && record.number(end + 10, 2) != 0xffff;
    if (is_small) return place;
    constexpr std::size_t locator_size = 20;
    if (end < locator_size || !record.begins_with(end - locator_size, "PK\x06\x07")) return place;
    constexpr std::uint64_t wide_record_size = 56;
    const std::string wide = read(record.number(end - locator_size + 8, 8), wide_record_size);
    const ZipRecord wide_record(path_, wide);
    if (!wide_record.begins_with(0, "PK\x06\x06")) wide_record.fail();
    return {wide_record.number(48, 8), wide_record.number(40, 8)};
  }

  void read_directory(const Place& place) {
    constexpr std::uint64_t largest = std::uint64_t{1} << 24U;
    if (place.size > largest) {
      throw DatasetError(
          fmt::format("{}: the zip archive has a directory of {} bytes, more than are read", path_, place.size));
    }
    const std::string bytes = read(place.begin, place.size);
    const ZipRecord record(path_, bytes);
    constexpr std::uint64_t entry_size = 46;
    std::uint64_t at = 0;
    while (record.begins_with(at, "PK\x01\x02")) {
      const std::uint64_t name_size = record.number(at + 28, 2);
      const std::uint64_t extra_size = record.number(at + 30, 2);
      ZipMember member{.name = std::string(record.text(at + entry_size, name_size)),
                       .flags = static_cast<unsigned>(record.number(at + 8, 2)),
                       .method = static_cast<unsigned>(record.number(at + 10, 2)),
                       .checksum = static_cast<std::uint32_t>(record.number(at + 16, 4)),
                       .stored_size = record.number(at + 20, 4),
                       .size = record.number(at + 24, 4),
                       .header = record.number(at + 42, 4)};
      read_wide_numbers(record.text(at + entry_size + name_size, extra_size), member);
      members_.push_back(std::move(member));
      at += entry_size + name_size + extra_size + record.number(at + 32, 2);
    }
    if (at != bytes.size()) record.fail();
  }

  // Numbers that do not fit into 32 bits stand in an extra field of the kind 1, in this order.
  void read_wide_numbers(std::string_view extra, ZipMember& member) const {
    const ZipRecord record(path_, extra);
    for (std::uint64_t at = 0; at + 4 <= extra.size();) {
      const std::uint64_t size = record.number(at + 2, 2);
      if (record.number(at, 2) == 1) {
        std::uint64_t next = at + 4;
        for (std::uint64_t* number : {&member.size, &member.stored_size, &member.header}) {
          if (*number != UINT32_MAX) continue;
          *number = record.number(next, 8);
          next += 8;
        }
        return;
      }
      at += 4 + size;
    }
  }

  std::string path_;
  std::uint64_t size_;
  std::shared_ptr<const PosixFile> file_;
  std::vector<ZipMember> members_;
};

// Bytes whose number and checksum the directory declares: both are compared where they end.
class VerifiedBytes : public ByteSource {
 public:
  VerifiedBytes(std::string name, std::unique_ptr<ByteSource> bytes, const ZipMember& member)
      : name_(std::move(name)), bytes_(std::move(bytes)), size_(member.size), expected_(member.checksum) {}

  std::size_t read(std::span<std::byte> out) override {
    if (out.empty()) return 0;
    constexpr std::size_t most = std::size_t{1} << 20U;
    const std::span<std::byte> part = out.first(std::min(out.size(), most));
    const std::size_t count = bytes_->read(part);
    checksum_ = ::crc32(checksum_, reinterpret_cast<const Bytef*>(part.data()), static_cast<uInt>(count));
    position_ += count;
    const bool ended = position_ == size_ || count == 0;
    if (position_ > size_ || (ended && (position_ != size_ || checksum_ != expected_))) {
      throw DatasetError(name_ + ": the array is damaged: it is not what the zip archive's directory declares");
    }
    return count;
  }

  // By reading, so that every byte is part of the checksum.
  void seek(std::uint64_t offset) override {
    if (offset < position_) {
      bytes_->seek(0);
      position_ = 0;
      checksum_ = 0;
    }
    std::vector<std::byte> passed(std::min<std::uint64_t>(std::uint64_t{1} << 18U, offset - position_));
    while (position_ < offset) {
      if (read(std::span(passed).first(std::min<std::uint64_t>(passed.size(), offset - position_))) == 0) return;
    }
  }

 private:
  std::string name_;
  std::unique_ptr<ByteSource> bytes_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
  uLong expected_;
  uLong checksum_ = 0;
};

const ZipMember& chosen_member(const ZipArchive& archive, const std::string& file, const std::string& array) {
  std::vector<std::string> arrays;
  for (const ZipMember& member : archive.members()) {
    if (member.name == array || member.name == array + std::string(array_suffix)) return member;
    if (!member.name.ends_with(array_suffix)) continue;
    arrays.push_back(member.name.substr(0, member.name.size() - array_suffix.size()));
  }
  if (array.empty() && arrays.size() == 1) {
    return *std::ranges::find(archive.members(), arrays[0] + std::string(array_suffix), &ZipMember::name);
  }
  const std::string known = nearest_arrays(arrays, array, "array");
  if (!array.empty()) throw DatasetError(fmt::format("{}: has no array {}{}", file, array, known));
  if (arrays.empty()) throw DatasetError(file + ": the zip archive holds no array (a member called NAME.npy)");
  throw DatasetError(
      fmt::format("{}: holds {} arrays: name one, as in {}:{}{}", file, arrays.size(), file, arrays[0], known));
}

}  // namespace

ByteStream open_zipped_array(const std::string& file, const std::string& array) {
  const ZipArchive archive(file);
  const ZipMember& member = chosen_member(archive, file, array);
  const std::string name = array.empty() ? file : file + ":" + array;
  if ((member.flags & 1U) != 0) throw DatasetError(name + ": is encrypted, which npz files are not");
  constexpr unsigned stored = 0;
  constexpr unsigned deflated = 8;
  std::unique_ptr<ByteSource> bytes = archive.bytes_of(member);
  std::uint64_t largest = member.stored_size;
  if (member.method == deflated) {
    bytes = inflated(name, DeflateFrame::none, archive.bytes_of(member));
    largest = largest_inflated_size(largest);
  } else if (member.method != stored) {
    throw DatasetError(
        fmt::format("{}: is compressed by the zip method {}, but only stored (0) and deflated (8) members are read",
                    name, member.method));
  }
  return {name, std::make_unique<VerifiedBytes>(name, std::move(bytes), member), std::min(largest, member.size)};
}

}  // namespace diffphase
