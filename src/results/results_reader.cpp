#include "results/results_reader.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <cstddef>
#include <cstdlib>
#include <memory>

#include "files/hdf5_handle.hpp"

namespace diffphase {

namespace {

Hdf5Handle open_dataset(hid_t file, const std::string& name) {
  return {H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose, fmt::format("cannot open the dataset {}", name)};
}

std::string read_string(hid_t file, const std::string& name) {
  const Hdf5Handle dataset = open_dataset(file, name);
  const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "cannot make a string type");
  check_hdf5(H5Tset_size(type.get(), H5T_VARIABLE), "cannot make strings variable");
  check_hdf5(H5Tset_cset(type.get(), H5T_CSET_UTF8), "cannot make strings UTF-8");
  char* text = nullptr;
  check_hdf5(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, static_cast<void*>(&text)),
             fmt::format("cannot read the dataset {}", name));
  const std::unique_ptr<char, void (*)(void*)> owner(text, std::free);
  return text == nullptr ? std::string() : std::string(text);
}

bool holds_numbers(const Hdf5Handle& dataset) {
  const Hdf5Handle type(H5Dget_type(dataset.get()), H5Tclose, "cannot get a type");
  const H5T_class_t kind = H5Tget_class(type.get());
  return kind == H5T_FLOAT || kind == H5T_INTEGER;
}

std::vector<double> read_numbers(const Hdf5Handle& dataset, const std::string& name) {
  const Hdf5Handle space(H5Dget_space(dataset.get()), H5Sclose, "cannot get a data space");
  const hssize_t size = H5Sget_simple_extent_npoints(space.get());
  if (size < 0) throw Hdf5Error(fmt::format("cannot get the size of the dataset {}", name));
  std::vector<double> values(static_cast<std::size_t>(size));
  if (values.empty()) return values;
  check_hdf5(H5Dread(dataset.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
             fmt::format("cannot read the dataset {}", name));
  return values;
}

std::vector<std::string> names_in(hid_t file) {
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5L_info_t*, void* list) -> herr_t {
    static_cast<std::vector<std::string>*>(list)->emplace_back(name);
    return 0;
  };
  check_hdf5(H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit, &names), "cannot list the datasets");
  return names;
}

bool is_dataset(hid_t file, const std::string& name) {
  H5O_info_t info{};
  check_hdf5(H5Oget_info_by_name(file, name.c_str(), &info, H5P_DEFAULT), fmt::format("cannot look at {}", name));
  return info.type == H5O_TYPE_DATASET;
}

}  // namespace

StoredResults read_results(const std::filesystem::path& path) {
  quiet_hdf5();
  const Hdf5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose,
                        fmt::format("cannot open {}", path.string()));
  StoredResults results;
  results.sweep = read_string(file.get(), "provenance/sweep");
  for (const std::string& name : names_in(file.get())) {
    if (!is_dataset(file.get(), name)) continue;
    const Hdf5Handle dataset = open_dataset(file.get(), name);
    if (holds_numbers(dataset)) results.numbers[name] = read_numbers(dataset, name);
  }
  return results;
}

}  // namespace diffphase
