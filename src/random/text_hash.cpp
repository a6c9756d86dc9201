#include "random/text_hash.hpp"

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid.hpp>

namespace diffphase {

std::string Hash128::hex() const {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(32, '0');
  for (int i = 0; i < 16; ++i) {
    text[static_cast<std::size_t>(15 - i)] = digits[(high >> (4 * i)) & 15U];
    text[static_cast<std::size_t>(31 - i)] = digits[(low >> (4 * i)) & 15U];
  }
  return text;
}

Hash128 hash_text(std::string_view text) {
  static const boost::uuids::name_generator_sha1 root(boost::uuids::ns::url());
  static const boost::uuids::name_generator_sha1 generator(root("diffphase"));
  const boost::uuids::uuid id = generator(text.data(), text.size());
  Hash128 hash;
  for (std::size_t i = 0; i < 8; ++i) {
    hash.high = hash.high << 8 | id.data[i];
    hash.low = hash.low << 8 | id.data[i + 8];
  }
  return hash;
}

}  // namespace diffphase
