#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <tuple>
#include <vector>

#include "spectrum/block_krylov.hpp"
#include "spectrum/krylov.hpp"
#include "spectrum/partial_spectrum.hpp"
#include "spectrum_cases.hpp"

namespace diffphase {
namespace {

using test::SpectrumCase;
using test::Stage;

// The world and an uneven split of it.
template <typename Test>
void on_groups(const Test& run) {
  const Communicator world = Communicator::world();
  const Communicator part = world.split(world.rank() == 0 ? 0 : 1);
  run(TaskGroup(world));
  run(TaskGroup(part));
}

// The diagonal matrix of `values`, split over the group.
SymmetricOperator diagonal(const TaskGroup& group, const std::vector<double>& values) {
  SlabLayout layout{.partition = Partition::dimension,
                    .rows = 1,
                    .columns = static_cast<std::int64_t>(values.size()),
                    .ranks = group.comm().size(),
                    .rank = group.comm().rank()};
  const std::int64_t local = layout.local_columns();
  const std::vector<double> mine(values.begin() + layout.first_column(),
                                 values.begin() + layout.first_column() + local);
  SymmetricOperator op{.size = layout.columns, .local_size = local, .apply = {}};
  op.apply = [mine](std::int64_t, std::span<const double> in, std::span<double> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = mine[i % mine.size()] * in[i];
  };
  op.block = 4;
  return op;
}

// One eigenvalue 1 of the given multiplicity, the others evenly between 0 and 0.9.
std::vector<double> degenerate_values(std::size_t size, std::size_t multiplicity) {
  std::vector<double> values(size, 1.0);
  for (std::size_t i = multiplicity; i < size; ++i) {
    values[i] = 0.9 * static_cast<double>(size - i) / static_cast<double>(size - multiplicity);
  }
  return values;
}

void expect_orthonormal(const TaskGroup& group, const SymmetricOperator& op, const std::vector<double>& vectors) {
  const VectorBlocks blocks(group, op);
  const std::vector<double> products = blocks.products(vectors, vectors);
  const auto count = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(products.size()))));
  for (std::size_t i = 0; i < products.size(); ++i) {
    EXPECT_NEAR(products[i], i / count == i % count ? 1.0 : 0.0, 1e-10);
  }
}

void expect_spectrum(const TaskGroup& group, const SymmetricOperator& op, const PartialSpectrum& found,
                     const std::vector<double>& expected) {
  ASSERT_LE(found.eigenvalues.size(), expected.size());
  const double scale = std::abs(expected.front());
  for (std::size_t i = 0; i < found.eigenvalues.size(); ++i) {
    EXPECT_NEAR(found.eigenvalues[i], expected[i], 1e-8 * scale + 1e-28) << "eigenvalue " << i;
    EXPECT_LE(found.residuals[i], 1e-8 * scale) << "eigenvalue " << i;
  }
  EXPECT_TRUE(found.all_converged()) << found.stop_reason;
  expect_orthonormal(group, op, found.vectors);
}

TEST(PartialSpectrumMpi, AllMethodsAgreeOnScoreJacobians) {
  on_groups([](const TaskGroup& group) {
    for (const SpectrumCase& c : test::spectrum_cases()) {
      if (c.name == "training points far away") continue;
      const auto d = static_cast<std::int64_t>(c.x.size());
      const std::vector<double> expected = dense_largest_eigenpairs(test::dense_operator(c), d).values;
      for (const Partition partition : {Partition::component, Partition::dimension}) {
        const Stage stage(group, c, partition);
        const SymmetricOperator op = stage.jacobian.covariance();
        for (const SpectrumMethod method :
             {SpectrumMethod::automatic, SpectrumMethod::krylov, SpectrumMethod::block_krylov, SpectrumMethod::gram,
              SpectrumMethod::dense}) {
          for (const std::int64_t count : {std::int64_t{1}, std::int64_t{4}, d}) {
            SCOPED_TRACE(c.name + ", " + name(method));
            const PartialSpectrum found =
                largest_eigenpairs(group, op, {.count = count, .method = method, .keep_vectors = true});
            ASSERT_EQ(found.eigenvalues.size(), static_cast<std::size_t>(std::min(count, d)));
            expect_spectrum(group, op, found, expected);
            EXPECT_FALSE(found.reason.empty());
            EXPECT_EQ(found.verification.performed && !found.verification.passed, false);
          }
        }
      }
    }
  });
}

