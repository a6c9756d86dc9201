// The bytes of journals, outside of the checksum: the first three say how they are cut in two files, and how much of
// them is there at the first look.

#include <vector>

#include "fuzz_input.hpp"
#include "journal_reading.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  diffphase::FuzzInput input(data, size);
  const double part = input.byte() / 255.0;
  const auto first = input.take(input.length());
  diffphase::check_journals(first, input.rest(), part);
  return 0;
}
