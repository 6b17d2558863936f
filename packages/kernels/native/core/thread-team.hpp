#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "aligned-buffer.hpp"
#include "kernel-set.hpp"

namespace expertmesh {

/**
 * A leader (the thread that calls parallelFor) and helpers. Helpers spin for a while after the last work and then sleep; the
 * leader never waits for a helper that has not taken work yet, so a sleeping or preempted one costs nothing but its share.
 */
class ThreadTeam {
 public:
  ThreadTeam(const KernelSet& kernels, size_t numThreads, std::chrono::microseconds spin, Numerics numerics = Numerics::kFast);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  const KernelSet& kernels() const { return kernels_; }
  /// Of products, where a call does not say otherwise.
  Numerics numerics() const { return numerics_; }
  size_t numThreads() const { return helpers_.size() + 1; }

  /**
   * Calls body(begin, end, threadIndex) until 0 .. count - 1 are covered, in pieces of `grain` or more by whoever is free;
   * returns when all are done. The body must not throw. What it computes must not depend on the pieces.
   */
  template <class Body>
  void parallelFor(size_t count, size_t grain, const Body& body) {
    if (count == 0) return;
    if (helpers_.empty() || count <= grain) return body(size_t{0}, count, size_t{0});
    const auto invoke = [](const void* context, size_t begin, size_t end, size_t threadIndex) {
      (*static_cast<const Body*>(context))(begin, end, threadIndex);
    };
    run({invoke, &body, count, grain});
  }

  /// Makes room for `scratch`. Not during parallelFor.
  void reserveScratch(size_t bytes);
  /// Memory of a thread's own, of the size that was reserved last, on a border of 64 bytes.
  void* scratch(size_t threadIndex) const { return scratch_[threadIndex].data(); }

 private:
  struct Task {
    void (*invoke)(const void* context, size_t begin, size_t end, size_t threadIndex);
    const void* context;
    size_t count;
    size_t grain;
  };

  void run(const Task& task);
  void work(uint64_t epoch, size_t threadIndex);
  void help(size_t threadIndex);
  /// Returns the new epoch, or the same one when the team is to end.
  uint64_t waitForEpochAfter(uint64_t epoch);

  const KernelSet& kernels_;
  const Numerics numerics_;
  const std::chrono::microseconds spin_;
  std::vector<AlignedBuffer> scratch_;

  // Epoch in the high half, in the low one how many indices of the epoch's task nobody has claimed yet. Claiming is a
  // compare-and-swap of both, so a helper that was late can never take a piece of a task with the function of another.
  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) std::atomic<size_t> numDone_{0};
  alignas(64) std::atomic<decltype(Task::invoke)> invoke_{nullptr};
  std::atomic<const void*> context_{nullptr};
  std::atomic<size_t> count_{0};
  std::atomic<size_t> grain_{0};

  alignas(64) std::atomic<size_t> numSleepers_{0};
  std::atomic<bool> isEnding_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> helpers_;
};

}  // namespace expertmesh
