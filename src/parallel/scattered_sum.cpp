#include "parallel/scattered_sum.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace diffphase {

namespace {

constexpr int message_tag = 7301;

template <typename Number>
MPI_Datatype datatype() {
  return std::is_same_v<Number, float> ? MPI_FLOAT : MPI_DOUBLE;
}

void wait_for(std::vector<MPI_Request>& requests) {
  check_mpi(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
  requests.clear();
}

void give_up(std::vector<MPI_Request>& requests) {
  for (MPI_Request& request : requests) {
    if (request == MPI_REQUEST_NULL) continue;
    MPI_Cancel(&request);
    MPI_Request_free(&request);
  }
}

}  // namespace

template <typename Number>
ScatteredSum<Number>::ScatteredSum(const Communicator& comm, std::vector<int> counts, int direct_ranks)
    : comm_(comm), counts_(std::move(counts)), is_direct_(comm.size() <= direct_ranks) {
  if (counts_.size() != index(comm_.size())) {
    throw std::logic_error("ScatteredSum: as many counts as the communicator has ranks");
  }
  const std::size_t own = count(comm_.rank());
  const std::size_t total = std::accumulate(counts_.begin(), counts_.end(), std::size_t{0});
  values_.resize(total - own);
  if (is_direct_) {
    pieces_.resize(own * std::max<std::size_t>(1, counts_.size() - 1));
    receives_.reserve(counts_.size());
    sends_.reserve(counts_.size());
  } else {
    pieces_.resize(own);
    packed_.resize(total);
    sum_.resize(own);
  }
}

template <typename Number>
ScatteredSum<Number>::~ScatteredSum() {
  give_up(receives_);
  give_up(sends_);
}

template <typename Number>
std::span<Number> ScatteredSum<Number>::values() {
  wait_sent();
  return values_;
}

template <typename Number>
void ScatteredSum<Number>::start() {
  if (started_) throw std::logic_error("ScatteredSum: a sum is not finished");
  wait_sent();  // in case values() was not asked for
  started_ = true;
  if (is_direct_) {
    start_messages();
  } else {
    start_collective();
  }
}

template <typename Number>
void ScatteredSum<Number>::start_messages() {
  const int ranks = comm_.size();
  const std::size_t own = count(comm_.rank());
  Number* piece = pieces_.data();
  for (int rank = 0; rank < ranks; ++rank) {
    if (rank == comm_.rank()) continue;
    receives_.push_back(MPI_REQUEST_NULL);
    check_mpi(
        MPI_Irecv(piece, static_cast<int>(own), datatype<Number>(), rank, message_tag, comm_.get(), &receives_.back()),
        "MPI_Irecv");
    piece += own;
  }
  const Number* values = values_.data();
  for (int step = 1; step < ranks; ++step) {
    const int rank = (comm_.rank() + step) % ranks;
    sends_.push_back(MPI_REQUEST_NULL);
    check_mpi(
        MPI_Isend(values, counts_[index(rank)], datatype<Number>(), rank, message_tag, comm_.get(), &sends_.back()),
        "MPI_Isend");
    values += count(rank);
  }
}

template <typename Number>
void ScatteredSum<Number>::start_collective() {
  const int ranks = comm_.size();
  auto values = values_.cbegin();
  for (int step = 1; step < ranks; ++step) {
    const int rank = (comm_.rank() + step) % ranks;
    const auto before = std::accumulate(counts_.begin(), counts_.begin() + rank, std::ptrdiff_t{0});
    const auto end = values + counts_[index(rank)];
    std::copy(values, end, packed_.begin() + before);
    values = end;
  }
  comm_.sum_scatter(packed_, sum_, counts_);
}

template <typename Number>
std::span<Number> ScatteredSum<Number>::finish() {
  if (!started_) throw std::logic_error("ScatteredSum: no sum was started");
  started_ = false;
  if (is_direct_) {
    wait_for(receives_);
    add_pieces();
  } else {
    std::copy(sum_.begin(), sum_.end(), pieces_.begin());
  }
  return std::span(pieces_).first(count(comm_.rank()));
}

template <typename Number>
void ScatteredSum<Number>::wait_sent() {
  wait_for(sends_);
}

template <typename Number>
void ScatteredSum<Number>::add_pieces() {
  const std::size_t own = count(comm_.rank());
  if (comm_.size() == 1) std::fill(pieces_.begin(), pieces_.end(), Number{0});
  for (std::size_t rank = 1; rank + 1 < counts_.size(); ++rank) {
    const Number* piece = pieces_.data() + rank * own;
    for (std::size_t i = 0; i < own; ++i) pieces_[i] += piece[i];
  }
}

template class ScatteredSum<double>;
template class ScatteredSum<float>;

}  // namespace diffphase
