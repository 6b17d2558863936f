#pragma once
#include <cstddef>
#include <cstdint>

namespace expertmesh {

/// CRC-32C (Castagnoli) as RFC 3720, B.4 has it, by the CPU's own instruction where there is one.
uint32_t crc32c(const uint8_t* data, size_t size);

}  // namespace expertmesh
