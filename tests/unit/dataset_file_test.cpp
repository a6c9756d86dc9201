#include "ensemble/dataset_file.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <tuple>

#include "ensemble/row_reader.hpp"
#include "random/random_stream.hpp"
#include "support/array_files.hpp"

namespace diffphase {
namespace {

using test::gzipped;
using test::idx_header;
using test::npy_header;
using test::packed;
using test::write_file;
using test::zipped;
using testing::AllOf;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

// The part of a file on the only rank of a group.
DataSlab read_all(const DatasetFile& file, std::int64_t rows = -1) {
  const Communicator self = Communicator::self();
  const DatasetSummary summary = inspect_dataset(file);
  const SlabLayout layout{Partition::component, rows < 0 ? summary.rows : rows, summary.dimension, 1, 0};
  return read_dataset(TaskGroup(self), file, summary, layout);
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const DatasetError& error) {
    return error.what();
  }
  return "no error";
}

std::string inspection_error(const DatasetFile& file) {
  return error_of([&] { (void)inspect_dataset(file); });
}

template <typename T>
void write_hdf5(hid_t group, const std::string& name, const std::vector<hsize_t>& shape, hid_t type,
                const std::vector<T>& values, const std::vector<hsize_t>& chunk = {},
                const std::vector<hsize_t>& largest = {}) {
  const hid_t space = shape.empty() ? H5Screate(H5S_SCALAR)
                                    : H5Screate_simple(static_cast<int>(shape.size()), shape.data(),
                                                       largest.empty() ? nullptr : largest.data());
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  if (!chunk.empty()) {
    H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
    H5Pset_deflate(creation, 4);
  }
  const hid_t dataset = H5Dcreate2(group, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  if (!values.empty()) H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(space);
}

class DatasetFileTest : public testing::Test {
 protected:
  // Numbers that every type holds: 7 rows of 2 x 3.
  DatasetFileTest() : numbers_(42) {
    std::iota(numbers_.begin(), numbers_.end(), 1.0);
    numbers_[5] = 255.0;
  }

  std::string write(const std::string& name, const std::string& bytes) {
    write_file(folder_ / name, bytes);
    return folder_ / name;
  }
  std::string write_gz(const std::string& name, const std::string& bytes) {
    return write(name, gzipped(bytes, folder_ / "scratch.gz"));
  }

  // A good file of each format and type, and the numbers of its type.
  std::vector<std::string> write_every_format() {
    const std::string u8 = packed<std::uint8_t>(numbers_);
    const std::string f4 = packed<float>(numbers_);
    const std::string f8 = packed<double>(numbers_);
    std::vector<std::string> names{
        write("u8.idx", idx_header(0x08, {7, 2, 3}) + u8),
        write("f4.idx", idx_header(0x0D, {7, 2, 3}) + packed<float>(numbers_, true)),
        write("f8.idx", idx_header(0x0E, {7, 2, 3}) + packed<double>(numbers_, true)),
        write_gz("u8.idx.gz", idx_header(0x08, {7, 2, 3}) + u8),
        write_gz("f8.npy.gz", npy_header("<f8", "(7, 2, 3)") + f8),
    };
    for (const int version : {1, 2, 3}) {
      const std::string tag = std::to_string(version) + ".npy";
      names.push_back(write("u1-" + tag, npy_header("|u1", "(7, 2, 3)", version) + u8));
      names.push_back(write("f4-" + tag, npy_header("<f4", "(7, 2, 3)", version) + f4));
      names.push_back(write("f8-" + tag, npy_header("<f8", "(7, 2, 3)", version) + f8));
    }
    for (const auto& [tag, dictionary, bytes] : std::vector<std::tuple<std::string, std::string, std::string>>{
             {"f2", "{'descr': '<f2', 'fortran_order': False, 'shape': (7, 2, 3)}", half_numbers()},
             {"i2", "{'descr': '>i2', 'fortran_order': False, 'shape': (7, 2, 3)}",
              packed<std::int16_t>(numbers_, true)},
             {"u4", "{'descr': '=u4', 'fortran_order': False, 'shape': (7, 2, 3)}", packed<std::uint32_t>(numbers_)},
             {"i8", "{'descr': 'int64', 'fortran_order': False, 'shape': (7, 2, 3)}", packed<std::int64_t>(numbers_)},
             {"be", "{'descr': '>f8', 'fortran_order': False, 'shape': (7, 2, 3)}", packed<double>(numbers_, true)},
             {"order", "{'descr': '<f4', 'fortran_order': True, 'shape': (7, 2, 3)}", packed<float>(column_major())},
             {"quotes", "{\"shape\": (7,2,3), \"descr\": \"<f8\", \"fortran_order\": False}", f8},
             {"python2", "{'descr': u'<f8', 'fortran_order': False, 'shape': (7L, 2L, 3L), }", f8}}) {
      const std::string array = npy_header(dictionary) + bytes;
      names.push_back(write(tag + ".npy", array));
      if (tag != "f2" && tag != "order") continue;
      names.push_back(write(tag + "-stored.npz", zipped("x.npy", array, false)));
      names.push_back(write(tag + "-deflated.npz", zipped("x.npy", array, true)));
    }
    names.push_back(write_gz("order.npy.gz", test::read_file(folder_ / "order.npy")));
    const std::string path = folder_ / "all.h5";
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t group = H5Gcreate2(file, "deep", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    write_hdf5(group, "u8", {7, 2, 3}, H5T_STD_U8LE, numbers_);
    write_hdf5(group, "f4", {7, 2, 3}, H5T_IEEE_F32LE, numbers_, {2, 2, 2});
    write_hdf5(group, "f8be", {7, 2, 3}, H5T_IEEE_F64BE, numbers_, {3, 1, 3});
    H5Gclose(group);
    H5Fclose(file);
    for (const char* name : {":/deep/u8", ":/deep/f4", ":/deep/f8be"}) names.push_back(path + name);
    return names;
  }

  // The same numbers with the first of the three indices varying fastest.
  [[nodiscard]] std::vector<double> column_major() const {
    std::vector<double> reversed;
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t j = 0; j < 2; ++j) {
        for (std::size_t i = 0; i < 7; ++i) reversed.push_back(numbers_[(i * 2 + j) * 3 + k]);
      }
    }
    return reversed;
  }

  // As IEEE half precision, little-endian: positive integers below 2^11 only.
  [[nodiscard]] std::string half_numbers() const {
    std::vector<double> bits;
    for (const double number : numbers_) {
      int exponent = 0;
      const double fraction = std::frexp(number, &exponent);
      bits.push_back((exponent + 14) * 1024 + (2.0 * fraction - 1.0) * 1024);
    }
    return packed<std::uint16_t>(bits);
  }

  test::TemporaryFolder folder_{"dataset"};
  std::vector<double> numbers_;
};

TEST_F(DatasetFileTest, EveryFormatAndTypeGivesTheSameNumbers) {
  for (const std::string& name : write_every_format()) {
    SCOPED_TRACE(name);
    DatasetFile file;
    file.path = name;
    const DatasetSummary summary = inspect_dataset(file);
    EXPECT_EQ(summary.rows, 7);
    EXPECT_EQ(summary.dimension, 6);
    EXPECT_TRUE(summary.class_sizes.empty());
    const DataSlab slab = read_all(file);
    EXPECT_THAT(slab.values, ElementsAreArray(numbers_));
    EXPECT_TRUE(slab.labels.empty());
    EXPECT_THAT(read_all(file, 3).values, ElementsAreArray(numbers_.begin(), numbers_.begin() + 18));
  }
}

// Of the rows that are selected, as they are scaled; the largest number is that of the file.
TEST_F(DatasetFileTest, SaysWhereTheMiddleIsAndWhichNumberIsTheLargest) {
  DatasetFile file;
  file.path = write("x.npy", npy_header("<f8", "(4, 2)") + packed<double>({1.0, 2.0, -8.0, 4.0, 3.0, 0.0, 5.0, 6.0}));
  DatasetSummary summary = inspect_dataset(file);
  EXPECT_THAT(*summary.column_means, ElementsAre(0.25, 3.0));
  EXPECT_EQ(summary.largest.value, -8.0);
  EXPECT_EQ(summary.largest.row, 1);
  EXPECT_EQ(summary.largest.column, 0);
  EXPECT_EQ(summary.largest_entry, 8.0);
  file.labels = write("labels.npy", npy_header("<i8", "(4,)") + packed<std::int64_t>({7, 8, 7, 7}));
  file.select_classes = {7};
  file.scaling = Scaling::standardised;
  summary = inspect_dataset(file);
  const double deviation = summary.standard_deviation;
  ASSERT_EQ(summary.column_means->size(), 2U);
  EXPECT_NEAR(summary.column_means->at(0), (3.0 - summary.mean) / deviation, 1e-14);
  EXPECT_NEAR(summary.largest_entry, (8.0 + summary.mean) / deviation, 1e-14);
}

TEST_F(DatasetFileTest, RowsMayBeOfOneNumberWhereTheShapeSaysSo) {
  DatasetFile file;
  file.path = write("labels.npy", npy_header("<f8", "(42,)") + packed<double>(numbers_));
  EXPECT_THAT(inspection_error(file),
              HasSubstr("its shape is [42], one number for each row: labels in place of data?"));
  file.path = write("one.npy", npy_header("<f8", "(42, 1)") + packed<double>(numbers_));
  EXPECT_EQ(inspect_dataset(file).dimension, 1);
  EXPECT_THAT(read_all(file).values, ElementsAreArray(numbers_));
}

TEST_F(DatasetFileTest, MomentsAreThoseOfAllEntries) {
  DatasetFile file;
  file.path = write("u8.idx", idx_header(0x08, {7, 2, 3}) + packed<std::uint8_t>(numbers_));
  for (const std::int64_t pad : {0, 2}) {
    file.pad = pad;
    const double n = pad == 0 ? 42.0 : 7.0 * 6.0 * 7.0;
    const double mean = std::accumulate(numbers_.begin(), numbers_.end(), 0.0) / n;
    const double squares = std::inner_product(numbers_.begin(), numbers_.end(), numbers_.begin(), 0.0);
    const DatasetSummary summary = inspect_dataset(file);
    EXPECT_NEAR(summary.mean, mean, 1e-12 * mean);
    EXPECT_NEAR(summary.standard_deviation, std::sqrt(squares / n - mean * mean), 1e-10);
  }
}

TEST_F(DatasetFileTest, ScalingsOfIntegers) {
  DatasetFile file;
  file.path = write("u8.idx", idx_header(0x08, {7, 2, 3}) + packed<std::uint8_t>(numbers_));
  file.scaling = Scaling::unit;
  EXPECT_EQ(read_all(file).values[0], 1.0 / 255.0);
  EXPECT_EQ(read_all(file).values[5], 1.0);
  file.scaling = Scaling::symmetric;
  EXPECT_DOUBLE_EQ(read_all(file).values[0], 2.0 / 255.0 - 1.0);
  EXPECT_EQ(read_all(file).values[5], 1.0);
  file.scaling = Scaling::standardised;
  file.pad = 1;
  const auto values = read_all(file).values;
  EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0), 0.0, 1e-11);
  EXPECT_NEAR(
      std::inner_product(values.begin(), values.end(), values.begin(), 0.0) / static_cast<double>(values.size()), 1.0,
      1e-12);
}

