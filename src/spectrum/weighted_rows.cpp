#include "spectrum/weighted_rows.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "spectrum/row_kernels.hpp"

namespace diffphase {

namespace {

constexpr std::int64_t few_vectors = most_row_vectors;  // up to which memory, not arithmetic, is the limit
// Rows of a tile. Few vectors: 256 KiB, so that two tiles stay in the cache of a core, but as many rows as the kernel
// reads side by side. Of rows so wide that those would not even stay in the cache that cores share, half of them for
// one vector, and for a block of vectors as many as a pass of the kernel takes: the rows are read twice then, but the
// vectors, as long as the rows, only once for all of them.
constexpr std::int64_t tile_numbers = std::int64_t{1} << 15;
constexpr std::int64_t least_rows = 8;
constexpr std::int64_t wide_row = std::int64_t{1} << 16;
constexpr std::int64_t least_wide_rows = 4;
constexpr std::int64_t many_rows = 384;                               // more vectors: enough rows for matrix products
constexpr std::int64_t converted_numbers = std::int64_t{1} << 19;     // 4 MiB of singles made doubles
constexpr std::int64_t product_tile_numbers = std::int64_t{1} << 19;  // 4 MiB
constexpr std::int64_t packet_numbers = std::int64_t{1} << 21;        // 16 MiB of rows on their way to other ranks
constexpr double operations_per_agreement = 4e9;
constexpr double negligible_share = 1e-16;
constexpr double rounding = 16.0 * std::numeric_limits<double>::epsilon();

// BLAS counts in ints; a tile always fits, a row of the slab need not.
int blas_count(std::int64_t count) {
  if (count > std::numeric_limits<int>::max()) throw std::length_error("a matrix too large for BLAS");
  return static_cast<int>(count);
}

double dot(std::span<const double> a, std::span<const double> b) {
  return a.empty() ? 0.0 : cblas_ddot(static_cast<int>(a.size()), a.data(), 1, b.data(), 1);
}

void add_scaled(double factor, std::span<const double> from, std::span<double> to) {
  if (!to.empty()) cblas_daxpy(static_cast<int>(to.size()), factor, from.data(), 1, to.data(), 1);
}

template <typename T>
std::span<T> part(std::span<T> block, std::int64_t i, std::int64_t length) {
  return block.subspan(static_cast<std::size_t>(i * length), static_cast<std::size_t>(length));
}

// Columns of the pieces of all ranks.
std::vector<int> piece_sizes(SlabLayout pieces, std::int64_t factor) {
  std::vector<int> sizes;
  for (pieces.rank = 0; pieces.rank < pieces.ranks; ++pieces.rank) {
    sizes.push_back(blas_count(pieces.local_columns() * factor));
  }
  return sizes;
}

// [row][column] to [piece][row][column of the piece], and the row's own numbers where `from` has one row at a time.
void pack_row(const SlabLayout& layout, std::int64_t rows, std::int64_t row, std::span<const double> from,
              std::span<double> packed) {
  SlabLayout pieces = layout;
  for (pieces.rank = 0; pieces.rank < pieces.ranks; ++pieces.rank) {
    const std::int64_t first = pieces.first_column();
    const std::int64_t columns = pieces.local_columns();
    std::copy_n(from.begin() + first, columns, packed.begin() + rows * first + row * columns);
  }
}

}  // namespace

// For each vector v of a block: z.v and h.v at first, and the sums over rows with which z and h enter A v.
struct WeightedRows::Sums {
  std::vector<double> along_reference, along_shift, onto_reference, onto_shift;
};

WeightedRows::WeightedRows(const TaskGroup& group, RowView rows, RowTerms terms)
    : group_(group),
      view_(rows),
      layout_(rows.layout()),
      pieces_(rows.layout()),
      columns_(rows.layout().local_columns()) {
  pieces_.partition = Partition::dimension;
  group_.run_guarded([&] { check(terms); });
  rows_ = most_rows_ = static_cast<std::int64_t>(terms.weights.size());
  weights_ = std::move(terms.weights);
  scales_ = std::move(terms.scales);
  reference_ = std::move(terms.reference);
  shift_ = std::move(terms.shift);
  // All ranks drop the same rows.
  if (!by_component()) group_.comm().broadcast(std::span(weights_));
  group_.comm().maximum(std::span(&most_rows_, 1));
  measure();
}

void WeightedRows::check(const RowTerms& terms) const {
  if (layout_.ranks != group_.comm().size() || layout_.rank != group_.comm().rank()) {
    throw std::invalid_argument("weighted rows: the slab is laid out for another group");
  }
  const auto rows = static_cast<std::int64_t>(terms.weights.size());
  if (rows > layout_.local_rows() || (terms.scales.size() != 1 && terms.scales.size() != terms.weights.size())) {
    throw std::invalid_argument(fmt::format("weighted rows: {} weights and {} scales for {} rows", rows,
                                            terms.scales.size(), layout_.local_rows()));
  }
  if (terms.reference.size() != index(columns_) || (!terms.shift.empty() && terms.shift.size() != index(columns_))) {
    throw std::invalid_argument("weighted rows: the reference or the shift has the wrong length");
  }
  if (!std::all_of(terms.weights.begin(), terms.weights.end(), [](double w) { return w >= 0.0 && std::isfinite(w); })) {
    throw std::invalid_argument("weighted rows: a weight is negative or not finite");
  }
  static_cast<void>(blas_count(layout_.columns));
}

// The slab's local columns of r_i from `first_column` on.
void WeightedRows::centred_row(std::int64_t row, std::int64_t first_column, std::span<double> out) const {
  const double s = scale(row);
  const double* z = reference_.data() + first_column;
  const auto centre = [&](auto stored) {
    for (std::size_t j = 0; j < out.size(); ++j) out[j] = s * (static_cast<double>(stored[j]) - z[j]);
  };
  view_.is_single() ? centre(view_.single_row(row) + first_column) : centre(view_.double_row(row) + first_column);
  if (!shift_.empty()) add_scaled(-1.0, std::span(shift_).subspan(index(first_column), out.size()), out);
}

void WeightedRows::weighted_row(std::int64_t row, std::int64_t first_column, std::span<double> out) const {
  centred_row(row, first_column, out);
  cblas_dscal(static_cast<int>(out.size()), std::sqrt(weights_[index(row)]), out.data(), 1);
}

// w_i |r_i|^2 of all rows, their sum, and which of them count.
void WeightedRows::measure() {
  std::vector<double> contributions, subtracted, centred;
  double fixed = 0.0;  // |z|^2, |h|^2
  double shifts = 0.0;
  group_.run_guarded([&] {
    contributions.resize(index(rows_));
    subtracted.resize(index(rows_));
    centred.resize(index(columns_));
    fixed = dot(reference_, reference_);
    shifts = dot(shift_, shift_);
  });
  const std::int64_t stretch = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(operations_per_agreement / static_cast<double>(4 * layout_.columns + 1)));
  for (std::int64_t begin = 0; begin < most_rows_; begin += stretch) {
    group_.run_guarded([&] {
      for (std::int64_t row = begin; row < std::min(rows_, begin + stretch); ++row) {
        if (weights_[index(row)] == 0.0) continue;
        centred_row(row, 0, centred);
        contributions[index(row)] = weights_[index(row)] * dot(centred, centred);
        subtracted[index(row)] = weights_[index(row)] * (scale(row) * scale(row) * (norm2(row) + fixed) + shifts);
      }
    });
  }
  if (!by_component()) {
    for (auto* values : {&contributions, &subtracted}) {
      group_.comm().sum(*values);
      group_.comm().broadcast(std::span(*values));
    }
  }
  // What is left of such a row is the rounding of the subtraction.
  for (std::size_t i = 0; i < contributions.size(); ++i) {
    if (contributions[i] <= rounding * rounding * subtracted[i]) contributions[i] = 0.0;
  }
  drop_negligible(contributions);
}

