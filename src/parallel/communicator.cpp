#include "parallel/communicator.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace diffphase {

namespace {

// One MPI call moves at most this many elements, so that counts and byte offsets stay inside MPI's int.
constexpr std::size_t piece = std::size_t{1} << 27;

template <typename T>
void all_reduce(std::span<T> values, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
  for (std::size_t first = 0; first < values.size(); first += piece) {
    const auto part = values.subspan(first, std::min(piece, values.size() - first));
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), type, op, comm), "MPI_Allreduce");
  }
}

std::int64_t sum_of(std::span<const int> counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

// Where the part of each rank starts.
std::vector<int> offsets_of(std::span<const int> counts, int ranks) {
  if (counts.size() != static_cast<std::size_t>(ranks)) {
    throw std::logic_error("as many counts are needed as there are ranks");
  }
  if (sum_of(counts) > std::numeric_limits<int>::max()) throw std::length_error("more values than MPI counts");
  std::vector<int> offsets(counts.size());
  std::exclusive_scan(counts.begin(), counts.end(), offsets.begin(), 0);
  return offsets;
}

}  // namespace

void check_mpi(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw std::runtime_error(std::string(what) + ": " + std::string(text, static_cast<std::size_t>(length)));
}

Communicator::Communicator(MPI_Comm comm, bool owned) : comm_(comm), owned_(owned) {
  check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(comm_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(comm_, &size_), "MPI_Comm_size");
  if (owned_ && size_ > 1) check_mpi(MPI_Comm_dup(comm_, &agreements_), "MPI_Comm_dup");
}

Communicator Communicator::world() {
  MPI_Comm copy = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &copy), "MPI_Comm_dup");
  return {copy, true};
}

Communicator Communicator::self() { return {MPI_COMM_SELF, false}; }

Communicator::Communicator(Communicator&& other) noexcept
    : comm_(std::exchange(other.comm_, MPI_COMM_NULL)),
      agreements_(std::exchange(other.agreements_, MPI_COMM_NULL)),
      owned_(std::exchange(other.owned_, false)),
      rank_(other.rank_),
      size_(other.size_) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  if (this != &other) {
    release();
    comm_ = std::exchange(other.comm_, MPI_COMM_NULL);
    agreements_ = std::exchange(other.agreements_, MPI_COMM_NULL);
    owned_ = std::exchange(other.owned_, false);
    rank_ = other.rank_;
    size_ = other.size_;
  }
  return *this;
}

Communicator::~Communicator() { release(); }

void Communicator::release() noexcept {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (agreements_ != MPI_COMM_NULL && finalized == 0) MPI_Comm_free(&agreements_);
  if (owned_ && comm_ != MPI_COMM_NULL && finalized == 0) MPI_Comm_free(&comm_);
  comm_ = agreements_ = MPI_COMM_NULL;
  owned_ = false;
}

Communicator Communicator::split(int color) const {
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(comm_, color, rank_, &part), "MPI_Comm_split");
  return {part, true};
}

Communicator Communicator::duplicate() const {
  MPI_Comm copy = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(comm_, &copy), "MPI_Comm_dup");
  return {copy, true};
}

void Communicator::barrier() const { check_mpi(MPI_Barrier(comm_), "MPI_Barrier"); }

void Communicator::sum(std::span<double> values) const { all_reduce(values, MPI_DOUBLE, MPI_SUM, comm_); }
void Communicator::sum(std::span<std::int64_t> values) const { all_reduce(values, MPI_INT64_T, MPI_SUM, comm_); }
void Communicator::maximum(std::span<double> values) const { all_reduce(values, MPI_DOUBLE, MPI_MAX, comm_); }
void Communicator::maximum(std::span<std::int64_t> values) const { all_reduce(values, MPI_INT64_T, MPI_MAX, comm_); }
void Communicator::minimum(std::span<std::int64_t> values) const { all_reduce(values, MPI_INT64_T, MPI_MIN, comm_); }

void Communicator::sum_scatter(std::span<const double> values, std::span<double> out,
                               std::span<const int> counts) const {
  if (counts.size() != static_cast<std::size_t>(size_) ||
      out.size() != static_cast<std::size_t>(counts[static_cast<std::size_t>(rank_)])) {
    throw std::logic_error("sum_scatter: counts do not fit the communicator or the output");
  }
  check_mpi(MPI_Reduce_scatter(values.data(), out.data(), counts.data(), MPI_DOUBLE, MPI_SUM, comm_),
            "MPI_Reduce_scatter");
}