TEST_F(DatasetFileTest, FloatingPointNumbersMustBeInRangeAlreadyWhereScaledToAnInterval) {
  DatasetFile file;
  file.path = write("f.npy", npy_header("<f4", "(2, 2)") + packed<float>({0.0, 0.25, 0.5, 1.0}));
  file.scaling = Scaling::unit;
  EXPECT_THAT(read_all(file).values, ElementsAre(0.0, 0.25, 0.5, 1.0));
  file.scaling = Scaling::symmetric;
  EXPECT_THAT(read_all(file).values, ElementsAre(-1.0, -0.5, 0.0, 1.0));
  file.path = write("f.npy", npy_header("<f8", "(2, 2)") + packed<double>({0.0, 0.25, 17.5, 1.0}));
  EXPECT_THAT(inspection_error(file),
              HasSubstr("f.npy: row 1, column 0 (from 0) holds 17.5, but scaling = \"[-1,1]\" needs floating-point "
                        "numbers that lie between 0 and 1 already"));
}

TEST_F(DatasetFileTest, PaddingSurroundsEachImage) {
  DatasetFile file;
  file.path = write("p.npy", npy_header("|u1", "(2, 1, 2)") + packed<std::uint8_t>({51, 102, 255, 204}));
  file.pad = 1;
  EXPECT_EQ(inspect_dataset(file).dimension, 12);
  EXPECT_THAT(read_all(file).values, ElementsAre(0, 0, 0, 0, 0, 51, 102, 0, 0, 0, 0, 0,  //
                                                 0, 0, 0, 0, 0, 255, 204, 0, 0, 0, 0, 0));
  file.scaling = Scaling::symmetric;
  EXPECT_THAT(read_all(file, 1).values, ElementsAre(-1, -1, -1, -1, -1, -0.6, testing::DoubleNear(-0.2, 1e-15), -1,  //
                                                    -1, -1, -1, -1));
}

