// Jobs: waiting in the queue, waiting for them, giving them up.
#include <unistd.h>

#include <algorithm>

#include "core/error.hpp"
#include "driver/api/session_core.hpp"

namespace lightloop {
namespace {

using Seconds = std::chrono::duration<double>;
constexpr Seconds kGrace{2.0};  ///< how long closing waits for a call that hangs

Moment after(Moment start, double seconds) {
  return start + std::chrono::duration_cast<SteadyClock::duration>(Seconds(seconds));
}

}  // namespace

SessionCore::SessionCore(Session::Opener open, std::string address, const Settings& policy)
    : address_(std::move(address)),
      params_([&] {
        ParamSet params("session", session_params());
        params.set(policy);
        return params;
      }()),
      policy_(params_),
      open_(std::move(open)) {}

void SessionCore::start(std::unique_ptr<Device> device) {
  process_ = ::getpid();
  ended_ = false;
  thread_ = std::thread([self = shared_from_this()] { self->work(); });
  const auto job = std::make_shared<SessionJob>();
  job->what = "open";
  job->work = [this, given = std::make_shared<std::unique_ptr<Device>>(std::move(device))](SessionJob&) {
    open_first(std::move(*given));
  };
  post(job);
  try {
    wait(job);
  } catch (...) {
    stop();
    throw;
  }
}

void SessionCore::stop() {
  if (::getpid() != process_) return thread_.detach();
  close();
  std::unique_lock lock(mutex_);
  stopping_ = true;
  work_.notify_all();
  const bool ended = done_.wait_for(lock, stuck_ ? Seconds(0) : kGrace, [this] { return ended_; });
  lock.unlock();
  if (ended)
    thread_.join();
  else
    thread_.detach();  // it owns all it may still touch
}

void SessionCore::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (queue_.empty()) {
      // nobody waits: a lost device is looked for in the background
      if (!device_ && state_ == SessionState::lost && SteadyClock::now() < after(lost_since_, policy_.reopen_s)) {
        if (work_.wait_until(lock, next_attempt_, [this] { return stopping_ || !queue_.empty(); })) continue;
        lock.unlock();
        try_open();
        lock.lock();
      } else {
        work_.wait(lock);
      }
      continue;
    }
    const std::shared_ptr<SessionJob> job = std::move(queue_.front());
    queue_.pop_front();
    job->stage = SessionJob::Stage::running;
    running_ = job;
    lock.unlock();
    std::exception_ptr error;
    try {
      job->work(*job);
    } catch (const Abandoned&) {
    } catch (...) {
      error = std::current_exception();
    }
    finish(job, std::move(error));
    lock.lock();
  }
  lock.unlock();
  shut(SessionState::closed);
  lock.lock();
  ended_ = true;
  done_.notify_all();
}

void SessionCore::finish(const std::shared_ptr<SessionJob>& job, std::exception_ptr error) {
  std::unique_lock lock(mutex_);
  running_.reset();
  if (job->abandoned) {
    stuck_ = false;
    lock.unlock();
    if (info_.stateful && (!memory_ || !can_reopen())) memory_lost_ = true;  // nobody knows what the call did
    lose("a call that was left behind has returned");
    return;
  }
  job->stage = SessionJob::Stage::done;
  job->error = std::move(error);
  job->work = nullptr;
  if (job->error && job->frames && info_.stateful) refuse_waiting("an earlier job of this stateful device failed");
  done_.notify_all();
}

void SessionCore::refuse_waiting(const std::string& why) {
  for (auto job = queue_.begin(); job != queue_.end();) {
    if (!(*job)->frames) {
      ++job;
      continue;
    }
    (*job)->stage = SessionJob::Stage::done;
    (*job)->error = std::make_exception_ptr(Cancelled(address_, "a waiting " + (*job)->what + " was called off", why));
    job = queue_.erase(job);
  }
  done_.notify_all();
}

