#pragma once
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "thread-team.hpp"
#include "workspace.hpp"

namespace expertmesh {

/// What a job spends its time on.
enum class JobKind : size_t { kLinear, kExperts, kDense, kHead, kWholeLayers, kHousekeeping, kCount };

/// Something that the leader of the team computes.
class Job {
 public:
  virtual ~Job() = default;
  virtual JobKind kind() const = 0;
  /// On the leader's thread. May throw; the exception reaches `finish`.
  virtual void run(ThreadTeam& team, Workspace& workspace) = 0;
  /// On the leader's thread, with a message where the job failed, was dropped, or nullptr. Gives up the job's ownership.
  static void finish(std::unique_ptr<Job> job, const char* error) { job.release()->finished(error); }

 private:
  /// Owns `this` from now on.
  virtual void finished(const char* error) = 0;
};

struct JobStats {
  std::atomic<uint64_t> numJobs{0};
  std::atomic<uint64_t> nanoseconds{0};
};

/// Whose thread leads the team.
enum class Leader { kOwn, kSubmitter };

/**
 * A team of threads and the jobs that wait for it, first in, first out. Where the submitter leads, its thread computes each job at
 * once and none waits: it saves two changes of thread, about 50 microseconds of a small job, and can do nothing else meanwhile.
 */
class WorkQueue {
 public:
  WorkQueue(const KernelSet& kernels, size_t numThreads, std::chrono::microseconds spin, Leader leader, Numerics numerics);
  /// Finishes the job in progress; those that wait end with an error.
  ~WorkQueue();

  /// At most this many jobs wait; false (and the job stays the caller's) when there are as many already. A submitter that leads is always
  /// the same thread.
  static constexpr size_t kMaxQueued = 4096;
  bool submit(std::unique_ptr<Job>& job);

  size_t numThreads() const { return numThreads_; }
  const KernelSet& kernels() const { return kernels_; }
  const JobStats& stats(JobKind kind) const { return stats_[static_cast<size_t>(kind)]; }

 private:
  void lead();
  std::unique_ptr<Job> next();
  void compute(std::unique_ptr<Job> job, ThreadTeam& team);

  const KernelSet& kernels_;
  const size_t numThreads_;
  const std::chrono::microseconds spin_;
  const Numerics numerics_;
  Workspace workspace_;
  std::array<JobStats, static_cast<size_t>(JobKind::kCount)> stats_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> jobs_;
  std::atomic<size_t> numQueued_{0};
  std::atomic<bool> isEnding_{false};
  /// Absent where the leader is a thread of its own, which has its team for itself.
  std::unique_ptr<ThreadTeam> submittersTeam_;
  std::thread leader_;
};

}  // namespace expertmesh