// In dimensions where krylov restarts, and works with blocks of vectors: a multiplicity of 30, more than a block holds,
// clusters, a bulk, and fewer rows with weight than the basis has vectors.
TEST(PartialSpectrumMpi, KrylovFindsTheDenseSpectrumByVectorsAndByBlocks) {
  const NoiseLevel level = NoiseLevel::at_tau(2.0);
  std::vector<SpectrumCase> cases{test::symmetric_classes(31, 150, 0.5), test::clustered(100)};
  cases.push_back(test::noised("bulk", dense::random_points(300, 120, 0.2, "bulk"), level));
  cases.push_back(test::noised("few rows", dense::random_points(12, 100, 0.1, "few rows"), level));
  cases.push_back(test::noised("one row", dense::random_points(1, 80, 1.0, "one row"), level));
  cases.push_back(test::noised("classes", test::equal_classes(20, 90, 0.8), NoiseLevel::at_tau(30.0)));
  on_groups([&](const TaskGroup& group) {
    for (const SpectrumCase& c : cases) {
      const auto d = static_cast<std::int64_t>(c.x.size());
      const std::vector<double> expected = dense_largest_eigenpairs(test::dense_operator(c), d).values;
      for (const Partition partition : {Partition::component, Partition::dimension}) {
        const Stage stage(group, c, partition);
        const SymmetricOperator op = stage.jacobian.covariance();
        const auto find = [&](std::int64_t count, SpectrumMethod method) {
          SCOPED_TRACE(c.name + ", " + name(method) + ", " + std::to_string(count));
          const PartialSpectrum found =
              largest_eigenpairs(group, op, {.count = count, .method = method, .keep_vectors = true});
          ASSERT_EQ(found.eigenvalues.size(), static_cast<std::size_t>(count));
          expect_spectrum(group, op, found, expected);
        };
        for (const std::int64_t count : {std::int64_t{1}, std::int64_t{5}, std::int64_t{30}, d}) {
          find(count, SpectrumMethod::block_krylov);
        }
        find(5, SpectrumMethod::krylov);
      }
    }
  });
}

// What a solution alone reports as converged, and what it reports when it is verified.
void expect_trap_and_rescue(const TaskGroup& group, const SymmetricOperator& op, SpectrumMethod method,
                            double tolerance) {
  SCOPED_TRACE(std::string(name(method)) + ", tolerance " + std::to_string(tolerance));
  const SpectrumOptions alone{.count = 31, .method = method, .tolerance = tolerance, .verify = false};
  const PartialSpectrum trapped = largest_eigenpairs(group, op, alone);
  EXPECT_TRUE(trapped.all_converged());
  EXPECT_FALSE(trapped.verification.performed);
  EXPECT_LT(trapped.eigenvalues.back(), 0.95) << "no copy was lost: this test shows nothing";

  SpectrumOptions verified = alone;
  verified.verify = true;
  const PartialSpectrum found = largest_eigenpairs(group, op, verified);
  EXPECT_TRUE(found.all_converged());
  EXPECT_TRUE(found.verification.passed);
  EXPECT_GE(found.verification.copies_added, 1);
  EXPECT_LT(found.verification.largest_outside, 0.95);
  for (const double value : found.eigenvalues) EXPECT_NEAR(value, 1.0, 10.0 * tolerance * tolerance + 1e-12);
  if (group.comm().is_root()) {
    std::printf("%s, tolerance %g: %d products, smallest %.6f; %d products for verification, %d copies added\n",
                name(method), tolerance, static_cast<int>(trapped.products), trapped.eigenvalues.back(),
                static_cast<int>(found.verification.products), static_cast<int>(found.verification.copies_added));
  }
}

