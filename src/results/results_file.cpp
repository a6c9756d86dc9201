#include "results/results_file.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <hdf5_hl.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <set>
#include <span>
#include <stdexcept>
#include <string_view>

#include "files/hdf5_handle.hpp"
#include "files/posix_file.hpp"

namespace diffphase {
namespace {

using Sizes = std::map<std::string, std::size_t>;

std::size_t length(const auto& values) {
  return std::visit([](const auto& list) { return list.size(); }, values);
}

void require(bool condition, const std::string& problem) {
  if (!condition) throw std::logic_error("results: " + problem);
}

void check_name(const std::string& name, std::set<std::string>& names) {
  require(!name.empty() && name != "." && name.find('/') == std::string::npos,
          fmt::format("'{}' cannot be a name", name));
  require(names.insert(name).second, fmt::format("{} is there twice", name));
}

void check_flags(const ResultsVariable& variable) {
  const auto* flags = std::get_if<std::vector<std::int8_t>>(&variable.values);
  require((flags == nullptr) == variable.flag_meanings.empty(),
          fmt::format("{}: int8 values and flag_meanings belong together", variable.name));
  for (const std::string& meaning : variable.flag_meanings) {
    require(!meaning.empty() && meaning.find(' ') == std::string::npos,
            fmt::format("{}: the flag meaning '{}' is not one word", variable.name, meaning));
  }
  if (flags == nullptr) return;
  const auto known = [&](std::int8_t flag) {
    return flag >= 0 && static_cast<std::size_t>(flag) < variable.flag_meanings.size();
  };
  require(std::all_of(flags->begin(), flags->end(), known),
          fmt::format("{} has a flag without a meaning", variable.name));
}

void check_variable(const ResultsVariable& variable, const Sizes& sizes) {
  std::size_t product = 1;
  std::set<std::string> dims;
  for (const std::string& dim : variable.dims) {
    const auto size = sizes.find(dim);
    require(size != sizes.end(), fmt::format("{} has the unknown dimension {}", variable.name, dim));
    require(dims.insert(dim).second, fmt::format("{} has the dimension {} twice", variable.name, dim));
    product *= size->second;
  }
  require(length(variable.values) == product, fmt::format("{} has {} values where its dimensions make {}",
                                                          variable.name, length(variable.values), product));
  check_flags(variable);
}

Sizes check(const ResultsFile& results) {
  std::set<std::string> names;
  Sizes sizes;
  for (const ResultsDimension& dimension : results.dimensions) {
    check_name(dimension.name, names);
    sizes[dimension.name] = length(dimension.coordinate);
  }
  for (const ResultsVariable& variable : results.variables) {
    check_name(variable.name, names);
    check_variable(variable, sizes);
  }
  for (const auto& [name, group] : results.groups) check_name(name, names);
  for (const char* reserved : {"layout_version", "Conventions", "coordinates"}) {
    require(results.attributes.count(reserved) == 0, fmt::format("the attribute {} is written here", reserved));
  }
  return sizes;
}

Hdf5Handle string_type() {
  Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "cannot make a string type");
  check_hdf5(H5Tset_size(type.get(), H5T_VARIABLE), "cannot make strings variable");
  check_hdf5(H5Tset_cset(type.get(), H5T_CSET_UTF8), "cannot make strings UTF-8");
  return type;
}

hid_t disk_type(double /*value*/) { return H5T_IEEE_F64LE; }
hid_t disk_type(std::int64_t /*value*/) { return H5T_STD_I64LE; }
hid_t disk_type(std::int8_t /*value*/) { return H5T_STD_I8LE; }
hid_t memory_type(double /*value*/) { return H5T_NATIVE_DOUBLE; }
hid_t memory_type(std::int64_t /*value*/) { return H5T_NATIVE_INT64; }
hid_t memory_type(std::int8_t /*value*/) { return H5T_NATIVE_INT8; }

std::vector<const char*> pointers(std::span<const std::string> texts) {
  std::vector<const char*> list;
  list.reserve(texts.size());
  for (const std::string& text : texts) list.push_back(text.c_str());
  return list;
}

Hdf5Handle scalar_space() { return {H5Screate(H5S_SCALAR), H5Sclose, "cannot make a scalar data space"}; }

Hdf5Handle simple_space(const std::vector<hsize_t>& extent) {
  if (extent.empty()) return scalar_space();
  return {H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose,
          "cannot make a data space"};
}

Hdf5Handle make_attribute(hid_t object, const std::string& name, hid_t type, const Hdf5Handle& space) {
  return {H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
          fmt::format("cannot create the attribute {}", name)};
}

void write_attribute(hid_t object, const std::string& name, const std::string& text) {
  const Hdf5Handle type = string_type();
  const char* pointer = text.c_str();
  const Hdf5Handle attribute = make_attribute(object, name, type.get(), scalar_space());
  check_hdf5(H5Awrite(attribute.get(), type.get(), &pointer), fmt::format("cannot write the attribute {}", name));
}

template <typename T>
void write_numbers(hid_t object, const std::string& name, std::span<const T> values, const Hdf5Handle& space) {
  const Hdf5Handle attribute = make_attribute(object, name, disk_type(T{}), space);
  check_hdf5(H5Awrite(attribute.get(), memory_type(T{}), values.data()),
             fmt::format("cannot write the attribute {}", name));
}

template <typename T>
void write_attribute(hid_t object, const std::string& name, const T& value) {
  write_numbers(object, name, std::span<const T>(&value, 1), scalar_space());
}

void write_unless_empty(hid_t object, const std::string& name, const std::string& text) {
  if (!text.empty()) write_attribute(object, name, text);
}

void write_attributes(hid_t object, const std::map<std::string, ResultsAttribute>& attributes) {
  for (const auto& entry : attributes) {
    std::visit([&](const auto& value) { write_attribute(object, entry.first, value); }, entry.second);
  }
}

Hdf5Handle make_dataset(hid_t place, const std::string& name, hid_t type, const Hdf5Handle& space,
                        hid_t creation = H5P_DEFAULT) {
  return {H5Dcreate2(place, name.c_str(), type, space.get(), H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose,
          fmt::format("cannot create the dataset {}", name)};
}

void write_data(const Hdf5Handle& dataset, const std::string& name, hid_t type, const void* data) {
  check_hdf5(H5Dwrite(dataset.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data),
             fmt::format("cannot write the dataset {}", name));
}

Hdf5Handle write_dataset(hid_t place, const std::string& name, std::span<const std::string> texts,
                         const Hdf5Handle& space) {
  const Hdf5Handle type = string_type();
  Hdf5Handle dataset = make_dataset(place, name, type.get(), space);
  if (!texts.empty()) write_data(dataset, name, type.get(), pointers(texts).data());
  return dataset;
}

// Missing numbers are NaN, and netCDF readers are told so.
Hdf5Handle fill_with_nan() {
  Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "cannot make dataset properties");
  const double missing = std::numeric_limits<double>::quiet_NaN();
  check_hdf5(H5Pset_fill_value(creation.get(), H5T_NATIVE_DOUBLE, &missing), "cannot set the fill value");
  return creation;
}

template <typename T>
Hdf5Handle write_dataset(hid_t place, const std::string& name, std::span<const T> values, const Hdf5Handle& space) {
  const Hdf5Handle creation = std::is_same_v<T, double> ? fill_with_nan() : Hdf5Handle();
  Hdf5Handle dataset =
      make_dataset(place, name, disk_type(T{}), space, std::is_same_v<T, double> ? creation.get() : H5P_DEFAULT);
  if (!values.empty()) write_data(dataset, name, memory_type(T{}), values.data());
  return dataset;
}

Hdf5Handle write_values(hid_t place, const std::string& name, const auto& values, const Hdf5Handle& space) {
  return std::visit(
      [&](const auto& list) {
        using T = typename std::decay_t<decltype(list)>::value_type;
        return write_dataset(place, name, std::span<const T>(list), space);
      },
      values);
}

Hdf5Handle write_dimension(hid_t file, const ResultsDimension& dimension) {
  const Hdf5Handle space = simple_space({static_cast<hsize_t>(length(dimension.coordinate))});
  Hdf5Handle dataset = write_values(file, dimension.name, dimension.coordinate, space);
  check_hdf5(H5DSset_scale(dataset.get(), dimension.name.c_str()),
             fmt::format("cannot make {} a dimension scale", dimension.name));
  write_unless_empty(dataset.get(), "units", dimension.units);
  write_unless_empty(dataset.get(), "long_name", dimension.long_name);
  return dataset;
}

void write_flags(hid_t dataset, const std::vector<std::string>& meanings) {
  std::vector<std::int8_t> values;
  std::string words;
  for (const std::string& meaning : meanings) {
    values.push_back(static_cast<std::int8_t>(values.size()));
    words += (words.empty() ? "" : " ") + meaning;
  }
  write_numbers(dataset, "flag_values", std::span<const std::int8_t>(values),
                simple_space({static_cast<hsize_t>(values.size())}));
  write_attribute(dataset, "flag_meanings", words);
}

void write_variable(hid_t file, const ResultsVariable& variable, const Sizes& sizes,
                    const std::map<std::string, Hdf5Handle>& scales) {
  std::vector<hsize_t> extent;
  for (const std::string& dim : variable.dims) extent.push_back(sizes.at(dim));
  const Hdf5Handle dataset = write_values(file, variable.name, variable.values, simple_space(extent));
  for (unsigned axis = 0; axis < variable.dims.size(); ++axis) {
    const std::string& dim = variable.dims[axis];
    check_hdf5(H5DSattach_scale(dataset.get(), scales.at(dim).get(), axis),
               fmt::format("cannot attach the scale {} to {}", dim, variable.name));
  }
  write_unless_empty(dataset.get(), "units", variable.units);
  write_unless_empty(dataset.get(), "long_name", variable.long_name);
  write_unless_empty(dataset.get(), "source", variable.source);
  if (variable.tolerance > 0.0) write_attribute(dataset.get(), "tolerance", variable.tolerance);
  if (std::holds_alternative<std::vector<double>>(variable.values)) {
    write_attribute(dataset.get(), "_FillValue", std::numeric_limits<double>::quiet_NaN());
  }
  if (!variable.flag_meanings.empty()) write_flags(dataset.get(), variable.flag_meanings);
}

void write_group(hid_t file, const std::string& name, const ResultsGroup& contents) {
  const Hdf5Handle group(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose,
                         fmt::format("cannot create the group {}", name));
  for (const auto& [text_name, text] : contents.texts) {
    write_dataset(group.get(), text_name, std::span<const std::string>(&text, 1), scalar_space());
  }
  write_attributes(group.get(), contents.attributes);
}

// xarray makes coordinates of the variables named here.
std::string auxiliary_names(const ResultsFile& results) {
  std::string names;
  for (const ResultsVariable& variable : results.variables) {
    if (variable.auxiliary) names += (names.empty() ? "" : " ") + variable.name;
  }
  return names;
}

void write_contents(hid_t file, ResultsFile& results, const Sizes& sizes) {
  write_attribute(file, "layout_version", results_layout_version);
  write_attribute(file, "Conventions", std::string("CF-1.8"));
  write_unless_empty(file, "coordinates", auxiliary_names(results));
  write_attributes(file, results.attributes);
  std::map<std::string, Hdf5Handle> scales;
  for (const ResultsDimension& dimension : results.dimensions) {
    scales.emplace(dimension.name, write_dimension(file, dimension));
  }
  for (ResultsVariable& variable : results.variables) {
    write_variable(file, variable, sizes, scales);
    variable.values = {};
  }
  for (const auto& [name, group] : results.groups) write_group(file, name, group);
}

// The bytes of an HDF5 file that exists only in memory, taken over from HDF5 when it closes the file, without a copy.
class MemoryImage {
 public:
  MemoryImage() = default;
  MemoryImage(const MemoryImage&) = delete;
  MemoryImage& operator=(const MemoryImage&) = delete;
  ~MemoryImage() { std::free(bytes_); }

