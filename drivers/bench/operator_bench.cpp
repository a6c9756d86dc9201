#include "operator_bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "machine_rates.hpp"
#include "memory_reads.hpp"
#include "spectrum/row_kernels.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase::bench {

namespace {

double apply_time(const TaskGroup& group, const SymmetricOperator& op, std::int64_t vectors, int runs) {
  const auto local = static_cast<std::size_t>(op.local_size);
  std::vector<double> in(static_cast<std::size_t>(vectors) * local);
  std::vector<double> out(in.size());
  const VectorBlocks blocks(group, op);
  for (std::int64_t v = 0; v < vectors; ++v) {
    blocks.random("benchmark", v, std::span(in).subspan(static_cast<std::size_t>(v) * local, local));
  }
  op.apply(vectors, in, out);
  return shortest_time(group.comm(), runs, [&] { op.apply(vectors, in, out); });
}

// The two bare products, in double whatever the rows are stored in: of so many rows as fit the memory, scaled to all.
double bare_products_time(const Communicator& comm, const RowView& rows, const OperatorOptions& options) {
  constexpr std::int64_t most_numbers = std::int64_t{1} << 25;
  const std::int64_t columns = rows.layout().local_columns();
  const std::int64_t all = rows.layout().local_rows();
  if (!rows.is_single())
    return product_time(comm, options.runs, options.vectors, all, columns, rows.stride(), rows.double_row(0));
  const std::int64_t some = std::clamp<std::int64_t>(most_numbers / std::max<std::int64_t>(columns, 1), 1, all);
  std::vector<double> converted(static_cast<std::size_t>(some * rows.stride()));
  const double* doubles = rows.rows(0, some, converted);
  return product_time(comm, options.runs, options.vectors, some, columns, rows.stride(), doubles) *
         static_cast<double>(all) / static_cast<double>(some);
}

// What the product with one vector would take if nothing came from memory: its kernel, from and to numbers that stay in
// a core's cache, as often as there are numbers.
template <typename T>
double arithmetic_time(const TaskGroup& group, int runs, const RowView& rows, const T* first) {
  constexpr std::int64_t side_by_side = 8;
  constexpr std::int64_t most_columns = 4096;
  constexpr std::int64_t passes = 1000;
  const std::int64_t tile = std::min(side_by_side, rows.layout().local_rows() / 2);
  const std::int64_t columns = std::min(most_columns, rows.layout().local_columns());
  std::vector<double> in, out, dots, factors;
  group.run_guarded([&] {
    if (tile == 0 || columns == 0) throw std::invalid_argument("the operator's benchmark: two rows for each rank");
    in.resize(static_cast<std::size_t>(columns), 1.0);
    out.resize(in.size());
    dots.resize(static_cast<std::size_t>(tile));
    factors.resize(dots.size(), 1.0);
  });
  const RowBlock<T> one{first, tile, columns, rows.stride()};
  const RowBlock<T> other{first + tile * rows.stride(), tile, columns, rows.stride()};
  const double seconds = shortest_time(group.comm(), runs, [&] {
    for (std::int64_t pass = 0; pass < passes; ++pass) {
      dot_and_add_rows(1, pass % 2 == 0 ? one : other, in.data(), dots.data(), pass % 2 == 0 ? other : one,
                       factors.data(), out.data());
    }
  });
  const auto numbers = static_cast<double>(rows.layout().local_rows() * rows.layout().local_columns());
  return seconds * numbers / static_cast<double>(passes * tile * columns);
}

struct ReadTimes {
  double once, twice;
};

template <typename T>
ReadTimes read_times(const Communicator& comm, int runs, std::span<const T> numbers) {
  return {.once = read_time(comm, runs, numbers), .twice = read_twice_time(comm, runs, numbers)};
}

}  // namespace

void measure_operator(const TaskGroup& group, const BenchCase& data, const OperatorOptions& options, ReportLine& line) {
  const RowView rows = data.rows();
  const Communicator& comm = group.comm();
  auto bytes = static_cast<double>(rows.stored() * (rows.is_single() ? sizeof(float) : sizeof(double)));
  comm.sum(std::span(&bytes, 1));
  const ReadTimes read = rows.is_single()
                             ? read_times(comm, options.runs, std::span(rows.single_row(0), rows.stored()))
                             : read_times(comm, options.runs, std::span(rows.double_row(0), rows.stored()));
  line.add("bytes", bytes);
  line.add("read_seconds", read.once);
  line.add("read_bandwidth", bytes / read.once);
  line.add("read_twice_seconds", read.twice);
  const ScoreJacobian jacobian = data.jacobian();
  const SymmetricOperator op = jacobian.covariance();
  const double single = apply_time(group, op, 1, options.runs);
  line.add("single_seconds", single);
  line.add("single_over_read", read.once / single);
  line.add("single_over_read_twice", read.twice / single);
  const double arithmetic = rows.is_single() ? arithmetic_time(group, options.runs, rows, rows.single_row(0))
                                             : arithmetic_time(group, options.runs, rows, rows.double_row(0));
  line.add("arithmetic_over_read", read.once / arithmetic);
  line.add("vectors", options.vectors);
  const double block = apply_time(group, op, options.vectors, options.runs);
  line.add("block_seconds", block);
  const SlabLayout& layout = rows.layout();
  const double work = 2.0 * static_cast<double>(options.vectors * layout.rows) * static_cast<double>(layout.columns);
  line.add("block_rate", work / block);
  const double products = bare_products_time(comm, rows, options);
  line.add("dgemm_seconds", products);
  line.add("block_over_dgemm", products / block);
  const double rate = square_product_rate(comm, options.runs);
  line.add("square_dgemm_rate", rate);
  line.add("block_over_square_dgemm", work / block / rate);
}

}  // namespace diffphase::bench
