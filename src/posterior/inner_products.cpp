#include "posterior/inner_products.hpp"

#include <cblas.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <stdexcept>

#include "parallel/kernel_threads.hpp"
#include "parallel/scattered_sum.hpp"
#include "posterior/agreement_distance.hpp"

namespace diffphase {

namespace {

double dot(std::span<const double> a, std::span<const double> b) {
  return cblas_ddot(static_cast<blasint>(a.size()), a.data(), 1, b.data(), 1);
}

}  // namespace

ProbeBlock::ProbeBlock(std::int64_t probe_count, std::int64_t column_count, std::int64_t noise_count)
    : probes(probe_count),
      columns(column_count),
      noises(noise_count),
      points(static_cast<std::size_t>(point_count() * column_count)),
      parents(static_cast<std::size_t>(probe_count), -1),
      start_norm2(static_cast<std::size_t>(probe_count)),
      noise_norm2(static_cast<std::size_t>(probe_count)),
      start_noise(static_cast<std::size_t>(probe_count)) {}

std::span<double> ProbeBlock::start(std::int64_t probe) {
  return std::span(points).subspan(static_cast<std::size_t>(probe / noises * columns),
                                   static_cast<std::size_t>(columns));
}

std::span<double> ProbeBlock::noise(std::int64_t probe) {
  return std::span(points).subspan(static_cast<std::size_t>((starts() + probe) * columns),
                                   static_cast<std::size_t>(columns));
}

void ProbeBlock::measure(const TaskGroup& group, Partition partition) {
  for (std::int64_t p = 0; p < probes; ++p) {
    const auto i = static_cast<std::size_t>(p);
    start_norm2[i] = dot(start(p), start(p));
    noise_norm2[i] = dot(noise(p), noise(p));
    start_noise[i] = dot(start(p), noise(p));
  }
  if (partition == Partition::component) return;
  group.comm().sum(start_norm2);
  group.comm().sum(noise_norm2);
  group.comm().sum(start_noise);
}

StoredSource::StoredSource(const TaskGroup& group, const DataSlab& slab) : rows_(slab), labels_(slab.labels) {
  measure_rows(group);
}

StoredSource::StoredSource(const TaskGroup& group, const SinglePrecisionSlab& slab) : rows_(slab) {
  measure_rows(group);
}

void StoredSource::measure_rows(const TaskGroup& group) {
  const SlabLayout& layout = rows_.layout();
  group.run_guarded([&] {
    half_norm2_.resize(static_cast<std::size_t>(layout.local_rows()));
    std::vector<double> buffer(static_cast<std::size_t>(layout.local_columns()));
    for (std::size_t i = 0; i < half_norm2_.size(); ++i) {
      const std::span row(rows_.rows(static_cast<std::int64_t>(i), 1, buffer), buffer.size());
      half_norm2_[i] = 0.5 * dot(row, row);
    }
  });
  if (layout.partition == Partition::dimension) group.comm().sum(half_norm2_);
}

void StoredSource::Products::reserve(const ProbeBlock& probes, bool single) {
  values.resize(static_cast<std::size_t>(probes.point_count() * SlabLayout::block));
  if (!single) return;
  rounded.resize(values.size());
  points.assign(probes.points.begin(), probes.points.end());
}

void StoredSource::multiply(const ProbeBlock& probes, std::int64_t first_local_row, std::int64_t rows,
                            Products& products) const {
  constexpr auto stride = static_cast<blasint>(SlabLayout::block);
  const auto columns = static_cast<blasint>(rows_.layout().local_columns());
  if (columns == 0) {
    std::fill(products.values.begin(), products.values.end(), 0.0);
    return;
  }
  // Each thread multiplies its share of the points by all of the rows, as wide a product as there is.
  for_each_part(kernel_threads(), probes.point_count(), [&](int /*part*/, std::int64_t begin, std::int64_t end) {
    const auto points = static_cast<blasint>(end - begin);
    const auto count = static_cast<blasint>(rows);
    double* values = products.values.data() + begin * SlabLayout::block;
    if (rows_.is_single()) {
      float* rounded = products.rounded.data() + begin * SlabLayout::block;
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, points, count, columns, 1.0F,
                  products.points.data() + begin * columns, columns, rows_.single_row(first_local_row), columns, 0.0F,
                  rounded, stride);
      std::copy(rounded, rounded + points * stride, values);
    } else {
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, points, count, columns, 1.0,
                  probes.points.data() + begin * columns, columns, rows_.double_row(first_local_row), columns, 0.0,
                  values, stride);
    }
  });
}

void StoredSource::visit(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                         const TileConsumer& consumer) const {
  if (components > rows_.layout().rows) throw std::logic_error("visit: more components than the slab has rows");
  if (rows_.layout().partition == Partition::component) {
    visit_own_rows(group, probes, components, consumer);
  } else {
    visit_own_columns(group, probes, components, consumer);
  }
}

