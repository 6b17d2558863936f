#include "mapped-file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "require.hpp"

namespace expertmesh {

namespace {

/// Keeps products of sizes within 64 bits.
constexpr size_t kMaxDimension = size_t{1} << 28;

[[noreturn]] void fail(const std::string& path) { throw std::system_error(errno, std::generic_category(), path); }

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path);
  struct stat status {};
  const bool isKnown = fstat(fd, &status) == 0;
  if (isKnown && status.st_size > 0) {
    size_ = static_cast<size_t>(status.st_size);
    void* mapped = mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) data_ = static_cast<const uint8_t*>(mapped);
  }
  const int error = errno;
  close(fd);
  errno = error;
  if (!isKnown || (size_ > 0 && data_ == nullptr)) fail(path);
  if (size_ == 0) throw InvalidArgument(path + " is empty");
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

void MappedFile::prefault() const {
  uint8_t* const start = const_cast<uint8_t*>(data_);
  // The disk gets the whole file as one request, where faults would ask for it piece by piece.
  madvise(start, size_, MADV_WILLNEED);
#ifdef MADV_POPULATE_READ
  if (madvise(start, size_, MADV_POPULATE_READ) == 0) return;
  if (errno == EFAULT) throw std::system_error(EIO, std::generic_category());
#endif
  // Other systems, and Linux before 5.14: touch every page.
  constexpr size_t kSmallestPageBytes = 4096;
  for (size_t offset = 0; offset < size_; offset += kSmallestPageBytes) static_cast<void>(*static_cast<const volatile uint8_t*>(data_ + offset));
}

Matrix MappedFile::quantised(size_t weightsOffset, size_t scalesOffset, size_t out, size_t in, size_t bits,
                             size_t block) const {
  require(bits == 4 || bits == 8, "a quantised matrix has 4 or 8 bits");
  require(block == 32 || block == 64 || block == 128, "the block size must be 32, 64 or 128");
  requireRange("out", out, 1, kMaxDimension);
  requireRange("in", in, 1, kMaxDimension);
  require(in % block == 0, "the block size must divide the matrix's input dimension");
  Matrix matrix{bits == 4 ? WeightBits::k4 : WeightBits::k8, block, out, in, nullptr, nullptr};
  const size_t scaleBytes = out * matrix.numBlocks() * sizeof(float);
  matrix.weights = at("the weights", weightsOffset, out * matrix.rowBytes(), 1);
  matrix.scales = reinterpret_cast<const float*>(at("the scales", scalesOffset, scaleBytes, sizeof(float)));
  return matrix;
}

Matrix MappedFile::fp32(size_t offset, size_t out, size_t in) const {
  requireRange("out", out, 1, kMaxDimension);
  requireRange("in", in, 1, kMaxDimension);
  Matrix matrix{WeightBits::k32, 0, out, in, nullptr, nullptr};
  matrix.weights = at("the weights", offset, out * matrix.rowBytes(), sizeof(float));
  return matrix;
}

const uint8_t* MappedFile::at(const char* what, size_t offset, size_t sizeBytes, size_t alignment) const {
  if (offset > size_ || sizeBytes > size_ - offset)
    throw InvalidArgument(std::string(what) + " end beyond the file: offset " + std::to_string(offset) + " + " +
                          std::to_string(sizeBytes) + " bytes, the file has " + std::to_string(size_));
  require(offset % alignment == 0, "the offset of fp32 values must be a multiple of 4");
  return data_ + offset;
}

}  // namespace expertmesh
