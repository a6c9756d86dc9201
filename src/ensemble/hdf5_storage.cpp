#include "ensemble/hdf5_storage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <vector>

#include "ensemble/byte_stream.hpp"
#include "ensemble/dataset_file.hpp"
#include "ensemble/hdf5_objects.hpp"

namespace diffphase {

namespace {

[[noreturn]] void fail(const std::string& name, const std::string& problem) {
  throw DatasetError(name + ": " + problem);
}

constexpr const char* copy_remedy = "copy it into one file, for example by h5py or `h5repack -l CONTI OLD NEW`";

std::string filter_name(H5Z_filter_t id, const std::string& stored) {
  static const std::map<H5Z_filter_t, const char*> registered{
      {1, "deflate"},  {2, "shuffle"}, {3, "fletcher32"}, {4, "szip"},      {5, "nbit"},           {6, "scaleoffset"},
      {307, "bzip2"},  {32000, "lzf"}, {32001, "blosc"},  {32004, "lz4"},   {32008, "bitshuffle"}, {32013, "zfp"},
      {32015, "zstd"}, {32017, "sz"},  {32024, "sz3"},    {32026, "blosc2"}};
  const auto found = registered.find(id);
  if (found != registered.end()) return found->second;
  return stored.empty() ? "unknown" : stored;
}

bool can_decode(H5Z_filter_t id) {
  unsigned flags = 0;
  return H5Zfilter_avail(id) > 0 && H5Zget_filter_info(id, &flags) >= 0 &&
         (flags & H5Z_FILTER_CONFIG_DECODE_ENABLED) != 0;
}

void require_filters(const std::string& name, hid_t creation) {
  const int count = H5Pget_nfilters(creation);
  for (int i = 0; i < count; ++i) {
    char stored[64] = {};
    unsigned flags = 0;
    std::size_t values = 0;
    const H5Z_filter_t id = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr,
                                           sizeof(stored) - 1, stored, nullptr);
    if (id < 0) fail(name, "its list of filters is damaged");
    if (can_decode(id)) continue;
    fail(name,
         fmt::format("is compressed by the filter {} ({}), which this HDF5 lacks: set HDF5_PLUGIN_PATH to the folder "
                     "of its plugin, or write the file without it (`h5repack -f NONE OLD NEW`, or with gzip)",
                     filter_name(id, stored), id));
  }
}

void require_chunks(const std::string& name, hid_t dataset, hid_t creation) {
  const Hdf5Object space(H5Dget_space(dataset), H5Sclose);
  const std::vector<hsize_t> lengths = lengths_of(space.get());
  std::vector<hsize_t> chunk(lengths.size());
  if (H5Pget_chunk(creation, static_cast<int>(chunk.size()), chunk.data()) < 0) fail(name, "its chunks are damaged");
  hsize_t expected = 1;
  for (std::size_t axis = 0; axis < lengths.size(); ++axis) expected *= (lengths[axis] + chunk[axis] - 1) / chunk[axis];
  hsize_t written = 0;
  if (H5Dget_num_chunks(dataset, space.get(), &written) < 0) {
    fail(name, fmt::format("its chunks cannot be counted ({})", innermost_hdf5_error()));
  }
  if (written < expected) {
    fail(name, fmt::format("{} of its {} chunks were never written: nobody has given the numbers in them",
                           expected - written, expected));
  }
}

bool is_virtual(hid_t creation) { return H5Pget_layout(creation) == H5D_VIRTUAL; }

// All that is asked of a dataset that is not virtual.
void require_ordinary(const std::string& name, hid_t dataset, hid_t creation) {
  if (H5Pget_external_count(creation) > 0) {
    char external[1024] = {};
    off_t offset = 0;
    hsize_t size = 0;
    H5Pget_external(creation, 0, sizeof(external) - 1, external, &offset, &size);
    fail(name, fmt::format("keeps its numbers in another file, {} (external storage), which is not read: {}", external,
                           copy_remedy));
  }
  require_filters(name, creation);
  if (H5Pget_layout(creation) == H5D_CHUNKED) return require_chunks(name, dataset, creation);
  H5D_space_status_t status = H5D_SPACE_STATUS_NOT_ALLOCATED;
  if (H5Dget_space_status(dataset, &status) < 0 || status != H5D_SPACE_STATUS_ALLOCATED) {
    fail(name, "was created but never written: nobody has given its numbers");
  }
}

template <typename Get>
std::string text_from(const Get& get) {
  const ssize_t size = get(nullptr, 0);
  if (size < 0) return "";
  std::string text(static_cast<std::size_t>(size) + 1, '\0');
  get(text.data(), text.size());
  text.resize(static_cast<std::size_t>(size));
  return text;
}

// One of the parts of a virtual dataset.
class VirtualPart {
 public:
  VirtualPart(const std::string& file, const std::string& name, hid_t creation, std::size_t index)
      : name_(name),
        place_(H5Pget_virtual_vspace(creation, index), H5Sclose),
        selection_(H5Pget_virtual_srcspace(creation, index), H5Sclose),
        source_(text_from(
            [&](char* out, std::size_t size) { return H5Pget_virtual_filename(creation, index, out, size); })),
        dataset_(text_from(
            [&](char* out, std::size_t size) { return H5Pget_virtual_dsetname(creation, index, out, size); })) {
    if (!place_ || !selection_) fail(name, "its virtual layout is damaged");
    path_ = source_ == "." ? file : (std::filesystem::path(file).parent_path() / source_).string();
  }

