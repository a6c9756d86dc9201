// IDX, NPY and npz files, plain and gzipped, with and without labels, transposed or not. Three bytes of options, two of
// the length of the data, the data, the labels. Files of HDF5 are its library's to read.

#include <zlib.h>

#include <numeric>
#include <stdexcept>
#include <vector>

#include "ensemble/content_hash.hpp"
#include "ensemble/dataset_file.hpp"
#include "ensemble/row_reader.hpp"
#include "fuzz_input.hpp"
#include "memory_file.hpp"

namespace diffphase {

bool is_hdf5(const std::string& /*file*/) { return false; }
std::unique_ptr<RowReader> open_hdf5(const std::string& file, const std::string& /*dataset*/, Axes /*axes*/) {
  throw std::logic_error(file + " is no HDF5 file");
}

namespace {

std::vector<std::byte> gzipped(std::span<const std::byte> bytes) {
  z_stream stream{};
  constexpr int largest_window_with_gzip_header = 15 + 16;
  if (::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, largest_window_with_gzip_header, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("no gzip");
  std::vector<std::byte> out(::deflateBound(&stream, bytes.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  require(::deflate(&stream, Z_FINISH) == Z_STREAM_END, "the bytes can be gzipped");
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

void put(const MemoryFile& file, std::span<const std::byte> bytes, bool gzip) {
  file.put(gzip ? gzipped(bytes) : std::vector<std::byte>(bytes.begin(), bytes.end()));
}

void check_summary(const DatasetFile& file, const DatasetSummary& summary) {
  require(summary.rows >= 0 && summary.dimension > 0, "rows and dimension are counted");
  const std::vector<std::int32_t> labels = read_labels(file, summary.rows);
  if (file.labels.empty()) {
    require(labels.empty() && summary.class_sizes.empty(), "without labels there are none");
    return;
  }
  require(static_cast<std::int64_t>(labels.size()) == summary.rows, "each row has a label");
  std::vector<std::int64_t> sizes(summary.class_sizes.size());
  for (const std::int32_t label : labels) ++sizes.at(static_cast<std::size_t>(label));
  require(sizes == summary.class_sizes, "the sizes of the classes are those of the labels");
}

}  // namespace
}  // namespace diffphase

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const diffphase::MemoryFile numbers;
  static const diffphase::MemoryFile labels;
  diffphase::FuzzInput input(data, size);
  const unsigned options = input.byte();
  const unsigned classes = input.byte();
  const unsigned axes = input.byte();
  diffphase::put(numbers, input.take(input.length()), (options & 1U) != 0);
  diffphase::put(labels, input.rest(), (options & 2U) != 0);

  diffphase::DatasetFile file{.path = numbers.path(), .labels = "", .select_classes = {}};
  if ((options & 4U) != 0) file.labels = labels.path();
  file.shuffle = (options & 8U) != 0;
  file.scaling = static_cast<diffphase::Scaling>(options >> 4U & 3U);
  file.pad = options >> 6U;
  if ((axes & 1U) != 0) file.transpose = (axes & 2U) != 0;
  for (std::int64_t label = 0; label < 8; ++label) {
    if ((classes >> label & 1U) != 0) file.select_classes.push_back(label);
  }
  (void)diffphase::content_hash(file.path);
  try {
    diffphase::check_summary(file, diffphase::inspect_dataset(file));
  } catch (const diffphase::DatasetError& error) {
    diffphase::require(std::string(error.what()).starts_with("/proc/self/fd/"), "the message names the file");
  }
  return 0;
}
