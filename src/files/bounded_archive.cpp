#include "files/bounded_archive.hpp"

#include <fmt/format.h>

#include <boost/archive/archive_exception.hpp>
#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <streambuf>

namespace diffphase {
namespace {

constexpr unsigned archive_flags = boost::archive::no_header | boost::archive::no_codecvt | boost::archive::no_tracking;

// Everything written goes to the end of a vector.
class GrowingBuffer : public std::streambuf {
 public:
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }
  void clear() { bytes_.clear(); }

 protected:
  std::streamsize xsputn(const char* data, std::streamsize size) override {
    const auto added = std::as_bytes(std::span(data, static_cast<std::size_t>(size)));
    bytes_.insert(bytes_.end(), added.begin(), added.end());
    return size;
  }
  int_type overflow(int_type character) override {
    if (!traits_type::eq_int_type(character, traits_type::eof())) {
      bytes_.push_back(static_cast<std::byte>(traits_type::to_char_type(character)));
    }
    return traits_type::not_eof(character);
  }

 private:
  std::vector<std::byte> bytes_;
};

// Reads from bytes that belong to somebody else, and knows how many are left.
class SpanBuffer : public std::streambuf {
 public:
  void read(std::span<const std::byte> bytes) {
    // The interface of streambuf wants char*; nothing is ever written through it.
    char* begin = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
    setg(begin, begin, begin + bytes.size());
  }
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(egptr() - gptr()); }
};

// An archive that one object of this thread has done with serves the next: making one costs more, in locales, than all
// that a record is. Archives of numbers, written without header, keep nothing from one use to the next.
template <typename State>
class Spares {
 public:
  static std::unique_ptr<State> take() {
    auto& all = spares();
    if (all.empty()) return std::make_unique<State>();
    std::unique_ptr<State> state = std::move(all.back());
    all.pop_back();
    return state;
  }
  static void give_back(std::unique_ptr<State> state) {
    constexpr std::size_t most = 4;
    if (spares().size() < most) spares().push_back(std::move(state));
  }

 private:
  static std::vector<std::unique_ptr<State>>& spares() {
    thread_local std::vector<std::unique_ptr<State>> all;
    return all;
  }
};

}  // namespace

struct ArchiveWriter::State {
  GrowingBuffer buffer;
  boost::archive::binary_oarchive archive{buffer, archive_flags};

  template <typename T>
  void array(std::span<const T> values) {
    archive << static_cast<std::uint64_t>(values.size());
    if (!values.empty()) archive.save_binary(values.data(), values.size_bytes());
  }
};

ArchiveWriter::ArchiveWriter() : state_(Spares<State>::take()) { state_->buffer.clear(); }
ArchiveWriter::~ArchiveWriter() {
  constexpr std::size_t most_kept_bytes = std::size_t{1} << 20U;
  if (state_->buffer.bytes().capacity() <= most_kept_bytes) Spares<State>::give_back(std::move(state_));
}

void ArchiveWriter::integer(std::int64_t value) { state_->archive << value; }
void ArchiveWriter::word(std::uint64_t value) { state_->archive << value; }
void ArchiveWriter::real(double value) { state_->archive << value; }
void ArchiveWriter::boolean(bool value) { word(value ? 1 : 0); }
void ArchiveWriter::text(std::string_view value) { state_->array(std::span<const char>(value)); }
void ArchiveWriter::integers(std::span<const std::int64_t> values) { state_->array(values); }
void ArchiveWriter::reals(std::span<const double> values) { state_->array(values); }
void ArchiveWriter::count(std::size_t value) { word(value); }
std::span<const std::byte> ArchiveWriter::bytes() const { return state_->buffer.bytes(); }

struct ArchiveReader::State {
  SpanBuffer buffer;
  boost::archive::binary_iarchive archive{buffer, archive_flags};

  template <typename T>
  T number() {
    if (buffer.left() < sizeof(T)) {
      throw ArchiveError(fmt::format("{} bytes are left where a number takes {}", buffer.left(), sizeof(T)));
    }
    T value{};
    archive >> value;
    return value;
  }

  std::size_t count(std::size_t least_bytes) {
    const auto value = number<std::uint64_t>();
    if (value > buffer.left() / least_bytes) {
      throw ArchiveError(fmt::format("{} elements of {} bytes or more are announced and {} bytes are left", value,
                                     least_bytes, buffer.left()));
    }
    return static_cast<std::size_t>(value);
  }

  template <typename Container>
  Container array() {
    using T = typename Container::value_type;
    Container values(count(sizeof(T)), T{});
    if (!values.empty()) archive.load_binary(values.data(), values.size() * sizeof(T));
    return values;
  }
};

ArchiveReader::ArchiveReader(std::span<const std::byte> bytes) : state_(Spares<State>::take()) {
  state_->buffer.read(bytes);
}
ArchiveReader::~ArchiveReader() { Spares<State>::give_back(std::move(state_)); }

std::int64_t ArchiveReader::integer() { return state_->number<std::int64_t>(); }
std::uint64_t ArchiveReader::word() { return state_->number<std::uint64_t>(); }
double ArchiveReader::real() { return state_->number<double>(); }

bool ArchiveReader::boolean() {
  const std::uint64_t value = word();
  if (value > 1) throw ArchiveError(fmt::format("{} is neither true nor false", value));
  return value == 1;
}

std::string ArchiveReader::text() { return state_->array<std::string>(); }
std::vector<std::int64_t> ArchiveReader::integers() { return state_->array<std::vector<std::int64_t>>(); }
std::vector<double> ArchiveReader::reals() { return state_->array<std::vector<double>>(); }
std::size_t ArchiveReader::count(std::size_t least_bytes) { return state_->count(least_bytes); }
std::size_t ArchiveReader::bytes_left() const { return state_->buffer.left(); }

void ArchiveReader::expect_end() const {
  if (bytes_left() != 0) throw ArchiveError(fmt::format("{} bytes more than expected", bytes_left()));
}

}  // namespace diffphase
