#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "matrix.hpp"

namespace expertmesh {

/**
 * A file of the expert store, mapped for reading. The pages are the page cache's own: nothing is copied, and processes
 * share them. The store's files are never changed in place; truncating one under a mapping ends the process.
 */
class MappedFile {
 public:
  /// Throws std::system_error where the file cannot be mapped.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  size_t sizeBytes() const { return size_; }

  /// Reads the whole file into memory and maps its pages, so that the first use waits for neither. Throws std::system_error where it cannot be read.
  void prefault() const;

  /// Throws InvalidArgument unless all of the matrix lies in the file. Scales must start on a multiple of 4 bytes.
  Matrix quantised(size_t weightsOffset, size_t scalesOffset, size_t out, size_t in, size_t bits, size_t block) const;
  Matrix fp32(size_t offset, size_t out, size_t in) const;

 private:
  const uint8_t* at(const char* what, size_t offset, size_t sizeBytes, size_t alignment) const;

  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

/// A matrix that keeps its file mapped.
struct StoredMatrix {
  std::shared_ptr<const MappedFile> file;
  Matrix matrix{};
};

}  // namespace expertmesh
