#pragma once

#include <functional>
#include <stdexcept>
#include <string>

#include "parallel/communicator.hpp"

namespace diffphase {

/// Thrown on every rank of a group when the run is asked to stop: the task is abandoned, not failed.
class Stopped : public std::runtime_error {
 public:
  Stopped() : std::runtime_error("stopped") {}
};

/// Thrown on every rank of a group when at least one of them failed; carries the message of the lowest such
/// rank.
class GroupError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The text of the exception that is being handled, never empty. Call only inside a catch block. Local.
[[nodiscard]] std::string current_error();

/// The ranks that work on one task, and their agreement points.
///
/// An agreement point is one small reduction that carries stop and error together, so that an error on one
/// rank ends the task on all of them with one message and without deadlock. Between two agreement points a
/// rank either does local work, which may throw, or collective work, which must not: `run_guarded` local
/// work, then communicate.
class TaskGroup {
 public:
  /// How long a rank with an error waits for the others at an agreement point.
  static constexpr double usual_patience = 600.0;

  /// `poll` is called on this rank at each agreement point; it serves the queue where this rank owns it and
  /// returns true if this rank wants the run to stop. May be empty. `comm` must outlive the group.
  ///
  /// A rank that has an error, and whose group does not come to an agreement point within `patience` seconds, ends the
  /// program with its message: the error was thrown where it must not be, in the middle of an exchange of data, and the
  /// others wait there for ever.
  explicit TaskGroup(const Communicator& comm, std::function<bool()> poll = {}, double patience = usual_patience);

  [[nodiscard]] const Communicator& comm() const { return comm_; }

  /// Agreement point. Throws Stopped everywhere if any rank wants to stop (error wins over stop), GroupError
  /// everywhere if any rank has an error. Collective.
  void agree() const { agree_on(""); }

  /// Runs `work` locally, then agrees: an exception thrown by `work` on any rank becomes a GroupError on
  /// every rank. Collective.
  void run_guarded(const std::function<void()>& work) const;

  /// The agreement point after a task: returns the error of the lowest rank that has one, or "" if none has.
  /// Serves the queue as the others do, but a wish to stop does not count: what is finished is kept. Where it
  /// meets an agree() of other ranks, because this rank alone failed before reaching it, the error ends the
  /// task there too. Collective.
  [[nodiscard]] std::string finish(const std::string& error) const;

 private:
  struct Agreement {
    std::string error;
    bool stop = false;
  };

  void agree_on(const std::string& error) const;
  [[nodiscard]] Agreement exchange(const std::string& error, bool stop) const;

  const Communicator& comm_;
  std::function<bool()> poll_;
  double patience_;
};

}  // namespace diffphase
