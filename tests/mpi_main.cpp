// GoogleTest's main for tests that use MPI: every rank runs every test in the same order, rank 0 alone
// prints, and a test that fails on any rank fails on rank 0, with the messages of that rank.

#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "parallel/mpi_environment.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>

// MPI_Init leaks on purpose, in plugins that are gone at exit, where nothing could name them: what it allocates is not
// counted, and leaks of the tests are looked for before MPI_Finalize.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "leak_check_at_exit=0"; }

// HDF5 1.10 does not free what it had allocated for a damaged file when it finds the damage.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5\n"; }
#endif

namespace {

std::unique_ptr<diffphase::MpiEnvironment> start_libraries(int& argc, char**& argv) {
  int provided = 0;
#ifdef __SANITIZE_ADDRESS__
  const __lsan::ScopedDisabler while_starting;
#endif
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  return std::make_unique<diffphase::MpiEnvironment>(argc, argv);
}

bool leaked() {
#ifdef __SANITIZE_ADDRESS__
  return __lsan_do_recoverable_leak_check() != 0;
#else
  return false;
#endif
}

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int world_size() {
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

// Collects the failures of one test on this rank and brings them to rank 0 when the test ends.
class CollectFailures : public testing::EmptyTestEventListener {
 public:
  void OnTestStart(const testing::TestInfo& /*test*/) override { failures_.clear(); }

  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    const char* file = result.file_name() == nullptr ? "?" : result.file_name();
    failures_ += "[rank " + std::to_string(world_rank()) + "] " + file + ":" + std::to_string(result.line_number()) +
                 ": " + result.message() + "\n";
  }

  void OnTestEnd(const testing::TestInfo& /*test*/) override {
    const int length = static_cast<int>(failures_.size());
    std::vector<int> lengths(static_cast<std::size_t>(world_size()));
    MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, MPI_COMM_WORLD);
    if (world_rank() != 0) {
      if (length > 0) MPI_Send(failures_.data(), length, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
      return;
    }
    for (int rank = 1; rank < world_size(); ++rank) {
      const int incoming = lengths[static_cast<std::size_t>(rank)];
      if (incoming == 0) continue;
      std::string text(static_cast<std::size_t>(incoming), '\0');
      MPI_Recv(text.data(), incoming, MPI_CHAR, rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      std::fputs(text.c_str(), stdout);
      failed_elsewhere_ = true;
    }
  }

  [[nodiscard]] bool failed_elsewhere() const { return failed_elsewhere_; }

 private:
  std::string failures_;
  bool failed_elsewhere_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  auto libraries = start_libraries(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (world_rank() != 0) delete listeners.Release(listeners.default_result_printer());
  auto collector = std::make_unique<CollectFailures>();
  const CollectFailures* failures = collector.get();
  listeners.Append(collector.release());
  int result = RUN_ALL_TESTS();
  if (failures->failed_elsewhere()) {
    std::puts("FAILED on another rank; see the messages above");
    result = 1;
  }
  if (leaked()) result = 1;
  libraries.reset();
  MPI_Finalize();
  return result;
}
