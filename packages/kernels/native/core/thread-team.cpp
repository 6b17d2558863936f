#include "thread-team.hpp"

#include "backoff.hpp"

namespace expertmesh {

namespace {

constexpr int kEpochShift = 32;
constexpr uint64_t kCountMask = (uint64_t{1} << kEpochShift) - 1;

}  // namespace

ThreadTeam::ThreadTeam(const KernelSet& kernels, size_t numThreads, std::chrono::microseconds spin, Numerics numerics)
    : kernels_(kernels), numerics_(numerics), spin_(spin), scratch_(numThreads) {
  helpers_.reserve(numThreads - 1);
  for (size_t i = 1; i < numThreads; ++i) helpers_.emplace_back([this, i] { help(i); });
}

ThreadTeam::~ThreadTeam() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    isEnding_ = true;
  }
  wake_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void ThreadTeam::reserveScratch(size_t bytes) {
  for (AlignedBuffer& buffer : scratch_) buffer.reserve<std::byte>(bytes);
}

void ThreadTeam::run(const Task& task) {
  invoke_.store(task.invoke, std::memory_order_relaxed);
  context_.store(task.context, std::memory_order_relaxed);
  count_.store(task.count, std::memory_order_relaxed);
  grain_.store(task.grain, std::memory_order_relaxed);
  numDone_.store(0, std::memory_order_relaxed);
  const uint64_t epoch = (state_.load(std::memory_order_relaxed) >> kEpochShift) + 1;
  // Sequentially consistent with the sleepers' counting: either they see the new epoch, or they are seen here.
  state_.store((epoch << kEpochShift) | task.count);
  if (numSleepers_.load() > 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_all();
  }
  work(epoch, 0);
  Backoff backoff;
  while (numDone_.load(std::memory_order_acquire) != task.count) backoff.wait();
}

// The task's fields change only after all pieces of an epoch are claimed and done. So a claim that succeeds proves that the
// fields that were read before it are this epoch's, and where nothing is left to claim they are not looked at.
void ThreadTeam::work(uint64_t epoch, size_t threadIndex) {
  uint64_t state = state_.load(std::memory_order_acquire);
  while (state >> kEpochShift == epoch && (state & kCountMask) > 0) {
    const auto invoke = invoke_.load(std::memory_order_relaxed);
    const void* context = context_.load(std::memory_order_relaxed);
    const size_t count = count_.load(std::memory_order_relaxed);
    const size_t grain = grain_.load(std::memory_order_relaxed);
    const size_t numLeft = state & kCountMask;
    // Large pieces first, since what is read in one go is read faster, and small ones last, so that all end together.
    const size_t share = numLeft / (2 * numThreads());
    const size_t piece = share > grain ? share : grain;
    const size_t numClaimed = piece < numLeft ? piece : numLeft;
    if (!state_.compare_exchange_weak(state, state - numClaimed, std::memory_order_acq_rel)) continue;
    invoke(context, count - numLeft, count - numLeft + numClaimed, threadIndex);
    numDone_.fetch_add(numClaimed, std::memory_order_release);
    state = state_.load(std::memory_order_acquire);
  }
}

void ThreadTeam::help(size_t threadIndex) {
  uint64_t epoch = 0;
  for (;;) {
    const uint64_t next = waitForEpochAfter(epoch);
    if (next == epoch) return;
    epoch = next;
    work(epoch, threadIndex);
  }
}

uint64_t ThreadTeam::waitForEpochAfter(uint64_t epoch) {
  const auto deadline = std::chrono::steady_clock::now() + spin_;
  const auto current = [this] { return state_.load() >> kEpochShift; };
  for (Backoff backoff; !isEnding_.load(std::memory_order_relaxed); backoff.wait()) {
    if (current() != epoch) return current();
    if (backoff.isPast(deadline)) break;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  numSleepers_.fetch_add(1);
  wake_.wait(lock, [&] { return current() != epoch || isEnding_; });
  numSleepers_.fetch_sub(1);
  return isEnding_ ? epoch : current();
}

}  // namespace expertmesh
