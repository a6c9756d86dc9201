#include "posterior/inner_products.hpp"

#include <cblas.h>

#include <algorithm>
#include <array>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>

#include "parallel/kernel_threads.hpp"
#include "parallel/scattered_sum.hpp"
#include "posterior/agreement_distance.hpp"

namespace diffphase {

namespace {

constexpr std::int64_t block_size = SlabLayout::block;

std::size_t size_of(std::int64_t numbers) { return static_cast<std::size_t>(numbers); }

double dot(std::span<const double> a, std::span<const double> b) {
  return cblas_ddot(static_cast<blasint>(a.size()), a.data(), 1, b.data(), 1);
}

// Consecutive rows as they are stored.
template <typename Number>
struct StoredRows {
  const Number* first;
  std::int64_t count;
  std::int64_t stride;
};

template <typename Number>
StoredRows<Number> stored_rows(const RowView& rows, std::int64_t first, std::int64_t count) {
  if constexpr (std::is_same_v<Number, float>) {
    return {rows.single_row(first), count, rows.stride()};
  } else {
    return {rows.double_row(first), count, rows.stride()};
  }
}

// left (points x columns) times the transpose of right (rows x columns), added to `kept` times `out`.
void multiply_transposed(blasint points, blasint columns, const double* left, const StoredRows<double>& right,
                         double kept, double* out) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, points, static_cast<blasint>(right.count), columns, 1.0, left,
              columns, right.first, static_cast<blasint>(right.stride), kept, out, static_cast<blasint>(block_size));
}

void multiply_transposed(blasint points, blasint columns, const float* left, const StoredRows<float>& right, float kept,
                         float* out) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, points, static_cast<blasint>(right.count), columns, 1.0F, left,
              columns, right.first, static_cast<blasint>(right.stride), kept, out, static_cast<blasint>(block_size));
}

// Consecutive probes of a block and their starts.
struct ProbeShare {
  std::int64_t first_probe = 0;
  std::int64_t probes = 0;
  std::int64_t first_start = 0;
  std::int64_t starts = 0;

  ProbeShare(const ProbeBlock& block, int rank, int ranks) {
    const std::int64_t end = block.probes * (rank + 1) / ranks;
    first_probe = block.probes * rank / ranks;
    probes = end - first_probe;
    if (probes == 0) return;
    first_start = first_probe / block.noises;
    starts = (end - 1) / block.noises + 1 - first_start;
  }
  [[nodiscard]] std::int64_t points() const { return starts + probes; }
};

// Points x_0 and xi in the precision of the rows that they are multiplied with.
template <typename Number>
class ProbePoints {
 public:
  // Those of a block as they are.
  explicit ProbePoints(const ProbeBlock& probes) : columns_(probes.columns) {
    if constexpr (std::is_same_v<Number, float>) {
      kept_.assign(probes.points.begin(), probes.points.end());
      points_ = kept_.data();
    } else {
      points_ = probes.points.data();
    }
  }
  // Those of one share after another, the starts of each first.
  ProbePoints(const ProbeBlock& probes, std::span<const ProbeShare> shares) : columns_(probes.columns) {
    const auto append = [&](std::int64_t first, std::int64_t count) {
      const auto begin = probes.points.begin() + first * columns_;
      kept_.insert(kept_.end(), begin, begin + count * columns_);
    };
    std::int64_t points = 0;
    for (const ProbeShare& share : shares) points += share.points();
    kept_.reserve(size_of(points * columns_));
    for (const ProbeShare& share : shares) {
      append(share.first_start, share.starts);
      append(probes.starts() + share.first_probe, share.probes);
    }
    points_ = kept_.data();
  }
  ProbePoints(const ProbePoints&) = delete;
  ProbePoints& operator=(const ProbePoints&) = delete;
  ~ProbePoints() = default;

  // Products of `count` points from `first` on, [point][block]. Each thread multiplies its share of the points by all
  // of the rows, as wide a product as there is.
  void multiply(std::int64_t first, std::int64_t count, const StoredRows<Number>& rows,
                std::span<Number> products) const {
    if (columns_ == 0) {
      std::fill(products.begin(), products.end(), Number{0});
    } else {
      multiply(first, count, rows, Number{0}, products);
    }
  }
  // The same, added to what is in `products`.
  void multiply_add(std::int64_t first, std::int64_t count, const StoredRows<Number>& rows,
                    std::span<Number> products) const {
    if (columns_ > 0) multiply(first, count, rows, Number{1}, products);
  }