void SessionCore::post(const std::shared_ptr<SessionJob>& job, bool first) {
  if (::getpid() != process_)
    throw LinkError(address_, "the session belongs to process " + std::to_string(process_), "",
                    "Open it in the process that uses it.");
  const std::lock_guard lock(mutex_);
  if (!holder_.empty() && holder_thread_ != std::this_thread::get_id())
    throw Busy(address_, holder_ + " has it", "", "Wait until the lease is given back.");
  if (job->frames) {
    if (state_ == SessionState::closed) throw LinkError(address_, "the device is closed", "", "Open it again.");
    const auto under_way =
        static_cast<Index>(std::ranges::count_if(queue_, [](const auto& one) { return one->frames; })) +
        (running_ && running_->frames ? 1 : 0);
    if (under_way >= policy_.queue)
      throw Busy(address_, std::to_string(under_way) + " jobs are under way",
                 "session.queue = " + to_string(params_.value("queue")), "Wait for a ticket first.");
    job->options.first_frame_id = next_frame_id_;
    next_frame_id_ += static_cast<std::uint64_t>(job->in.count);
  }
  job->stage = SessionJob::Stage::waiting;
  job->since = SteadyClock::now();
  if (first)
    queue_.push_front(job);
  else
    queue_.push_back(job);
  work_.notify_all();
}

/// Until when the caller of a job waits for the device to say that it is late.
std::optional<Moment> SessionCore::patience(const SessionJob& job) const {
  std::optional<Moment> until;
  if (job.options.deadline)
    until = *job.options.deadline + (std::max(*job.options.deadline, job.since) - job.since) / 10 +
            std::chrono::milliseconds(50);
  // behind a call that hangs a job waits as long as for a device that is lost
  if (stuck_ && job.stage == SessionJob::Stage::waiting) {
    const Moment hung = after(std::max(stuck_since_, job.since), policy_.reopen_s);
    until = until ? std::min(*until, hung) : hung;
  }
  return until;
}

void SessionCore::wait(const std::shared_ptr<SessionJob>& job, std::optional<Moment> until) {
  std::unique_lock lock(mutex_);
  while (job->stage != SessionJob::Stage::done) {
    const std::optional<Moment> patient = patience(*job);
    const Moment now = SteadyClock::now();
    if (patient && now >= *patient) {
      give_up(*job);
      break;
    }
    if (until && now >= *until)
      throw WaitTimeout("waiting for a " + job->what + " on " + address_, "not done yet", last_good(),
                        "Wait again, or cancel it.");
    if (!patient && !until)
      done_.wait(lock);
    else
      done_.wait_until(lock, patient && until ? std::min(*patient, *until) : patient ? *patient : *until);
  }
  if (const std::exception_ptr error = job->error) {
    lock.unlock();
    std::rethrow_exception(error);
  }
}

void SessionCore::give_up(SessionJob& job) {
  const bool hangs = job.stage == SessionJob::Stage::running;
  job.error = std::make_exception_ptr(
      WaitTimeout("waiting for a " + job.what + " on " + address_,
                  hangs ? "the device has not come back from the call" : "the device was not to be had in time",
                  last_good(), hangs ? "The call is left behind; the device is opened again when it returns." : ""));
  if (hangs) {
    job.abandoned = true;
    stuck_ = true;
    stuck_since_ = SteadyClock::now();
    if (state_ != SessionState::closed) state_ = SessionState::lost;
    ++meter_.losses;
    note("a " + job.what + " did not return and was left behind");
  } else {
    std::erase_if(queue_, [&](const auto& other) { return other.get() == &job; });
  }
  job.stage = SessionJob::Stage::done;
  done_.notify_all();
}

bool SessionCore::cancel(const std::shared_ptr<SessionJob>& job) {
  const std::lock_guard lock(mutex_);
  if (job->stage == SessionJob::Stage::done) return false;
  job->cancelled = true;
  work_.notify_all();  // it may be waiting for the device to come back
  if (job->stage == SessionJob::Stage::running) return false;
  std::erase(queue_, job);
  job->stage = SessionJob::Stage::done;
  job->error = std::make_exception_ptr(Cancelled(address_, "a waiting " + job->what + " was called off"));
  done_.notify_all();
  return true;
}