// Ten rows (i, i) with the labels below, the labels in every format.
class LabelledFileTest : public DatasetFileTest {
 protected:
  LabelledFileTest() {
    for (int i = 0; i < 10; ++i) pairs_.insert(pairs_.end(), 2, i);
    file_.path = write("x.npy", npy_header("<f4", "(10, 2)") + packed<float>(pairs_));
    file_.labels = write("y.idx", idx_header(0x08, {10}) + packed<std::uint8_t>(labels_));
  }

  std::vector<std::string> write_labels() {
    std::vector<std::string> names{
        file_.labels,
        write_gz("y.idx.gz", idx_header(0x08, {10}) + packed<std::uint8_t>(labels_)),
        write("y4.idx", idx_header(0x0C, {10}) + packed<std::int32_t>(labels_, true)),
        write("y8.npy", npy_header("<i8", "(10,)") + packed<std::int64_t>(labels_)),
        write("y8.2.npy", npy_header("<u2", "(10, 1)") + packed<std::uint16_t>(labels_)),
        write("yf.npy", npy_header("<f8", "(10,)") + packed<double>(labels_)),
        write("row.npy", npy_header("<f8", "(1, 10)") + packed<double>(labels_)),
        write("y.npz", zipped("y.npy", npy_header("<i2", "(10,)") + packed<std::int16_t>(labels_), true)),
    };
    const std::string path = folder_ / "y.h5";
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    write_hdf5(file, "y", {10}, H5T_STD_I64LE, labels_);
    H5Fclose(file);
    names.push_back(path + ":/y");
    return names;
  }

  const std::vector<double> labels_{3, 8, 1, 8, 3, 3, 5, 8, 1, 8};
  std::vector<double> pairs_;
  DatasetFile file_;
};

TEST_F(LabelledFileTest, LabelsBecomeTheirPlaceAmongThosePresent) {
  for (const std::string& name : write_labels()) {
    SCOPED_TRACE(name);
    file_.labels = name;
    EXPECT_THAT(inspect_dataset(file_).class_sizes, ElementsAre(2, 3, 1, 4));
    EXPECT_THAT(read_labels(file_, 10), ElementsAre(1, 3, 0, 3, 1, 1, 2, 3, 0, 3));
    EXPECT_EQ(read_all(file_).labels, read_labels(file_, 10));
    EXPECT_EQ(read_all(file_, 4).labels, read_labels(file_, 4));
  }
}

TEST_F(LabelledFileTest, SelectedClassesAreCountedInTheOrderOfTheList) {
  file_.select_classes = {8, 1};
  const DatasetSummary summary = inspect_dataset(file_);
  EXPECT_EQ(summary.rows, 6);
  EXPECT_THAT(summary.class_sizes, ElementsAre(4, 2));
  const DataSlab slab = read_all(file_);
  EXPECT_THAT(slab.values, ElementsAre(1, 1, 2, 2, 3, 3, 7, 7, 8, 8, 9, 9));
  EXPECT_THAT(slab.labels, ElementsAre(0, 1, 0, 0, 1, 0));
  EXPECT_EQ(read_labels(file_, 6), slab.labels);
  EXPECT_NEAR(summary.mean, 5.0, 1e-14);
}

TEST_F(LabelledFileTest, ShufflePermutesRowsWithTheirLabels) {
  file_.shuffle = true;
  for (const bool select : {false, true}) {
    if (select) file_.select_classes = {8, 1};
    const DataSlab slab = read_all(file_);
    std::set<double> seen;
    for (std::size_t i = 0; i < slab.labels.size(); ++i) {
      const double row = slab.values[2 * i];
      seen.insert(row);
      const auto stored = static_cast<std::int64_t>(labels_[static_cast<std::size_t>(row)]);
      EXPECT_EQ(stored, select ? (slab.labels[i] == 0 ? 8 : 1)
                               : (std::vector{1, 3, 5, 8}[static_cast<std::size_t>(slab.labels[i])]));
    }
    EXPECT_EQ(seen.size(), slab.labels.size());
    EXPECT_FALSE(std::is_sorted(slab.values.begin(), slab.values.end()));
    EXPECT_EQ(read_labels(file_, static_cast<std::int64_t>(slab.labels.size())), slab.labels);
    // A prefix is a prefix of the same permutation, another seed another permutation.
    const DataSlab prefix = read_all(file_, 3);
    EXPECT_TRUE(std::equal(prefix.values.begin(), prefix.values.end(), slab.values.begin()));
    EXPECT_EQ(read_labels(file_, 3), prefix.labels);
    file_.seed = 2;
    EXPECT_NE(read_all(file_).values, slab.values);
    file_.seed = 1;
  }
}

TEST_F(LabelledFileTest, ShuffledPositionsAreUniform) {
  // Row 0 of five lands on every position equally often over seeds: chi-squared with four degrees of freedom.
  file_.labels.clear();
  file_.path = write("five.npy", npy_header("|u1", "(5, 1)") + packed<std::uint8_t>({0, 1, 2, 3, 4}));
  file_.shuffle = true;
  std::vector<double> counts(5);
  for (file_.seed = 0; file_.seed < 500; ++file_.seed) {
    const auto values = read_all(file_).values;
    ++counts[static_cast<std::size_t>(std::find(values.begin(), values.end(), 0.0) - values.begin())];
  }
  double chi_squared = 0.0;
  for (const double count : counts) chi_squared += (count - 100.0) * (count - 100.0) / 100.0;
  EXPECT_LT(chi_squared, 23.5);  // 1e-4
}

