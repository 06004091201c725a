#include "core/threads.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/error.hpp"

namespace lightloop {
namespace {

thread_local bool inside_body = false;

int processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// One call of parallel_for, on the caller's stack. Whoever takes part draws tile numbers until none is left.
class Job {
 public:
  Job(Index count, TileBody body) : count_(count), body_(body) {}

  void work() {
    inside_body = true;
    for (Index i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) {
      try {
        body_(i);
      } catch (...) {
        next_.store(count_, std::memory_order_relaxed);
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
    inside_body = false;
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  const Index count_;
  const TileBody body_;
  std::atomic<Index> next_{0};
  std::mutex mutex_;
  std::exception_ptr error_;
};

/// The caller works too and waits only for helpers that have joined its job, so a helper that wakes late costs nothing.
class Pool {
 public:
  explicit Pool(int count) { start(count); }
  ~Pool() { stop(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return size_.load(std::memory_order_relaxed); }

  void resize(int count) {
    const std::lock_guard busy(busy_);
    if (count == size()) return;
    stop();
    start(count);
  }

  void run(Index count, TileBody body) {
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy || helpers_.empty()) {
      for (Index i = 0; i < count; ++i) body(i);
      return;
    }
    Job job(count, body);
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      ++number_;
    }
    const Index wanted = std::min(count - 1, static_cast<Index>(helpers_.size()));
    if (wanted == static_cast<Index>(helpers_.size()))
      wake_.notify_all();
    else
      for (Index i = 0; i < wanted; ++i) wake_.notify_one();
    job.work();
    {
      std::unique_lock lock(mutex_);
      job_ = nullptr;
      done_.wait(lock, [&] { return joined_ == 0; });
    }
    job.rethrow();
  }

 private:
  void start(int count) {
    stopping_ = false;
    for (int i = 1; i < count; ++i) helpers_.emplace_back([this] { help(); });
    size_.store(count, std::memory_order_relaxed);
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& helper : helpers_) helper.join();
    helpers_.clear();
  }

  void help() {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return stopping_ || (job_ != nullptr && number_ != seen); });
      if (stopping_) return;
      seen = number_;
      Job* job = job_;
      ++joined_;
      lock.unlock();
      job->work();
      lock.lock();
      if (--joined_ == 0) done_.notify_one();
    }
  }

  std::mutex busy_;  // one job at a time
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  Job* job_ = nullptr;
  std::uint64_t number_ = 0;  // of the job, so that a helper joins each one once
  int joined_ = 0;            // helpers now inside the job
  bool stopping_ = false;
  std::vector<std::thread> helpers_;
  std::atomic<int> size_{1};
};

/// Never destroyed: helpers may sleep until the process ends. A forked child has no helpers, and the locks it inherits
/// may be held by threads it does not have, so it forgets its parent's pool and makes its own at the first call.
std::atomic<Pool*> current{nullptr};
std::atomic<int> wanted_threads{0};

Pool& pool() {
  if (Pool* known = current.load(std::memory_order_acquire)) return *known;
  [[maybe_unused]] static const int registered =
      pthread_atfork(nullptr, nullptr, [] { current.store(nullptr, std::memory_order_release); });
  const int count = wanted_threads.load() > 0 ? wanted_threads.load() : processors();
  auto fresh = std::make_unique<Pool>(count);
  Pool* expected = nullptr;
  if (!current.compare_exchange_strong(expected, fresh.get())) return *expected;  // another thread was first
  return *fresh.release();
}

}  // namespace

void set_threads(int count) {
  constexpr int kMost = 4096;  // assumed: far above any machine, far below what exhausts it
  if (count < 1 || count > kMost)
    throw OutOfRange("thread count", std::to_string(count), "1.." + std::to_string(kMost));
  if (inside_body) throw Unsupported("set_threads", "called inside a parallel_for body", {}, "Call it between jobs.");
  wanted_threads.store(count);
  pool().resize(count);
}

int threads() { return pool().size(); }

void parallel_for(Index count, TileBody body) {
  if (inside_body || count < 2) {
    for (Index i = 0; i < count; ++i) body(i);
    return;
  }
  pool().run(count, body);
}

}  // namespace lightloop