  [[nodiscard]] hid_t place() const { return place_.get(); }

  // Throws unless the source is there, long enough, and of ordinary storage.
  void require_source() const {
    if (source_.find('%') != std::string::npos || dataset_.find('%') != std::string::npos ||
        H5Sget_select_npoints(place_.get()) < 0) {
      refuse("is a pattern or has no end");
    }
    require_file();
    const Hdf5Object file = open_hdf5_file(path_);
    if (!file) refuse("cannot be opened by HDF5");
    const Hdf5Object source = open_inside(file.get(), dataset_);
    if (!source || H5Iget_type(source.get()) != H5I_DATASET)
      refuse("is not there: " + why_no_dataset(file.get(), dataset_));
    const Hdf5Object creation(H5Dget_create_plist(source.get()), H5Pclose);
    if (!creation) refuse("is damaged");
    if (is_virtual(creation.get())) refuse("is itself virtual, or this very dataset");
    require_selection(source.get());
    require_ordinary(fmt::format("{}: its source {}:{}", name_, source_, dataset_), source.get(), creation.get());
  }

 private:
  [[noreturn]] void refuse(const std::string& problem) const {
    fail(name_,
         fmt::format("is a virtual dataset, whose source {}:{} {}; {}", source_, dataset_, problem, copy_remedy));
  }

  void require_file() const {
    try {
      (void)regular_file_size(path_);
    } catch (const DatasetError& error) {
      refuse(fmt::format("is not there ({})", error.what()));
    }
  }

  void require_selection(hid_t source) const {
    const Hdf5Object space(H5Dget_space(source), H5Sclose);
    const std::vector<hsize_t> lengths = lengths_of(space.get());
    bool inside = false;
    if (H5Sget_select_type(selection_.get()) == H5S_SEL_ALL) {  // the layout does not say of how many
      inside = H5Sget_select_npoints(place_.get()) == H5Sget_simple_extent_npoints(space.get());
    } else if (H5Sget_simple_extent_ndims(selection_.get()) == static_cast<int>(lengths.size())) {
      std::vector<hsize_t> begin(lengths.size());
      std::vector<hsize_t> end(lengths.size());
      inside = H5Sget_select_bounds(selection_.get(), begin.data(), end.data()) >= 0;
      for (std::size_t axis = 0; inside && axis < end.size(); ++axis) inside = end[axis] < lengths[axis];
    }
    if (!inside)
      refuse(fmt::format("is not as large as the part of it that is taken ([{}])", fmt::join(lengths, ", ")));
  }

  const std::string& name_;
  Hdf5Object place_;
  Hdf5Object selection_;
  std::string source_;
  std::string dataset_;
  std::string path_;
};

// Number of places that the parts fill together.
hssize_t filled_places(const std::vector<VirtualPart>& parts, hssize_t all) {
  hssize_t sum = 0;
  for (const VirtualPart& part : parts) {
    if (H5Sget_select_type(part.place()) == H5S_SEL_ALL) return all;
    sum += H5Sget_select_npoints(part.place());
  }
  if (parts.empty() || sum < all) return sum;
  hid_t together = H5Scopy(parts[0].place());
  for (std::size_t i = 1; i < parts.size() && together >= 0; ++i) {
    const Hdf5Object before(together, H5Sclose);
    together = H5Scombine_select(before.get(), H5S_SELECT_OR, parts[i].place());
  }
  const Hdf5Object sum_of_all(together, H5Sclose);
  return sum_of_all ? H5Sget_select_npoints(sum_of_all.get()) : 0;
}

Hdf5Object creation_of(const std::string& name, hid_t dataset) {
  Hdf5Object creation(H5Dget_create_plist(dataset), H5Pclose);
  if (!creation) fail(name, fmt::format("its layout is damaged ({})", innermost_hdf5_error()));
  return creation;
}

}  // namespace

void require_virtual_sources(const std::string& file, const std::string& name, hid_t dataset) {
  const Hdf5Object list = creation_of(name, dataset);
  const hid_t creation = list.get();
  if (!is_virtual(creation)) return;
  // Sources are looked for where this says, before the folder of the file.
  if (std::getenv("HDF5_VDS_PREFIX") != nullptr) fail(name, "is a virtual dataset: unset HDF5_VDS_PREFIX to read it");
  std::size_t count = 0;
  if (H5Pget_virtual_count(creation, &count) < 0) fail(name, "its virtual layout is damaged");
  std::vector<VirtualPart> parts;
  parts.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    parts.emplace_back(file, name, creation, i);
    parts.back().require_source();
  }
  const Hdf5Object space(H5Dget_space(dataset), H5Sclose);
  const hssize_t all = H5Sget_simple_extent_npoints(space.get());
  const hssize_t filled = filled_places(parts, all);
  if (filled < all) {
    fail(name,
         fmt::format("is a virtual dataset whose sources give {} of its {} numbers; {}", filled, all, copy_remedy));
  }
}

void require_written(const std::string& name, hid_t dataset) {
  const Hdf5Object creation = creation_of(name, dataset);
  if (!is_virtual(creation.get())) require_ordinary(name, dataset, creation.get());
}

void forbid_unasked_plugins() {
  if (std::getenv("HDF5_PLUGIN_PATH") == nullptr) H5PLset_loading_state(0);
}

}  // namespace diffphase
