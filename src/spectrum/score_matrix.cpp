#include "spectrum/score_matrix.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>

namespace diffphase {

namespace {

std::int64_t first_row(std::int64_t rows, int rank, int ranks) { return rows * rank / ranks; }

class ScoreMatrixRows {
 public:
  ScoreMatrixRows(const TaskGroup& group, std::span<const double> x0, const ScoreFunction& score,
                  const RandomStream& stream, const ScoreMatrixSettings& settings)
      : group_(group), x0_(x0), score_(score), stream_(stream), settings_(settings), d_(x0.size()) {
    matrix_.columns = static_cast<std::int64_t>(d_);
    matrix_.rows = settings.probes > 0 ? settings.probes : 4 * matrix_.columns;
    const int ranks = group.comm().size();
    first_ = first_row(matrix_.rows, group.comm().rank(), ranks);
    last_ = first_row(matrix_.rows, group.comm().rank() + 1, ranks);
    group.run_guarded([&] {
      if (d_ == 0 || settings_.probes < 0 || settings_.batch < 1 || !(settings_.sigma > 0.0)) {
        throw std::invalid_argument("score matrix: dimension, probes, batch and sigma must be positive");
      }
      matrix_.values.resize(static_cast<std::size_t>(last_ - first_) * d_);
      points_.resize(static_cast<std::size_t>(settings_.batch) * d_);
      scores_.resize(points_.size());
      if (settings_.rows == ScoreRows::antithetic) opposite_.resize(points_.size());
    });
  }

  ScoreMatrix fill() {
    if (settings_.call == ScoreCall::together) {
      fill_together();
    } else {
      fill_own();
    }
    if (settings_.rows == ScoreRows::centred) subtract_mean();
    return std::move(matrix_);
  }

 private:
  void fill_together() {
    for (std::int64_t row = 0; row < matrix_.rows; row += settings_.batch) {
      const std::int64_t count = std::min(settings_.batch, matrix_.rows - row);
      evaluate(row, count);
      keep(row, count);
      group_.agree();
    }
  }

  void fill_own() {
    const std::int64_t most = (matrix_.rows + group_.comm().size() - 1) / group_.comm().size();
    for (std::int64_t done = 0; done < most; done += settings_.batch) {
      group_.run_guarded([&] {
        const std::int64_t count = std::min(settings_.batch, last_ - first_ - done);
        if (count <= 0) return;
        evaluate(first_ + done, count);
        keep(first_ + done, count);
      });
    }
  }

  // scores_ := the rows of probes [row, row + count), but for the mean.
  void evaluate(std::int64_t row, std::int64_t count) {
    evaluate_at(row, count, settings_.sigma, scores_);
    if (settings_.rows != ScoreRows::antithetic) return;
    evaluate_at(row, count, -settings_.sigma, opposite_);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count) * d_; ++i) {
      scores_[i] = 0.5 * (scores_[i] - opposite_[i]);
    }
  }

  void evaluate_at(std::int64_t row, std::int64_t count, double sigma, std::vector<double>& scores) {
    for (std::int64_t p = 0; p < count; ++p) {
      const auto point = std::span(points_).subspan(static_cast<std::size_t>(p) * d_, d_);
      stream_.normals(static_cast<std::uint64_t>(row + p), 0, point);
      for (std::size_t i = 0; i < d_; ++i) point[i] = x0_[i] + sigma * point[i];
    }
    const std::size_t used = static_cast<std::size_t>(count) * d_;
    score_(count, std::span<const double>(points_).first(used), std::span(scores).first(used));
  }

  void keep(std::int64_t row, std::int64_t count) {
    const std::int64_t from = std::max(row, first_);
    const std::int64_t to = std::min(row + count, last_);
    if (from >= to) return;
    const auto n = static_cast<std::int64_t>(d_);
    std::copy(scores_.begin() + (from - row) * n, scores_.begin() + (to - row) * n,
              matrix_.values.begin() + (from - first_) * n);
  }

  void subtract_mean() {
    std::vector<double> mean;
    group_.run_guarded([&] { mean.resize(d_); });
    for (std::size_t i = 0; i < matrix_.values.size(); ++i) mean[i % d_] += matrix_.values[i];
    group_.comm().sum(std::span(mean));
    for (double& m : mean) m /= static_cast<double>(matrix_.rows);
    for (std::size_t i = 0; i < matrix_.values.size(); ++i) matrix_.values[i] -= mean[i % d_];
  }

  const TaskGroup& group_;
  std::span<const double> x0_;
  const ScoreFunction& score_;
  const RandomStream& stream_;
  ScoreMatrixSettings settings_;
  std::size_t d_;
  std::int64_t first_ = 0;
  std::int64_t last_ = 0;
  ScoreMatrix matrix_;
  std::vector<double> points_;
  std::vector<double> scores_;
  std::vector<double> opposite_;
};

}  // namespace

ScoreMatrix score_matrix(const TaskGroup& group, std::span<const double> x0, const ScoreFunction& score,
                         const RandomStream& stream, const ScoreMatrixSettings& settings) {
  return ScoreMatrixRows(group, x0, score, stream, settings).fill();
}

}  // namespace diffphase
