#include "sweep/journal.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>

#include "file_size_limit.hpp"
#include "files/bad_input.hpp"
#include "files/bounded_archive.hpp"
#include "files/checksummed_record.hpp"
#include "sweep/stop_marks.hpp"
#include "temporary_folder.hpp"

namespace {
int data_syncs = 0;
}

// In place of libc's, to count the calls.
extern "C" int fdatasync(int descriptor) {
  ++data_syncs;
  return ::fsync(descriptor);
}

namespace diffphase {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const JournalHeader header{.seed = 7, .numerics_version = 3, .program_version = "0.1.0", .sweep = "name = \"x\""};

Hash128 task_number(int number) { return hash_text(fmt::format("task {}", number)); }

DoneRecord done_record(int task, std::vector<std::int64_t> counts, double value, bool count_free = true) {
  DoneRecord record;
  record.identity = task_number(task);
  JournalVariable counted{"counted", true, {}};
  for (const std::int64_t n : counts) {
    counted.values.push_back(value + static_cast<double>(n));
    counted.values.push_back(value - static_cast<double>(n));
  }
  if (!counts.empty()) record.variables.push_back(std::move(counted));
  if (count_free) record.variables.push_back({"free", false, {value, std::numeric_limits<double>::quiet_NaN()}});
  record.counts = std::move(counts);
  record.count_free = count_free;
  record.seconds = 1.5;
  record.ranks = 2;
  return record;
}

FailedRecord failed_record(int task, std::string message) {
  return {.identity = task_number(task), .message = std::move(message), .seconds = 0.5, .ranks = 2};
}

BeginRecord begin_record(int task, std::int64_t attempt = 1) {
  return {.identity = task_number(task), .attempt = attempt, .ranks = 2, .time = 1000.0};
}

fs::path journal_path(const fs::path& run, const std::string& stem) {
  return journal_folder(run) / (stem + ".journal");
}

std::string print(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    text += fmt::format("{:x},", bits);
  }
  return text;
}

// What a state knows of what has ended, for tasks 0..9 and counts 0..9, to be compared.
std::string print_ended(const JournalState& state) {
  std::string text;
  for (const auto& [identity, task] : state.tasks()) {
    text += fmt::format("{} {} {} {}\n", identity.hex(), task.failed_attempts(), task.seconds(),
                        fmt::join(task.warnings(), "|"));
    if (const auto* values = task.value("free")) text += "  free " + print(*values) + "\n";
    for (std::int64_t n = 0; n < 10; ++n) {
      if (const auto* values = task.value(n, "counted")) text += fmt::format("  {} {}\n", n, print(*values));
      text += task.complete(std::vector{n}) ? "c" : ".";
    }
  }
  return text;
}

// The same, and what was begun and did not end.
std::string print(const JournalState& state) {
  std::string text = print_ended(state);
  for (const auto& [identity, task] : state.tasks()) {
    text += fmt::format("{} {} {} {}\n", task.attempt_count(), task.unended_attempts(), task.ranks(),
                        fmt::join(task.failures(), "|"));
  }
  return text;
}

// Where the end of a journal is lost, what was begun there is not held against any task.
void expect_no_blame(const JournalState& state) {
  for (const auto& [identity, task] : state.tasks()) EXPECT_EQ(task.unended_attempts(), 0) << identity.hex();
}

// One random event of a run, in no particular order.
void write_random_record(Journal& journal, std::mt19937& random) {
  const int task = static_cast<int>(random() % 4);
  const double value = static_cast<double>(random() % 1000);
  switch (random() % 5) {
    case 0:
    case 1:
      journal.write(begin_record(task));
      break;
    case 2: {
      std::vector<std::int64_t> counts;
      for (std::int64_t n = 1; n < 5; ++n) {
        if (random() % 2 == 0) counts.push_back(n);
      }
      DoneRecord record = done_record(task, counts, value, random() % 2 == 0);
      if (random() % 3 == 0) record.warnings = {"extend the grid", "twice"};
      journal.write(record);
      break;
    }
    case 3:
      journal.write(failed_record(task, fmt::format("no {}", value)));
      break;
    default:
      journal.write(AbandonedRecord{task_number(task)});
  }
}

void put_bytes(const fs::path& run, const std::string& stem, const std::string& bytes) {
  fs::create_directories(journal_folder(run));
  std::error_code ignored;
  fs::remove(journal_path(run, stem), ignored);
  PosixFile::create(journal_path(run, stem)).write_all(bytes);
}

// A journal of some random records, and what reading gives after each.
struct Written {
  std::string bytes;
  std::vector<std::size_t> ends;    // of the header and of each record
  std::vector<std::string> states;  // having read up to there
  std::vector<std::string> ended;   // of that, what has ended