void Communicator::exchange(std::span<const double> values, std::span<double> out, std::span<const int> counts) const {
  const std::vector<int> offsets = offsets_of(counts, size_);
  const int own = counts[static_cast<std::size_t>(rank_)];
  if (values.size() != static_cast<std::size_t>(sum_of(counts)) ||
      out.size() != static_cast<std::size_t>(own) * counts.size()) {
    throw std::logic_error("exchange: counts do not fit the values or the output");
  }
  // The same on every rank.
  if (std::int64_t{*std::max_element(counts.begin(), counts.end())} * size_ > std::numeric_limits<int>::max()) {
    throw std::length_error("exchange: more values than MPI counts");
  }
  const std::vector<int> of_each(counts.size(), own);
  check_mpi(MPI_Alltoallv(values.data(), counts.data(), offsets.data(), MPI_DOUBLE, out.data(), of_each.data(),
                          offsets_of(of_each, size_).data(), MPI_DOUBLE, comm_),
            "MPI_Alltoallv");
}

void Communicator::gather_parts(std::span<const double> values, std::span<double> all, std::span<const int> counts,
                                int root) const {
  const std::vector<int> offsets = offsets_of(counts, size_);
  const int own = counts[static_cast<std::size_t>(rank_)];
  if (values.size() != static_cast<std::size_t>(own) ||
      (rank_ == root && all.size() != static_cast<std::size_t>(sum_of(counts)))) {
    throw std::logic_error("gather_parts: counts do not fit the values");
  }
  check_mpi(
      MPI_Gatherv(values.data(), own, MPI_DOUBLE, all.data(), counts.data(), offsets.data(), MPI_DOUBLE, root, comm_),
      "MPI_Gatherv");
}

void Communicator::broadcast_bytes(std::span<std::byte> bytes, int root) const {
  for (std::size_t first = 0; first < bytes.size(); first += piece) {
    const auto part = bytes.subspan(first, std::min(piece, bytes.size() - first));
    check_mpi(MPI_Bcast(part.data(), static_cast<int>(part.size()), MPI_BYTE, root, comm_), "MPI_Bcast");
  }
}

void Communicator::broadcast(std::string& text, int root) const {
  auto length = static_cast<std::uint64_t>(text.size());
  broadcast(std::span(&length, 1), root);
  text.resize(length);
  broadcast(std::span(text.data(), text.size()), root);
}

std::vector<double> Communicator::gather(std::span<const double> values, int root) const {
  std::vector<double> all(rank_ == root ? values.size() * static_cast<std::size_t>(size_) : 0);
  if (size_ == 1) {
    std::copy(values.begin(), values.end(), all.begin());
    return all;
  }
  if (values.size() > piece) throw std::length_error("gather: more values per rank than one message holds");
  const int count = static_cast<int>(values.size());
  check_mpi(MPI_Gather(values.data(), count, MPI_DOUBLE, all.data(), count, MPI_DOUBLE, root, comm_), "MPI_Gather");
  return all;
}

std::vector<std::string> Communicator::gather(const std::string& text, int root) const {
  // Every rank learns the total, so that all of them refuse together.
  std::array<std::int64_t, 1> total{static_cast<std::int64_t>(text.size())};
  sum(total);
  if (total[0] > std::numeric_limits<int>::max()) throw std::length_error("gather: more text than one message holds");
  const bool receives = rank_ == root;
  const auto ranks = static_cast<std::size_t>(receives ? size_ : 0);
  const int length = static_cast<int>(text.size());
  std::vector<int> lengths(ranks);
  std::vector<int> offsets(ranks);
  check_mpi(MPI_Gather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, root, comm_), "MPI_Gather");
  std::exclusive_scan(lengths.begin(), lengths.end(), offsets.begin(), 0);
  std::string all(receives ? static_cast<std::size_t>(total[0]) : 0, '\0');
  check_mpi(
      MPI_Gatherv(text.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(), MPI_CHAR, root, comm_),
      "MPI_Gatherv");
  std::vector<std::string> parts;
  for (std::size_t r = 0; r < ranks; ++r) {
    parts.push_back(all.substr(static_cast<std::size_t>(offsets[r]), static_cast<std::size_t>(lengths[r])));
  }
  return parts;
}

void Communicator::send(std::span<const std::byte> bytes, int destination, int tag) const {
  if (bytes.size() > piece) throw std::length_error("send: message longer than 128 MiB");
  check_mpi(MPI_Send(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, destination, tag, comm_), "MPI_Send");
}

std::vector<std::byte> Communicator::receive(int source, int tag) const {
  MPI_Message message{};
  MPI_Status status{};
  check_mpi(MPI_Mprobe(source, tag, comm_, &message, &status), "MPI_Mprobe");
  int count = 0;
  check_mpi(MPI_Get_count(&status, MPI_BYTE, &count), "MPI_Get_count");
  std::vector<std::byte> bytes(static_cast<std::size_t>(count));
  check_mpi(MPI_Mrecv(bytes.data(), count, MPI_BYTE, &message, MPI_STATUS_IGNORE), "MPI_Mrecv");
  return bytes;
}

bool Communicator::probe(int& source, int& tag) const {
  int arrived = 0;
  MPI_Status status{};
  check_mpi(MPI_Iprobe(source, tag, comm_, &arrived, &status), "MPI_Iprobe");
  if (arrived != 0) {
    source = status.MPI_SOURCE;
    tag = status.MPI_TAG;
  }
  return arrived != 0;
}

}  // namespace diffphase