// |y_i|^2 over the slab's local columns.
double WeightedRows::norm2(std::int64_t row) const {
  const auto sum_squares = [this](auto stored) {
    double sum = 0.0;
    for (std::int64_t j = 0; j < columns_; ++j) sum += static_cast<double>(stored[j]) * static_cast<double>(stored[j]);
    return sum;
  };
  return view_.is_single() ? sum_squares(view_.single_row(row)) : sum_squares(view_.double_row(row));
}

void WeightedRows::drop_negligible(std::span<const double> contributions) {
  trace_ = std::accumulate(contributions.begin(), contributions.end(), 0.0);
  std::int64_t counted = rows_;
  if (by_component()) {
    group_.comm().sum(std::span(&trace_, 1));
    group_.comm().sum(std::span(&counted, 1));
  }
  const double negligible = negligible_share * trace_ / static_cast<double>(std::max<std::int64_t>(counted, 1));
  for (std::size_t i = 0; i < contributions.size(); ++i) {
    if (contributions[i] <= negligible) weights_[i] = 0.0;
  }
  support_ = rows_ - std::count(weights_.begin(), weights_.end(), 0.0);
  if (by_component()) group_.comm().sum(std::span(&support_, 1));
}

double WeightedRows::work() const {
  return 2.0 * static_cast<double>(layout_.columns) *
         static_cast<double>(std::min(layout_.rows, most_rows_ * (by_component() ? layout_.ranks : 1)));
}