// Krylov-Schur alone reports as many converged eigenvalues as were asked for, of which some are wrong: the search
// orthogonal to them finds the copies that are missing. A tight tolerance alone does not help where there are many.
TEST(PartialSpectrumMpi, MissedCopiesAreFoundByVerification) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const SymmetricOperator op = diagonal(group, degenerate_values(4000, 31));
  for (const double tolerance : {1e-4, 1e-8}) expect_trap_and_rescue(group, op, SpectrumMethod::krylov, tolerance);
}

// A random vector is nearly an eigenvector of a spectrum that falls off fast, and says nothing about a missed copy.
TEST(PartialSpectrumMpi, MissedCopiesAreFoundWhereTheRestOfTheSpectrumIsSmall) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  std::vector<double> values(4000, 1.0);
  for (std::size_t i = 31; i < values.size(); ++i) values[i] = 0.9 / static_cast<double>(i - 30);
  SymmetricOperator op = diagonal(group, values);
  expect_trap_and_rescue(group, op, SpectrumMethod::krylov, 1e-4);
  for (const double tolerance : {1e-4, 1e-8}) {
    expect_trap_and_rescue(group, op, SpectrumMethod::block_krylov, tolerance);
  }
}

// A search for what is above 1, among many eigenvalues just below: a Ritz value between them is close to those that are
// many, and may hide the one that counts.
TEST(PartialSpectrumMpi, OneEigenvalueAboveManyIsSeen) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  for (const auto& [above, many, bulk] : {std::tuple{1.0001, 0.999, 0.7}, {1.00001, 0.9999, 0.7}, {1.001, 0.9, 0.5}}) {
    std::vector<double> values(1000, many);
    values[0] = above;
    for (std::size_t i = 601; i < values.size(); ++i) values[i] = bulk * static_cast<double>(i - 600) / 400.0;
    const SymmetricOperator op = diagonal(group, values);
    for (std::int64_t start = 0; start < 20; ++start) {
      KrylovRequest request{.count = 1, .basis = 36, .start = start, .above = 1.0};
      const double by_blocks = block_krylov_schur(group, op, request).eigenvalues.at(0);
      EXPECT_NEAR(by_blocks, above, 1e-12) << many << ", start " << start;
      if (start > 2) continue;
      EXPECT_NEAR(krylov_schur(group, op, request).eigenvalues.at(0), above, 1e-12) << many << ", start " << start;
    }
    // Where there is none, the search ends.
    values[0] = many;
    const SymmetricOperator without = diagonal(group, values);
    const KrylovResult ended = block_krylov_schur(group, without, {.count = 1, .basis = 36, .above = 1.0});
    EXPECT_EQ(ended.stop_reason, "CONVERGED_TOL");
    EXPECT_LE(ended.products, 100);
  }
}

TEST(PartialSpectrumMpi, DegenerateAndClusteredEigenvaluesAtTheDefaultTolerance) {
  on_groups([](const TaskGroup& group) {
    const SymmetricOperator exact = diagonal(group, degenerate_values(3000, 15));
    const PartialSpectrum found =
        largest_eigenpairs(group, exact, {.count = 16, .method = SpectrumMethod::krylov, .keep_vectors = true});
    EXPECT_TRUE(found.all_converged());
    EXPECT_TRUE(found.verification.passed);
    for (std::size_t i = 0; i < 15; ++i) EXPECT_NEAR(found.eigenvalues[i], 1.0, 1e-12);
    EXPECT_NEAR(found.eigenvalues[15], 0.9, 1e-8);
    expect_orthonormal(group, exact, found.vectors);

    std::vector<double> values = degenerate_values(1000, 12);
    for (std::size_t i = 0; i < 12; ++i) values[i] += 1e-9 * static_cast<double>(12 - i);
    const SymmetricOperator close = diagonal(group, values);
    for (const SpectrumMethod method : {SpectrumMethod::krylov, SpectrumMethod::block_krylov, SpectrumMethod::dense}) {
      const PartialSpectrum pairs = largest_eigenpairs(group, close, {.count = 14, .method = method});
      EXPECT_TRUE(pairs.all_converged());
      for (std::size_t i = 0; i < 14; ++i) EXPECT_NEAR(pairs.eigenvalues[i], values[i], 1e-8) << name(method);
    }
  });
}

