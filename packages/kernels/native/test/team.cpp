// The thread team under tasks that are too small for it: every index once, with the right function, whoever comes late.
#include <atomic>
#include <thread>

#include "../core/isa.hpp"
#include "../core/thread-team.hpp"
#include "check.hpp"
#include "random-weights.hpp"
#include "tests.hpp"

namespace expertmesh::test {

namespace {

void checkTeam(size_t numThreads, std::chrono::microseconds spin, int numTasks) {
  ThreadTeam team(kernelSetNamed("portable"), numThreads, spin);
  std::atomic<int> seen[64];
  for (int task = 0; task < numTasks; ++task) {
    const size_t count = randomBelow(64), grain = 1 + randomBelow(4);
    for (auto& index : seen) index.store(0, std::memory_order_relaxed);
    team.parallelFor(count, grain, [&, task](size_t begin, size_t end, size_t thread) {
      check(begin < end && end <= count && thread < numThreads, "a piece is out of range");
      for (size_t i = begin; i < end; ++i) seen[i].fetch_add(task + 1, std::memory_order_relaxed);
    });
    for (size_t i = 0; i < 64; ++i)
      check(seen[i].load(std::memory_order_relaxed) == (i < count ? task + 1 : 0), "an index was not computed exactly once");
  }
}

}  // namespace

void testTeam() {
  checkTeam(1, std::chrono::microseconds(10), 100);
  checkTeam(2, std::chrono::microseconds(10), 30000);
  checkTeam(5, std::chrono::microseconds(0), 10000);
  checkTeam(3, std::chrono::microseconds(100), 10000);
}

}  // namespace expertmesh::test
