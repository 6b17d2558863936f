#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>

namespace expertmesh {

/// What a caller got wrong; the message names the value and the limit.
using InvalidArgument = std::invalid_argument;

inline void require(bool condition, const char* message) {
  if (!condition) throw InvalidArgument(message);
}

inline void requireSize(const char* name, size_t actual, size_t expected) {
  if (actual != expected)
    throw InvalidArgument(std::string(name) + " has " + std::to_string(actual) + " elements, " +
                          std::to_string(expected) + " are needed");
}

inline void requireRange(const char* name, size_t actual, size_t least, size_t most) {
  if (actual < least || actual > most)
    throw InvalidArgument(std::string(name) + " is " + std::to_string(actual) + ", it must be in " +
                          std::to_string(least) + " .. " + std::to_string(most));
}

}  // namespace expertmesh