// The same on every rank: the dimension partition sums every tile over the ranks.
std::int64_t WeightedRows::tile_rows(std::int64_t vectors) const {
  const std::int64_t columns = std::max<std::int64_t>(layout_.most_local_columns(), 1);
  // Whole groups of the kernel: what is left over from them is read twice.
  const std::int64_t numbers = by_component() ? tile_numbers : 2 * tile_numbers;  // which are summed over the ranks
  const std::int64_t in_cache = numbers / columns / least_rows * least_rows;
  const std::int64_t least_wide = vectors == most_row_vectors ? rows_of_pass : least_wide_rows;
  const std::int64_t least_few = columns < wide_row ? least_rows : least_wide;
  const std::int64_t least = vectors > few_vectors ? many_rows : least_few;
  const std::int64_t bounded = product_tile_numbers / std::max<std::int64_t>(vectors, 1);
  return std::clamp<std::int64_t>(std::min(std::max(in_cache, least), bounded), 1,
                                  std::max<std::int64_t>(most_rows_, 1));
}

bool WeightedRows::tile_counts(std::int64_t first, std::int64_t rows) const {
  const auto tile = std::span(weights_).subspan(index(first), index(rows));
  return std::any_of(tile.begin(), tile.end(), [](double w) { return w > 0.0; });
}

// All tiles with rows that count; between stretches of them the group agrees. Every rank has as many stretches.
void WeightedRows::for_tiles(std::int64_t vectors, std::int64_t tile, const UseTile& use) const {
  const double per_row = 4.0 * static_cast<double>(std::max<std::int64_t>(vectors * layout_.most_local_columns(), 1));
  const std::int64_t stretch =
      tile * std::max<std::int64_t>(1, static_cast<std::int64_t>(operations_per_agreement / per_row) / tile);
  for (std::int64_t begin = 0; begin < most_rows_; begin += stretch) {
    if (begin > 0) group_.agree();
    const std::int64_t end = std::min(begin + stretch, rows_);
    for (std::int64_t first = begin; first < end; first += tile) {
      const std::int64_t rows = std::min(tile, end - first);
      if (tile_counts(first, rows)) use(first, rows);
    }
  }
}

// Some consecutive rows as they are stored.
struct WeightedRows::Tile {
  std::int64_t rows = 0;
  RowBlock<double> doubles;
  RowBlock<float> singles;
};

// Consecutive columns of a tile.
struct WeightedRows::Panel {
  std::int64_t first, columns;
  const double* numbers;
  std::int64_t stride;  // between rows
};

WeightedRows::Tile WeightedRows::tile_of(std::int64_t first, std::int64_t rows) const {
  Tile tile;
  tile.rows = rows;
  if (view_.is_single()) {
    tile.singles = {view_.single_row(first), rows, columns_, view_.stride()};
  } else {
    tile.doubles = {view_.double_row(first), rows, columns_, view_.stride()};
  }
  return tile;
}

