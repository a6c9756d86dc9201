#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "ensemble/dataset_file.hpp"
#include "ensemble/gaussian_mixture.hpp"
#include "ensemble/hypersphere.hpp"
#include "ensemble/linear_manifold.hpp"
#include "sweep/identity.hpp"
#include "sweep/sweep_file.hpp"

namespace diffphase {

inline constexpr std::string_view samples_key = "dataset.samples";

/// A value of a point and the entry it comes from.
struct PointValue {
  const SweepValue* value;
  const SweepEntry* entry;
};

/// The keys that are given at a point.
using PointValues = std::map<std::string, PointValue, std::less<>>;

/// Where the key is given at this point, `otherwise` if it is not: the begin of messages.
[[nodiscard]] std::string where_of(const PointValues& values, std::string_view key, const std::string& otherwise);

/// The value of a key at this point, `otherwise` if it is not given; the type must be the key's.
template <class Value>
[[nodiscard]] Value get(const PointValues& values, std::string_view key, Value otherwise) {
  const auto found = values.find(key);
  return found == values.end() ? otherwise : std::get<Value>(*found->second.value);
}

/// What the keys of a point say, checked: of a law (the seed and its streams are not there), of a data file (paths
/// relative to the sweep file's folder). Throw BadInput at the line of the key.
[[nodiscard]] MixtureParameters make_mixture(const PointValues& values, const SweepFile& file);
[[nodiscard]] ManifoldParameters make_manifold(const PointValues& values, const SweepFile& file);
[[nodiscard]] SphereParameters make_sphere(const PointValues& values, const SweepFile& file);
[[nodiscard]] DatasetFile make_dataset_file(const PointValues& values, const SweepFile& file);

/// The size of the training set at a point as a key (ensemble/sample_count.hpp); 0 where none is given. Throws BadInput
/// for exp(ALPHA*d) of other data than mixtures, and of fewer than e points.
[[nodiscard]] std::int64_t samples_at(const PointValues& values, const SweepFile& file);

/// Why a key that is given has no effect at this point; empty if it has.
[[nodiscard]] std::string unused_reason(const PointValues& values, std::string_view key);

/// The part of a task's identity that its grid point gives: every key that has an effect and is not at its default.
[[nodiscard]] IdentityKeys point_identity(const PointValues& values, const SweepFile& file);

}  // namespace diffphase
