#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "measure/measure.hpp"
#include "parallel/task_group.hpp"
#include "spectrum/partial_spectrum.hpp"
#include "spectrum/score_matrix.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// Whose score a measure looks at: that of the law the data are drawn from, in closed form, or that of a training set.
enum class ScoreKind { exact, training_set };

/// C = Cov[x_0|x]/tau = I - N at one probe and one time, N = -b^2 J. What it refers to must outlive it.
struct ProbedJacobian {
  SymmetricOperator covariance;  ///< C, on the first span() coordinates (or in C's own basis, where that is known)
  double trace = 0.0;            ///< tr C
  double floor = 0.0;            ///< no eigenvalue of C on the first span() coordinates is below it
  /// All eigenvalues of C on the first span() coordinates, descending, where they are known.
  std::optional<std::vector<double>> eigenvalues{};
  std::shared_ptr<const void> owner{};
};

/// A score at the probes of a task, in the frame of the variance-exploding process: x = x_0 + sqrt(tau) xi with tau =
/// b^2/a^2, x_0 and xi common to all times. N is the same on every clock. All functions are collective over the group,
/// which must outlive the object.
class ProbedScore {
 public:
  ProbedScore() = default;
  ProbedScore(const ProbedScore&) = delete;
  ProbedScore& operator=(const ProbedScore&) = delete;
  virtual ~ProbedScore() = default;

  /// Coordinates in which the data differ from 0: C is 0 in the others, which it leaves out.
  [[nodiscard]] virtual std::int64_t span() const = 0;

  [[nodiscard]] virtual ProbedJacobian jacobian(double tau, std::int64_t probe) const = 0;

  /// x_0 of a probe on the first span() coordinates, whole on every rank.
  [[nodiscard]] virtual std::vector<double> start(std::int64_t probe) const = 0;
  /// The score s(x) = (E[x_0|x] - x)/tau on the first span() coordinates, and who has to call it. Not for scores of
  /// which each rank has some of the columns.
  [[nodiscard]] virtual ScoreFunction score(double tau) const = 0;
  [[nodiscard]] virtual ScoreCall score_call() const = 0;
};

/// The option `score` of the measures that look at a score.
[[nodiscard]] MeasureOption score_option();
/// What the option says: `automatic` is the training set where there is one.
[[nodiscard]] ScoreKind score_kind(const TaskParameters& task);
/// Why the score that the task asks for does not exist; empty if it does. `measure` is what messages call it.
[[nodiscard]] std::string score_problem(const TaskParameters& task, const std::string& measure);

/// Sample counts of a request, once each as the results need it: those asked for, or a single 0 for an exact score.
[[nodiscard]] std::vector<std::int64_t> score_counts(const TaskParameters& task, const TaskRequest& request);

/// Makes the scores of the task one after the other, from one drawing of the largest training set, and hands each to
/// `use` with its count, descending, or 0. Under the component partition unless the measure has an option `partition`
/// that says otherwise. Where data stored as floats, as mixed precision asks for, have too few digits for what lies
/// between them, all of it is done once more with doubles: then `use` sees every count again, and the answer, a warning
/// on every rank, is not empty. Throws std::runtime_error on every rank if doubles have too few digits. Collective.
[[nodiscard]] std::string visit_scores(const TaskGroup& group, const TaskParameters& task, const TaskRequest& request,
                                       const std::function<void(std::int64_t count, const ProbedScore& score)>& use);

/// Whether each eigenvalue of C converged or has a residual below the rounding of N = I - C, as where all weight is on
/// one point and C is 0 but for that. Local.
[[nodiscard]] bool is_resolved(const PartialSpectrum& spectrum);

/// What may be said of eigenvalues, in the order of the results' flags.
enum class SolverStatus { verified, unverified, copies_missing, not_converged };

/// verified: converged, by a direct method or with a search that found nothing larger outside. Local.
[[nodiscard]] SolverStatus solver_status(const PartialSpectrum& spectrum);

/// For measures that need the eigenvalues whole: throws std::runtime_error, on every rank, if some did not converge or
/// were missed; else adds the choice of the method to `notes`. Local; ranks have the same spectrum.
void require_spectrum(const PartialSpectrum& spectrum, const std::string& measure, std::set<std::string>& notes);

/// The variables of each count, appended in the order of `counts`; warnings of all.
[[nodiscard]] MeasureResult joined(const std::vector<std::int64_t>& counts,
                                   const std::map<std::int64_t, MeasureResult>& by_count);

/// What making the task's scores takes: drawing and storing the data, and for each probe and time the responsibilities.
[[nodiscard]] Cost score_cost(const TaskParameters& task, const TaskRequest& request, double probes, double times);

/// What largest_eigenpairs of `wanted` eigenvalues takes on top at each probe and time: work and memory of the method,
/// or of the one that `automatic` would take with all rows. Nothing where spectra are known in closed form.
[[nodiscard]] Cost eigenpairs_cost(const TaskParameters& task, const TaskRequest& request, double probes, double times,
                                   std::int64_t wanted, SpectrumMethod method = SpectrumMethod::automatic);

}  // namespace diffphase
