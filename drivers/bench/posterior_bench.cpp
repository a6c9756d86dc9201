#include "posterior_bench.hpp"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

#include "bench_case.hpp"
#include "ensemble/gaussian_mixture.hpp"
#include "machine_rates.hpp"
#include "measure/probes.hpp"
#include "parallel/kernel_threads.hpp"
#include "posterior/reduction.hpp"

namespace diffphase::bench {

namespace {

constexpr std::uint64_t seed = 1;

// Means over the noises of each start.
class Participation {
 public:
  Participation(std::int64_t starts, std::size_t counts, std::size_t times)
      : starts_(static_cast<std::size_t>(starts)), counts_(counts), times_(times), values_(starts_ * counts * times) {}

  double& at(std::size_t start, std::size_t count, std::size_t time) {
    return values_[(start * counts_ + count) * times_ + time];
  }

  // Over the starts, [count][time].
  [[nodiscard]] std::vector<double> means() const {
    std::vector<double> result(counts_ * times_);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      result[i % result.size()] += values_[i] / static_cast<double>(starts_);
    }
    return result;
  }

  // Of the means of the largest count, root mean square over the times.
  [[nodiscard]] double standard_error() const {
    const std::vector<double> mean = means();
    const std::size_t last = (counts_ - 1) * times_;
    double squares = 0.0;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const std::size_t at = i % mean.size();
      if (at >= last) squares += (values_[i] - mean[at]) * (values_[i] - mean[at]);
    }
    const auto starts = static_cast<double>(starts_);
    return std::sqrt(squares / (starts * (starts - 1.0) * static_cast<double>(times_)));
  }

 private:
  std::size_t starts_, counts_, times_;
  std::vector<double> values_;  // [start][count][time]
};

class PosteriorCase {
 public:
  PosteriorCase(const TaskGroup& group, const PosteriorOptions& options)
      : group_(group), options_(options), task_(task_of(options)) {
    if (options.single) {
      singles_ = make_single_precision_training_set(group, task_, options.partition, options.rows);
      source_ = std::make_unique<StoredSource>(group, singles_);
    } else {
      doubles_ = make_nonzero_training_set(group, task_, options.partition, options.rows);
      source_ = std::make_unique<StoredSource>(group, doubles_);
    }
    const ProbeStarts starts(task_);
    const std::int64_t most = ProbeBlock::size_for_rows(options.columns, options.partition);
    for (std::int64_t first = 0; first < options.probes; first += most) {
      const std::int64_t size = std::min(most, options.probes - first);
      blocks_.push_back(fetch_probes(
          group, rows(), starts.noise(), first, size,
          [&](std::int64_t s) { return starts.row(s, task_.samples.front()); }, options.noises));
    }
    plan_ = {
        .times = task_.times, .process = task_.process, .counts = task_.samples, .law = {}, .single = options.single};
  }

  // The participation ratios, on rank 0.
  [[nodiscard]] Participation pass() const {
    Participation found(options_.probes / options_.noises, plan_.counts.size(), plan_.times.size());
    std::int64_t first = 0;
    for (const ProbeBlock& block : blocks_) {
      Reduction reduction(plan_, options_.columns, block);
      source_->visit(group_, block, plan_.counts.back(), reduction.consumer());
      reduction.merge_over(group_);
      if (group_.comm().is_root()) add(reduction, first, block.probes, found);
      first += block.probes;
    }
    return found;
  }

  // Seconds of the products of all rows with all starts and with all noises, each rank its part.
  [[nodiscard]] double bare_products() const {
    return options_.single ? bare_products(singles_.values, cblas_sgemm) : bare_products(doubles_.values, cblas_dgemm);
  }

  [[nodiscard]] double slab_bytes() const {
    return static_cast<double>(rows().stored() * (options_.single ? sizeof(float) : sizeof(double)));
  }

  // One rank only.
  void save(const Participation& found) const {
    write("rows", first_rows(group_, rows(), options_.rows));
    write("times", task_.times);
    write("participation", found.means());
    std::vector<double> noises;
    for (const ProbeBlock& block : blocks_) {
      noises.insert(noises.end(), block.points.begin() + block.starts() * block.columns, block.points.end());
    }
    write("noises", noises);
  }

