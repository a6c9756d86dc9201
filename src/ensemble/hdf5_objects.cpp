#include "ensemble/hdf5_objects.hpp"

#include <fmt/format.h>

#include "ensemble/array_names.hpp"

namespace diffphase {

namespace {

// How links are followed: those into other files are not.
Hdf5Object links_inside(hid_t property_class) {
  Hdf5Object access(H5Pcreate(property_class), H5Pclose);
  const auto refuse = [](const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) -> herr_t {
    return -1;
  };
  H5Pset_elink_cb(access.get(), refuse, nullptr);
  return access;
}

// Paths of the datasets below a group, to a bounded depth and number (hard links may form cycles).
void collect_datasets(hid_t group, const std::string& prefix, int depth, std::vector<std::string>& paths) {
  constexpr int deepest = 8;
  constexpr std::size_t most = 1000;
  H5G_info_t info{};
  if (depth > deepest || H5Gget_info(group, &info) < 0) return;
  for (hsize_t i = 0; i < info.nlinks && paths.size() < most; ++i) {
    char name[256] = {};
    if (H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof(name), H5P_DEFAULT) < 0) return;
    const Hdf5Object object = open_inside(group, name);
    if (!object) continue;
    const H5I_type_t type = H5Iget_type(object.get());
    if (type == H5I_DATASET) paths.push_back(prefix + name);
    if (type == H5I_GROUP) collect_datasets(object.get(), prefix + name + "/", depth + 1, paths);
  }
}

// What a link leads to, of one that cannot be followed; empty for others.
std::string why_no_link(hid_t file, const std::string& path) {
  H5L_info_t info{};
  if (H5Lget_info(file, path.c_str(), &info, H5P_DEFAULT) < 0) return "";
  if (info.type != H5L_TYPE_SOFT && info.type != H5L_TYPE_EXTERNAL) return "";
  std::string value(info.u.val_size + 1, '\0');
  if (H5Lget_val(file, path.c_str(), value.data(), info.u.val_size, H5P_DEFAULT) < 0) return "";
  if (info.type == H5L_TYPE_SOFT)
    return fmt::format("is a link to {}, which leads to nothing in this file", value.c_str());
  const char* name = nullptr;
  const char* object = nullptr;
  unsigned flags = 0;
  if (H5Lunpack_elink_val(value.data(), info.u.val_size, &flags, &name, &object) < 0) return "";
  return fmt::format("is a link into another file, which is not followed: give the dataset {} of the file {} itself",
                     object, name);
}

}  // namespace

std::string innermost_hdf5_error() {
  std::string text = "unknown error";
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
        if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
        return 0;
      },
      &text);
  return text;
}

Hdf5Object open_hdf5_file(const std::string& file) {
  return {H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose};
}

Hdf5Object open_inside(hid_t file, const std::string& path) {
  const Hdf5Object access = links_inside(H5P_LINK_ACCESS);
  return {H5Oopen(file, path.c_str(), access.get()), H5Oclose};
}

std::string nearest_datasets(hid_t file, const std::string& wanted) {
  std::vector<std::string> paths;
  collect_datasets(file, "/", 0, paths);
  return nearest_arrays(std::move(paths), wanted, "dataset");
}

std::string why_no_dataset(hid_t file, const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (!open_inside(file, part)) {
      const std::string why = why_no_link(file, part);
      if (!why.empty()) return fmt::format("{} {}", part, why);
      return fmt::format("has no dataset {}{}", path, nearest_datasets(file, path));
    }
    if (end == std::string::npos) break;
  }
  const Hdf5Object object = open_inside(file, path);
  if (H5Iget_type(object.get()) == H5I_GROUP) {
    std::vector<std::string> paths;
    collect_datasets(object.get(), path.ends_with('/') ? path : path + "/", 0, paths);
    return fmt::format("{} is a group, not a dataset{}", path, nearest_arrays(std::move(paths), path, "dataset"));
  }
  return fmt::format("{} is a type, not a dataset{}", path, nearest_datasets(file, path));
}

std::vector<hsize_t> lengths_of(hid_t space) {
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank <= 0) return {};
  std::vector<hsize_t> lengths(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space, lengths.data(), nullptr);
  return lengths;
}

}  // namespace diffphase