TEST_F(LabelledFileTest, BadLabelsAndSelections) {
  const DatasetFile good = file_;
  file_.select_classes = {8, 4};
  EXPECT_THAT(inspection_error(file_), AllOf(HasSubstr("y.idx: select_classes = [8, 4], but no row has the label 4"),
                                             HasSubstr("the labels present are 1, 3, 5, 8")));
  file_.select_classes = {8, 8};
  EXPECT_THAT(inspection_error(file_), HasSubstr("names the label 8 twice"));
  file_.labels.clear();
  EXPECT_THAT(inspection_error(file_), HasSubstr("x.npy: select_classes = [8, 8] needs labels"));
  file_ = good;
  file_.labels = write("short.idx", idx_header(0x08, {9}) + std::string(9, '\1'));
  EXPECT_THAT(inspection_error(file_),
              AllOf(HasSubstr("short.idx: has 9 labels, but "), HasSubstr("x.npy has 10 rows")));
  file_.labels = write("half.npy", npy_header("<f8", "(3,)") + packed<double>({1.0, 0.5, 2.0}));
  EXPECT_THAT(inspection_error(file_), HasSubstr("half.npy: the label of row 1 is 0.5, but labels must be integers"));
  file_.labels = write("nan.npy", npy_header("<f8", "(1,)") + packed<double>({std::nan("")}));
  EXPECT_THAT(inspection_error(file_), HasSubstr("the label of row 0 is nan"));
  file_.labels = write("wide.idx", idx_header(0x08, {5, 2}) + std::string(10, '\1'));
  EXPECT_THAT(inspection_error(file_), HasSubstr("one integer for each row, but their shape is [5, 2]"));
  file_.labels = folder_ / "nowhere";
  EXPECT_THAT(inspection_error(file_), HasSubstr("nowhere: No such file or directory"));
  EXPECT_THAT(error_of([&] { (void)read_labels(good, 11); }), HasSubstr("11 rows are asked for, but it has 10"));
}

TEST_F(DatasetFileTest, ErrorsNameTheFileTheValueAndWhatIsAllowed) {
  struct Case {
    std::string path;
    std::string expected;
  };
  const std::string u8 = packed<std::uint8_t>(numbers_);
  const std::string f8 = packed<double>(numbers_);
  const double infinity = std::numeric_limits<double>::infinity();
  std::filesystem::create_directory(folder_ / "folder");
  const std::string structured = "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (42,), }";
  const std::string gz = gzipped(idx_header(0x08, {7, 2, 3}) + u8, folder_ / "scratch.gz");
  const std::vector<Case> cases{
      {folder_ / "missing.idx", "missing.idx: No such file or directory"},
      {folder_ / "missing.h5:/data", "missing.h5: No such file or directory"},
      {folder_ / "folder", "folder: is a directory, but a file is needed"},
      {"/dev/zero", "/dev/zero: is not a regular file"},
      {write("empty", ""), "empty: the file is empty"},
      {write("elf",
             "\x7f"
             "ELF...."),
       "elf: begins with the bytes 7f 45 4c 46, but IDX begins with 00 00"},
      {write("cut.gz", gz.substr(0, gz.size() - 9)), "cut.gz: the gzip file is truncated"},
      {write("bad.gz", gz.substr(0, gz.size() - 6) + "\1\1\1\1\1\1"), "bad.gz: the gzip file is damaged"},
      {write("code.idx", idx_header(0x0A, {7, 6}) + u8),
       "code.idx: wrong magic number: the IDX type code is 0x0a, but it must be one of 0x08, 0x09"},
      {write("twice.gz", gz + gz), "twice.gz: bytes follow after the last row"},
      {write("behind.gz", gz + "tail"), "behind.gz: the gzip file is damaged: other bytes follow after its end"},
      {write("rank.idx", idx_header(0x08, {}) + u8), "rank.idx: holds a single number (rank 0)"},
      {write("zero.idx", idx_header(0x08, {7, 0})),
       "zero.idx: its shape is [7, 0], but every length must be at least 1"},
      {write("cut.idx", idx_header(0x08, {7, 60000}) + u8),
       "cut.idx: is truncated or damaged: its header declares [7, 60000] numbers of type uint8, more than "
       "the file can"},
      {write("near.idx", idx_header(0x08, {7, 6}) + u8.substr(1)), "near.idx: is truncated: the array"},
      {write("long.idx", idx_header(0x08, {7, 6}) + u8 + "?"),
       "long.idx: bytes follow after the last row, but its header declares the shape [7, 6]"},
      {write("huge.idx", idx_header(0x0E, {4294967295U, 4294967295U, 4294967295U}) + u8),
       "numbers of type float64, more than the file can hold"},
      {write("rank.npy", npy_header("<f8", "()") + f8), "rank.npy: holds a single number (rank 0)"},
      {write("c16.npy", npy_header("<c16", "(21,)") + f8), "c16.npy: its NPY dtype is '<c16', but"},
      {write("struct.npy", npy_header(structured) + f8), "struct.npy: its NPY dtype is [('a', '<f8')], but"},
      {write("order.npy", npy_header("{'descr': '<f8', 'fortran_order': 1, 'shape': (7, 6), }") + f8),
       "order.npy: its NPY header says fortran_order = 1"},
      {write("wide.npy", npy_header("<i8", "(1, 2)") + packed<std::int64_t>({1.0, 0x1p60})),
       "wide.npy: row 0, column 1 (from 0) holds 1152921504606846976, an integer beyond 2^53"},
      {write("version.npy", npy_header("<f8", "(42,)", 4) + f8), "version.npy: its NPY version is 4, but it must be 1"},
      {write("shape.npy", npy_header("<f8", "(4, 'x')") + f8), "shape.npy: its NPY header has the shape (4, 'x')"},
      {write("keys.npy", npy_header("{'descr': '<f8'}") + f8), "keys.npy: its NPY header is damaged: descr,"},
      {write("negative.npy", npy_header("<f8", "(-4, 6)") + f8), "its shape is [-4, 6], but every length must be at"},
      {write("nan.npy", npy_header("<f8", "(2, 2)") + packed<double>({1.0, 2.0, 3.0, std::nan("")})),
       "nan.npy: row 1, column 1 (from 0) holds nan, but every number must be finite"},
      {write("inf.idx", idx_header(0x0D, {2, 2}) + packed<float>({1.0, -infinity, 3.0, 4.0}, true)),
       "inf.idx: row 0, column 1 (from 0) holds -inf, but every number must be finite"},
      {write("plain.npy", npy_header("<f8", "(42,)") + f8) + ":/x", "plain.npy: is no HDF5 or npz file"},
      {write("inside.h5.gz", gzipped("\x89HDF\r\n\x1a\n", folder_ / "scratch.gz")),
       "inside.h5.gz: is a gzipped HDF5 file, whose arrays cannot be read without unpacking it: gunzip it"},
      {write("inside.npz.gz", gzipped(zipped("x.npy", npy_header("<f8", "(7, 6)") + f8, true), folder_ / "scratch.gz")),
       "inside.npz.gz: is a gzipped npz file"},
  };
  for (const Case& c : cases) {
    DatasetFile file;
    file.path = c.path;
    EXPECT_THAT(inspection_error(file), HasSubstr(c.expected));
  }
}

