#pragma once
#include <cstddef>
#include <cstdlib>
#include <new>

namespace expertmesh {

/// Memory on a border of 64 bytes that grows when asked and keeps nothing of its contents then.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  ~AlignedBuffer() { std::free(data_); }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  /// At least numElements of T. Throws std::bad_alloc.
  template <class T>
  T* reserve(size_t numElements) {
    const size_t bytes = (numElements * sizeof(T) + 63) / 64 * 64;
    if (bytes > size_) {
      std::free(data_);
      size_ = 0;
      data_ = std::aligned_alloc(64, bytes);
      if (data_ == nullptr) throw std::bad_alloc();
      size_ = bytes;
    }
    return static_cast<T*>(data_);
  }

  void* data() const { return data_; }
  size_t sizeBytes() const { return size_; }

  void free() {
    std::free(data_);
    data_ = nullptr;
    size_ = 0;
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace expertmesh