  [[nodiscard]] std::size_t whole_at(std::size_t offset) const {
    return static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), offset) - ends.begin());
  }
  [[nodiscard]] std::string state_at(std::size_t offset) const {
    return whole_at(offset) == 0 ? "" : states[whole_at(offset) - 1];
  }
  [[nodiscard]] std::string ended_at(std::size_t offset) const {
    return whole_at(offset) == 0 ? "" : ended[whole_at(offset) - 1];
  }
};

Written write_random_journal(const fs::path& run, unsigned seed, int records) {
  std::mt19937 random(seed);
  Written written;
  Journal journal(run, "j", header);
  for (int i = 0; i <= records; ++i) {
    if (i > 0) write_random_record(journal, random);
    written.ends.push_back(fs::file_size(journal.path()));
    const JournalState state = read_journals(run);
    written.states.push_back(print(state));
    written.ended.push_back(print_ended(state));
  }
  written.bytes = read_text(journal.path());
  return written;
}

TEST(JournalDamage, TruncationAtEveryByteKeepsTheRecordsBefore) {
  for (unsigned seed = 0; seed < 4; ++seed) {
    const TemporaryFolder folder;
    const Written written = write_random_journal(folder / "whole", seed, 8);
    for (std::size_t size = 0; size <= written.bytes.size(); ++size) {
      put_bytes(folder / "cut", "j", written.bytes.substr(0, size));
      const JournalState state = read_journals(folder / "cut", header);
      const bool clean = size == 0 || std::count(written.ends.begin(), written.ends.end(), size) == 1;
      EXPECT_EQ(print_ended(state), written.ended_at(size)) << "cut at " << size;
      ASSERT_EQ(state.warnings().size(), clean ? 0U : 1U);
      if (clean) {
        EXPECT_EQ(print(state), written.state_at(size)) << "cut at " << size;
      } else {
        expect_no_blame(state);
        EXPECT_THAT(state.warnings()[0], AllOf(HasSubstr("j.journal"), HasSubstr("cut off")));
      }
    }
  }
}

TEST(JournalDamage, AChangedByteAnywhereKeepsTheRecordsBefore) {
  std::mt19937 random(17);
  for (unsigned seed = 0; seed < 4; ++seed) {
    const TemporaryFolder folder;
    const Written written = write_random_journal(folder / "whole", seed, 8);
    for (std::size_t i = 0; i < written.bytes.size(); ++i) {
      std::string damaged = written.bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ static_cast<char>(1 + random() % 255));
      put_bytes(folder / "flipped", "j", damaged);
      const JournalState state = read_journals(folder / "flipped", header);
      EXPECT_EQ(print_ended(state), written.ended_at(i)) << "changed at " << i;
      expect_no_blame(state);
      EXPECT_EQ(state.warnings().size(), 1U);
    }
  }
}