// The columns of a tile as doubles, for matrix products: all at once where they are stored so, else as many as are
// converted into `converted`, which then are still in cache.
template <typename UsePanel>
void WeightedRows::for_panels(const Tile& tile, std::span<double> converted, const UsePanel& use) const {
  if (!view_.is_single()) {
    if (columns_ > 0)
      use(Panel{.first = 0, .columns = columns_, .numbers = tile.doubles.first, .stride = view_.stride()});
    return;
  }
  const std::int64_t width = static_cast<std::int64_t>(converted.size()) / std::max<std::int64_t>(tile.rows, 1);
  for (std::int64_t first = 0; first < columns_; first += width) {
    const std::int64_t columns = std::min(width, columns_ - first);
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      const float* const from = tile.singles.first + row * view_.stride() + first;
      std::copy(from, from + columns, converted.begin() + row * columns);
    }
    use(Panel{.first = first, .columns = columns, .numbers = converted.data(), .stride = columns});
  }
}

// products[v][r] = y_r . in_v over the slab's local columns, many vectors.
void WeightedRows::project(std::int64_t vectors, std::span<const double> in, const Tile& tile,
                           std::span<double> converted, std::span<double> products) const {
  if (columns_ == 0) std::fill(products.begin(), products.end(), 0.0);
  const int rows = static_cast<int>(tile.rows);
  for_panels(tile, converted, [&](const Panel& panel) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(vectors), rows,
                static_cast<int>(panel.columns), 1.0, in.data() + panel.first, static_cast<int>(columns_),
                panel.numbers, static_cast<int>(panel.stride), panel.first == 0 ? 0.0 : 1.0, products.data(), rows);
  });
}

// products[v][r] = y_r . v becomes the weight with which y_r enters A v.
void WeightedRows::weigh(std::int64_t first, std::int64_t rows, std::span<double> products, Sums& sums) const {
  for (std::size_t v = 0; v < sums.onto_shift.size(); ++v) {
    const std::span<double> values = products.subspan(v * index(rows), index(rows));
    for (std::int64_t r = 0; r < rows; ++r) {
      double& value = values[index(r)];
      const double s = scale(first + r);
      const double weighted =
          weights_[index(first + r)] * (s * (value - sums.along_reference[v]) - sums.along_shift[v]);
      sums.onto_shift[v] -= weighted;
      value = s * weighted;
      sums.onto_reference[v] -= value;
    }
  }
}

// out_v += sum_r products[v][r] y_r, many vectors.
void WeightedRows::accumulate(std::int64_t vectors, std::span<const double> products, const Tile& tile,
                              std::span<double> converted, std::span<double> out) const {
  const int rows = static_cast<int>(tile.rows);
  for_panels(tile, converted, [&](const Panel& panel) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(vectors), static_cast<int>(panel.columns),
                rows, 1.0, products.data(), rows, panel.numbers, static_cast<int>(panel.stride), 1.0,
                out.data() + panel.first, static_cast<int>(columns_));
  });
}

// project of `next` and accumulate of `last`, few vectors, in one pass over both tiles.
void WeightedRows::project_and_accumulate(std::int64_t vectors, std::span<const double> in, const Tile& next,
                                          std::span<double> next_products, const Tile& last,
                                          std::span<const double> last_products, std::span<double> out) const {
  if (columns_ == 0) {
    std::fill(next_products.begin(), next_products.end(), 0.0);
  } else if (view_.is_single()) {
    dot_and_add_rows(vectors, next.singles, in.data(), next_products.data(), last.singles, last_products.data(),
                     out.data());
  } else {
    dot_and_add_rows(vectors, next.doubles, in.data(), next_products.data(), last.doubles, last_products.data(),
                     out.data());
  }
}

// A tile is accumulated while the one after it is read: memory is never idle.
void WeightedRows::multiply_few(std::int64_t vectors, std::span<const double> in, std::span<double> out,
                                std::span<double> buffer, Sums& sums) const {
  Tile last;
  std::span<double> last_products;
  std::span<double> free = buffer.first(buffer.size() / 2);
  std::span<double> used = buffer.last(buffer.size() / 2);
  for_tiles(vectors, tile_rows(vectors), [&](std::int64_t first, std::int64_t rows) {
    const std::span<double> products = free.first(index(vectors * rows));
    const Tile next = tile_of(first, rows);
    project_and_accumulate(vectors, in, next, products, last, last_products, out);
    if (!by_component()) group_.comm().sum(products);
    weigh(first, rows, products, sums);
    last = next;
    last_products = products;
    std::swap(free, used);
  });
  project_and_accumulate(vectors, in, {}, {}, last, last_products, out);
}

