#include "parallel/scattered_sum.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <utility>

namespace diffphase {

namespace {

constexpr int message_tag = 7301;

std::size_t index(int number) { return static_cast<std::size_t>(number); }

}  // namespace

ScatteredSum::ScatteredSum(const Communicator& comm, std::vector<int> counts)
    : comm_(comm), counts_(std::move(counts)) {
  if (counts_.size() != index(comm_.size())) {
    throw std::logic_error("ScatteredSum: as many counts as the communicator has ranks");
  }
  const std::size_t own = index(counts_[index(comm_.rank())]);
  received_.resize(comm_.size() <= most_direct_ranks ? own * counts_.size() : own);
  requests_.reserve(2 * counts_.size());
}

ScatteredSum::~ScatteredSum() {
  for (MPI_Request& request : requests_) {
    if (request == MPI_REQUEST_NULL) continue;
    MPI_Cancel(&request);
    MPI_Request_free(&request);
  }
}

void ScatteredSum::start(std::span<const double> values) {
  if (started_) throw std::logic_error("ScatteredSum: a sum is not finished");
  started_ = true;
  if (comm_.size() > most_direct_ranks) {
    comm_.sum_scatter(values, received_, counts_);
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
    check_mpi(MPI_Irecv(received_.data() + index(rank) * index(own), own, MPI_DOUBLE, rank, message_tag, comm_.get(),
                        &requests_.back()),
              "MPI_Irecv");
    requests_.push_back(MPI_REQUEST_NULL);
    check_mpi(MPI_Isend(values.data() + first, counts_[index(rank)], MPI_DOUBLE, rank, message_tag, comm_.get(),
                        &requests_.back()),
              "MPI_Isend");
  }
}

void ScatteredSum::finish(std::span<double> out) {
  if (!started_) throw std::logic_error("ScatteredSum: no sum was started");
  if (out.size() != index(counts_[index(comm_.rank())])) {
    throw std::logic_error("ScatteredSum: the output has another size");
  }
  started_ = false;
  if (comm_.size() > most_direct_ranks) {
    std::copy(received_.begin(), received_.end(), out.begin());
    return;
  }
  check_mpi(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
  requests_.clear();
  add_pieces(out);
}

void ScatteredSum::add_pieces(std::span<double> out) const {
  for (int rank = 0; rank < comm_.size(); ++rank) {
    const double* piece = rank == comm_.rank() ? own_ : received_.data() + index(rank) * out.size();
    if (rank == 0) {
      std::copy(piece, piece + out.size(), out.begin());
      continue;
    }
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += piece[i];
  }
}

}  // namespace diffphase
