#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ensemble/dataset_file.hpp"
#include "support/array_files.hpp"
#include "support/rounded_slab.hpp"

namespace diffphase {
namespace {

using testing::HasSubstr;

constexpr std::int64_t stored_rows = 1500;
constexpr std::int64_t columns = 1001;  // three blocks of 4 MiB

// A labelled file that the first rank of the world writes and all read.
class DatasetMpi : public testing::Test {
 protected:
  DatasetMpi() {
    std::string images;
    std::string labels;
    if (world_.is_root()) {
      folder_ = std::make_unique<test::TemporaryFolder>("dataset-mpi");
      images = *folder_ / "x.idx";
      labels = *folder_ / "y.idx";
      test::write_file(images, test::idx_header(0x08, {stored_rows, 7, 11, 13}) + bytes(stored_rows * columns));
      test::write_file(labels, test::idx_header(0x08, {stored_rows}) + test::packed<std::uint8_t>(stored_labels()));
    }
    world_.broadcast(images);
    world_.broadcast(labels);
    file_.path = images;
    file_.labels = labels;
    file_.scaling = Scaling::unit;
  }
  ~DatasetMpi() override { world_.barrier(); }

  static std::string bytes(std::int64_t count) {
    std::string text;
    for (std::int64_t i = 0; i < count; ++i) text += static_cast<char>(i * 2654435761U >> 13U & 255U);
    return text;
  }

  static std::vector<double> stored_labels() {
    std::vector<double> labels;
    for (std::int64_t i = 0; i < stored_rows; ++i) labels.push_back(static_cast<double>(i * i % 5));
    return labels;
  }

  static DataSlab read_whole(const DatasetFile& file, const DatasetSummary& summary, std::int64_t rows) {
    const Communicator self = Communicator::self();
    return read_dataset(TaskGroup(self), file, summary, {Partition::component, rows, summary.dimension, 1, 0});
  }

  // The parts of a group's ranks put together equal what one rank alone reads.
  void expect_parts_of_the_whole(const Communicator& comm, std::int64_t rows) const {
    const DatasetSummary summary = inspect_dataset(file_);
    const DataSlab whole = read_whole(file_, summary, rows);
    for (const Partition partition : {Partition::component, Partition::dimension}) {
      const SlabLayout layout{partition, rows, columns, comm.size(), comm.rank()};
      const DataSlab slab = read_dataset(TaskGroup(comm), file_, summary, layout);
      SlabNumbers<double> assembled(whole.values.size());
      ASSERT_EQ(static_cast<std::int64_t>(slab.labels.size()), layout.local_rows());
      for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
        const std::int64_t row = layout.global_row(local);
        const auto part = slab.row(local);
        std::copy(part.begin(), part.end(), assembled.begin() + row * whole.stride() + layout.first_column());
        EXPECT_EQ(slab.labels[static_cast<std::size_t>(local)], whole.labels[static_cast<std::size_t>(row)]);
      }
      comm.sum(std::span(assembled));
      EXPECT_EQ(assembled, whole.values);
    }
  }

  // In single precision: the same less the mean of all rows, rounded.
  void expect_rounded_differences(const Communicator& comm, std::int64_t rows) const {
    const TaskGroup group(comm);
    const DatasetSummary summary = inspect_dataset(file_);
    for (const Partition partition : {Partition::component, Partition::dimension}) {
      const SlabLayout layout{partition, rows, columns, comm.size(), comm.rank()};
      DataSlab slab = read_dataset(group, file_, summary, layout);
      const auto origin = std::span(*summary.column_means).subspan(static_cast<std::size_t>(layout.first_column()));
      for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
        const auto row = slab.row(local);
        std::transform(row.begin(), row.end(), origin.begin(), row.begin(), std::minus<>());
      }
      const SinglePrecisionSlab singles = read_single_precision_differences(group, file_, summary, layout);
      EXPECT_EQ(singles.values, test::single_precision(slab).values);
    }
  }

