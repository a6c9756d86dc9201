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

// left (points x columns) times the transpose of right (rows x columns).
void multiply_transposed(blasint points, blasint rows, blasint columns, const double* left, const double* right,
                         double* out) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, points, rows, columns, 1.0, left, columns, right, columns, 0.0,
              out, static_cast<blasint>(block_size));
}

void multiply_transposed(blasint points, blasint rows, blasint columns, const float* left, const float* right,
                         float* out) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, points, rows, columns, 1.0F, left, columns, right, columns, 0.0F,
              out, static_cast<blasint>(block_size));
}

template <typename Number>
const Number* stored_row(const RowView& rows, std::int64_t row) {
  if constexpr (std::is_same_v<Number, float>) {
    return rows.single_row(row);
  } else {
    return rows.double_row(row);
  }
}

// x_0 and xi of a block of probes in the precision of the rows that they are multiplied with.
template <typename Number>
class ProbePoints {
 public:
  explicit ProbePoints(const ProbeBlock& probes) : count_(probes.point_count()), columns_(probes.columns) {
    if constexpr (std::is_same_v<Number, float>) {
      rounded_.assign(probes.points.begin(), probes.points.end());
      points_ = rounded_.data();
    } else {
      points_ = probes.points.data();
    }
  }
  ProbePoints(const ProbePoints&) = delete;
  ProbePoints& operator=(const ProbePoints&) = delete;
  ~ProbePoints() = default;

  // products: [point][block]. Each thread multiplies its share of the points by all of the rows, as wide a product as
  // there is.
  void multiply(const Number* rows, std::int64_t row_count, std::span<Number> products) const {
    if (columns_ == 0) {
      std::fill(products.begin(), products.end(), Number{0});
      return;
    }
    for_each_part(kernel_threads(), count_, [&](int /*part*/, std::int64_t begin, std::int64_t end) {
      multiply_transposed(static_cast<blasint>(end - begin), static_cast<blasint>(row_count),
                          static_cast<blasint>(columns_), points_ + begin * columns_, rows,
                          products.data() + begin * block_size);
    });
  }

 private:
  std::int64_t count_, columns_;
  std::vector<float> rounded_;
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
};

// Products with the columns of each rank, summed over the ranks: every rank gets the sums of its share of the probes.
// While sums travel, the next products are formed in another buffer.
template <typename Number>
class SharedProducts {
 public:
  SharedProducts(const Communicator& comm, const ProbeBlock& block)
      : share_(block, comm.rank(), comm.size()),
        start_numbers_(numbers(block.starts())),
        start_sum_(comm, pieces(comm, block, &ProbeShare::first_start, &ProbeShare::starts)),
        noise_sum_(comm, pieces(comm, block, &ProbeShare::first_probe, &ProbeShare::probes)) {
    for (std::vector<Number>& buffer : buffers_) buffer.resize(numbers(block.point_count()));
  }

  // Where the next products go, [start or probe][block], once what was there has been sent.
  [[nodiscard]] std::span<Number> next() {
    wait_sent(buffers_.size() - 1);
    return buffers_[next_];
  }

  // Starts the sum of the products in next(). Collective.
  void start() {
    const std::span<const Number> products = buffers_[next_];
    start_sum_.start(products.first(start_numbers_));
    noise_sum_.start(products.subspan(start_numbers_));
    next_ = (next_ + 1) % buffers_.size();
  }
  [[nodiscard]] bool started() const { return start_sum_.started(); }

  // Waits for the sum. Collective.
  void finish() {
    starts_ = start_sum_.finish();
    noises_ = noise_sum_.finish();
  }

  // Waits until all but the `most` last products are with the other ranks.
  void wait_sent(std::size_t most) {
    start_sum_.wait_sent(most);
    noise_sum_.wait_sent(most);
  }

  // The rank's probes and the sums that were finished last; components are for the caller to say.
  [[nodiscard]] ProductTile tile() const {
    return {.first_probe = share_.first_probe,
            .probes = share_.probes,
            .stride = block_size,
            .start_products = starts_.first,
            .noise_products = noises_.first,
            .start_addends = starts_.second,
            .noise_addends = noises_.second};
  }

 private:
  static std::size_t numbers(std::int64_t rows) { return static_cast<std::size_t>(rows * block_size); }

  static std::vector<ScatteredPiece> pieces(const Communicator& comm, const ProbeBlock& block,
                                            std::int64_t ProbeShare::*first, std::int64_t ProbeShare::*count) {
    std::vector<ScatteredPiece> all;
    for (int rank = 0; rank < comm.size(); ++rank) {
      const ProbeShare share(block, rank, comm.size());
      all.push_back({.first = numbers(share.*first), .count = static_cast<int>(numbers(share.*count))});
    }
    return all;
  }

  ProbeShare share_;
  std::array<std::vector<Number>, 3> buffers_;  // outlive the sums that send them
  std::size_t next_ = 0;
  std::size_t start_numbers_;
  ScatteredSum<Number> start_sum_, noise_sum_;
  TwoTerms starts_, noises_;  // of the share
};

const double* row_with_addends(const double* products, const double* addends, std::int64_t n, std::span<double> sum) {
  if (addends == nullptr) return products;
  for (std::int64_t i = 0; i < n; ++i) sum[size_of(i)] = products[i] + addends[i];
  return sum.data();
}

}  // namespace

const double* ProductTile::start_row(std::int64_t row, std::int64_t n, std::span<double> sum) const {
  const std::int64_t at = row * stride;
  return row_with_addends(start_products + at, start_addends == nullptr ? nullptr : start_addends + at, n, sum);
}

const double* ProductTile::noise_row(std::int64_t row, std::int64_t n, std::span<double> sum) const {
  const std::int64_t at = row * stride;
  return row_with_addends(noise_products + at, noise_addends == nullptr ? nullptr : noise_addends + at, n, sum);
}

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
    points->multiply(stored_row<Number>(rows_, local), rows, products);
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
  std::optional<ProbePoints<Number>> points;
  std::optional<SharedProducts<Number>> products;
  group.run_guarded([&] {
    points.emplace(probes);
    products.emplace(group.comm(), probes);
  });

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
  std::int64_t summed = 0;
  const auto consume_sum = [&] {
    if (!products->started()) return;
    products->finish();
    ProductTile tile = products->tile();
    if (tile.probes == 0) return;
    tile.first = summed;
    tile.components = std::min(block_size, components - summed);
    tile.half_norm2 = half_norm2_.data() + summed;
    tile.labels = labels(summed);
    guard([&] { consumer.consume(tile); });
  };

  for (std::int64_t index = 0; index < blocks; ++index) {
    const std::int64_t first = index * block_size;
    const std::span<Number> next = products->next();
    guard([&] { points->multiply(stored_row<Number>(rows_, first), std::min(block_size, layout.rows - first), next); });
    consume_sum();
    products->start();
    summed = first;
    if ((index + 1) % chunk == 0 || index + 1 == blocks) {
      consume_sum();
      products->wait_sent(0);
      group.run_guarded([&] {
        if (failure) std::rethrow_exception(failure);
      });
    }
  }
}

}  // namespace diffphase
