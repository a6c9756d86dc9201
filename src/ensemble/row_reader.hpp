#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ensemble/byte_stream.hpp"

namespace diffphase {

/// The number types that files hold; u: unsigned integer, i: signed integer, f: floating point, with their
/// bits.
enum class NumberType { u8, i8, u16, i16, u32, i32, u64, i64, f32, f64 };

[[nodiscard]] const char* name_of(NumberType type);
[[nodiscard]] std::size_t size_of(NumberType type);

/// What an array in a file is: its shape, first index rows, and the type of its numbers.
struct ArrayInfo {
  std::vector<std::int64_t> shape;
  NumberType type = NumberType::u8;

  [[nodiscard]] std::int64_t rows() const { return shape.front(); }
  /// Numbers in a row; the shape was checked for overflow when the file was opened.
  [[nodiscard]] std::int64_t row_size() const;
  /// As in "[60000, 28, 28]".
  [[nodiscard]] std::string shape_text() const;
};

/// An array in a file, read once from its first row to its last. Failures are thrown as DatasetError. Local.
class RowReader {
 public:
  explicit RowReader(ArrayInfo info) : info_(std::move(info)) {}
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;
  virtual ~RowReader() = default;

  [[nodiscard]] const ArrayInfo& info() const { return info_; }

  /// The numbers of the next out.size() / row_size() rows, as stored. There must be as many left.
  virtual void read(std::span<double> out) = 0;

  /// To be called after the last row: checks that the file ends there.
  virtual void finish() {}

 private:
  ArrayInfo info_;
};

/// Opens an IDX or NPY file, plain or gzipped, or a dataset of an HDF5 file given as "file.h5:/path"; the
/// format is recognised by the first bytes. When it returns, the header was checked: at least one row and one
/// number in each, and no more of them than the file can hold.
[[nodiscard]] std::unique_ptr<RowReader> open_rows(const std::string& name);

/// The header of a file that continues with packed numbers.
struct PackedArray {
  ArrayInfo info;
  bool big_endian = false;
};

/// Reads the header of an IDX file; the stream then stands at the first number.
[[nodiscard]] PackedArray read_idx_header(ByteStream& stream);

/// Reads the header of an NPY file of version 1, 2 or 3; the stream then stands at the first number.
[[nodiscard]] PackedArray read_npy_header(ByteStream& stream);

/// `dataset` is the path inside the file; where empty, the message lists those there are.
[[nodiscard]] std::unique_ptr<RowReader> open_hdf5(const std::string& file, const std::string& dataset);

[[nodiscard]] bool is_hdf5(const std::string& file);

/// Throws DatasetError unless the array has rows, numbers in each, and at most `largest_size` bytes in all.
void require_plausible_size(const std::string& name, const ArrayInfo& info, std::uint64_t largest_size);

}  // namespace diffphase