 private:
  void multiply(std::int64_t first, std::int64_t count, const StoredRows<Number>& rows, Number kept,
                std::span<Number> products) const {
    for_each_part(kernel_threads(), count, [&](int /*part*/, std::int64_t begin, std::int64_t end) {
      multiply_transposed(static_cast<blasint>(end - begin), static_cast<blasint>(columns_),
                          points_ + (first + begin) * columns_, rows, kept, products.data() + begin * block_size);
    });
  }

  std::int64_t columns_;
  std::vector<Number> kept_;
  const Number* points_ = nullptr;
};

// The products as doubles: in place, or converted into `widened`.
const double* as_doubles(std::span<const double> products, std::vector<double>& /*widened*/) { return products.data(); }

const double* as_doubles(std::span<const float> products, std::vector<double>& widened) {
  for_each_part(kernel_threads(), static_cast<std::int64_t>(products.size()),
                [&](int /*part*/, std::int64_t begin, std::int64_t end) {
                  std::copy(products.begin() + begin, products.begin() + end, widened.begin() + begin);
                });
  return widened.data();
}

// Shares of the ranks, that of `rank` last and the others as they follow it.
std::vector<ProbeShare> shares_before(int rank, int ranks, const ProbeBlock& block) {
  std::vector<ProbeShare> shares;
  for (int step = 1; step <= ranks; ++step) shares.emplace_back(block, (rank + step) % ranks, ranks);
  return shares;
}

// Products with the columns of each rank, summed over the ranks: every rank gets the sums of its share of the probes.
// Products for the other ranks travel while those of other rows are formed; the own ones are added to what arrives.
template <typename Number>
class SharedProducts {
 public:
  SharedProducts(const Communicator& comm, const ProbeBlock& block)
      : share_(block, comm.rank(), comm.size()), points_(block, shares_before(comm.rank(), comm.size(), block)) {
    std::vector<int> counts;
    for (int rank = 0; rank < comm.size(); ++rank) {
      const std::int64_t points = ProbeShare(block, rank, comm.size()).points();
      counts.push_back(static_cast<int>(points * block_size));
      if (rank != comm.rank()) others_ += points;
    }
    for (auto& sum : sums_) sum.emplace(comm, counts);
    if constexpr (std::is_same_v<Number, float>) widened_.resize(size_of(share_.points() * block_size));
  }

  // Multiplies for the other ranks.
  void multiply_others(const StoredRows<Number>& rows) { points_.multiply(0, others_, rows, sums_[next_]->values()); }
  // Starts the sum of the last products. Collective.
  void start() {
    sums_[next_]->start();
    next_ = (next_ + 1) % sums_.size();
  }
  // Waits for the oldest sum. Collective.
  void finish() {
    products_ = sums_[oldest_]->finish();
    oldest_ = (oldest_ + 1) % sums_.size();
  }
  // Adds the own products to it.
  void add_own(const StoredRows<Number>& rows) { points_.multiply_add(others_, share_.points(), rows, products_); }
  // Waits until all products are with the other ranks.
  void wait_sent() {
    for (auto& sum : sums_) sum->wait_sent();
  }

  // The rank's probes and the sums that were finished last; components are for the caller to say.
  [[nodiscard]] ProductTile tile() {
    const double* products = as_doubles(products_, widened_);
    return {.first_probe = share_.first_probe,
            .probes = share_.probes,
            .stride = block_size,
            .start_products = products,
            .noise_products = products + share_.starts * block_size};
  }

 private:
  ProbeShare share_;
  ProbePoints<Number> points_;
  std::int64_t others_ = 0;  // points of the other ranks
  std::array<std::optional<ScatteredSum<Number>>, 3> sums_;
  std::size_t next_ = 0, oldest_ = 0;
  std::span<Number> products_;
  std::vector<double> widened_;
};

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
    std::vector<double> buffer(static_cast<std::size_t>(rows_.stride()));
    for (std::size_t i = 0; i < half_norm2_.size(); ++i) {
      const std::span row(rows_.rows(static_cast<std::int64_t>(i), 1, buffer),
                          static_cast<std::size_t>(layout.local_columns()));
      half_norm2_[i] = 0.5 * dot(row, row);
    }
  });
  if (layout.partition == Partition::dimension) group.comm().sum(half_norm2_);
}