  // For the properties of the one file whose bytes these will be; it must be closed before this object goes.
  void take_from(const Hdf5Handle& access) {
    H5FD_file_image_callbacks_t callbacks{
        [](std::size_t size, H5FD_file_image_op_t, void*) { return std::malloc(size); },
        [](void* to, const void* from, std::size_t size, H5FD_file_image_op_t, void*) {
          return std::memcpy(to, from, size);
        },
        [](void* bytes, std::size_t size, H5FD_file_image_op_t, void*) { return std::realloc(bytes, size); },
        release,
        [](void* image) { return image; },
        [](void*) { return herr_t{0}; },
        this};
    check_hdf5(H5Pset_file_image_callbacks(access.get(), &callbacks), "cannot build a file in memory");
  }

  // Call it when everything is written, while the file is open.
  void measure(const Hdf5Handle& file) {
    check_hdf5(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), "cannot finish the results");
    const auto size = check_hdf5(H5Fget_file_image(file.get(), nullptr, 0), "cannot get the size of the results");
    size_ = static_cast<std::size_t>(size);
  }

  // Once the file is closed.
  [[nodiscard]] std::span<const std::byte> bytes() const {
    if (bytes_ == nullptr) throw Hdf5Error("cannot get the results");
    return {static_cast<const std::byte*>(bytes_), size_};
  }

