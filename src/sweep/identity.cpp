#include "sweep/identity.hpp"

#include <limits>

namespace diffphase {

std::string identity_text(const IdentityKeys& keys) {
  std::string text;
  for (const auto& [key, value] : keys) {
    text += key;
    text += '=';
    text += value;
    text += '\n';
  }
  return text;
}

Hash128 task_identity(const IdentityKeys& point, const IdentityKeys& measure, std::int64_t realization) {
  IdentityKeys keys = point;
  keys.insert(measure.begin(), measure.end());
  keys["realization"] = std::to_string(realization);
  return hash_text(identity_text(keys));
}

Hash128 ensemble_identity(const IdentityKeys& point) {
  IdentityKeys keys;
  for (const auto& [key, value] : point) {
    const bool of_data = key.starts_with("ensemble.") || key.starts_with("dataset.");
    if (of_data && key != "ensemble.representation") keys[key] = value;
  }
  return hash_text(identity_text(keys));
}

bool shard_holds(const Hash128& identity, std::int64_t shard, std::int64_t shards) {
  const auto m = static_cast<std::uint64_t>(shards);
  const std::uint64_t two_to_64 = (std::numeric_limits<std::uint64_t>::max() % m + 1) % m;
  const std::uint64_t remainder = ((identity.high % m) * two_to_64 + identity.low % m) % m;
  return remainder == static_cast<std::uint64_t>(shard - 1);
}

}  // namespace diffphase
