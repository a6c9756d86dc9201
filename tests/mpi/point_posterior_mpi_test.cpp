#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "dense_posterior.hpp"
#include "posterior/point_posterior.hpp"

namespace diffphase {
namespace {

constexpr std::int64_t points = 5;

struct Answer {
  std::vector<double> log_evidence;
  std::vector<double> mean;
  std::vector<double> score;
  std::vector<double> images;            // Cov V, for the first point
  std::vector<double> responsibilities;  // of the first point, all components
};

// The columns that a layout gives to its rank.
std::vector<double> local_part(const std::vector<double>& whole, std::int64_t rows, const SlabLayout& layout) {
  std::vector<double> part;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto begin = whole.begin() + r * layout.columns + layout.first_column();
    part.insert(part.end(), begin, begin + layout.local_columns());
  }
  return part;
}

// Rows of local columns put together to whole rows on every rank.
std::vector<double> whole_rows(const Communicator& comm, const std::vector<double>& part, std::int64_t rows,
                               const SlabLayout& layout) {
  if (layout.partition == Partition::component) return part;
  std::vector<double> whole(static_cast<std::size_t>(rows * layout.columns));
  for (std::int64_t r = 0; r < rows; ++r) {
    std::copy_n(part.begin() + r * layout.local_columns(), layout.local_columns(),
                whole.begin() + r * layout.columns + layout.first_column());
  }
  comm.sum(whole);
  return whole;
}

Answer answer(const TaskGroup& group, const dense::Mixture& mixture, Partition partition, NoiseLevel level,
              const std::vector<double>& x, const std::vector<double>& vectors) {
  const Communicator& comm = group.comm();
  const SlabLayout layout{.partition = partition,
                          .rows = static_cast<std::int64_t>(mixture.components()),
                          .columns = static_cast<std::int64_t>(mixture.dimension()),
                          .ranks = comm.size(),
                          .rank = comm.rank()};
  const DataSlab slab = dense::slab_of(mixture, layout);
  const PointPosterior posterior(group, slab, {.sigmas = mixture.sigmas, .weights = mixture.weights});
  const std::vector<double> local_x = local_part(x, points, layout);
  const PosteriorMoments moments = posterior.moments(level, points, local_x);
  const PosteriorCovariance covariance(posterior, level,
                                       std::span(local_x).first(static_cast<std::size_t>(layout.local_columns())));
  const std::vector<double> local_vectors = local_part(vectors, points, layout);
  std::vector<double> images(local_vectors.size());
  covariance.apply(points, local_vectors, images);
  std::vector<double> responsibilities(mixture.components());
  for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
    responsibilities[static_cast<std::size_t>(layout.global_row(local))] =
        covariance.responsibilities()[static_cast<std::size_t>(local)];
  }
  if (partition == Partition::component) comm.sum(responsibilities);
  return {.log_evidence = moments.log_evidence,
          .mean = whole_rows(comm, moments.mean, points, layout),
          .score = whole_rows(comm, posterior.score(level, points, local_x), points, layout),
          .images = whole_rows(comm, images, points, layout),
          .responsibilities = responsibilities};
}

void expect_close(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  double largest = 0.0;
  for (const double value : b) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-12 * largest);
}

TEST(PointPosteriorRanks, BothPartitionsGiveTheSerialAnswer) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  // Fewer rows than one block; several blocks of 512 rows; fewer columns than ranks.
  struct Size {
    std::size_t rows, columns;
  };
  for (const Size size : {Size{3, 11}, Size{1700, 13}, Size{40, 2}}) {
    dense::Mixture mixture = dense::random_points(size.rows, size.columns, 1.0, "ranks");
    for (const bool classes : {false, true}) {
      if (classes) {
        for (std::size_t c = 0; c < size.rows; ++c) {
          mixture.sigmas[c] = 0.1 * static_cast<double>(c % 7);
          mixture.weights[c] = 2.0 * static_cast<double>(c + 1) / static_cast<double>(size.rows * (size.rows + 1));
        }
      }
      const RandomStream stream(1, hash_text("points"), 0, "test");
      std::vector<double> x(points * size.columns);
      std::vector<double> vectors(x.size());
      stream.normals(0, 0, x);
      stream.normals(1, 0, vectors);
      const NoiseLevel level{.signal = 0.6, .noise = 0.8};
      const Answer serial = answer(TaskGroup(self), mixture, Partition::component, level, x, vectors);
      for (const Partition partition : {Partition::component, Partition::dimension}) {
        const Answer parallel = answer(TaskGroup(world), mixture, partition, level, x, vectors);
        expect_close(parallel.log_evidence, serial.log_evidence);
        expect_close(parallel.mean, serial.mean);
        expect_close(parallel.score, serial.score);
        expect_close(parallel.images, serial.images);
        expect_close(parallel.responsibilities, serial.responsibilities);
      }
    }
  }
}

TEST(PointPosteriorRanks, AnErrorOnOneRankEndsEverywhere) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const int guilty = world.size() - 1;
  const dense::Mixture mixture = dense::random_points(1200, 8, 1.0, "error");
  const NoiseLevel level = NoiseLevel::at_tau(1.0);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const SlabLayout layout{
        .partition = partition, .rows = 1200, .columns = 8, .ranks = world.size(), .rank = world.rank()};
    const DataSlab slab = dense::slab_of(mixture, layout);
    const PointPosterior posterior(group, slab);
    std::vector<double> x(static_cast<std::size_t>(layout.local_columns()), 0.5);
    const std::vector<double> evidence = posterior.log_evidence(level, 1, x);
    EXPECT_THROW(posterior.responsibilities(level, 1, x, evidence,
                                            [&](const ResponsibilityTile&) {
                                              if (world.rank() == guilty % 3) throw std::runtime_error("no");
                                            }),
                 GroupError);
    if (world.rank() == guilty) x.pop_back();
    EXPECT_THROW(static_cast<void>(posterior.moments(level, 1, x)), GroupError);
    EXPECT_THROW(PosteriorCovariance(posterior, level, x), GroupError);
  }
}

TEST(PointPosteriorRanks, AStopIsSeenEverywhere) {
  const Communicator world = Communicator::world();
  bool stop = false;
  const TaskGroup group(world, [&] { return stop && world.rank() == 0; });
  const dense::Mixture mixture = dense::random_points(100, 8, 1.0, "stop");
  const SlabLayout layout{.rows = 100, .columns = 8, .ranks = world.size(), .rank = world.rank()};
  const DataSlab slab = dense::slab_of(mixture, layout);
  const PointPosterior posterior(group, slab);
  stop = true;
  EXPECT_THROW(static_cast<void>(posterior.moments(NoiseLevel::at_tau(1.0), 1, std::vector<double>(8, 0.5))), Stopped);
}

}  // namespace
}  // namespace diffphase
