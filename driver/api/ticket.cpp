#include "driver/api/ticket.hpp"

#include "core/error.hpp"
#include "driver/api/session_core.hpp"

namespace lightloop {
namespace {

void check_stands(const std::shared_ptr<SessionJob>& job) {
  if (!job) throw InvalidParameter("ticket", "stands for no job", "", "Take one from Session::submit.");
}

}  // namespace

bool Ticket::ready() const {
  check_stands(job_);
  return core_->ready(*job_);
}

RunReport Ticket::wait(std::optional<std::chrono::duration<double>> timeout) const {
  check_stands(job_);
  std::optional<Moment> until;
  if (timeout) until = SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(*timeout);
  core_->wait(job_, until);
  return job_->report;
}

ConstFrames Ticket::frames() const {
  wait();
  return job_->out;
}

bool Ticket::cancel() {
  check_stands(job_);
  return core_->cancel(job_);
}

std::uint64_t Ticket::first_frame_id() const {
  check_stands(job_);
  return job_->options.first_frame_id;
}

}  // namespace lightloop