TEST(JournalDamage, WrongContentsWithTheRightChecksumNeverHarm) {
  std::mt19937 random(5);
  const TemporaryFolder folder;
  const Written written = write_random_journal(folder / "whole", 1, 8);
  std::vector<std::vector<std::byte>> payloads;
  scan_records(std::as_bytes(std::span<const char>(written.bytes)),
               [&](std::span<const std::byte> payload, std::uint64_t /*offset*/) {
                 payloads.emplace_back(payload.begin(), payload.end());
               });
  constexpr int trials = 3000;
  int refused = 0;
  for (int trial = 0; trial < trials; ++trial) {
    auto hostile = payloads;
    auto& victim = hostile[random() % hostile.size()];
    for (unsigned i = 1 + random() % 4; i > 0; --i) victim[random() % victim.size()] = std::byte(random() & 0xFFU);
    if (random() % 4 == 0) victim.resize(random() % (victim.size() + 1));
    std::string bytes;
    for (const auto& payload : hostile) {
      const auto record = frame_record(payload);
      bytes.append(reinterpret_cast<const char*>(record.data()), record.size());
    }
    put_bytes(folder / "hostile", "j", bytes);
    try {
      (void)print(read_journals(folder / "hostile", header));
    } catch (const BadInput&) {  // the header's seed may have changed; any other exception fails the test
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, trials / 2) << "journals with a whole header are read";
}

TEST(JournalRecords, KeepNothingForVariablesWithoutValues) {
  const TemporaryFolder folder;
  DoneRecord record = done_record(0, {1, 2, 3}, 1.0);
  record.variables.push_back({"empty", true, {}});
  Journal(folder.path(), "j", header).write(record);
  const JournalState state = read_journals(folder.path());
  EXPECT_EQ(state.task(task_number(0)).value(2, "empty"), nullptr);
  EXPECT_THAT(*state.task(task_number(0)).value(2, "counted"), ElementsAre(3.0, -1.0));
}

// A record is taken apart into its counts, each of which has the names.
TEST(JournalRecords, NamesAreShort) {
  DoneRecord record = done_record(0, {1, 2, 3}, 1.0);
  record.variables[0].name = std::string(256, 'x');
  const std::vector<std::byte> good = encode_record(record);
  EXPECT_EQ(std::get<DoneRecord>(decode_record(good)).variables[0], record.variables[0]);
  record.variables[0].name += 'x';
  EXPECT_THROW((void)encode_record(record), std::logic_error);

  ArchiveWriter hostile;
  hostile.integer(2);
  for (int i = 0; i < 2; ++i) hostile.word(0);  // identity
  hostile.integers(std::vector<std::int64_t>{1, 2, 3});
  hostile.boolean(true);
  hostile.count(1);
  hostile.text(record.variables[0].name);
  hostile.boolean(true);
  hostile.reals(std::vector<double>(3));
  hostile.count(0);
  hostile.real(0.0);
  hostile.integer(1);
  EXPECT_THROW((void)decode_record(hostile.bytes()), ArchiveError);
}

TEST(JournalState, ReadingInAnyOrderGivesTheSame) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    const TemporaryFolder folder;
    std::mt19937 random(seed);
    std::vector<std::unique_ptr<Journal>> journals;
    JournalState followed(folder.path());
    for (int event = 0; event < 60; ++event) {
      if (journals.empty() || random() % 15 == 0) {
        // Names in no order, as of clocks that disagree.
        journals.push_back(
            std::make_unique<Journal>(folder.path(), fmt::format("{:05}-{}", random() % 10000, event), header));
      }
      write_random_record(*journals[random() % journals.size()], random);
      if (random() % 3 == 0) followed.refresh();
    }
    followed.refresh();
    EXPECT_EQ(print(followed), print(read_journals(folder.path())));
    EXPECT_EQ(followed.journals(), journals.size());
    EXPECT_THAT(followed.warnings(), IsEmpty());
  }
}

TEST(JournalState, TheFirstCompleteRecordOfACountWins) {
  const TemporaryFolder folder;
  Journal second(folder.path(), "2", header);
  second.write(done_record(0, {100, 200}, 20.0));
  JournalState state(folder.path(), header);
  state.refresh();
  const TaskHistory& task = state.task(task_number(0));
  EXPECT_THAT(*task.value(200, "counted"), ElementsAre(220.0, -180.0));

  Journal first(folder.path(), "1", header);
  first.write(done_record(0, {200, 300}, 10.0, false));
  state.refresh();
  EXPECT_THAT(*task.value(100, "counted"), ElementsAre(120.0, -80.0));
  EXPECT_THAT(*task.value(200, "counted"), ElementsAre(210.0, -190.0));
  EXPECT_THAT(*task.value(300, "counted"), ElementsAre(310.0, -290.0));
  EXPECT_EQ(task.value("free")->front(), 20.0);
  EXPECT_EQ(task.value(100, "free"), nullptr);
  EXPECT_EQ(task.value("counted"), nullptr);
  EXPECT_EQ(task.value(400, "counted"), nullptr);
}

TEST(JournalState, TellsWhatIsMissing) {
  const TemporaryFolder folder;
  Journal journal(folder.path(), "j", header);
  JournalState state(folder.path(), header);
  const std::vector<std::int64_t> counts = {10, 20, 30};
  const auto missing = [&] {
    state.refresh();
    return state.task(task_number(0)).missing(counts);
  };
  EXPECT_EQ(missing().counts, counts);
  EXPECT_TRUE(missing().count_free);
  journal.write(done_record(0, {20}, 1.0, false));
  EXPECT_THAT(missing().counts, ElementsAre(10, 30));
  EXPECT_TRUE(missing().count_free);
  journal.write(done_record(0, {10, 30}, 1.0, true));
  EXPECT_THAT(missing().counts, IsEmpty());
  EXPECT_FALSE(missing().count_free);
  EXPECT_TRUE(state.task(task_number(0)).complete(counts));
  EXPECT_FALSE(state.task(task_number(0)).complete(std::vector<std::int64_t>{40}));
}

