#include "work-queue.hpp"

#include "backoff.hpp"

namespace expertmesh {

WorkQueue::WorkQueue(const KernelSet& kernels, size_t numThreads, std::chrono::microseconds spin, Leader leader, Numerics numerics)
    : kernels_(kernels), numThreads_(numThreads), spin_(spin), numerics_(numerics) {
  if (leader == Leader::kSubmitter) submittersTeam_ = std::make_unique<ThreadTeam>(kernels, numThreads, spin, numerics);
  else leader_ = std::thread([this] { lead(); });
}

WorkQueue::~WorkQueue() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    isEnding_ = true;
  }
  wake_.notify_all();
  if (leader_.joinable()) leader_.join();
  for (auto& job : jobs_) Job::finish(std::move(job), "the kernel pool was closed");
}

bool WorkQueue::submit(std::unique_ptr<Job>& job) {
  if (submittersTeam_ != nullptr) {
    compute(std::move(job), *submittersTeam_);
    return true;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (isEnding_ || jobs_.size() >= kMaxQueued) return false;
    jobs_.push_back(std::move(job));
    numQueued_.store(jobs_.size());
  }
  wake_.notify_one();
  return true;
}

void WorkQueue::lead() {
  ThreadTeam team(kernels_, numThreads_, spin_, numerics_);
  while (auto job = next()) compute(std::move(job), team);
}

std::unique_ptr<Job> WorkQueue::next() {
  const auto deadline = std::chrono::steady_clock::now() + spin_;
  for (Backoff backoff; numQueued_.load() == 0 && !isEnding_ && !backoff.isPast(deadline);) backoff.wait();
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [this] { return isEnding_ || !jobs_.empty(); });
  if (isEnding_) return nullptr;
  std::unique_ptr<Job> job = std::move(jobs_.front());
  jobs_.pop_front();
  numQueued_.store(jobs_.size());
  return job;
}

void WorkQueue::compute(std::unique_ptr<Job> job, ThreadTeam& team) {
  JobStats& stats = stats_[static_cast<size_t>(job->kind())];
  const auto startedAt = std::chrono::steady_clock::now();
  std::string error;
  try {
    job->run(team, workspace_);
  } catch (const std::exception& thrown) {
    error = thrown.what();
    if (error.empty()) error = "unknown error";
  }
  const auto elapsed = std::chrono::steady_clock::now() - startedAt;
  stats.numJobs += 1;
  stats.nanoseconds += static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count());
  Job::finish(std::move(job), error.empty() ? nullptr : error.c_str());
}

}  // namespace expertmesh
