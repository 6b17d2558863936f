#pragma once
#include <cstddef>

namespace expertmesh {

/// Some elements that somebody else owns, with their number, so that it can be checked.
template <class T>
struct Span {
  T* data = nullptr;
  size_t size = 0;
};

}  // namespace expertmesh
