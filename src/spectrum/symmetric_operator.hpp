#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace diffphase {

/// Piece `panel` of `panels` nearly equal ones of [0, size).
struct PanelRange {
  std::int64_t first = 0;
  std::int64_t count = 0;

  PanelRange(std::int64_t size, std::int64_t panel, std::int64_t panels)
      : first(size * panel / panels), count(size * (panel + 1) / panels - first) {}
};

/// A = shift I + S^T S for a matrix S of `rows` rows, few of them or many: what the exact reduction to a rows x rows
/// Gram matrix needs to know of an operator.
struct RowFactor {
  double shift = 0.0;
  std::int64_t rows = 0;
  /// out := the local columns PanelRange(local_size, panel, panels) of S, [rows][columns]. Collective over the group;
  /// must not throw on some ranks only.
  std::function<void(std::int64_t panel, std::int64_t panels, std::span<double> out)> read;
};

/// A symmetric operator on R^size whose vectors are split over the ranks of a group in contiguous pieces, in rank
/// order. It applies itself to a block of vectors; one vector is a block of one. What follows `apply` is optional.
struct SymmetricOperator {
  std::int64_t size = 0;
  std::int64_t local_size = 0;
  /// out := A in for `vectors` vectors, local pieces one after the other: [vector][local_size]. Collective over the
  /// group; must not throw on some ranks only.
  std::function<void(std::int64_t vectors, std::span<const double> in, std::span<double> out)> apply;

  std::optional<double> trace{};
  std::optional<RowFactor> factor{};
  std::int64_t block = 1;  ///< vectors whose product takes little more time than that of one
  double work = 0.0;       ///< multiply-adds, over all ranks, of the product with one vector; 0: unknown
};

}  // namespace diffphase
