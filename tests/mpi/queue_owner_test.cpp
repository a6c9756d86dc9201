#include "sweep/queue_owner.hpp"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <vector>

#include "parallel/communicator.hpp"

namespace diffphase {
namespace {

// A queue of three tasks on rank 0 of two, where rank 1 never answers.
class SilentRank : public testing::Test {
 protected:
  SilentRank() {
    hooks_.stop_wanted = [this] { return stop_; };
    hooks_.end = [this](std::size_t, const TaskReport& report) { ended_.push_back(report.outcome); };
    hooks_.give_up = [this](const RunSummary& summary) { given_up_ = summary; };
  }

  bool stop_ = false;
  double now_ = 0.0;
  std::vector<Outcome> ended_;
  std::optional<RunSummary> given_up_;
  SchedulerHooks hooks_;
  Mailbox mailbox_{Communicator::self()};
  TreeShape shape_{1};
  QueueOwner owner_{shape_,
                    mailbox_,
                    hooks_,
                    TaskQueue(std::array{0, 0, 0}, std::array<std::size_t, 3>{0, 1, 2}, shape_.levels()),
                    {.limit = 0.0, .stop_patience = 60.0, .clock = [this] { return now_; }}};
};

TEST_F(SilentRank, IsGivenUpAMinuteAfterAStop) {
  ASSERT_EQ(owner_.take(0), 0U);
  now_ = 1000.0;
  owner_.serve();
  EXPECT_FALSE(given_up_) << "without a stop nobody is given up";
  stop_ = true;
  owner_.serve();
  now_ = 1059.0;
  owner_.serve();
  EXPECT_FALSE(given_up_);
  now_ = 1060.0;
  owner_.serve();
  ASSERT_TRUE(given_up_);
  EXPECT_EQ(given_up_->abandoned, 1U);
  EXPECT_EQ(given_up_->not_begun, 2U);
  EXPECT_EQ(ended_, (std::vector{Outcome::abandoned}));
}

TEST_F(SilentRank, IsNotGivenUpWhereItHasNothing) {
  stop_ = true;
  owner_.serve();
  now_ = 1000.0;
  owner_.serve();
  EXPECT_FALSE(given_up_);
}

}  // namespace
}  // namespace diffphase
