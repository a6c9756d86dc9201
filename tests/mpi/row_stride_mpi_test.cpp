// Rows of slabs that are stored apart, with numbers between them that are no column's: posteriors and operators are
// those of the same rows one after the other.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "ensemble/gaussian_mixture.hpp"
#include "ensemble/row_view.hpp"
#include "parallel/communicator.hpp"
#include "parallel/task_group.hpp"
#include "posterior/inner_products.hpp"
#include "posterior/point_posterior.hpp"
#include "spectrum/score_jacobian.hpp"
#include "support/rounded_slab.hpp"

namespace diffphase {
namespace {

constexpr std::int64_t rows = 1600;     // four ranks have some each
constexpr std::int64_t columns = 4300;  // of which a fourth still is more than a page of floats

// Both hold the same rows.
template <typename Slab>
struct Pair {
  Slab apart, packed;

  explicit Pair(Slab slab) : apart(std::move(slab)), packed{.layout = apart.layout, .values = {}} {
    using Number = typename decltype(apart.values)::value_type;
    const std::int64_t local = apart.layout.local_columns();
    const std::int64_t stride = apart.stride();
    EXPECT_GT(stride, local);
    for (std::int64_t row = 0; row < apart.layout.local_rows(); ++row) {
      const auto begin = apart.values.begin() + row * stride;
      packed.values.insert(packed.values.end(), begin, begin + local);
      std::fill(begin + local, begin + stride, std::numeric_limits<Number>::quiet_NaN());
    }
  }
};

// Sums in another order: the rounding of as many terms as there are columns or rows.
constexpr double rounding_of_doubles = 1e-12;
template <typename Slab>
constexpr double rounding_of_products = std::is_same_v<Slab, DataSlab> ? rounding_of_doubles : 1e-4;

void expect_same(std::span<const double> found, std::span<const double> expected,
                 double rounding = rounding_of_doubles) {
  ASSERT_EQ(found.size(), expected.size());
  double largest = 0.0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], expected[i], rounding * largest) << "entry " << i;
}

// Products of every tile, in the order of the tiles.
std::vector<double> products(const TaskGroup& group, const StoredSource& source, const ProbeBlock& probes) {
  std::vector<double> all;
  const auto collect = [&](const ProductTile& tile) {
    for (std::int64_t p = 0; p < tile.probes; ++p) {
      const double* const noise = tile.noise_products + p * tile.stride;
      const double* const start = tile.start_products + p * tile.stride;
      all.insert(all.end(), noise, noise + tile.components);
      all.insert(all.end(), start, start + tile.components);
    }
  };
  source.visit(group, probes, rows, {.consume = collect});
  return all;
}

template <typename Slab>
void expect_same_everywhere(const TaskGroup& group, const Pair<Slab>& slabs) {
  const SlabLayout& layout = slabs.apart.layout;
  ProbeBlock probes(5, layout.local_columns());
  for (std::size_t i = 0; i < probes.points.size(); ++i) probes.points[i] = std::sin(0.1 * static_cast<double>(i));
  probes.measure(group, layout.partition);
  expect_same(products(group, StoredSource(group, slabs.apart), probes),
              products(group, StoredSource(group, slabs.packed), probes), rounding_of_products<Slab>);

  std::vector<double> fetched(2 * static_cast<std::size_t>(layout.local_columns())), other(fetched.size());
  const std::vector<std::int64_t> numbers{rows - 1, 3};
  fetch_rows(group, slabs.apart, numbers, fetched);
  fetch_rows(group, slabs.packed, numbers, other);
  EXPECT_EQ(fetched, other);

  const NoiseLevel level = NoiseLevel::at_tau(1000.0);
  const PointPosterior posterior(group, slabs.apart, {});
  const PointPosterior expected(group, slabs.packed, {});
  const std::span<const double> points =
      std::span(probes.points).first(3 * static_cast<std::size_t>(layout.local_columns()));
  expect_same(posterior.moments(level, 3, points).mean, expected.moments(level, 3, points).mean);
  expect_same(posterior.log_evidence(level, 3, points), expected.log_evidence(level, 3, points));

  const std::span<const double> x = points.first(static_cast<std::size_t>(layout.local_columns()));
  const ScoreJacobian jacobian = ScoreJacobian::at(group, posterior, level, x);
  const ScoreJacobian expected_jacobian = ScoreJacobian::at(group, expected, level, x);
  const SymmetricOperator op = jacobian.covariance();
  const SymmetricOperator witness = expected_jacobian.covariance();
  for (const std::int64_t vectors : {1, 4, 9}) {
    std::vector<double> in(static_cast<std::size_t>(vectors * op.local_size)), out(in.size()), wanted(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = std::cos(0.3 * static_cast<double>(i));
    op.apply(vectors, in, out);
    witness.apply(vectors, in, wanted);
    expect_same(out, wanted);
  }
}

TEST(RowStride, NothingReadsWhatIsBetweenRows) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const GaussianMixture mixture({.dimension = columns}, 1, hash_text("stride"), 0);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const SlabLayout layout{partition, rows, columns, world.size(), world.rank()};
    const DataSlab drawn = draw_training_set(mixture, layout);
    expect_same_everywhere(group, Pair<SinglePrecisionSlab>(test::single_precision(drawn)));
    expect_same_everywhere(group, Pair<DataSlab>(drawn));
  }
}

}  // namespace
}  // namespace diffphase