TEST(JournalState, CountsAttempts) {
  const TemporaryFolder folder;
  auto state = [&]() { return read_journals(folder.path(), header).task(task_number(0)); };
  {
    Journal journal(folder.path(), "1", header);
    journal.write(begin_record(0));
    EXPECT_EQ(state().unended_attempts(), 1);
    journal.write(AbandonedRecord{task_number(0)});
    EXPECT_EQ(state().unended_attempts(), 0);
    EXPECT_EQ(state().attempt_count(), 0);
    EXPECT_FALSE(state().exhausted(1));
    journal.write(begin_record(0));
    journal.write(failed_record(0, "too hot"));
    EXPECT_EQ(state().failed_attempts(), 1);
    EXPECT_FALSE(state().exhausted(2));
  }
  {
    Journal journal(folder.path(), "2", header);
    journal.write(begin_record(0, 2));
  }
  EXPECT_EQ(state().attempt_count(), 2);
  EXPECT_THAT(state().failures(), ElementsAre("too hot", "ended the program"));
  EXPECT_TRUE(state().exhausted(2));
  EXPECT_FALSE(state().exhausted(3));
  EXPECT_DOUBLE_EQ(state().seconds(), 0.5);
  {
    // A success forgives what was before; the total stays.
    Journal journal(folder.path(), "3", header);
    journal.write(begin_record(0, 3));
    journal.write(done_record(0, {1}, 1.0));
  }
  EXPECT_FALSE(state().exhausted(1));
  EXPECT_THAT(state().failures(), IsEmpty());
  EXPECT_EQ(state().attempt_count(), 3);
  EXPECT_DOUBLE_EQ(state().seconds(), 2.0);
  EXPECT_EQ(state().ranks(), 2);
}

TEST(JournalState, AttemptsThatEndedTheProgramAddUp) {
  const TemporaryFolder folder;
  for (int start = 0; start < 2; ++start) {
    EXPECT_FALSE(read_journals(folder.path()).task(task_number(0)).exhausted(2));
    Journal(folder.path(), std::to_string(start), header).write(begin_record(0, start + 1));
  }
  EXPECT_TRUE(read_journals(folder.path()).task(task_number(0)).exhausted(2));
}

BeginRecord handed_to(std::int64_t leader, int task) {
  BeginRecord record = begin_record(task);
  record.leader = leader;
  return record;
}

TEST(JournalState, OfWhatAGroupWasHandedOnlyTheFirstIsBlamed) {
  const TemporaryFolder folder;
  Journal journal(folder.path(), "1", header);
  JournalState state(folder.path(), header);
  const auto blamed = [&] {
    state.refresh();
    std::vector<int> tasks;
    for (int task = 0; task < 4; ++task) {
      if (state.task(task_number(task)).unended_attempts() == 1) tasks.push_back(task);
    }
    return tasks;
  };
  journal.write(handed_to(0, 0));
  journal.write(handed_to(2, 1));
  journal.write(handed_to(0, 2));
  journal.write(handed_to(2, 3));
  EXPECT_THAT(blamed(), ElementsAre(0, 1));
  EXPECT_TRUE(state.task(task_number(2)).suspect());
  EXPECT_EQ(state.task(task_number(2)).attempt_count(), 0);
  journal.write(done_record(0, {1}, 1.0));
  EXPECT_THAT(blamed(), ElementsAre(1, 2));
  EXPECT_FALSE(state.task(task_number(0)).suspect());
  journal.write(AbandonedRecord{task_number(3)});
  EXPECT_THAT(blamed(), ElementsAre(1, 2));
  EXPECT_FALSE(state.task(task_number(3)).suspect());
  EXPECT_EQ(print(read_journals(folder.path())), print(state));
}

TEST(JournalState, NobodyIsBlamedWhereTheEndOfTheJournalIsLost) {
  const TemporaryFolder folder;
  Journal journal(folder.path(), "1", header);
  journal.write(begin_record(0));
  const std::uint64_t begun = fs::file_size(journal.path());
  journal.write(done_record(0, {1}, 1.0));
  fs::resize_file(journal.path(), begun + 5);
  const JournalState state = read_journals(folder.path());
  EXPECT_FALSE(state.task(task_number(0)).exhausted(1));
  EXPECT_TRUE(state.task(task_number(0)).suspect());
  fs::resize_file(journal.path(), begun);
  EXPECT_TRUE(read_journals(folder.path()).task(task_number(0)).exhausted(1));
}

TEST(JournalState, ATaskThatFitsNowhereWasNotAttempted) {
  const TemporaryFolder folder;
  Journal journal(folder.path(), "1", header);
  journal.write(
      FailedRecord{.identity = task_number(0), .message = "too large", .seconds = 0.0, .ranks = never_handed_out});
  const JournalState state = read_journals(folder.path());
  const TaskHistory& task = state.task(task_number(0));
  EXPECT_FALSE(task.exhausted(1));
  EXPECT_EQ(task.attempt_count(), 0);
  EXPECT_EQ(task.failed_attempts(), 1);
  EXPECT_THAT(task.failures(), ElementsAre("too large"));
}

void write_empty_journal(const fs::path& run, const std::string& stem, const JournalHeader& written) {
  const Journal journal(run, stem, written);
}

