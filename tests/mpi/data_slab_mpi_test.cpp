#include <gtest/gtest.h>

#include <vector>

#include "ensemble/row_view.hpp"
#include "support/rounded_slab.hpp"

namespace diffphase {
namespace {

GaussianMixture mixture() {
  MixtureParameters p;
  p.dimension = 11;
  p.classes = 4;
  return {p, 5, hash_text("slab mpi test"), 0};
}

// The whole world, and its halves split unevenly.
template <typename Body>
void on_each_group(const Body& body) {
  const Communicator world = Communicator::world();
  body(world);
  const Communicator part = world.split(world.rank() == 0 ? 0 : 1);
  body(part);
}

TEST(DataSlabMpi, FetchedRowsEqualThoseDrawnDirectly) {
  const GaussianMixture m = mixture();
  on_each_group([&](const Communicator& comm) {
    const TaskGroup group(comm);
    for (const Partition partition : {Partition::component, Partition::dimension}) {
      const SlabLayout layout{partition, 2100, 11, comm.size(), comm.rank()};
      const DataSlab slab = draw_training_set(m, layout);
      const auto columns = static_cast<std::size_t>(layout.local_columns());
      const std::vector<std::int64_t> rows{2099, 0, 511, 512, 512, 1023, 1024, 1536, 7, 2048};
      std::vector<double> out(rows.size() * columns, -1.0);
      fetch_rows(group, slab, rows, out);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        std::vector<double> direct(columns);
        m.sample(rows[i], layout.first_column(), direct);
        EXPECT_TRUE(std::equal(direct.begin(), direct.end(), out.begin() + static_cast<std::ptrdiff_t>(i * columns)));
      }
      fetch_rows(group, slab, {}, {});

      const SinglePrecisionSlab rounded = test::single_precision(slab);
      std::vector<double> from_single(out.size(), -1.0);
      fetch_rows(group, rounded, rows, from_single);
      for (std::size_t i = 0; i < out.size(); ++i) {
        EXPECT_EQ(from_single[i], static_cast<double>(static_cast<float>(out[i])));
      }
    }
  });
}

TEST(DataSlabMpi, RowsOutsideTheMatrixThrowOnEveryRank) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const DataSlab slab = draw_training_set(mixture(), {Partition::component, 20, 11, world.size(), world.rank()});
  std::vector<double> out(11);
  for (const std::int64_t row : {-1, 20}) {
    EXPECT_THROW(fetch_rows(group, slab, std::vector{row}, out), std::out_of_range);
  }
  group.agree();
}

// The sum over ranks of each rank's entries, by position, is the whole matrix: no entry missing, none twice.
TEST(DataSlabMpi, TheGlobalMatrixDoesNotDependOnTheRanks) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  const std::int64_t rows = 1300;
  const DataSlab whole = draw_training_set(mixture(), {Partition::component, rows, 11, 1, 0});
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const SlabLayout layout{partition, rows, 11, world.size(), world.rank()};
    const DataSlab slab = draw_training_set(mixture(), layout);
    SlabNumbers<double> assembled(whole.values.size());
    for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
      const auto row = slab.row(local);
      std::copy(row.begin(), row.end(),
                assembled.begin() + layout.global_row(local) * layout.columns + layout.first_column());
    }
    world.sum(std::span<double>(assembled));
    EXPECT_EQ(assembled, whole.values);
  }
}

}  // namespace
}  // namespace diffphase
