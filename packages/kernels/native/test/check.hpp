#pragma once
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace expertmesh::test {

/// Ends the program at the first thing that is wrong: the caller shows what was printed.
inline void check(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  std::exit(1);
}

inline void checkNear(double actual, double expected, double tolerance, const std::string& what) {
  if (std::fabs(actual - expected) <= tolerance) return;
  check(false, what + ": " + std::to_string(actual) + " is not within " + std::to_string(tolerance) + " of " +
                   std::to_string(expected));
}

/// Calls `op`, which must refuse its arguments with an exception.
template <class Op>
void checkRefused(const std::string& what, Op&& op) {
  try {
    op();
  } catch (const std::exception&) {
    return;
  }
  check(false, what + " was not refused");
}

}  // namespace expertmesh::test