std::string refusal(const fs::path& run, const std::optional<JournalHeader>& expected) {
  try {
    (void)read_journals(run, expected);
  } catch (const BadInput& error) {
    return error.what();
  }
  return "accepted";
}

TEST(JournalState, OtherSeedsAndNumericsAreRefused) {
  const TemporaryFolder folder;
  write_empty_journal(folder.path(), "1", header);
  EXPECT_EQ(refusal(folder.path(), header), "accepted");
  JournalHeader other = header;
  other.program_version = "9";
  other.sweep = "another";
  EXPECT_EQ(refusal(folder.path(), other), "accepted");
  other.seed = 8;
  EXPECT_THAT(refusal(folder.path(), other),
              AllOf(HasSubstr("1.journal"), HasSubstr("seed 7"), HasSubstr("seed 8"), HasSubstr("-o")));
  other.seed = 7;
  other.numerics_version = 4;
  EXPECT_THAT(refusal(folder.path(), other),
              AllOf(HasSubstr("1.journal"), HasSubstr("numerics version 3"), HasSubstr("numerics version 4")));
  write_empty_journal(folder.path(), "2", other);
  EXPECT_THAT(refusal(folder.path(), std::nullopt), AllOf(HasSubstr("1.journal"), HasSubstr("2.journal")));
}

TEST(JournalState, OtherLayoutsAndByteOrdersAreRefused) {
  const TemporaryFolder folder;
  for (const bool swapped : {false, true}) {
    ArchiveWriter archive;
    archive.word(swapped ? 0x0807060504030201U : 0x0102030405060708U);
    archive.integer(99);
    const auto record = frame_record(archive.bytes());
    put_bytes(folder.path(), "j", std::string(reinterpret_cast<const char*>(record.data()), record.size()));
    EXPECT_THAT(refusal(folder.path(), header), HasSubstr(swapped ? "byte order" : "layout 99"));
  }
}

TEST(JournalState, AnswersForAnEmptyRun) {
  const TemporaryFolder folder;
  JournalState state(folder / "absent");
  state.refresh();
  EXPECT_TRUE(state.tasks().empty());
  EXPECT_EQ(state.latest(), nullptr);
  EXPECT_FALSE(state.task(task_number(0)).complete({}));
  EXPECT_EQ(state.task(task_number(0)).ranks(), 0);
}

TEST(JournalState, ARemovedJournalIsForgotten) {
  const TemporaryFolder folder;
  Journal(folder.path(), "1", header).write(done_record(0, {1}, 1.0));
  Journal(folder.path(), "2", header).write(done_record(1, {1}, 1.0));
  JournalState state(folder.path());
  state.refresh();
  EXPECT_EQ(state.tasks().size(), 2U);
  fs::remove(journal_path(folder.path(), "1"));
  state.refresh();
  EXPECT_EQ(state.tasks().size(), 1U);
}

TEST(JournalState, KnowsTheLatestSweep) {
  const TemporaryFolder folder;
  JournalHeader later = header;
  later.sweep = "later";
  write_empty_journal(folder.path(), "2", later);
  write_empty_journal(folder.path(), "1", header);
  const JournalState state = read_journals(folder.path());
  EXPECT_EQ(state.latest()->sweep, "later");
}

TEST(JournalRecords, AHeaderSaysWhatWasReadOfTheData) {
  JournalHeader with_data = header;
  with_data.data = {{.path = "/a/x.npy", .size = 77, .time = 12.5, .hash = task_number(1)},
                    {.path = "/a/y.npy", .size = 0, .time = 0.0, .hash = {}}};
  with_data.summaries = std::string("a\0b", 3);
  const JournalHeader back = decode_header(encode_header(with_data), "j");
  EXPECT_EQ(back.data, with_data.data);
  EXPECT_EQ(back.summaries, with_data.summaries);
  EXPECT_TRUE(back.knows_data);
}

// As programs wrote them that knew nothing of data.
TEST(JournalRecords, HeadersOfTheFirstLayoutAreRead) {
  ArchiveWriter archive;
  archive.word(0x0102030405060708U);
  archive.integer(1);
  archive.word(header.seed);
  archive.integer(header.numerics_version);
  archive.text(header.program_version);
  archive.text(header.sweep);
  const JournalHeader back = decode_header(archive.bytes(), "j");
  EXPECT_EQ(back.sweep, header.sweep);
  EXPECT_EQ(back.seed, header.seed);
  EXPECT_FALSE(back.knows_data);
  EXPECT_THAT(back.data, IsEmpty());
  EXPECT_TRUE(std::ranges::equal(encode_header(back), archive.bytes())) << "and written as they were";
}

// A start that writes its own journal and knows it from memory.
class OwnJournal : public testing::Test {
 protected:
  OwnJournal() {
    state_.refresh();
    begin("2");
  }