void WeightedRows::multiply_many(std::int64_t vectors, std::span<const double> in, std::span<double> out,
                                 std::span<double> buffer, std::span<double> converted, Sums& sums) const {
  for_tiles(vectors, tile_rows(vectors), [&](std::int64_t first, std::int64_t rows) {
    const std::span<double> products = buffer.first(index(vectors * rows));
    const Tile stored = tile_of(first, rows);
    project(vectors, in, stored, converted, products);
    if (!by_component()) group_.comm().sum(products);
    weigh(first, rows, products, sums);
    accumulate(vectors, products, stored, converted, out);
  });
}

// out := A in for vectors of the slab's local columns; where rows are split, out is this rank's share of the sum.
void WeightedRows::multiply(std::int64_t vectors, std::span<const double> in, std::span<double> out) const {
  const std::int64_t tile = tile_rows(vectors);
  std::vector<double> buffer, converted;
  Sums sums;
  group_.run_guarded([&] {
    static_cast<void>(blas_count(vectors));
    buffer.resize(index((vectors > few_vectors ? 1 : 2) * vectors * tile));
    if (view_.is_single() && vectors > few_vectors) {
      converted.resize(index(std::max(tile, std::min(tile * columns_, converted_numbers))));
    }
    for (auto* values : {&sums.along_reference, &sums.along_shift, &sums.onto_reference, &sums.onto_shift}) {
      values->resize(index(vectors));
    }
    for (std::int64_t v = 0; v < vectors; ++v) {
      sums.along_reference[index(v)] = dot(reference_, part(in, v, columns_));
      if (!shift_.empty()) sums.along_shift[index(v)] = dot(shift_, part(in, v, columns_));
    }
  });
  if (!by_component()) {
    group_.comm().sum(sums.along_reference);
    group_.comm().sum(sums.along_shift);
  }
  std::fill(out.begin(), out.end(), 0.0);
  if (vectors > few_vectors) {
    multiply_many(vectors, in, out, buffer, converted, sums);
  } else {
    multiply_few(vectors, in, out, buffer, sums);
  }
  for (std::int64_t v = 0; v < vectors; ++v) {
    add_scaled(sums.onto_reference[index(v)], reference_, part(out, v, columns_));
    if (!shift_.empty()) add_scaled(sums.onto_shift[index(v)], shift_, part(out, v, columns_));
  }
}

// The pieces of all ranks, [vectors][columns], on every rank.
void WeightedRows::gather(std::int64_t vectors, std::span<const double> in, std::span<double> whole) const {
  std::fill(whole.begin(), whole.end(), 0.0);
  const std::int64_t local = local_size();
  for (std::int64_t v = 0; v < vectors; ++v) {
    const std::span<const double> piece = part(in, v, local);
    std::copy(piece.begin(), piece.end(), part(whole, v, layout_.columns).begin() + pieces_.first_column());
  }
  group_.comm().sum(whole);
}

// `whole`, [vectors][columns], summed over ranks, of which each keeps its piece.
void WeightedRows::scatter_sum(std::int64_t vectors, std::span<const double> whole, std::span<double> packed,
                               std::span<double> out) const {
  for (std::int64_t v = 0; v < vectors; ++v) pack_row(pieces_, vectors, v, part(whole, v, layout_.columns), packed);
  group_.comm().sum_scatter(packed, out, piece_sizes(pieces_, vectors));
}

void WeightedRows::apply(std::int64_t vectors, double shift, std::span<const double> in, std::span<double> out) const {
  const bool moves = by_component() && layout_.ranks > 1;
  std::vector<double> whole, product;
  group_.run_guarded([&] {
    if (vectors < 0 || in.size() != index(vectors * local_size()) || out.size() != in.size()) {
      throw std::invalid_argument("weighted rows: vectors of the wrong size");
    }
    static_cast<void>(blas_count(vectors * layout_.columns));
    if (!moves) return;
    whole.resize(index(vectors * layout_.columns));
    product.resize(whole.size());
  });
  if (vectors == 0) return;
  if (moves) {
    gather(vectors, in, whole);
    multiply(vectors, whole, product);
    scatter_sum(vectors, product, whole, out);
  } else {
    multiply(vectors, in, out);
  }
  if (shift != 0.0) add_scaled(shift, in, out);
}

