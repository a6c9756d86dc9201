#pragma once

#include <string>

#include "ensemble/byte_stream.hpp"

namespace diffphase {

/// First bytes of a zip archive, which an npz file is: one that holds an NPY file for each array.
inline constexpr const char* zip_magic = "PK\x03\x04";
inline constexpr const char* empty_zip_magic = "PK\x05\x06";

/// The NPY file of an array in an npz file, stored or deflated; its checksum is compared when its last byte was read.
/// `array`: its name, without ".npy"; where empty, the only one. Throws DatasetError for an archive that is damaged,
/// encrypted or compressed in another way, and with the names that there are if it holds no such array.
[[nodiscard]] ByteStream open_zipped_array(const std::string& file, const std::string& array);

}  // namespace diffphase
