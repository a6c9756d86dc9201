#include "parallel/task_group.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace diffphase {
namespace {

class TaskGroupTest : public testing::Test {
 protected:
  TaskGroupTest() : world_(Communicator::world()) {}

  [[nodiscard]] const Communicator& world() const { return world_; }
  [[nodiscard]] bool is(int rank) const { return world_.rank() == rank; }
  [[nodiscard]] int last() const { return world_.size() - 1; }

 private:
  Communicator world_;
};

// The message of the GroupError that `work` throws, or what it did instead.
template <typename Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const GroupError& e) {
    return e.what();
  } catch (const Stopped&) {
    return "(stopped)";
  }
  return "(no error)";
}

TEST_F(TaskGroupTest, AgreesWhenNothingIsWrong) {
  int polls = 0;
  const TaskGroup group(world(), [&] { return ++polls < 0; });
  EXPECT_EQ(error_of([&] { group.agree(); }), "(no error)");
  EXPECT_EQ(error_of([&] { group.run_guarded([] {}); }), "(no error)");
  EXPECT_EQ(group.finish(""), "");
  EXPECT_EQ(polls, 3);
  EXPECT_NO_THROW(TaskGroup(world()).agree());
}

TEST_F(TaskGroupTest, AnErrorOnAnyRankIsOneOnAll) {
  const TaskGroup group(world());
  for (int failing = 0; failing < world().size(); ++failing) {
    const std::string text =
        "rank " + std::to_string(failing) + std::string(static_cast<std::size_t>(100 * failing), '!');
    EXPECT_EQ(error_of([&] {
                group.run_guarded([&] {
                  if (is(failing)) throw std::runtime_error(text);
                });
              }),
              text);
    EXPECT_EQ(group.finish(is(failing) ? text : ""), text);
  }
}

TEST_F(TaskGroupTest, TheLowestRankSpeaks) {
  const TaskGroup group(world());
  for (int lowest = 0; lowest < world().size(); ++lowest) {
    const auto work = [&] {
      if (world().rank() >= lowest) throw std::runtime_error(std::to_string(world().rank()));
    };
    EXPECT_EQ(error_of([&] { group.run_guarded(work); }), std::to_string(lowest));
  }
}

TEST_F(TaskGroupTest, ErrorsWithoutTextHaveOne) {
  const TaskGroup group(world());
  EXPECT_EQ(error_of([&] { group.run_guarded([] { throw std::runtime_error(""); }); }), "unnamed error");
  EXPECT_EQ(error_of([&] { group.run_guarded([] { throw 42; }); }), "unknown error");
}

TEST_F(TaskGroupTest, AStopOnAnyRankIsOneOnAll) {
  for (int stopping = 0; stopping < world().size(); ++stopping) {
    const TaskGroup group(world(), [&] { return is(stopping); });
    EXPECT_EQ(error_of([&] { group.agree(); }), "(stopped)");
    EXPECT_EQ(group.finish(""), "") << "what is finished is kept";
  }
}

TEST_F(TaskGroupTest, AnErrorWinsOverAStop) {
  const TaskGroup group(world(), [&] { return is(0); });
  EXPECT_EQ(error_of([&] {
              group.run_guarded([&] {
                if (is(last())) throw std::runtime_error("broken");
              });
            }),
            "broken");
}

TEST_F(TaskGroupTest, ARankThatFailsAloneMeetsTheOthersAtTheirNextPoint) {
  const TaskGroup group(world());
  if (is(last())) {
    EXPECT_EQ(group.finish("alone"), "alone");
  } else {
    EXPECT_EQ(error_of([&] { group.agree(); }), "alone");
  }
}

TEST_F(TaskGroupTest, PartsOfTheWorldAgreeOnTheirOwn) {
  const int front = (world().size() + 1) / 2;
  const Communicator part = world().split(world().rank() < front ? 0 : 1);
  const TaskGroup group(part);
  const bool fails = world().rank() < front;
  const auto work = [&] {
    if (fails) throw std::runtime_error("front");
  };
  EXPECT_EQ(error_of([&] { group.run_guarded(work); }), fails ? "front" : "(no error)");
}

}  // namespace
}  // namespace diffphase
