#include "parallel/scattered_sum.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace diffphase {

namespace {

constexpr int message_tag = 7301;

std::size_t index(int number) { return static_cast<std::size_t>(number); }

template <typename Number>
MPI_Datatype datatype() {
  return std::is_same_v<Number, float> ? MPI_FLOAT : MPI_DOUBLE;
}

}  // namespace

template <typename Number>
ScatteredSum<Number>::ScatteredSum(const Communicator& comm, std::vector<int> counts, int direct_ranks)
    : comm_(comm), counts_(std::move(counts)), is_direct_(comm.size() <= direct_ranks) {
  if (counts_.size() != index(comm_.size())) {
    throw std::logic_error("ScatteredSum: as many counts as the communicator has ranks");
  }
  const std::size_t own = index(counts_[index(comm_.rank())]);
  if (is_direct_) {
    received_.resize(own * counts_.size());
    requests_.reserve(2 * counts_.size());
    return;
  }
  sum_.resize(own);
  if (std::is_same_v<Number, float>) widened_.resize(index(std::accumulate(counts_.begin(), counts_.end(), 0)));
}

template <typename Number>
ScatteredSum<Number>::~ScatteredSum() {
  for (MPI_Request& request : requests_) {
    if (request == MPI_REQUEST_NULL) continue;
    MPI_Cancel(&request);
    MPI_Request_free(&request);
  }
}

template <typename Number>
void ScatteredSum<Number>::start(std::span<const Number> values) {
  if (started_) throw std::logic_error("ScatteredSum: a sum is not finished");
  started_ = true;
  if (!is_direct_) {
    start_collective(values);
    return;
  }
  const int own = counts_[index(comm_.rank())];
  requests_.clear();
  std::size_t first = 0;
  for (int rank = 0; rank < comm_.size(); first += index(counts_[index(rank++)])) {
    if (rank == comm_.rank()) {
      own_ = values.data() + first;
      continue;
    }
    requests_.push_back(MPI_REQUEST_NULL);
    check_mpi(MPI_Irecv(received_.data() + index(rank) * index(own), own, datatype<Number>(), rank, message_tag,
                        comm_.get(), &requests_.back()),
              "MPI_Irecv");
    requests_.push_back(MPI_REQUEST_NULL);
    check_mpi(MPI_Isend(values.data() + first, counts_[index(rank)], datatype<Number>(), rank, message_tag, comm_.get(),
                        &requests_.back()),
              "MPI_Isend");
  }
}

template <typename Number>
void ScatteredSum<Number>::start_collective(std::span<const Number> values) {
  if constexpr (std::is_same_v<Number, float>) {
    std::copy(values.begin(), values.end(), widened_.begin());
    comm_.sum_scatter(widened_, sum_, counts_);
  } else {
    comm_.sum_scatter(values, sum_, counts_);
  }
}

template <typename Number>
void ScatteredSum<Number>::finish(std::span<double> out) {
  if (!started_) throw std::logic_error("ScatteredSum: no sum was started");
  if (out.size() != index(counts_[index(comm_.rank())])) {
    throw std::logic_error("ScatteredSum: the output has another size");
  }
  started_ = false;
  if (!is_direct_) {
    std::copy(sum_.begin(), sum_.end(), out.begin());
    return;
  }
  check_mpi(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
  requests_.clear();
  add_pieces(out);
}

// The first two in one go: most groups are small.
template <typename Number>
void ScatteredSum<Number>::add_pieces(std::span<double> out) const {
  const auto piece = [&](int rank) {
    return rank == comm_.rank() ? own_ : received_.data() + index(rank) * out.size();
  };
  const Number* first = piece(0);
  if (comm_.size() == 1) {
    std::copy(first, first + out.size(), out.begin());
    return;
  }
  const Number* second = piece(1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<double>(first[i]) + static_cast<double>(second[i]);
  }
  for (int rank = 2; rank < comm_.size(); ++rank) {
    const Number* values = piece(rank);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += static_cast<double>(values[i]);
  }
}

template class ScatteredSum<double>;
template class ScatteredSum<float>;

}  // namespace diffphase
