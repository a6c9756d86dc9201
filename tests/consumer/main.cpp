// Prints the first entry of a stream of random numbers.

#include <cstdio>

#include "random/random_stream.hpp"

int main() {
  const diffphase::RandomStream stream(1, diffphase::hash_text("consumer"), 0, "example");
  std::printf("%.17g\n", stream.uniform(0, 0));
  return 0;
}