void StoredSource::visit_own_rows(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                                  const TileConsumer& consumer) const {
  constexpr std::int64_t block = SlabLayout::block;
  const SlabLayout& layout = rows_.layout();
  const std::int64_t blocks = (components + block - 1) / block;
  const std::int64_t rounds = (blocks + layout.ranks - 1) / layout.ranks;
  const std::int64_t chunk =
      blocks_between_agreements(probes.probes, 2.0 * static_cast<double>(layout.columns) + consumer.work_per_product);
  Products products;

  const auto consume_block = [&](std::int64_t index) {
    const std::int64_t first = index * block;
    if (first >= components) return;
    // The whole stored block is multiplied, whatever `components` is: the rounding of a product must not
    // depend on how many components are asked for.
    const std::int64_t local = layout.local_row(first);
    const std::int64_t rows = std::min(block, layout.rows - first);
    multiply(probes, local, rows, products);
    consumer.consume({.first = first,
                      .components = std::min(rows, components - first),
                      .stride = block,
                      .start_products = products.values.data(),
                      .noise_products = products.values.data() + probes.starts() * block,
                      .half_norm2 = half_norm2_.data() + local,
                      .labels = labels(local)});
  };

  for (std::int64_t round = 0; round < rounds; round += chunk) {
    group.run_guarded([&] {
      if (round == 0) products.reserve(probes, rows_.is_single());
      for (std::int64_t r = round; r < std::min(rounds, round + chunk); ++r) {
        consume_block(r * layout.ranks + layout.rank);
      }
    });
  }
}

void StoredSource::visit_own_columns(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                                     const TileConsumer& consumer) const {
  constexpr std::int64_t block = SlabLayout::block;
  const SlabLayout& layout = rows_.layout();
  const std::int64_t blocks = (components + block - 1) / block;
  const std::int64_t chunk = blocks_between_agreements(
      probes.probes, 2.0 * static_cast<double>(layout.most_local_columns()) + consumer.work_per_product);
  const std::int64_t points = probes.point_count();
  const auto boundary = [&](int rank) { return block * rank / layout.ranks; };
  const std::int64_t own_first = boundary(layout.rank);
  const std::int64_t own = boundary(layout.rank + 1) - own_first;
  std::vector<int> counts;
  Products products;
  std::vector<double> by_owner;  // [rank][starts and probes][components of that rank]
  std::vector<double> own_products;
  std::optional<ScatteredSum> sum;

  group.run_guarded([&] {
    for (int r = 0; r < layout.ranks; ++r) {
      counts.push_back(static_cast<int>(points * (boundary(r + 1) - boundary(r))));
    }
    products.reserve(probes, rows_.is_single());
    by_owner.assign(products.values.size(), 0.0);
    own_products.assign(static_cast<std::size_t>(points * own), 0.0);
    sum.emplace(group.comm(), counts);
  });

  const auto sort_by_owner = [&] {
    double* out = by_owner.data();
    for (int r = 0; r < layout.ranks; ++r) {
      for (std::int64_t p = 0; p < points; ++p) {
        const double* row = products.values.data() + p * block;
        out = std::copy(row + boundary(r), row + boundary(r + 1), out);
      }
    }
  };

  const auto consume_share = [&](std::int64_t first) {
    const std::int64_t share_first = first + own_first;
    const std::int64_t count = std::min(own, components - share_first);
    if (count <= 0) return;
    consumer.consume({.first = share_first,
                      .components = count,
                      .stride = own,
                      .start_products = own_products.data(),
                      .noise_products = own_products.data() + probes.starts() * own,
                      .half_norm2 = half_norm2_.data() + share_first,
                      .labels = labels(share_first)});
  };

  // The sum of a block arrives while the next block is multiplied. An exception of `consume` waits for the next
  // agreement point: the sums before it must be reached by every rank.
  std::exception_ptr failure;
  std::int64_t summed = 0;
  const auto consume_sum = [&] {
    if (!sum->started()) return;
    sum->finish(own_products);
    try {
      if (!failure) consume_share(summed);
    } catch (...) {
      failure = std::current_exception();
    }
  };

  for (std::int64_t index = 0; index < blocks; ++index) {
    const std::int64_t first = index * block;
    multiply(probes, first, std::min(block, layout.rows - first), products);
    consume_sum();
    sort_by_owner();
    sum->start(by_owner);
    summed = first;
    if ((index + 1) % chunk == 0 || index + 1 == blocks) {
      consume_sum();
      group.run_guarded([&] {
        if (failure) std::rethrow_exception(failure);
      });
    }
  }
}

}  // namespace diffphase
