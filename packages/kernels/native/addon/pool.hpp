#pragma once
#include <functional>
#include <memory>
#include <napi.h>
#include <string>

#include "../core/work-queue.hpp"

namespace expertmesh {

/**
 * A work queue and its way back to JavaScript. Belongs to the JavaScript thread that made it; when that one ends, the job in
 * progress is finished first, because its arrays end with the thread.
 */
class Pool {
 public:
  /// What a job computes; the returned number is what its promise resolves to.
  using Compute = std::function<double(ThreadTeam&, Workspace&)>;

  Pool(Napi::Env env, const KernelSet& kernels, size_t numThreads, std::chrono::microseconds spin, Leader leader,
       Numerics numerics);
  ~Pool() { close(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// `held` keeps every array that `compute` uses alive until the promise is settled.
  Napi::Promise submit(JobKind kind, Napi::Object held, Compute compute);
  /// Waits for the job in progress; those behind it fail. Nothing can be submitted any more. Harmless when done already.
  void close();
  /// nullptr once closed.
  const WorkQueue* queue() const { return queue_.get(); }

 private:
  class PoolJob;
  static void endWithJavaScript(void* pool) { static_cast<Pool*>(pool)->end(); }
  void end();
  void settle(Napi::Env env, PoolJob* job);

  Napi::Env env_;
  const Leader leader_;
  std::unique_ptr<WorkQueue> queue_;
  Napi::ThreadSafeFunction completions_;
  /// The event loop is kept alive while there are any.
  size_t numPending_ = 0;
};

}  // namespace expertmesh
