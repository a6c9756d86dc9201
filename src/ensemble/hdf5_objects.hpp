#pragma once

#include <hdf5.h>

#include <string>
#include <utility>
#include <vector>

namespace diffphase {

/// An HDF5 identifier of a file that others wrote, and the function that closes it; negative: none.
class Hdf5Object {
 public:
  Hdf5Object(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Hdf5Object(const Hdf5Object&) = delete;
  Hdf5Object& operator=(const Hdf5Object&) = delete;
  Hdf5Object(Hdf5Object&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Object& operator=(Hdf5Object&&) = delete;
  ~Hdf5Object() {
    if (id_ >= 0) close_(id_);
  }

  [[nodiscard]] hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// HDF5 prints its error stack by default; as long as this lives, it does not.
class QuietHdf5Errors {
 public:
  QuietHdf5Errors() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  QuietHdf5Errors(const QuietHdf5Errors&) = delete;
  QuietHdf5Errors& operator=(const QuietHdf5Errors&) = delete;
  ~QuietHdf5Errors() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

/// The description of the innermost error of HDF5's stack.
[[nodiscard]] std::string innermost_hdf5_error();

/// Opens a file for reading; none if HDF5 cannot.
[[nodiscard]] Hdf5Object open_hdf5_file(const std::string& file);

/// Opens an object (dataset, group, type) by links that stay in the file; none where one leaves it, or nothing is
/// there.
[[nodiscard]] Hdf5Object open_inside(hid_t file, const std::string& path);

/// Why `path` is no dataset of the file: there is none (with the nearest names), it is a group (with what that holds),
/// a link that leads nowhere or out of the file.
[[nodiscard]] std::string why_no_dataset(hid_t file, const std::string& path);

/// The end of a message: the paths of the datasets in the file that are nearest to `wanted`.
[[nodiscard]] std::string nearest_datasets(hid_t file, const std::string& wanted);

/// Lengths of a dataset's axes; empty if it has none (a single number, nothing, a damaged dataspace).
[[nodiscard]] std::vector<hsize_t> lengths_of(hid_t space);

}  // namespace diffphase
