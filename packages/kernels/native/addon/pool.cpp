#include "pool.hpp"

#include "../core/require.hpp"

namespace expertmesh {

class Pool::PoolJob final : public Job {
 public:
  PoolJob(Pool& pool, JobKind kind, Napi::Object held, Compute compute)
      : deferred(Napi::Promise::Deferred::New(held.Env())),
        pool_(pool),
        kind_(kind),
        held_(Napi::Persistent(held)),
        compute_(std::move(compute)) {}

  JobKind kind() const override { return kind_; }
  void run(ThreadTeam& team, Workspace& workspace) override { result = compute_(team, workspace); }

  const Napi::Promise::Deferred deferred;
  std::string error;
  double result = 0;

 private:
  // Where JavaScript is going away the call is refused. The job must then stay: its references belong to that thread.
  void finished(const char* failure) override {
    if (failure != nullptr) error = failure;
    if (pool_.leader_ == Leader::kSubmitter) return pool_.settle(pool_.env_, this);
    pool_.completions_.NonBlockingCall(this, [](Napi::Env env, Napi::Function, PoolJob* job) {
      if (env == nullptr) return;
      try {
        job->pool_.settle(env, job);
      } catch (const Napi::Error&) {
        // The JavaScript thread is being ended, and nobody waits for the promise any more.
      }
    });
  }

  Pool& pool_;
  const JobKind kind_;
  const Napi::ObjectReference held_;
  const Compute compute_;
};

Pool::Pool(Napi::Env env, const KernelSet& kernels, size_t numThreads, std::chrono::microseconds spin, Leader leader,
           Numerics numerics)
    : env_(env), leader_(leader), queue_(std::make_unique<WorkQueue>(kernels, numThreads, spin, leader, numerics)) {
  const auto nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  completions_ = Napi::ThreadSafeFunction::New(env, nothing, "expertmesh kernels", 0, 1);
  completions_.Unref(env);
  // Registered after the thread-safe function, so it runs before that one's own.
  napi_add_env_cleanup_hook(env, endWithJavaScript, this);
}

Napi::Promise Pool::submit(JobKind kind, Napi::Object held, Compute compute) {
  require(queue_ != nullptr, "the kernel pool is closed");
  auto job = std::make_unique<PoolJob>(*this, kind, held, std::move(compute));
  const Napi::Promise promise = job->deferred.Promise();
  std::unique_ptr<Job> submitted = std::move(job);
  // Counted first: the job may be finished before submit returns.
  if (numPending_++ == 0) completions_.Ref(env_);
  if (!queue_->submit(submitted)) {
    if (--numPending_ == 0) completions_.Unref(env_);
    throw std::runtime_error("the kernel pool has " + std::to_string(WorkQueue::kMaxQueued) + " calls waiting already");
  }
  return promise;
}

void Pool::settle(Napi::Env env, PoolJob* job) {
  const std::unique_ptr<PoolJob> owned(job);
  if (--numPending_ == 0) completions_.Unref(env);
  if (owned->error.empty()) owned->deferred.Resolve(Napi::Number::New(env, owned->result));
  else owned->deferred.Reject(Napi::Error::New(env, owned->error).Value());
}

void Pool::close() {
  if (queue_ == nullptr) return;
  napi_remove_env_cleanup_hook(env_, endWithJavaScript, this);
  end();
}

void Pool::end() {
  queue_.reset();
  completions_.Release();
}

}  // namespace expertmesh