  void begin(const std::string& stem) {
    journal_ = std::make_unique<Journal>(folder_.path(), stem, header);
    state_.begin_own(stem, header);
  }
  void write(const JournalRecord& record) {
    state_.learn(record, journal_->add(record));
    journal_->commit();
  }
  void write_some() {
    write(begin_record(0));
    write(done_record(0, {1, 2}, 3.0));
    write(begin_record(1));
    write(failed_record(1, "no"));
    write(begin_record(2));
    DoneRecord warned = done_record(2, {4}, 5.0, false);
    warned.warnings = {"careful"};
    write(warned);
    write(begin_record(3));
    write(AbandonedRecord{task_number(3)});
    write(begin_record(4));
  }
  // Writes what is lost into another journal; what a start that reads all of them knows then.
  std::string after_writing_again(bool whole) {
    const LostBytes lost = state_.lost(whole);
    EXPECT_FALSE(lost.empty());
    const std::vector<JournalRecord> records = state_.records(lost);
    if (lost.contains("2")) begin("3");
    std::uint64_t bytes = 0;
    for (const JournalRecord& record : records) bytes += journal_->add(record);
    state_.written_again(lost, bytes);
    journal_->sync();
    EXPECT_TRUE(state_.lost(true).empty());
    return known();
  }
  // An abandoned task leaves nothing that matters.
  [[nodiscard]] std::string known() const {
    JournalState state = read_journals(folder_.path());
    std::string text;
    for (int task = 0; task < 5; ++task) {
      const TaskHistory& history = state.task(task_number(task));
      text += fmt::format("{}: {} {} {} {} {}", task, history.attempt_count(), history.failed_attempts(),
                          history.seconds(), history.suspect(), fmt::join(history.warnings(), "|"));
      if (const auto* values = history.value("free")) text += " free " + print(*values);
      for (std::int64_t n = 0; n < 6; ++n) {
        if (const auto* values = history.value(n, "counted")) text += fmt::format(" {} {}", n, print(*values));
      }
      text += history.complete({}) ? " c\n" : "\n";
    }
    return text;
  }

  TemporaryFolder folder_;
  JournalState state_{folder_.path(), header};
  std::unique_ptr<Journal> journal_;
};

TEST_F(OwnJournal, IsKnownAsAnotherStartReadsIt) {
  write_some();
  EXPECT_TRUE(journal_->is_there());
  EXPECT_TRUE(state_.lost(true).empty());
  JournalState read = read_journals(folder_.path());
  read.set_live({"2"});
  EXPECT_EQ(print(state_), print(read));
}

TEST_F(OwnJournal, IsWrittenAgainWhereItWasRemoved) {
  write_some();
  const std::string before = known();
  fs::remove(journal_path(folder_.path(), "2"));
  EXPECT_FALSE(journal_->is_there());
  EXPECT_EQ(after_writing_again(false), before);
}

TEST_F(OwnJournal, IsWrittenAgainWhereItWasReplacedOrCut) {
  write_some();
  const std::string before = known();
  const fs::path path = journal_path(folder_.path(), "2");
  fs::copy_file(path, folder_ / "copy");
  fs::rename(folder_ / "copy", path);
  EXPECT_FALSE(journal_->is_there()) << "another file, if with the same bytes";
  EXPECT_TRUE(state_.lost(true).empty());
  for (std::uint64_t size = fs::file_size(path); size-- > 0;) {
    fs::resize_file(path, size);
    const LostBytes lost = state_.lost(false);
    ASSERT_EQ(lost.size(), 1U) << size;
    EXPECT_EQ(lost.at("2"), 0U) << "later records may stand where it was cut";
  }
  EXPECT_EQ(after_writing_again(false), before);
}

TEST_F(OwnJournal, IsWrittenAgainFromWhereItWasOverwritten) {
  write_some();
  const std::string before = known();
  const fs::path path = journal_path(folder_.path(), "2");
  const std::uint64_t size = fs::file_size(path);
  for (const std::uint64_t at : {size / 3, size / 2, size - 5}) {
    SCOPED_TRACE(at);
    PosixFile file = PosixFile::create_for_appending(folder_ / "bytes");
    std::string bytes = read_text(path);
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    file.write_all(bytes);
    file.close();
    fs::rename(folder_ / "bytes", path);
    EXPECT_TRUE(state_.lost(false).empty()) << "sizes tell nothing";
    const LostBytes lost = state_.lost(true);
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_LE(lost.begin()->second, at);
  }
  EXPECT_EQ(after_writing_again(true), before);
}

