#pragma once
#include <chrono>
#include <cstdint>
#include <sched.h>

namespace expertmesh {

/**
 * Waiting without sleeping, politely: a few dozen pauses of the CPU, then the core is offered to whoever else wants it. On a
 * box whose cores are all in the team, the thread that hands out the work would otherwise wait for a time slice.
 */
class Backoff {
 public:
  void wait() {
    if (++rounds_ % kPausesPerYield == 0) {
      sched_yield();
      return;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  /// Looks at the clock only now and then.
  bool isPast(std::chrono::steady_clock::time_point deadline) const {
    return rounds_ % kPausesPerYield == 0 && std::chrono::steady_clock::now() >= deadline;
  }

 private:
  static constexpr uint32_t kPausesPerYield = 32;
  uint32_t rounds_ = 0;
};

}  // namespace expertmesh