void SessionCore::close() {
  const auto job = std::make_shared<SessionJob>();
  job->what = "close";
  job->work = [this](SessionJob&) { shut(SessionState::closed); };
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    state_ = SessionState::closed;
    refuse_waiting("the session was closed");
    if (running_) running_->cancelled = true;
    job->since = SteadyClock::now();
    queue_.push_back(job);
    work_.notify_all();
  }
  std::unique_lock lock(mutex_);
  if (!stuck_) done_.wait_for(lock, kGrace, [&] { return job->stage == SessionJob::Stage::done; });
}

bool SessionCore::ready(const SessionJob& job) const {
  const std::lock_guard lock(mutex_);
  const auto until = patience(job);
  return job.stage == SessionJob::Stage::done || (until && SteadyClock::now() >= *until);
}

SessionState SessionCore::state() const {
  const std::lock_guard lock(mutex_);
  return state_ == SessionState::ready && running_ && running_->frames ? SessionState::running : state_;
}

void SessionCore::call(const std::string& what, std::function<void(SessionJob&)> action) {
  const auto job = std::make_shared<SessionJob>();
  job->what = what;
  if (policy_.deadline_s > 0) job->options.deadline = after(SteadyClock::now(), policy_.deadline_s);
  job->work = [this, action = std::move(action)](SessionJob& self) {
    for (Index attempt = 0;; ++attempt) {
      need_device(self);
      try {
        return action(self);
      } catch (const FrameError&) {
        if (attempt >= policy_.retries) throw;
      } catch (const OnceOnly&) {
        throw;
      } catch (const LinkError& error) {
        if (attempt >= policy_.retries || !can_reopen()) throw;
        lose(error.what());
      }
      commit(self, [this] { ++meter_.retries; });
    }
  };
  post(job);
  wait(job);
}

/// The device's thread rests until then, or throws when the job is called off or late.
void SessionCore::pause(SessionJob& job, Moment until) {
  std::unique_lock lock(mutex_);
  const Moment latest = job.options.deadline ? std::min(until, *job.options.deadline) : until;
  work_.wait_until(lock, latest, [&] { return stopping_ || job.cancelled || job.abandoned; });
  if (job.abandoned) throw Abandoned{};
  if (stopping_ || job.cancelled) throw Cancelled(address_, "a " + job.what + " was called off");
  if (job.options.deadline && SteadyClock::now() >= *job.options.deadline)
    throw LinkError(address_, "the link is lost and was not back by the deadline", last_good(), open_error_);
}

void SessionCore::throw_if_cancelled(const SessionJob& job) {
  const std::lock_guard lock(mutex_);
  if (job.abandoned) throw Abandoned{};
  if (job.cancelled) throw Cancelled(address_, "a " + job.what + " was called off");
}

std::shared_ptr<void> SessionCore::lease(const std::string& holder) {
  const std::lock_guard lock(mutex_);
  if (!holder_.empty()) throw Busy(address_, holder_ + " has it", "", "Wait until the lease is given back.");
  holder_ = holder.empty() ? "somebody" : holder;
  holder_thread_ = std::this_thread::get_id();
  return {this, [self = shared_from_this()](void*) {
            const std::lock_guard end(self->mutex_);
            self->holder_.clear();
          }};
}

void SessionCore::note(const std::string& text) {
  constexpr std::size_t kMost = 1000;
  if (events_.size() == kMost) events_.erase(events_.begin());
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  events_.push_back({events_noted_++, now, next_frame_id_, text});
}

std::string SessionCore::last_good() const {
  if (last_good_time_ == Moment{}) return "no frame was answered before";
  const auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - last_good_time_).count();
  return "last good: frame " + std::to_string(last_good_frame_) + ", " + std::to_string(ago) + " ms ago";
}

std::shared_ptr<SessionObserver> SessionCore::observer() const {
  const std::lock_guard lock(mutex_);
  return observer_;
}

}  // namespace lightloop
