#include "sweep/task_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

namespace diffphase {
namespace {

using testing::ElementsAre;

constexpr int leader = 0;
constexpr int other = 3;

TaskQueue queue_of(const std::vector<int>& levels, const std::vector<std::size_t>& order) { return {levels, order, 3}; }

TEST(TaskQueue, HandsOutEachLevelInOrder) {
  TaskQueue queue = queue_of({1, 0, 1, 1, 0}, {3, 4, 0, 1, 2});
  EXPECT_EQ(queue.remaining(0), 2U);
  EXPECT_EQ(queue.remaining(1), 3U);
  EXPECT_EQ(queue.remaining(2), 0U);
  EXPECT_EQ(queue.next(1), 3U);
  EXPECT_EQ(queue.take(1, leader), 3U);
  EXPECT_EQ(queue.take(1, other), 0U);
  EXPECT_EQ(queue.take(0, leader), 4U);
  EXPECT_EQ(queue.take(0, leader), 1U);
  EXPECT_EQ(queue.take(0, leader), std::nullopt);
  EXPECT_EQ(queue.take(2, leader), std::nullopt);
  EXPECT_EQ(queue.waiting(), 1U);
  EXPECT_EQ(queue.held_by(leader), 3U);
  EXPECT_EQ(queue.held_by(other), 1U);
  EXPECT_EQ(queue.held_by(7), 0U);
  EXPECT_THAT(queue.holders(), ElementsAre(leader, other));
}

TEST(TaskQueue, CountsOutcomesAndSettles) {
  TaskQueue queue = queue_of({0, 0, 0}, {0, 1, 2});
  EXPECT_FALSE(queue.settled());
  for (int i = 0; i < 3; ++i) queue.take(0, other);
  EXPECT_FALSE(queue.settled());
  queue.end(1, other, Outcome::failed);
  queue.end(0, other, Outcome::done);
  EXPECT_FALSE(queue.settled());
  queue.end(2, other, Outcome::done);
  EXPECT_TRUE(queue.settled());
  EXPECT_EQ(queue.ended(Outcome::done), 2U);
  EXPECT_EQ(queue.ended(Outcome::failed), 1U);
  EXPECT_EQ(queue.ended(Outcome::abandoned), 0U);
  EXPECT_TRUE(queue.holders().empty());
}

TEST(TaskQueue, WhatIsLeftOutIsNeverHandedOut) {
  TaskQueue queue = queue_of({0, 0, 1, 0}, {3, 0, 1, 2});
  queue.leave_out(0);
  EXPECT_EQ(queue.remaining(0), 2U);
  EXPECT_EQ(queue.take(0, other), 0U);
  queue.leave_out(0);
  EXPECT_EQ(queue.next(0), std::nullopt);
  EXPECT_EQ(queue.left_out(), 2U);
  EXPECT_EQ(queue.waiting(), 1U);
  EXPECT_THROW(queue.leave_out(0), std::logic_error);
  EXPECT_THROW(queue.end(3, other, Outcome::abandoned), std::logic_error);
  queue.end(0, other, Outcome::done);
  EXPECT_FALSE(queue.settled());
  queue.leave_out(1);
  EXPECT_TRUE(queue.settled());
  EXPECT_EQ(queue.left_out(), 3U);
}

TEST(TaskQueue, StoppedHandsOutNothingButTakesWhatEnds) {
  TaskQueue queue = queue_of({0, 0}, {0, 1});
  queue.take(0, other);
  queue.stop();
  EXPECT_TRUE(queue.stopping());
  EXPECT_EQ(queue.next(0), std::nullopt);
  EXPECT_EQ(queue.take(0, leader), std::nullopt);
  EXPECT_FALSE(queue.settled());
  queue.end(0, other, Outcome::abandoned);
  EXPECT_TRUE(queue.settled());
  EXPECT_EQ(queue.waiting(), 1U);
  EXPECT_EQ(queue.ended(Outcome::abandoned), 1U);
}

TEST(TaskQueue, RefusesWhatCannotBe) {
  TaskQueue queue = queue_of({0, 0}, {0, 1});
  EXPECT_THROW(queue.end(0, leader, Outcome::done), std::logic_error);
  queue.take(0, leader);
  EXPECT_THROW(queue.end(0, other, Outcome::done), std::logic_error);
  EXPECT_THROW(queue.end(9, leader, Outcome::done), std::logic_error);
  queue.end(0, leader, Outcome::done);
  EXPECT_THROW(queue.end(0, leader, Outcome::done), std::logic_error);
  EXPECT_EQ(queue.ended(Outcome::done), 1U);
}

TEST(TaskQueue, RefusesLevelsAndOrdersThatDoNotFit) {
  EXPECT_THROW(queue_of({3}, {0}), std::invalid_argument);
  EXPECT_THROW(queue_of({-1}, {0}), std::invalid_argument);
  EXPECT_THROW(queue_of({0, 0}, {0}), std::invalid_argument);
  EXPECT_THROW(queue_of({0, 0}, {0, 0}), std::invalid_argument);
  EXPECT_THROW(queue_of({0, 0}, {0, 2}), std::invalid_argument);
  EXPECT_TRUE(queue_of({}, {}).settled());
}

TEST(TaskQueue, EveryTaskGoesOutOnceInAnyInterleaving) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<int> levels(random() % 20);
    for (int& level : levels) level = static_cast<int>(random() % 3);
    std::vector<std::size_t> order(levels.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::shuffle(order.begin(), order.end(), random);
    TaskQueue queue = queue_of(levels, order);
    std::vector<std::vector<std::size_t>> held(4);
    std::vector<int> times_out(levels.size(), 0);
    while (!queue.settled()) {
      const auto holder = random() % held.size();
      if (random() % 2 == 0) {
        const auto level = static_cast<int>(random() % 3);
        if (const auto task = queue.take(level, static_cast<int>(holder))) {
          EXPECT_EQ(levels[*task], level);
          ++times_out[*task];
          held[holder].push_back(*task);
        }
      } else if (!held[holder].empty()) {
        queue.end(held[holder].back(), static_cast<int>(holder), Outcome::done);
        held[holder].pop_back();
      }
    }
    EXPECT_THAT(times_out, testing::Each(1));
    EXPECT_EQ(queue.ended(Outcome::done), levels.size());
  }
}

}  // namespace
}  // namespace diffphase
