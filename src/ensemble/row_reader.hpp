#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ensemble/byte_stream.hpp"

namespace diffphase {

/// The number types that files hold; u: unsigned integer, i: signed integer, f: floating point, with their
/// bits; b8: a byte that is 0 or 1.
enum class NumberType { u8, i8, u16, i16, u32, i32, u64, i64, f16, f32, f64, b8 };

[[nodiscard]] const char* name_of(NumberType type);
[[nodiscard]] std::size_t size_of(NumberType type);
[[nodiscard]] bool is_floating_point(NumberType type);
/// The largest number of an integer type, which scalings divide by; 1 of floating-point types.
[[nodiscard]] double largest_of(NumberType type);

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

/// Rows of an array that lies in its file with its axes reversed: the index of the row last, the others before it in
/// the reversed order. Reads tiles of many rows at once: at most 64 MiB, or one row. Local.
class ReversedRowReader : public RowReader {
 public:
  explicit ReversedRowReader(ArrayInfo info);
  void read(std::span<double> out) final;

 protected:
  /// For each place of a row, in the order of the file, the numbers of the rows from `first` on:
  /// out.size() / row_size() of them.
  virtual void read_tile(std::int64_t first, std::span<double> out) = 0;

 private:
  void load_tile();

  std::vector<std::int64_t> places_;  // in a row, of its numbers in the order of the file
  std::vector<double> tile_;
  std::int64_t tile_begin_ = 0;
  std::int64_t tile_rows_ = 0;
  std::int64_t next_row_ = 0;
};

/// What a name means: a file and, after a colon, one of the arrays in it ("file.h5:/path", "file.npz:name").
struct DataName {
  std::string file;
  std::string array;  ///< empty: none was named
};
/// The whole name is a file if there is one of that name.
[[nodiscard]] DataName split_data_name(const std::string& name);

/// How the axes of an array are taken, besides as they are stored: reversed, so that the last one counts rows. `unsaid`
/// is as stored, but an error of arrays that say that their writer stores axes reversed.
enum class Axes { unsaid, stored, reversed };

/// Opens an IDX or NPY file, plain or gzipped, an array of an npz file or a dataset of an HDF5 file; the
/// format is recognised by the first bytes. When it returns, the header was checked: at least one row and one
/// number in each, and no more of them than the file can hold.
[[nodiscard]] std::unique_ptr<RowReader> open_rows(const std::string& name, Axes axes);

/// The header of a file that continues with packed numbers.
struct PackedArray {
  ArrayInfo info;
  bool big_endian = false;
  bool reversed = false;  ///< Fortran order: the first index varies fastest
};

/// Reads the header of an IDX file; the stream then stands at the first number.
[[nodiscard]] PackedArray read_idx_header(ByteStream& stream);

/// Reads the header of an NPY file of version 1, 2 or 3; the stream then stands at the first number.
[[nodiscard]] PackedArray read_npy_header(ByteStream& stream);

/// `dataset` is the path inside the file; where empty, the message lists those there are. Numbers that nobody wrote,
/// which HDF5 gives the value of a filling, are an error.
[[nodiscard]] std::unique_ptr<RowReader> open_hdf5(const std::string& file, const std::string& dataset, Axes axes);

[[nodiscard]] bool is_hdf5(const std::string& file);

/// Throws DatasetError unless the array has rows, numbers in each, and at most `largest_size` bytes in all.
void require_plausible_size(const std::string& name, const ArrayInfo& info, std::uint64_t largest_size);

}  // namespace diffphase