void StoredSource::visit(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                         const TileConsumer& consumer) const {
  if (components > rows_.layout().rows) throw std::logic_error("visit: more components than the slab has rows");
  if (rows_.layout().partition == Partition::component) {
    if (rows_.is_single()) {
      visit_own_rows<float>(group, probes, components, consumer);
    } else {
      visit_own_rows<double>(group, probes, components, consumer);
    }
  } else if (rows_.is_single()) {
    visit_own_columns<float>(group, probes, components, consumer);
  } else {
    visit_own_columns<double>(group, probes, components, consumer);
  }
}

template <typename Number>
void StoredSource::visit_own_rows(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                                  const TileConsumer& consumer) const {
  const SlabLayout& layout = rows_.layout();
  const std::int64_t blocks = (components + block_size - 1) / block_size;
  const std::int64_t rounds = (blocks + layout.ranks - 1) / layout.ranks;
  const std::int64_t chunk =
      blocks_between_agreements(probes.probes, 2.0 * static_cast<double>(layout.columns) + consumer.work_per_product);
  std::optional<ProbePoints<Number>> points;
  std::vector<Number> products;
  std::vector<double> widened;

  const auto consume_block = [&](std::int64_t index) {
    const std::int64_t first = index * block_size;
    if (first >= components) return;
    // The whole stored block is multiplied, whatever `components` is: the rounding of a product must not
    // depend on how many components are asked for.
    const std::int64_t local = layout.local_row(first);
    const std::int64_t rows = std::min(block_size, layout.rows - first);
    points->multiply(0, probes.point_count(), stored_rows<Number>(rows_, local, rows), products);
    const double* values = as_doubles(products, widened);
    consumer.consume({.first = first,
                      .components = std::min(rows, components - first),
                      .probes = probes.probes,
                      .stride = block_size,
                      .start_products = values,
                      .noise_products = values + probes.starts() * block_size,
                      .half_norm2 = half_norm2_.data() + local,
                      .labels = labels(local)});
  };

  for (std::int64_t round = 0; round < rounds; round += chunk) {
    group.run_guarded([&] {
      if (round == 0) {
        points.emplace(probes);
        products.resize(size_of(probes.point_count() * block_size));
        if (rows_.is_single()) widened.resize(products.size());
      }
      for (std::int64_t r = round; r < std::min(rounds, round + chunk); ++r) {
        consume_block(r * layout.ranks + layout.rank);
      }
    });
  }
}

template <typename Number>
void StoredSource::visit_own_columns(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                                     const TileConsumer& consumer) const {
  const SlabLayout& layout = rows_.layout();
  const std::int64_t blocks = (components + block_size - 1) / block_size;
  const std::int64_t chunk = blocks_between_agreements(
      probes.probes, 2.0 * static_cast<double>(layout.most_local_columns()) + consumer.work_per_product);
  std::optional<SharedProducts<Number>> products;
  group.run_guarded([&] { products.emplace(group.comm(), probes); });

  // The sum of a block arrives while the next block is multiplied. An exception waits for the next agreement point: the
  // sums before it must be reached by every rank.
  std::exception_ptr failure;
  const auto guard = [&](const auto& work) {
    if (failure) return;
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  };
  const auto rows_from = [&](std::int64_t first) {
    return stored_rows<Number>(rows_, first, std::min(block_size, layout.rows - first));
  };
  const auto start_sum = [&](std::int64_t first) {
    guard([&] { products->multiply_others(rows_from(first)); });
    products->start();
  };
  const auto consume_sum = [&](std::int64_t first) {
    products->finish();
    guard([&] {
      products->add_own(rows_from(first));
      ProductTile tile = products->tile();
      if (tile.probes == 0) return;
      tile.first = first;
      tile.components = std::min(block_size, components - first);
      tile.half_norm2 = half_norm2_.data() + first;
      tile.labels = labels(first);
      consumer.consume(tile);
    });
  };

  for (std::int64_t begin = 0; begin < blocks; begin += chunk) {
    const std::int64_t end = std::min(blocks, begin + chunk);
    start_sum(begin * block_size);
    for (std::int64_t index = begin; index < end; ++index) {
      if (index + 1 < end) start_sum((index + 1) * block_size);
      consume_sum(index * block_size);
    }
    products->wait_sent();
    group.run_guarded([&] {
      if (failure) std::rethrow_exception(failure);
    });
  }
}

}  // namespace diffphase
