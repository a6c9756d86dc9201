#include "posterior/frame_probes.hpp"

#include <numeric>
#include <span>

#include "random/random_sequence.hpp"

namespace diffphase {

namespace {

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace

FrameProbes::FrameProbes(const ClassFrame& frame, std::uint64_t seed, const Hash128& ensemble, std::int64_t realization)
    : frame_(frame),
      noise_(seed, ensemble, realization, "noise"),
      rest_(seed, ensemble, realization, "rest of probes") {}

ProbeBlock FrameProbes::draw(std::int64_t first, std::int64_t probes) const {
  ProbeBlock block(probes, frame_.columns());
  block.first = first;
  for (std::int64_t p = 0; p < probes; ++p) {
    block.parents[static_cast<std::size_t>(p)] = frame_.mixture().label(first + p);
    frame_.sample(first + p, block.start(p));
    noise_.normals(static_cast<std::uint64_t>(first + p), 0, block.noise(p));
    measure(block, p);
  }
  return block;
}

// Outside of the frame: x_0 has the length sigma r, r chi of `rest` degrees; xi has one coordinate along it and the
// rest across.
void FrameProbes::measure(ProbeBlock& block, std::int64_t probe) const {
  const auto p = static_cast<std::size_t>(probe);
  block.start_norm2[p] = dot(block.start(probe), block.start(probe));
  block.noise_norm2[p] = dot(block.noise(probe), block.noise(probe));
  block.start_noise[p] = dot(block.start(probe), block.noise(probe));
  const std::int64_t rest = frame_.mixture().dimension() - frame_.columns();
  if (rest == 0) return;
  RandomSequence numbers(rest_, static_cast<std::uint64_t>(block.first + probe));
  const double length = frame_.mixture().sigma(block.parents[p]) * numbers.chi(rest);
  const double along = numbers.normal();
  const double across = numbers.chi(rest - 1);
  block.start_norm2[p] += length * length;
  block.start_noise[p] += length * along;
  block.noise_norm2[p] += along * along + across * across;
}

}  // namespace diffphase
