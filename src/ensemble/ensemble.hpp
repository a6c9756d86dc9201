#pragma once

#include <cstdint>
#include <memory>
#include <span>

namespace diffphase {

/// Draws some columns of the rows of an ensemble's infinite training set, with whatever is worth keeping between
/// rows. Local, not collective.
class RowSampler {
 public:
  RowSampler() = default;
  RowSampler(const RowSampler&) = delete;
  RowSampler& operator=(const RowSampler&) = delete;
  virtual ~RowSampler() = default;

  /// Vectors, as long as the sampler has columns, that must be prepared before the first row.
  [[nodiscard]] virtual std::int64_t vectors() const { return 0; }
  /// Prepares vectors [first, first + count). In any order, each once.
  virtual void prepare(std::int64_t /*first*/, std::int64_t /*count*/) {}

  /// The sampler's columns of rows [first_row, first_row + rows), row-major. A row's numbers do not depend on which
  /// rows and columns are drawn with it.
  virtual void draw(std::int64_t first_row, std::int64_t rows, std::span<double> out) = 0;
};

/// What the data are: a law of rows, whose infinite training set any rank can make any part of (counter-based random
/// streams). Local, not collective.
class Ensemble {
 public:
  virtual ~Ensemble() = default;

  [[nodiscard]] virtual std::int64_t dimension() const = 0;
  /// Columns from this one on are zero in every row.
  [[nodiscard]] virtual std::int64_t nonzero_columns() const { return dimension(); }

  [[nodiscard]] virtual bool has_classes() const { return false; }
  /// Class of row `row` of the infinite training set; 0 without classes.
  [[nodiscard]] virtual std::int64_t label(std::int64_t /*row*/) const { return 0; }

  /// Columns [first_column, first_column + columns) of the infinite training set. The ensemble must outlive the
  /// sampler.
  [[nodiscard]] virtual std::unique_ptr<RowSampler> sampler(std::int64_t first_column, std::int64_t columns) const = 0;

  /// What a sampler of that many columns needs for a row, in random numbers or what takes as long.
  [[nodiscard]] virtual double numbers_per_row(std::int64_t columns) const { return static_cast<double>(columns); }

  /// Columns [first_column, first_column + out.size()) of one row, for those who need few of them.
  virtual void sample(std::int64_t row, std::int64_t first_column, std::span<double> out) const;

 protected:
  Ensemble() = default;
  Ensemble(const Ensemble&) = default;
  Ensemble(Ensemble&&) = default;
  Ensemble& operator=(const Ensemble&) = default;
  Ensemble& operator=(Ensemble&&) = default;
};

}  // namespace diffphase
