#include "driver/api/session_job.hpp"

namespace lightloop {

std::shared_ptr<SessionJob> SessionJobs::take() {
  std::unique_ptr<SessionJob> job;
  {
    const std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      job = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (!job) job = std::make_unique<SessionJob>();
  return {job.release(),
          [pool = shared_from_this()](SessionJob* done) { pool->give_back(std::unique_ptr<SessionJob>(done)); }};
}

void SessionJobs::give_back(std::unique_ptr<SessionJob> job) {
  constexpr std::size_t kMost = 4;  // assumed: more than are usually under way
  SessionJob empty;
  std::swap(empty.own_in, job->own_in);
  std::swap(empty.own_out, job->own_out);
  std::swap(empty.own_aux, job->own_aux);
  *job = std::move(empty);
  const std::lock_guard lock(mutex_);
  if (spare_.size() < kMost) spare_.push_back(std::move(job));
}

}  // namespace lightloop