TEST_F(OwnJournal, HoldsWhatAnotherStartWroteWhenThatIsRemoved) {
  Journal(folder_.path(), "1", header).write(done_record(0, {1}, 7.0));
  state_.refresh();
  write(begin_record(1));
  write(done_record(1, {2}, 8.0));
  const std::string before = known();
  fs::remove(journal_path(folder_.path(), "1"));
  state_.refresh();
  EXPECT_TRUE(state_.task(task_number(0)).complete(std::vector<std::int64_t>{1})) << "a start forgets nothing";
  EXPECT_EQ(after_writing_again(false), before);
  // What was written again is looked after, too.
  fs::remove(journal_path(folder_.path(), "2"));
  EXPECT_EQ(after_writing_again(false), before);
}

TEST(JournalState, WhoWasAliveWhenToldToStopIsNotBlamed) {
  const auto written = [](const fs::path& run, const std::vector<int>& marked, std::int64_t ranks) {
    Journal journal(run, "1", header);
    for (std::int64_t group = 0; group < 2; ++group) {
      BeginRecord begin = begin_record(static_cast<int>(group));
      begin.leader = 2 * group;
      journal.write(begin);
    }
    create_stop_marks(stop_marks_path(run, "1"), ranks);
    std::string marks(static_cast<std::size_t>(ranks), '\0');
    for (const int rank : marked) marks[static_cast<std::size_t>(rank)] = 1;
    replace_file(stop_marks_path(run, "1"), marks);
    JournalState state = read_journals(run);
    return std::pair{state.task(task_number(0)).unended_attempts(), state.task(task_number(1)).unended_attempts()};
  };
  const auto blamed = [&](const std::vector<int>& marked, std::int64_t ranks = 4) {
    const TemporaryFolder folder;
    return written(folder.path(), marked, ranks);
  };
  EXPECT_EQ(blamed({}), (std::pair<std::int64_t, std::int64_t>{1, 1})) << "nobody has a mark: it cannot be told";
  EXPECT_EQ(blamed({0, 1, 2, 3}), (std::pair<std::int64_t, std::int64_t>{0, 0}));
  EXPECT_EQ(blamed({0, 1, 2}), (std::pair<std::int64_t, std::int64_t>{0, 1})) << "rank 3 has died";
  EXPECT_EQ(blamed({1, 2, 3}), (std::pair<std::int64_t, std::int64_t>{1, 0}));
  EXPECT_EQ(blamed({0, 1}, 2), (std::pair<std::int64_t, std::int64_t>{0, 1})) << "marks of fewer ranks";
}

TEST(JournalState, WhatALiveStartIsAtIsRunning) {
  const TemporaryFolder folder;
  for (const char* stem : {"1", "2", "3"}) Journal(folder.path(), stem, header).write(begin_record(0));
  JournalState state = read_journals(folder.path());
  EXPECT_EQ(state.task(task_number(0)).attempt_count(), 3);
  EXPECT_TRUE(state.task(task_number(0)).exhausted(3));
  state.set_live({"2", "3"});
  EXPECT_EQ(state.task(task_number(0)).attempt_count(), 1);
  EXPECT_FALSE(state.task(task_number(0)).exhausted(2));
  state.set_live({});
  EXPECT_EQ(state.task(task_number(0)).attempt_count(), 3);
}

TEST(StopMarks, AreOneByteForEachRank) {
  const TemporaryFolder folder;
  const fs::path path = stop_marks_path(folder.path(), "s");
  EXPECT_THAT(read_stop_marks(path), IsEmpty());
  create_stop_marks(path, 3);
  EXPECT_EQ(read_stop_marks(path), (std::vector<bool>{false, false, false}));
  EXPECT_THROW(create_stop_marks(path, 3), FileError);
  EXPECT_TRUE(mark_all_ranks(path, 3));
  EXPECT_EQ(read_stop_marks(path), (std::vector<bool>{true, true, true}));
  EXPECT_FALSE(mark_all_ranks(folder / "absent", 3));
}

TEST(Journal, AFullDiskLosesNothingThatWasWritten) {
  const TemporaryFolder folder;
  Journal journal(folder.path(), "j", header);
  journal.write(done_record(0, {1}, 1.0));
  const std::string before = print(read_journals(folder.path()));
  {
    const FileSizeLimit limit(fs::file_size(journal.path()) + 40);
    try {
      journal.write(done_record(1, {1}, 1.0));
      FAIL() << "a full disk was not noticed";
    } catch (const FileError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("cannot write"), HasSubstr("j.journal")));
    }
    EXPECT_EQ(print(read_journals(folder.path())), before);
    EXPECT_THAT(read_journals(folder.path()).warnings(), IsEmpty());
  }
  journal.write(done_record(1, {1}, 1.0));
  EXPECT_EQ(read_journals(folder.path()).tasks().size(), 2U);
}

