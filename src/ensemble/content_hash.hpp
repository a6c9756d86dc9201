#pragma once

#include <filesystem>

#include "random/text_hash.hpp"

namespace diffphase {

/// Hash of all bytes of a regular file as they are on the disk, also of those of a gzipped one and of datasets of an
/// HDF5 or npz file that nobody asked for: `file` is a path without ":/dataset". Throws DatasetError, naming the file,
/// if it is none or cannot be read. Memory: one block. Local.
[[nodiscard]] Hash128 content_hash(const std::filesystem::path& file);

}  // namespace diffphase
