#pragma once
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <unistd.h>
#include <vector>

#include "../core/mapped-file.hpp"

namespace expertmesh::test {

inline std::mt19937& random() {
  static std::mt19937 engine(20);
  return engine;
}

inline size_t randomBelow(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random()); }

inline std::vector<float> randomFloats(size_t n, float deviation = 1) {
  std::normal_distribution<float> distribution(0, deviation);
  std::vector<float> values(n);
  for (float& value : values) value = distribution(random());
  return values;
}

/// Mapped from a file whose last byte is the last one of the weights, so that reading further is caught.
inline std::shared_ptr<const MappedFile> mapped(const std::vector<uint8_t>& bytes) {
  static int numFiles = 0;
  const auto name = "expertmesh-kernels-" + std::to_string(getpid()) + "-" + std::to_string(numFiles++);
  const auto path = std::filesystem::temp_directory_path() / name;
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  auto file = std::make_shared<const MappedFile>(path.string());
  std::filesystem::remove(path);
  return file;
}

/// Starts so far into the file that the end of the data is the end of its last page.
inline size_t startForPageEnd(size_t sizeBytes) {
  constexpr size_t kPage = 4096;
  return (kPage - sizeBytes % kPage) % kPage / 4 * 4;
}

/// Weights first, scales last; every so often the other way round.
inline StoredMatrix randomMatrix(size_t out, size_t in, size_t bits, size_t block) {
  const size_t weightBytes = out * in * bits / 8;
  if (bits == 32) {
    const auto values = randomFloats(out * in, 0.1f);
    const size_t start = startForPageEnd(weightBytes);
    std::vector<uint8_t> bytes(start + weightBytes);
    std::memcpy(bytes.data() + start, values.data(), weightBytes);
    auto file = mapped(bytes);
    return {file, file->fp32(start, out, in)};
  }
  auto scales = randomFloats(out * (in / block), 0.02f);
  const size_t scaleBytes = scales.size() * sizeof(float);
  const size_t start = startForPageEnd(weightBytes + scaleBytes);
  const bool areScalesLast = randomBelow(2) == 0;
  const size_t weights = areScalesLast ? start : start + scaleBytes;
  const size_t scalesAt = areScalesLast ? start + weightBytes : start;
  std::vector<uint8_t> bytes(start + weightBytes + scaleBytes);
  for (size_t i = 0; i < weightBytes; ++i) bytes[weights + i] = static_cast<uint8_t>(random()());
  std::memcpy(bytes.data() + scalesAt, scales.data(), scaleBytes);
  auto file = mapped(bytes);
  return {file, file->quantised(weights, scalesAt, out, in, bits, block)};
}

/// Norm weights are near 1.
inline StoredMatrix randomVector(size_t size) {
  auto values = randomFloats(size, 0.2f);
  for (float& value : values) value += 1;
  std::vector<uint8_t> bytes(size * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  auto file = mapped(bytes);
  return {file, file->fp32(0, 1, size)};
}

}  // namespace expertmesh::test
