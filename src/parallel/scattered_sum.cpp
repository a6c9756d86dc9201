#include "parallel/scattered_sum.hpp"

#include <algorithm>
#include <cstddef>
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
ScatteredSum<Number>::ScatteredSum(const Communicator& comm, std::vector<ScatteredPiece> pieces, int direct_ranks)
    : comm_(comm), pieces_(std::move(pieces)), is_direct_(comm.size() <= direct_ranks) {
  if (pieces_.size() != index(comm_.size())) {
    throw std::logic_error("ScatteredSum: as many pieces as the communicator has ranks");
  }
  if (is_direct_) {
    received_.resize(index(own().count) * pieces_.size());
    if (!leaves_terms()) sum_.resize(index(own().count));
    receives_.reserve(pieces_.size());
    for (std::vector<MPI_Request>& sends : sends_) sends.reserve(pieces_.size());
    return;
  }
  sum_.resize(index(own().count));
  std::size_t total = 0;
  for (const ScatteredPiece& piece : pieces_) total += index(piece.count);
  packed_.resize(total);
}

template <typename Number>
ScatteredSum<Number>::~ScatteredSum() {
  give_up(receives_);
  for (std::vector<MPI_Request>& sends : sends_) give_up(sends);
}

template <typename Number>
void ScatteredSum<Number>::start(std::span<const Number> values) {
  if (started_) throw std::logic_error("ScatteredSum: a sum is not finished");
  started_ = true;
  if (!is_direct_) {
    start_collective(values);
    return;
  }
  own_values_ = values.data() + own().first;
  wait_sent(most_unsent - 1);
  std::vector<MPI_Request>& sends = sends_[next_send_];
  next_send_ = (next_send_ + 1) % most_unsent;
  for (int rank = 0; rank < comm_.size(); ++rank) {
    if (rank == comm_.rank()) continue;
    receives_.push_back(MPI_REQUEST_NULL);
    check_mpi(MPI_Irecv(received_.data() + index(rank) * index(own().count), own().count, datatype<Number>(), rank,
                        message_tag, comm_.get(), &receives_.back()),
              "MPI_Irecv");
    const ScatteredPiece& piece = pieces_[index(rank)];
    sends.push_back(MPI_REQUEST_NULL);
    check_mpi(MPI_Isend(values.data() + piece.first, piece.count, datatype<Number>(), rank, message_tag, comm_.get(),
                        &sends.back()),
              "MPI_Isend");
  }
}

template <typename Number>
void ScatteredSum<Number>::start_collective(std::span<const Number> values) {
  auto packed = packed_.begin();
  std::vector<int> counts;
  for (const ScatteredPiece& piece : pieces_) {
    const std::span<const Number> part = values.subspan(piece.first, index(piece.count));
    packed = std::copy(part.begin(), part.end(), packed);
    counts.push_back(piece.count);
  }
  comm_.sum_scatter(packed_, sum_, counts);
}

template <typename Number>
TwoTerms ScatteredSum<Number>::finish() {
  if (!started_) throw std::logic_error("ScatteredSum: no sum was started");
  started_ = false;
  if (!is_direct_) return {sum_.data()};
  wait_for(receives_);
  if constexpr (std::is_same_v<Number, double>) {
    if (leaves_terms()) return {values_of(0), comm_.size() == 1 ? nullptr : values_of(1)};
  }
  add_pieces();
  return {sum_.data()};
}

template <typename Number>
void ScatteredSum<Number>::wait_sent(std::size_t most) {
  for (std::size_t i = 0; i + most < most_unsent; ++i) wait_for(sends_[(next_send_ + i) % most_unsent]);
}

// The own piece of a rank's values.
template <typename Number>
const Number* ScatteredSum<Number>::values_of(int rank) const {
  return rank == comm_.rank() ? own_values_ : received_.data() + index(rank) * index(own().count);
}

// The first two in one go: most groups are small.
template <typename Number>
void ScatteredSum<Number>::add_pieces() {
  const Number* first = values_of(0);
  if (comm_.size() == 1) {
    std::copy(first, first + sum_.size(), sum_.begin());
    return;
  }
  const Number* second = values_of(1);
  for (std::size_t i = 0; i < sum_.size(); ++i) {
    sum_[i] = static_cast<double>(first[i]) + static_cast<double>(second[i]);
  }
  for (int rank = 2; rank < comm_.size(); ++rank) {
    const Number* values = values_of(rank);
    for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] += static_cast<double>(values[i]);
  }
}

template class ScatteredSum<double>;
template class ScatteredSum<float>;

}  // namespace diffphase