TEST_F(DatasetFileTest, ErrorsOfHdf5Files) {
  const std::string path = folder_ / "bad.h5";
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t group = H5Gcreate2(file, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  write_hdf5(group, "images", {7, 6}, H5T_IEEE_F64LE, numbers_);
  write_hdf5(group, "scalar", {}, H5T_IEEE_F64LE, std::vector<double>{1.0});
  write_hdf5<double>(group, "text", {3}, H5T_C_S1, {});
  write_hdf5(group, "i4", {7, 6}, H5T_STD_I32LE, numbers_);
  write_hdf5<double>(group, "enormous", {1ULL << 50U, 6}, H5T_IEEE_F64LE, {}, {1, 6});
  write_hdf5<double>(group, "chunky", {1, 6}, H5T_IEEE_F64LE, {}, {1ULL << 25U, 6}, {H5S_UNLIMITED, 6});
  H5Gclose(group);
  H5Fclose(file);
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "an HDF5 file needs the path of a dataset, as in "},
      {":/train/image",
       "bad.h5: has no dataset /train/image; the nearest of its datasets are /train/images, /train/i4, "},
      {":/train", "bad.h5: /train is a group, not a dataset; the nearest of its datasets are "},
      {":/train/scalar", "bad.h5:/train/scalar: holds a single number (rank 0)"},
      {":/train/text", "bad.h5:/train/text: its HDF5 type is neither an integer nor"},
      {":/train/enormous", "/train/enormous: is truncated or damaged: its header declares [1125899906842624, 6]"},
      {":/train/chunky", "/train/chunky: is truncated or damaged: its header declares [33554432, 6]"},
  };
  testing::internal::CaptureStderr();
  for (const auto& [suffix, expected] : cases) {
    DatasetFile dataset;
    dataset.path = path + suffix;
    EXPECT_THAT(inspection_error(dataset), HasSubstr(expected));
  }
  const std::string bytes = test::read_file(path);
  DatasetFile cut;
  cut.path = write("cut.h5", bytes.substr(0, bytes.size() / 2)) + ":/train/images";
  EXPECT_THAT(inspection_error(cut), HasSubstr("cut.h5: HDF5 cannot open it (truncated file"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");  // HDF5 prints nothing
}

TEST_F(DatasetFileTest, TransposedDataAreThoseOfWhoStoresTheFirstIndexLast) {
  // Rows of 2 x 3 as every writer of column-major arrays stores them: the axes are [3, 2, 7].
  const std::vector<double> stored = column_major();
  const std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2, 7), }";
  const std::string path = folder_ / "t.h5";
  const hid_t h5 = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  write_hdf5(h5, "whole", {3, 2, 7}, H5T_IEEE_F64LE, stored);
  write_hdf5(h5, "chunks", {3, 2, 7}, H5T_IEEE_F32LE, stored, {2, 2, 3});
  H5Fclose(h5);
  DatasetFile file;
  file.transpose = true;
  for (const std::string& name :
       {write("t.npy", npy_header(header) + packed<double>(stored)), path + ":/whole", path + ":/chunks",
        write("t.npz", zipped("t.npy", npy_header(header) + packed<double>(stored), true)),
        write_gz("t.idx.gz", idx_header(0x0E, {3, 2, 7}) + packed<double>(stored, true)),
        // Reversed twice: the bytes of the rows one after another.
        write("f.npy", npy_header("{'descr': '<f8', 'fortran_order': True, 'shape': (3, 2, 7), }") +
                           packed<double>(numbers_))}) {
    SCOPED_TRACE(name);
    file.path = name;
    EXPECT_EQ(inspect_dataset(file).rows, 7);
    EXPECT_EQ(inspect_dataset(file).dimension, 6);
    EXPECT_THAT(read_all(file).values, ElementsAreArray(numbers_));
    file.pad = 1;  // of images of 2 x 3
    EXPECT_EQ(inspect_dataset(file).dimension, 4 * 5);
    file.pad = 0;
  }
  file.transpose = false;
  EXPECT_EQ(inspect_dataset(file).rows, 3);
}

// More rows than one tile of a reversed array holds: 2^23 numbers.
TEST_F(DatasetFileTest, ReversedArraysOfSeveralTiles) {
  constexpr std::int64_t rows = (1 << 22) + 5;
  std::string bytes(2 * rows, '\0');
  for (std::int64_t i = 0; i < rows; ++i) {
    bytes[static_cast<std::size_t>(i)] = static_cast<char>(i % 100);
    bytes[static_cast<std::size_t>(rows + i)] = static_cast<char>(i % 97);
  }
  const std::string array =
      npy_header(fmt::format("{{'descr': '|u1', 'fortran_order': True, 'shape': ({}, 2)}}", rows)) + bytes;
  for (const std::string& name : {write("tiles.npy", array), write("tiles.npz", zipped("a.npy", array, true))}) {
    const auto reader = open_rows(name, Axes::stored);
    std::vector<double> part(2 * 1000);
    std::int64_t wrong = 0;
    for (std::int64_t row = 0; row < rows;) {
      const std::int64_t count = std::min<std::int64_t>(1000, rows - row);
      const std::span<double> out = std::span(part).first(static_cast<std::size_t>(2 * count));
      reader->read(out);
      for (std::size_t i = 0; i < out.size(); i += 2, ++row) {
        wrong += out[i] != static_cast<double>(row % 100) || out[i + 1] != static_cast<double>(row % 97) ? 1 : 0;
      }
    }
    reader->finish();
    EXPECT_EQ(wrong, 0);
  }
}

TEST_F(DatasetFileTest, HalfPrecision) {
  DatasetFile file;
  const std::vector<double> bits{0x0000, 0x8000, 0x0001, 0x03ff, 0x3c00, 0xc000, 0x7bff, 0x3555};
  file.path = write("h.npy", npy_header("<f2", "(4, 2)") + packed<std::uint16_t>(bits));
  EXPECT_THAT(read_all(file).values, ElementsAre(0.0, -0.0, 0x1p-24, 1023.0 * 0x1p-24, 1.0, -2.0, 65504.0, 0x1.554p-2));
  file.path = write("h.npy", npy_header("<f2", "(1, 2)") + packed<std::uint16_t>({0x3c00, 0xfc00}));
  EXPECT_THAT(inspection_error(file), HasSubstr("column 1 (from 0) holds -inf"));
  file.path = write("h.npy", npy_header("<f2", "(1, 2)") + packed<std::uint16_t>({0x3c00, 0x7e00}));
  EXPECT_THAT(inspection_error(file), HasSubstr("column 1 (from 0) holds nan"));
}