 private:
  [[nodiscard]] RowView rows() const { return options_.single ? RowView(singles_) : RowView(doubles_); }

  template <typename Number, typename Product>
  [[nodiscard]] double bare_products(const SlabNumbers<Number>& stored, const Product& multiply) const {
    const SlabLayout& layout = rows().layout();
    const auto count = static_cast<int>(layout.local_rows());
    const auto columns = static_cast<int>(layout.local_columns());
    const std::int64_t starts = options_.probes / options_.noises;
    const std::vector<Number> points(static_cast<std::size_t>(options_.probes * columns), Number{1});
    std::vector<Number> products(static_cast<std::size_t>(options_.probes * count));
    return shortest_time(group_.comm(), options_.runs, [&] {
      for (const std::int64_t left : {starts, options_.probes}) {
        for_each_part(options_.threads, left, [&](int /*part*/, std::int64_t begin, std::int64_t end) {
          multiply(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(end - begin), count, columns, Number{1},
                   points.data() + begin * columns, columns, stored.data(), static_cast<int>(rows().stride()),
                   Number{0}, products.data() + begin * count, count);
        });
      }
    });
  }

  static TaskParameters task_of(const PosteriorOptions& options) {
    TaskParameters task;
    task.mixture = MixtureParameters{.dimension = options.columns, .classes = 2, .centroids = CentroidKind::opposite};
    task.seed = seed;
    for (std::int64_t count = options.rows; static_cast<int>(task.samples.size()) < options.counts && count > 1;
         count /= 2) {
      task.samples.insert(task.samples.begin(), count);
    }
    for (int i = 0; i < options.times; ++i) {
      task.times.push_back(options.first_time +
                           (options.last_time - options.first_time) * i / std::max(options.times - 1, 1));
    }
    return task;
  }

  void add(const Reduction& reduction, std::int64_t first, std::int64_t probes, Participation& found) const {
    for (std::size_t c = 0; c < plan_.counts.size(); ++c) {
      for (std::int64_t p = 0; p < probes; ++p) {
        const auto start = static_cast<std::size_t>((first + p) / options_.noises);
        for (std::size_t t = 0; t < plan_.times.size(); ++t) {
          found.at(start, c, t) += reduction.summary(c, p, t).participation / static_cast<double>(options_.noises);
        }
      }
    }
  }

  void write(const char* name, std::span<const double> numbers) const {
    std::ofstream file(options_.save + "/" + name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(numbers.data()), static_cast<std::streamsize>(numbers.size_bytes()));
    if (!file.flush()) throw std::runtime_error("cannot write " + options_.save + "/" + name);
  }

  const TaskGroup& group_;
  const PosteriorOptions& options_;
  TaskParameters task_;
  DataSlab doubles_;
  SinglePrecisionSlab singles_;
  std::unique_ptr<StoredSource> source_;
  std::vector<ProbeBlock> blocks_;
  ReductionPlan plan_;
};

}  // namespace

void measure_posterior(const TaskGroup& group, const PosteriorOptions& options, ReportLine& line) {
  set_kernel_threads(options.threads);
  const PosteriorCase data(group, options);
  Participation found = data.pass();
  const double pass = shortest_time(group.comm(), options.runs, [&] { found = data.pass(); });
  const double peak = peak_memory();
  const double products = data.bare_products();
  if (!options.save.empty() && group.comm().is_root()) data.save(found);
  line.add("rows", options.rows);
  line.add("columns", options.columns);
  line.add("probes", options.probes);
  line.add("noises", options.noises);
  line.add("times", options.times);
  line.add("counts", options.counts);
  line.add("threads", options.threads);
  line.add("partition", options.partition == Partition::component ? "component" : "dimension");
  line.add("precision", options.single ? "single" : "double");
  line.add("pass_seconds", pass);
  line.add("gemm_seconds", products);
  line.add("pass_over_gemm", pass / products);
  line.add("standard_error", found.standard_error());
  line.add("slab_bytes", data.slab_bytes());
  line.add("peak_memory", peak);
}

}  // namespace diffphase::bench
