#include "crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define EXPERTMESH_CRC_TARGET __attribute__((target("sse4.2")))
#elif defined(__aarch64__)
#include <arm_acle.h>
#define EXPERTMESH_CRC_TARGET __attribute__((target("+crc")))
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#endif

namespace expertmesh {

namespace {

/// Bits reversed, as the least significant bit of a byte is the first one.
constexpr uint32_t kPolynomial = 0x82f63b78;

constexpr uint32_t shiftedByOneBit(uint32_t crc) { return (crc >> 1) ^ (crc & 1 ? kPolynomial : 0); }

using ByteTable = std::array<uint32_t, 256>;

constexpr ByteTable makeByteTable() {
  ByteTable table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = shiftedByOneBit(crc);
    table[byte] = crc;
  }
  return table;
}

constexpr ByteTable kByteTable = makeByteTable();

uint32_t extendByBytes(uint32_t crc, const uint8_t* data, size_t size) {
  for (size_t i = 0; i < size; ++i) crc = kByteTable[(crc ^ data[i]) & 0xff] ^ (crc >> 8);
  return crc;
}

#ifdef EXPERTMESH_CRC_TARGET

/// What a CRC becomes when that many zero bytes follow: linear in its bits, so a table for each of its bytes.
class ZeroBytes {
 public:
  explicit ZeroBytes(size_t numBytes) {
    std::array<uint32_t, 32> ofBit{};
    for (int bit = 0; bit < 32; ++bit) {
      uint32_t crc = uint32_t{1} << bit;
      for (size_t i = 0; i < numBytes; ++i) crc = kByteTable[crc & 0xff] ^ (crc >> 8);
      ofBit[bit] = crc;
    }
    for (int byte = 0; byte < 4; ++byte)
      for (uint32_t value = 0; value < 256; ++value)
        for (int bit = 0; bit < 8; ++bit)
          if (value >> bit & 1) tables_[byte][value] ^= ofBit[8 * byte + bit];
  }

  uint32_t after(uint32_t crc) const {
    return tables_[0][crc & 0xff] ^ tables_[1][crc >> 8 & 0xff] ^ tables_[2][crc >> 16 & 0xff] ^ tables_[3][crc >> 24];
  }

 private:
  std::array<ByteTable, 4> tables_{};
};

EXPERTMESH_CRC_TARGET inline uint64_t extendByWord(uint64_t crc, const uint8_t* data) {
  uint64_t word;
  std::memcpy(&word, data, sizeof word);
#if defined(__x86_64__)
  return _mm_crc32_u64(crc, word);
#else
  return __crc32cd(static_cast<uint32_t>(crc), word);
#endif
}

/// The instruction takes three cycles and one can begin in each, so three parts are taken at once and then joined.
template <size_t kPartBytes>
EXPERTMESH_CRC_TARGET uint32_t extendByThirds(uint32_t crc, const uint8_t*& data, size_t& size) {
  static const ZeroBytes part(kPartBytes);
  while (size >= 3 * kPartBytes) {
    uint64_t first = crc, second = 0, third = 0;
    for (size_t i = 0; i < kPartBytes; i += 8) {
      first = extendByWord(first, data + i);
      second = extendByWord(second, data + kPartBytes + i);
      third = extendByWord(third, data + 2 * kPartBytes + i);
    }
    crc = part.after(static_cast<uint32_t>(first)) ^ static_cast<uint32_t>(second);
    crc = part.after(crc) ^ static_cast<uint32_t>(third);
    data += 3 * kPartBytes;
    size -= 3 * kPartBytes;
  }
  return crc;
}

EXPERTMESH_CRC_TARGET uint32_t extendByInstruction(uint32_t crc, const uint8_t* data, size_t size) {
  crc = extendByThirds<4096>(crc, data, size);
  crc = extendByThirds<256>(crc, data, size);
  for (; size >= 8; data += 8, size -= 8) crc = static_cast<uint32_t>(extendByWord(crc, data));
  return extendByBytes(crc, data, size);
}

bool hasInstruction() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("sse4.2");
#elif defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#else
  return true;  // Every Apple CPU has it.
#endif
}

#endif

}  // namespace

uint32_t crc32c(const uint8_t* data, size_t size) {
#ifdef EXPERTMESH_CRC_TARGET
  static const bool byInstruction = hasInstruction();
  if (byInstruction) return ~extendByInstruction(~uint32_t{0}, data, size);
#endif
  return ~extendByBytes(~uint32_t{0}, data, size);
}

}  // namespace expertmesh