// Negative eigenvalues, and fewer dimensions than ranks.
TEST(PartialSpectrumMpi, SmallAndIndefinite) {
  on_groups([](const TaskGroup& group) {
    for (const std::vector<double>& values : std::vector<std::vector<double>>{{-2.0}, {3.0, -5.0}, {0.0, 0.0, 0.0}}) {
      const SymmetricOperator op = diagonal(group, values);
      std::vector<double> expected = values;
      std::sort(expected.rbegin(), expected.rend());
      for (const SpectrumMethod method :
           {SpectrumMethod::krylov, SpectrumMethod::block_krylov, SpectrumMethod::dense, SpectrumMethod::automatic}) {
        SCOPED_TRACE(name(method));
        const PartialSpectrum found = largest_eigenpairs(group, op, {.count = 10, .method = method});
        ASSERT_EQ(found.eigenvalues.size(), expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found.eigenvalues[i], expected[i], 1e-12);
        EXPECT_TRUE(found.all_converged());
        EXPECT_NE(found.method, SpectrumMethod::block_krylov) << "no room for blocks: what is said is what ran";
      }
    }
  });
}

// The start is the same on any number of ranks, so the path is: the same number of restarts and products.
TEST(PartialSpectrumMpi, DoesNotDependOnTheRanks) {
  const Communicator self = Communicator::self();
  const TaskGroup alone(self);
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  std::vector<double> values(500);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1.0 / static_cast<double>(1 + i);
  for (const SpectrumMethod method : {SpectrumMethod::krylov, SpectrumMethod::block_krylov}) {
    const SpectrumOptions options{.count = 5, .method = method};
    const PartialSpectrum one = largest_eigenpairs(alone, diagonal(alone, values), options);
    const PartialSpectrum all = largest_eigenpairs(group, diagonal(group, values), options);
    EXPECT_EQ(one.products, all.products);
    EXPECT_EQ(one.iterations, all.iterations);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(one.eigenvalues[i], all.eigenvalues[i], 1e-14);
  }
}

TEST(PartialSpectrumMpi, AFailingProductFailsOnEveryRankAndTheGroupGoesOn) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const SymmetricOperator good = diagonal(group, degenerate_values(300, 2));
  SymmetricOperator bad = good;
  int products = 0;
  bad.apply = [&](std::int64_t vectors, std::span<const double> in, std::span<double> out) {
    group.run_guarded([&] {
      if (++products == 7 && world.rank() == world.size() - 1) throw std::runtime_error("no memory left");
    });
    good.apply(vectors, in, out);
  };
  for (const SpectrumMethod method : {SpectrumMethod::krylov, SpectrumMethod::block_krylov, SpectrumMethod::dense}) {
    products = method == SpectrumMethod::dense ? 5 : 0;
    EXPECT_THROW((void)largest_eigenpairs(group, bad, {.count = 3, .method = method}), GroupError);
    EXPECT_TRUE(largest_eigenpairs(group, good, {.count = 3, .method = method}).all_converged());
  }
}

TEST(PartialSpectrumMpi, AWishToStopIsHeard) {
  const Communicator world = Communicator::world();
  for (const SpectrumMethod method : {SpectrumMethod::krylov, SpectrumMethod::block_krylov}) {
    int polls = 0;
    const TaskGroup group(world, [&] { return ++polls > 3 && world.is_root(); });
    EXPECT_THROW((void)largest_eigenpairs(group, diagonal(group, degenerate_values(5000, 1)),
                                          {.count = 20, .method = method, .tolerance = 1e-12}),
                 Stopped);
  }
}

TEST(PartialSpectrumMpi, RefusesWhatMakesNoSense) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const SymmetricOperator op = diagonal(group, {1.0, 2.0, 3.0});
  EXPECT_THROW((void)largest_eigenpairs(group, op, {.count = 0}), GroupError);
  EXPECT_THROW((void)largest_eigenpairs(group, op, {.tolerance = 0.0}), GroupError);
  EXPECT_THROW((void)largest_eigenpairs(group, op, {.method = SpectrumMethod::gram}), GroupError);
}

}  // namespace
}  // namespace diffphase