TEST_F(DatasetFileTest, IntegersOfAnyWidthAreScaledByTheLargestOfTheirType) {
  DatasetFile file;
  file.scaling = Scaling::unit;
  file.path = write("u2.npy", npy_header("<u2", "(1, 2)") + packed<std::uint16_t>({65535.0, 13107.0}));
  EXPECT_THAT(read_all(file).values, ElementsAre(1.0, 0.2));
  file.path = write("i1.npy", npy_header("|i1", "(1, 2)") + packed<std::int8_t>({127.0, 0.0}));
  EXPECT_THAT(read_all(file).values, ElementsAre(1.0, 0.0));
  file.path = write("b1.npy", npy_header("|b1", "(1, 2)") + packed<std::uint8_t>({1.0, 0.0}));
  EXPECT_THAT(read_all(file).values, ElementsAre(1.0, 0.0));
  file.path = write("i1.npy", npy_header("|i1", "(1, 2)") + packed<std::int8_t>({127.0, -1.0}));
  EXPECT_THAT(inspection_error(file),
              HasSubstr("holds -1, but scaling = \"[0,1]\" needs integers that are not negative"));
}

TEST_F(DatasetFileTest, ArraysOfNpzFilesByTheirNames) {
  DatasetFile file;
  const std::string array = npy_header("<f8", "(7, 6)") + packed<double>(numbers_);
  const std::string archive = zipped("train/x.npy", array, true);
  file.path = write("one.npz", archive);
  EXPECT_THAT(read_all(file).values, ElementsAreArray(numbers_));
  for (const char* name : {":train/x", ":train/x.npy"}) {
    file.path = (folder_ / "one.npz") + name;
    EXPECT_THAT(read_all(file).values, ElementsAreArray(numbers_));
  }
  file.path = (folder_ / "one.npz") + ":test/x";
  EXPECT_THAT(inspection_error(file), HasSubstr("one.npz: has no array test/x; its arrays are train/x"));
  std::string damaged = archive;
  damaged[array.size() / 4] ^= 1;
  file.path = write("damaged.npz", damaged);
  EXPECT_THAT(inspection_error(file), HasSubstr("damaged.npz: "));
  damaged = zipped("x.npy", array, false);
  damaged[damaged.find(array) + array.size() - 3] ^= 1;  // nothing but the checksum tells
  file.path = write("damaged.npz", damaged);
  EXPECT_THAT(inspection_error(file), HasSubstr("damaged.npz: the array is damaged"));
  file.path = write("empty.npz", "PK\x05\x06" + std::string(18, '\0'));
  EXPECT_THAT(inspection_error(file), HasSubstr("empty.npz: the zip archive holds no array"));
  std::string other = zipped("x.npy", array, true);
  other[other.find("PK\x01\x02") + 10] = 12;
  file.path = write("bzip2.npz", other);
  EXPECT_THAT(inspection_error(file), HasSubstr("bzip2.npz: is compressed by the zip method 12"));
}

