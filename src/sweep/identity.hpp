#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "random/text_hash.hpp"

namespace diffphase {

/// Raised when the numbers of an unchanged sweep file change on purpose. In every journal's header.
inline constexpr int numerics_version = 5;

/// What identifies a task or an ensemble: keys with their values in canonical form (canonical_text), sorted
/// by key. Keys at their default are left out, so that a new key with a default changes no identity.
using IdentityKeys = std::map<std::string, std::string, std::less<>>;

/// One line `key=value` per key, sorted. The text whose hash is the identity.
[[nodiscard]] std::string identity_text(const IdentityKeys& keys);

/// Identity of a task: hash of the identity text of `point` (process, ensemble, dataset without samples,
/// seed, precision), `measure` (its name and options) and the realization.
[[nodiscard]] Hash128 task_identity(const IdentityKeys& point, const IdentityKeys& measure, std::int64_t realization);

/// Key of the random streams of a point: hash of the identity text of its ensemble.* and dataset.* keys.
/// Without process, times, measure, seed and realization, so that measures and processes share their draws;
/// without samples, so that training sets are nested; without representation, which is a way to compute and
/// not a law.
[[nodiscard]] Hash128 ensemble_identity(const IdentityKeys& point);

/// True if shard `shard` of `shards` (1-based) holds the task: identity mod shards == shard - 1. Needs shards
/// in [1, 2^31].
[[nodiscard]] bool shard_holds(const Hash128& identity, std::int64_t shard, std::int64_t shards);

}  // namespace diffphase