  // What every rank of the world gets to hear when the world reads the file.
  std::string error_of_reading(const DatasetSummary& summary) const {
    const SlabLayout layout{Partition::component, stored_rows, columns, world_.size(), world_.rank()};
    try {
      (void)read_dataset(TaskGroup(world_), file_, summary, layout);
    } catch (const GroupError& error) {
      return error.what();
    }
    return "no error";
  }

  // Changes the file between inspection and reading.
  void rewrite(const std::string& content) {
    world_.barrier();
    if (world_.is_root()) test::write_file(file_.path, content);
    world_.barrier();
  }

  Communicator world_ = Communicator::world();
  std::unique_ptr<test::TemporaryFolder> folder_;
  DatasetFile file_;
};

TEST_F(DatasetMpi, AnyRanksAndPartitionHoldTheSameMatrix) {
  for (const bool shuffle : {false, true}) {
    file_.shuffle = shuffle;
    for (const std::int64_t rows : {0, 1, 700, 1500}) expect_parts_of_the_whole(world_, rows);
  }
  file_.select_classes = {4, 1};
  expect_parts_of_the_whole(world_, 1100);
}

TEST_F(DatasetMpi, SinglePrecisionHoldsRoundedDifferencesFromTheFirstRow) {
  for (const bool shuffle : {false, true}) {
    file_.shuffle = shuffle;
    for (const std::int64_t rows : {1, 700, 1500}) expect_rounded_differences(world_, rows);
  }
  file_.select_classes = {4, 1};
  file_.scaling = Scaling::standardised;
  expect_rounded_differences(world_, 1100);
}

TEST_F(DatasetMpi, UnevenGroupsReadAtTheSameTime) {
  const Communicator part = world_.split(world_.rank() == 0 ? 0 : 1);
  file_.shuffle = world_.rank() == 0;
  expect_parts_of_the_whole(part, 1200);
}

TEST_F(DatasetMpi, ErrorsOfTheRootReachEveryRank) {
  const DatasetSummary summary = inspect_dataset(file_);
  const std::string name = file_.path;
  file_.path = name + ".missing";
  EXPECT_THAT(error_of_reading(summary), HasSubstr("x.idx.missing: No such file or directory"));
  file_.path = name;
  DatasetSummary other = summary;
  other.rows += 1;
  EXPECT_THAT(error_of_reading(other), HasSubstr("x.idx: has changed since it was inspected"));
}

TEST_F(DatasetMpi, ErrorsInTheMiddleOfAFileReachEveryRank) {
  const DatasetSummary summary = inspect_dataset(file_);
  std::vector<double> numbers(static_cast<std::size_t>(stored_rows * columns), 0.5);
  numbers[static_cast<std::size_t>(1400 * columns + 3)] = 7.0;
  rewrite(test::idx_header(0x0D, {stored_rows, 7, 11, 13}) + test::packed<float>(numbers, true));
  EXPECT_THAT(error_of_reading(summary), HasSubstr("x.idx: row 1400, column 3 (from 0) holds 7"));
  std::string scratch = file_.path + ".scratch" + std::to_string(world_.rank());
  const std::string zipped =
      test::gzipped(test::idx_header(0x08, {stored_rows, 7, 11, 13}) + bytes(stored_rows * columns), scratch);
  rewrite(zipped.substr(0, zipped.size() - 5));
  EXPECT_THAT(error_of_reading(summary), HasSubstr("x.idx: the gzip file is truncated"));
}

TEST_F(DatasetMpi, AStopEndsTheReadingOnEveryRank) {
  const DatasetSummary summary = inspect_dataset(file_);
  int polls = 0;
  const TaskGroup group(world_, [&] { return ++polls == 3 && world_.rank() == world_.size() - 1; });
  const SlabLayout layout{Partition::dimension, stored_rows, columns, world_.size(), world_.rank()};
  EXPECT_THROW((void)read_dataset(group, file_, summary, layout), Stopped);
}

}  // namespace
}  // namespace diffphase