// Numbers that nobody wrote, and files that lead to others.
class Hdf5StorageTest : public DatasetFileTest {
 protected:
  Hdf5StorageTest()
      : path_(folder_ / "s.h5"), file_(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {
    write_hdf5(file_, "half", {3, 6}, H5T_IEEE_F64LE, std::vector<double>(numbers_.begin(), numbers_.begin() + 18));
    write_hdf5(file_, "rest", {4, 6}, H5T_IEEE_F64LE, std::vector<double>(numbers_.begin() + 18, numbers_.end()),
               {2, 6});
  }

  // Closes the file.
  std::string error_of_dataset(const std::string& dataset) {
    close();
    return inspection_error({.path = path_ + ":" + dataset, .labels = "", .select_classes = {}});
  }
  void close() {
    if (file_ >= 0) H5Fclose(file_);
    file_ = -1;
  }
  ~Hdf5StorageTest() override { close(); }

  struct Part {
    std::string file;
    std::string dataset;
    hsize_t first;   // row of the virtual dataset
    hsize_t rows;    // of the part
    hsize_t stored;  // rows that the source is said to have
  };
  void write_virtual(const std::string& name, const std::vector<Part>& parts) {
    const hsize_t all[] = {7, 6};
    const hid_t space = H5Screate_simple(2, all, nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    for (const Part& part : parts) {
      const hsize_t begin[] = {part.first, 0};
      const hsize_t origin[] = {0, 0};
      const hsize_t count[] = {part.rows, 6};
      const hsize_t stored[] = {part.stored, 6};
      const hid_t source = H5Screate_simple(2, stored, nullptr);
      // A whole source is selected as such by most writers.
      if (part.rows < part.stored) H5Sselect_hyperslab(source, H5S_SELECT_SET, origin, nullptr, count, nullptr);
      H5Sselect_hyperslab(space, H5S_SELECT_SET, begin, nullptr, count, nullptr);
      H5Pset_virtual(creation, space, part.file.c_str(), part.dataset.c_str(), source);
      H5Sclose(source);
    }
    H5Sselect_all(space);
    H5Dclose(H5Dcreate2(file_, name.c_str(), H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
  }

  std::string path_;
  hid_t file_;
};

TEST_F(Hdf5StorageTest, VirtualDatasetsOfWholeSourcesAreRead) {
  write_virtual("v", {{".", "/half", 0, 3, 3}, {"s.h5", "/rest", 3, 4, 4}});
  close();
  EXPECT_THAT(read_all({.path = path_ + ":/v", .labels = "", .select_classes = {}}).values, ElementsAreArray(numbers_));
}

TEST_F(Hdf5StorageTest, VirtualDatasetsOfOtherSourcesAreNot) {
  write_hdf5<double>(file_, "unwritten", {4, 6}, H5T_IEEE_F64LE, {});
  const std::vector<std::pair<Part, std::string>> cases{
      {{"gone.h5", "/x", 3, 4, 4}, "whose source gone.h5:/x is not there ("},
      {{".", "/gone", 3, 4, 4}, "whose source .:/gone is not there: has no dataset /gone"},
      {{".", "/half", 3, 4, 4}, "whose source .:/half is not as large as the part of it that is taken ([3, 6])"},
      {{".", "/rest", 3, 2, 4}, "is a virtual dataset whose sources give 30 of its 42 numbers"},
      {{".", "/rest", 1, 4, 4}, "is a virtual dataset whose sources give 30 of its 42 numbers"},
      {{".", "/unwritten", 3, 4, 4}, "its source .:/unwritten: was created but never written"},
      {{".", "/v6", 3, 4, 7}, "whose source .:/v6 is itself virtual, or this very dataset"},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    write_virtual(fmt::format("v{}", i), {{".", "/half", 0, 3, 3}, cases[i].first});
  }
  write_virtual("itself", {{".", "/itself", 0, 7, 7}});
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_THAT(error_of_dataset(fmt::format("/v{}", i)), HasSubstr(cases[i].second));
  }
  EXPECT_THAT(error_of_dataset("/itself"), HasSubstr("is itself virtual, or this very dataset"));
}

TEST_F(Hdf5StorageTest, VirtualDatasetsOfAnyNumberOfSourcesAreNot) {
  for (const char* source : {"s-%b.h5", "."}) {
    const hsize_t block[] = {7, 6};
    const hsize_t largest[] = {H5S_UNLIMITED, 6};
    const hsize_t begin[] = {0, 0};
    const hsize_t count[] = {H5S_UNLIMITED, 1};
    const bool pattern = std::string(source) != ".";
    const hid_t space = H5Screate_simple(2, block, largest);
    const hid_t stored = H5Screate_simple(2, block, pattern ? nullptr : largest);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, begin, block, count, block);
    if (!pattern) H5Sselect_hyperslab(stored, H5S_SELECT_SET, begin, block, count, block);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const std::string name = pattern ? "/pattern" : "/endless";
    ASSERT_GE(H5Pset_virtual(creation, space, source, pattern ? "/x" : name.c_str(), stored), 0);
    H5Sselect_all(space);
    H5Dclose(H5Dcreate2(file_, name.c_str(), H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(stored);
    H5Sclose(space);
  }
  EXPECT_THAT(error_of_dataset("/pattern"), HasSubstr("whose source s-%b.h5:/x is a pattern or has no end"));
  EXPECT_THAT(error_of_dataset("/endless"), HasSubstr("whose source .:/endless is a pattern or has no end"));
}

TEST_F(Hdf5StorageTest, NumbersThatNobodyWroteAreNoNumbers) {
  write_hdf5<double>(file_, "never", {7, 6}, H5T_IEEE_F64LE, {});
  write_hdf5<double>(file_, "no-chunk", {7, 6}, H5T_IEEE_F64LE, {}, {2, 6});
  write_hdf5(file_, "chunks", {2, 6}, H5T_IEEE_F64LE, std::vector<double>(12, 1.0), {2, 3}, {H5S_UNLIMITED, 6});
  const hid_t chunks = H5Dopen2(file_, "chunks", H5P_DEFAULT);
  const hsize_t larger[] = {7, 6};
  H5Dset_extent(chunks, larger);
  H5Dclose(chunks);
  EXPECT_THAT(error_of_dataset("/never"), HasSubstr("s.h5:/never: was created but never written"));
  EXPECT_THAT(error_of_dataset("/no-chunk"), HasSubstr("4 of its 4 chunks were never written"));
  EXPECT_THAT(error_of_dataset("/chunks"), HasSubstr("6 of its 8 chunks were never written"));
}

TEST_F(Hdf5StorageTest, NothingLeadsOutOfTheFile) {
  const std::string other = folder_ / "other.h5";
  const hid_t elsewhere = H5Fcreate(other.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  write_hdf5(elsewhere, "x", {7, 6}, H5T_IEEE_F64LE, numbers_);
  H5Fclose(elsewhere);
  H5Lcreate_external("other.h5", "/x", file_, "away", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_external("other.h5", "/", file_, "group", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/group/x", file_, "twice", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/nowhere", file_, "broken", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/half", file_, "alias", H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t lengths[] = {7, 6};
  const hid_t space = H5Screate_simple(2, lengths, nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(creation, "/etc/passwd", 0, 7 * 6);
  H5Dclose(H5Dcreate2(file_, "external", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  H5Pclose(creation);
  H5Sclose(space);
  EXPECT_THAT(
      error_of_dataset("/away"),
      HasSubstr("/away is a link into another file, which is not followed: give the dataset /x of the file other.h5"));
  EXPECT_THAT(error_of_dataset("/group/x"), HasSubstr("/group is a link into another file"));
  EXPECT_THAT(error_of_dataset("/twice"),
              HasSubstr("/twice is a link to /group/x, which leads to nothing in this file"));
  EXPECT_THAT(error_of_dataset("/broken"),
              HasSubstr("s.h5: /broken is a link to /nowhere, which leads to nothing in this file"));
  EXPECT_THAT(error_of_dataset("/external"), HasSubstr("keeps its numbers in another file, /etc/passwd"));
  EXPECT_EQ(error_of_dataset("/alias"), "no error");
}

TEST_F(Hdf5StorageTest, AMissingFilterIsNamed) {
  if (std::getenv("HDF5_PLUGIN_PATH") != nullptr) GTEST_SKIP() << "skipped: HDF5_PLUGIN_PATH is set";
  // A filter that only this test knows, as long as it writes.
  constexpr H5Z_filter_t lzf = 32000;
  const auto copy = [](unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*, void**) {
    return bytes;
  };
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, lzf, 1, 1, "", nullptr, nullptr, copy};
  ASSERT_GE(H5Zregister(&filter), 0);
  const hsize_t lengths[] = {7, 6};
  const hid_t space = H5Screate_simple(2, lengths, nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 2, lengths);
  H5Pset_filter(creation, lzf, H5Z_FLAG_MANDATORY, 0, nullptr);
  const hid_t dataset = H5Dcreate2(file_, "lzf", H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers_.data());
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(space);
  close();
  H5Zunregister(lzf);
  EXPECT_THAT(error_of_dataset("/lzf"),
              HasSubstr("/lzf: is compressed by the filter lzf (32000), which this HDF5 lacks"));
  unsigned state = 1;
  H5PLget_loading_state(&state);
  EXPECT_EQ(state, 0U);  // no code is loaded because a data file asks for it
}

TEST_F(Hdf5StorageTest, DataOfMatlabNeedToSayWhichIndexCountsPoints) {
  write_hdf5(file_, "m", {6, 7}, H5T_IEEE_F64LE, numbers_);
  const hid_t dataset = H5Dopen2(file_, "m", H5P_DEFAULT);
  const hid_t space = H5Screate(H5S_SCALAR);
  H5Aclose(H5Acreate2(dataset, "MATLAB_class", H5T_C_S1, space, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(space);
  H5Dclose(dataset);
  EXPECT_THAT(
      error_of_dataset("/m"),
      AllOf(HasSubstr("/m: was written by MATLAB, which reverses the axes: its shape is [6, 7], in MATLAB [7, 6]"),
            HasSubstr("dataset.transpose = true if the first index counted points in MATLAB (7 of them), false if "
                      "the last did (6)")));
  DatasetFile file;
  file.path = path_ + ":/m";
  file.transpose = true;
  EXPECT_EQ(inspect_dataset(file).rows, 7);
  EXPECT_EQ(read_all(file).values[1], numbers_[7]);
  file.transpose = false;
  EXPECT_EQ(inspect_dataset(file).rows, 6);
}

TEST_F(DatasetFileTest, ErrorsOfOptions) {
  DatasetFile file;
  file.path = write("flat.npy", npy_header("<f8", "(7, 6)") + packed<double>(numbers_));
  file.pad = 2;
  EXPECT_THAT(inspection_error(file), HasSubstr("pad = 2 needs images (rows, height, width), but its shape is [7, 6]"));
  file.pad = -1;
  EXPECT_THAT(inspection_error(file), HasSubstr("pad = -1, but it must lie between 0 and 4096"));
  file.pad = 0;
  const Communicator self = Communicator::self();
  const DatasetSummary summary = inspect_dataset(file);
  const auto read = [&](std::int64_t rows, std::int64_t columns) {
    return read_dataset(TaskGroup(self), file, summary, {Partition::component, rows, columns, 1, 0});
  };
  EXPECT_THROW((void)read(8, 6), GroupError);
  EXPECT_THROW((void)read(7, 5), GroupError);
  file.scaling = Scaling::standardised;
  file.path = write("flat.npy", npy_header("<f8", "(2, 2)") + packed<double>({3.0, 3.0, 3.0, 3.0}));
  EXPECT_THAT(inspection_error(file), HasSubstr("needs a finite standard deviation above 0, but it is 0"));
  EXPECT_THROW((void)read(7, 6), GroupError);  // changed since it was inspected
}

// Every beginning of every good file is an error, never a crash.
TEST_F(DatasetFileTest, EveryTruncationIsAnError) {
  for (const std::string& name : write_every_format()) {
    const std::string suffix = name.find(".h5") == std::string::npos ? "" : name.substr(name.find(".h5") + 3);
    const std::string bytes = test::read_file(name.substr(0, name.size() - suffix.size()));
    const std::size_t step = std::max<std::size_t>(1, bytes.size() / 300);
    for (std::size_t size = 0; size < bytes.size(); size += step) {
      DatasetFile file;
      file.path = write("cut", bytes.substr(0, size)) + suffix;
      EXPECT_THAT(inspection_error(file), HasSubstr("cut")) << name << " cut to " << size << " bytes";
    }
  }
}

// Flipped bits, in the first bytes or, of HDF5 files, anywhere: either an error that names the file or a
// valid read.
TEST_F(DatasetFileTest, DamagedFilesAreErrorsOrValidReads) {
  const RandomStream random(1, hash_text("damage"), 0, "test");
  std::uint64_t draw = 0;
  for (const std::string& name : write_every_format()) {
    const bool hdf5 = name.find(".h5") != std::string::npos;
    const std::string suffix = hdf5 ? name.substr(name.find(":/")) : "";
    const std::string bytes = test::read_file(name.substr(0, name.size() - suffix.size()));
    const std::size_t damageable = hdf5 ? bytes.size() : std::min<std::size_t>(bytes.size(), 140);
    for (int trial = 0; trial < 300; ++trial, ++draw) {
      std::string damaged = bytes;
      const std::uint64_t flips = hdf5 ? 1 : 1 + random.bits(draw, 0) % 3;
      for (std::uint64_t flip = 1; flip <= flips; ++flip) {
        const std::uint64_t word = random.bits(draw, flip);
        damaged[(word >> 8U) % damageable] ^= static_cast<char>(1U << (word % 8U));
      }
      DatasetFile file;
      file.path = write("damaged", damaged) + suffix;
      try {
        const DatasetSummary summary = inspect_dataset(file);
        EXPECT_LE(summary.rows * summary.dimension, 8 * static_cast<std::int64_t>(bytes.size()) + 1000);
      } catch (const DatasetError& error) {
        EXPECT_THAT(error.what(), HasSubstr("damaged"));
      }
    }
  }
}

// Largest eigenvalue of the covariance of the rows about their mean, divided by n, by power iteration.
double largest_covariance_eigenvalue(DataSlab slab) {
  const auto n = static_cast<std::size_t>(slab.layout.rows);
  const auto d = static_cast<std::size_t>(slab.layout.columns);
  std::vector<double> mean(d);
  for (std::int64_t i = 0; i < slab.layout.rows; ++i) {
    for (std::size_t j = 0; j < d; ++j) mean[j] += slab.row(i)[j] / static_cast<double>(n);
  }
  for (std::int64_t i = 0; i < slab.layout.rows; ++i) {
    for (std::size_t j = 0; j < d; ++j) slab.row(i)[j] -= mean[j];
  }
  std::vector<double> v(d, 1.0 / std::sqrt(static_cast<double>(d)));
  double eigenvalue = 0.0;
  for (int step = 0; step < 60; ++step) {
    std::vector<double> image(d);
    for (std::size_t i = 0; i < n; ++i) {
      const double* row = slab.row(static_cast<std::int64_t>(i)).data();
      const double overlap = std::inner_product(v.begin(), v.end(), row, 0.0) / static_cast<double>(n);
      for (std::size_t j = 0; j < d; ++j) image[j] += overlap * row[j];
    }
    eigenvalue = std::sqrt(std::inner_product(image.begin(), image.end(), image.begin(), 0.0));
    for (std::size_t j = 0; j < d; ++j) v[j] = image[j] / eigenvalue;
  }
  return eigenvalue;
}

TEST(Mnist, LargestCovarianceEigenvalues) {
  const std::string folder = std::string(DIFFPHASE_SOURCE_DIR) + "/../shared/data/mnist/";
  DatasetFile file;
  file.path = folder + "t10k-images-idx3-ubyte.gz";
  file.labels = folder + "t10k-labels-idx1-ubyte.gz";
  if (!std::filesystem::exists(file.path)) GTEST_SKIP() << file.path << " is not there";
  file.scaling = Scaling::unit;
  EXPECT_EQ(inspect_dataset(file).class_sizes.size(), 10U);
  EXPECT_NEAR(largest_covariance_eigenvalue(read_all(file)), 5.31001, 5e-6);
  file.select_classes = {1, 8};
  file.pad = 2;
  const DatasetSummary summary = inspect_dataset(file);
  EXPECT_EQ(summary.dimension, 1024);
  EXPECT_THAT(summary.class_sizes, ElementsAre(1135, 974));
  EXPECT_NEAR(largest_covariance_eigenvalue(read_all(file)), 8.23599, 5e-6);
}

}  // namespace
}  // namespace diffphase