std::vector<std::int64_t> WeightedRows::own_support() const {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < rows_; ++row) {
    if (weights_[index(row)] > 0.0) rows.push_back(row);
  }
  return rows;
}

// The panel's columns in the pieces of all ranks, as columns of the whole matrix.
std::vector<PanelRange> WeightedRows::panels_of_ranks(std::int64_t panel, std::int64_t panels) const {
  std::vector<PanelRange> ranges;
  SlabLayout pieces = pieces_;
  for (pieces.rank = 0; pieces.rank < pieces.ranks; ++pieces.rank) {
    ranges.emplace_back(pieces.local_columns(), panel, panels);
    ranges.back().first += pieces.first_column();
  }
  return ranges;
}

// [rank][row][columns of the rank's range].
void WeightedRows::pack_panels(std::span<const std::int64_t> rows, const std::vector<PanelRange>& ranges,
                               std::span<double> packet) const {
  auto to = packet.begin();
  for (const PanelRange& range : ranges) {
    for (const std::int64_t row : rows) {
      weighted_row(row, range.first, std::span(to, index(range.count)));
      to += range.count;
    }
  }
}

void WeightedRows::read(std::int64_t panel, std::int64_t panels, std::span<double> out) const {
  const std::int64_t columns = PanelRange(local_size(), panel, panels).count;
  const std::vector<PanelRange> ranges = panels_of_ranks(panel, panels);
  const std::int64_t width =
      std::accumulate(ranges.begin(), ranges.end(), std::int64_t{0}, [](auto sum, auto r) { return sum + r.count; });
  const std::int64_t batch = std::max<std::int64_t>(1, packet_numbers / std::max<std::int64_t>(width, 1));
  std::vector<std::int64_t> own;
  std::vector<double> packed;
  group_.run_guarded([&] {
    if (out.size() != index(support_ * columns))
      throw std::invalid_argument("weighted rows: the output's size is wrong");
    own = own_support();
    if (by_component()) {
      packed.resize(index(std::min(batch, support_) * width));
    } else {
      for (std::int64_t i = 0; i < support_; ++i) {
        weighted_row(own[index(i)], PanelRange(columns_, panel, panels).first, part(out, i, columns));
      }
    }
  });
  if (!by_component()) return;
  // One rank after the other sends its rows: the others add nothing.
  std::int64_t done = 0;
  for (int sender = 0; sender < layout_.ranks; ++sender) {
    auto count = static_cast<std::int64_t>(own.size());
    group_.comm().broadcast(std::span(&count, 1), sender);
    for (std::int64_t first = 0; first < count; first += batch) {
      const std::int64_t rows = std::min(batch, count - first);
      const std::span<double> packet = std::span(packed).first(index(rows * width));
      std::vector<int> counts;
      group_.run_guarded([&] {
        for (const PanelRange& range : ranges) counts.push_back(blas_count(range.count * rows));
        std::fill(packet.begin(), packet.end(), 0.0);
        if (sender == layout_.rank) pack_panels(std::span(own).subspan(index(first), index(rows)), ranges, packet);
      });
      group_.comm().sum_scatter(packet, out.subspan(index(done * columns), index(rows * columns)), counts);
      done += rows;
    }
  }
}

SymmetricOperator as_operator(const WeightedRows& rows, double shift) {
  SymmetricOperator op{.size = rows.size(), .local_size = rows.local_size(), .apply = {}};
  op.apply = [&rows, shift](std::int64_t vectors, std::span<const double> in, std::span<double> out) {
    rows.apply(vectors, shift, in, out);
  };
  op.trace = rows.trace() + shift * static_cast<double>(rows.size());
  op.factor = RowFactor{shift, rows.support(), [&rows](std::int64_t panel, std::int64_t panels, std::span<double> out) {
                          rows.read(panel, panels, out);
                        }};
  op.block = few_vectors;
  op.work = rows.work();
  return op;
}

}  // namespace diffphase
