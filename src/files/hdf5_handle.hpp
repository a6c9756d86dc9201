#pragma once

#include <hdf5.h>

#include <stdexcept>
#include <string_view>
#include <utility>

namespace diffphase {

/// A call of HDF5 failed. The message holds what was tried and HDF5's own error stack.
class Hdf5Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Turns HDF5's printing of errors off; call before the first use of HDF5 in a function. Cheap.
void quiet_hdf5();

/// Throws Hdf5Error if `status` is negative; returns it otherwise. `what` says what was tried: "cannot ...
/// X".
long long check_hdf5(long long status, std::string_view what);

/// An HDF5 identifier and the call that closes it. Move-only.
class Hdf5Handle {
 public:
  using Closer = herr_t (*)(hid_t);

  Hdf5Handle() = default;
  /// Takes the identifier over; throws Hdf5Error if it is negative.
  Hdf5Handle(hid_t id, Closer closer, std::string_view what) : id_(id), closer_(closer) { check_hdf5(id, what); }
  Hdf5Handle(const Hdf5Handle&) = delete;
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), closer_(other.closer_) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(closer_, other.closer_);
    return *this;
  }
  /// Closes and ignores errors; call close() where they matter.
  ~Hdf5Handle() {
    if (id_ >= 0) closer_(id_);
  }

  [[nodiscard]] hid_t get() const { return id_; }
  void close(std::string_view what) { check_hdf5(closer_(std::exchange(id_, -1)), what); }

 private:
  hid_t id_ = -1;
  Closer closer_ = nullptr;
};

}  // namespace diffphase