 private:
  static herr_t release(void* bytes, H5FD_file_image_op_t reason, void* image) {
    if (reason == H5FD_FILE_IMAGE_OP_FILE_CLOSE) {
      static_cast<MemoryImage*>(image)->bytes_ = bytes;
    } else {
      std::free(bytes);
    }
    return 0;
  }

  void* bytes_ = nullptr;
  std::size_t size_ = 0;
};

// An HDF5 file that exists only in memory: HDF5 never sees an error of the disk, after which its files cannot
// be closed.
Hdf5Handle create_in_memory(const std::string& name, MemoryImage& image) {
  constexpr std::size_t increment = std::size_t{4} << 20U;
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "cannot make file properties");
  check_hdf5(H5Pset_fapl_core(access.get(), increment, /*backing_store=*/0), "cannot build a file in memory");
  image.take_from(access);
  return {H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose,
          fmt::format("cannot build {} in memory", name)};
}

}  // namespace

void write_results(const std::filesystem::path& path, ResultsFile results) {
  const Sizes sizes = check(results);
  quiet_hdf5();
  MemoryImage image;
  {
    const Hdf5Handle file = create_in_memory(path.filename().string(), image);
    write_contents(file.get(), results, sizes);
    image.measure(file);
  }
  replace_file(path, [&image](PosixFile& file) { file.write_all(image.bytes()); });
}

}  // namespace diffphase