TEST(Journal, WhatAFullDiskRefusedWaitsForTheNextCommit) {
  const TemporaryFolder folder;
  Journal journal(folder.path(), "j", header);
  for (int task = 0; task < 3; ++task) journal.add(done_record(task, {1}, 1.0));
  EXPECT_TRUE(read_journals(folder.path()).tasks().empty());
  {
    const FileSizeLimit limit(fs::file_size(journal.path()) + 250);  // one record, and a piece of another
    EXPECT_THROW(journal.commit(), FileError);
    EXPECT_TRUE(read_journals(folder.path()).tasks().empty());
    EXPECT_THAT(read_journals(folder.path()).warnings(), IsEmpty());
  }
  journal.write(done_record(3, {1}, 1.0));  // behind them
  const JournalState state = read_journals(folder.path());
  for (int task = 0; task < 4; ++task)
    EXPECT_TRUE(state.task(task_number(task)).complete(std::vector<std::int64_t>{1}));
}

TEST(Journal, RefusesWhatDoesNotFitTogether) {
  const TemporaryFolder folder;
  Journal journal(folder.path(), "j", header);
  DoneRecord record = done_record(0, {1, 2}, 1.0);
  record.variables[0].values.pop_back();
  EXPECT_THROW(journal.write(record), std::logic_error);
  record = done_record(0, {}, 1.0);
  record.variables[0].values.resize(max_record_bytes / 8);
  EXPECT_THROW(journal.write(record), std::length_error);
  EXPECT_THAT(read_journals(folder.path()).warnings(), IsEmpty());
}

TEST(Journal, IsBroughtToDiskAtMostOnceASecond) {
  const TemporaryFolder folder;
  WallTime now = from_unix_seconds(1000.0);
  Journal journal(folder.path(), "j", header, [&now] { return now; });
  const auto syncs_of = [](auto&& action) {
    const int before = data_syncs;
    action();
    return data_syncs - before;
  };
  const auto many = [&] {
    for (int i = 0; i < 100; ++i) journal.write(begin_record(i));
  };
  EXPECT_EQ(syncs_of(many), 0);
  EXPECT_EQ(syncs_of([&] { journal.poll(); }), 0);
  now += std::chrono::seconds(1);
  EXPECT_EQ(syncs_of([&] { journal.poll(); }), 1);
  EXPECT_EQ(syncs_of([&] { journal.poll(); }), 0);
  now += std::chrono::seconds(5);
  EXPECT_EQ(syncs_of([&] { journal.poll(); }), 0);  // nothing new
  EXPECT_EQ(syncs_of(many), 1);
  EXPECT_EQ(syncs_of([&] { journal.sync(); }), 1);
  EXPECT_EQ(syncs_of([&] { journal.sync(); }), 0);
  journal.write(begin_record(0));
  now -= std::chrono::hours(1);  // the clock was set back
  EXPECT_EQ(syncs_of([&] { journal.poll(); }), 1);
  journal.write(begin_record(0));
  EXPECT_EQ(syncs_of([&] { journal.close(); }), 1);
}

// Writes records for ever, several at once, and tells the parent, after each commit, that they are there.
[[noreturn]] void write_until_killed(const fs::path& run, const std::string& stem, int first, int confirm) {
  Journal journal(run, stem, header);
  for (int task = first;; ++task) {
    journal.add(done_record(task, {1, 2, 3}, task));
    if (task % 4 == 1 || task % 4 == 2) continue;
    journal.commit();
    if (::write(confirm, &task, sizeof task) != sizeof task) ::_exit(1);
  }
}

TEST(Journal, SurvivesBeingKilled) {
  const TemporaryFolder folder;
  std::mt19937 random(1);
  int first = 0;
  for (int kill = 0; kill < 12; ++kill) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(folder.path(), fmt::format("{:02}", kill), first, ends[1]);
    ::close(ends[1]);
    std::this_thread::sleep_for(std::chrono::microseconds(2000 + random() % 20000));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    int last = first - 1;
    while (::read(ends[0], &last, sizeof last) == sizeof last) {
    }
    ::close(ends[0]);
    const JournalState state = read_journals(folder.path(), header);
    for (int task = 0; task <= last; ++task) {
      const auto* values = state.task(task_number(task)).value("free");
      ASSERT_NE(values, nullptr) << "task " << task << " of " << last;
      EXPECT_EQ(values->front(), task);
    }
    first = last + 1;
  }
  EXPECT_GT(first, 10);
}

TEST(StartStem, SortsByTimeAndNamesTheStart) {
  ProcessIdentity process;
  process.host = "node-1";
  process.pid = 42;
  EXPECT_EQ(start_stem(from_unix_seconds(1709115072.25), {2, 8}, process), "20240228T101112.250Z-2of8-node-1-42");
}

}  // namespace
}  // namespace diffphase
