#pragma once
#include <chrono>
#include <cstring>

#include "aligned-buffer.hpp"
#include "thread-team.hpp"

namespace expertmesh {

/// Bytes per second at which the team reads memory that no cache holds: the best of a few passes over numBytes.
inline double readBandwidth(ThreadTeam& team, size_t numBytes) {
  constexpr size_t kPieceBytes = 1 << 20;
  constexpr int kPasses = 4;
  const size_t numPieces = numBytes / kPieceBytes;
  AlignedBuffer memory;
  auto* bytes = memory.reserve<std::byte>(numPieces * kPieceBytes);
  // Pages that were never written, or have the same contents, may be one page.
  team.parallelFor(numPieces, 1, [&](size_t begin, size_t end, size_t) {
    for (size_t i = begin * kPieceBytes; i < end * kPieceBytes; i += sizeof(i)) std::memcpy(bytes + i, &i, sizeof(i));
  });
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::atomic<double> sink{0};
    const auto startedAt = std::chrono::steady_clock::now();
    team.parallelFor(numPieces, 1, [&](size_t begin, size_t end, size_t) {
      sink.store(team.kernels().readAll(bytes + begin * kPieceBytes, (end - begin) * kPieceBytes), std::memory_order_relaxed);
    });
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - startedAt;
    const double rate = static_cast<double>(numPieces * kPieceBytes) / elapsed.count();
    best = rate > best ? rate : best;
  }
  return best;
}

/// Products of unpacked 4-bit weights with int8 a second that the team makes with operands in the nearest cache: no kernel makes more.
inline double productPeak(ThreadTeam& team) {
  constexpr size_t kBytes = 1 << 13;
  constexpr size_t kRepeats = 1 << 10;
  constexpr size_t kPiecesPerThread = 16;
  constexpr int kPasses = 4;
  const size_t numPieces = team.numThreads() * kPiecesPerThread;
  AlignedBuffer memory;
  auto* bytes = memory.reserve<uint8_t>(kBytes);
  for (size_t i = 0; i < kBytes; ++i) bytes[i] = static_cast<uint8_t>(i * 37 % 127);
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::atomic<double> sink{0};
    const auto startedAt = std::chrono::steady_clock::now();
    team.parallelFor(numPieces, 1, [&](size_t begin, size_t end, size_t) {
      for (size_t i = begin; i < end; ++i) sink.store(team.kernels().multiplyAll(bytes, kBytes, kRepeats), std::memory_order_relaxed);
    });
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - startedAt;
    const double rate = static_cast<double>(numPieces * kRepeats * kBytes) / elapsed.count();
    best = rate > best ? rate : best;
  }
  return best;
}

}  // namespace expertmesh
