#pragma once
// The inside of a Session: jobs, the queue, and the thread that alone talks to the device. Internal to driver/api.
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "core/error.hpp"
#include "driver/api/check_frames.hpp"
#include "driver/api/session.hpp"
#include "driver/api/session_job.hpp"

namespace lightloop {

/// Owned by the Session, its tickets and its thread together: whoever leaves last takes the device along.
class SessionCore : public std::enable_shared_from_this<SessionCore> {
 public:
  SessionCore(Session::Opener open, std::string address, const Settings& policy);
  void start(std::unique_ptr<Device> device);  ///< empty: open it
  void stop();                                 ///< as ~Session

  // session_queue.cpp: jobs, from any thread
  void post(const std::shared_ptr<SessionJob>& job, bool first = false);
  void wait(const std::shared_ptr<SessionJob>& job, std::optional<Moment> until = {});
  bool cancel(const std::shared_ptr<SessionJob>& job);
  void close();
  bool ready(const SessionJob& job) const;
  SessionState state() const;
  /// Does `action` with the device on its thread and waits; repeated when the link is lost and opened again.
  void call(const std::string& what, std::function<void(SessionJob&)> action);
  std::shared_ptr<void> lease(const std::string& holder);

  // session_run.cpp: on the device's thread
  void run(SessionJob& job);

  // session_program.cpp: on the device's thread
  void write(SessionJob& job, const FrameBuffer& codes);  ///< as Session::program

  // session_link.cpp: on the device's thread
  void open_first(std::unique_ptr<Device> device);
  void shut(SessionState state);  ///< closes and forgets the device
  void settle_cells();            ///< puts them back to what memory_ holds, or throws OnceOnly
  void remember();                ///< the device's memory, to be put back after a reopening
  void remember_settings();       ///< what is remembered has the clock that was set
  /// Waits for the device to be opened again; throws LinkError when it is not to be had.
  void need_device(SessionJob& job);
  bool can_reopen() const { return static_cast<bool>(open_); }
  void reopen(SessionJob& job);

  /// Changes what others read, unless nobody waits for the job any more.
  template <class Change>
  void commit(SessionJob& job, Change&& change) {
    const std::lock_guard lock(mutex_);
    if (job.abandoned) throw Abandoned{};
    change();
  }
  struct Abandoned {};
  /// A failure after which the same call must not be made again.
  struct OnceOnly : LinkError {
    using LinkError::LinkError;
  };
  void note(const std::string& text);  ///< an event; with mutex_ held
  std::string last_good() const;       ///< with mutex_ held
  std::shared_ptr<SessionObserver> observer() const;

  const std::shared_ptr<SessionJobs> jobs_ = std::make_shared<SessionJobs>();
  const std::string address_;
  const ParamSet params_;
  const SessionPolicy policy_;

  // guarded by mutex_
  mutable std::mutex mutex_;
  DeviceInfo info_;
  ParamSet settings_;
  SessionState state_ = SessionState::closed;
  std::vector<SessionEvent> events_;
  std::int64_t events_noted_ = 0;
  Meter meter_;
  std::uint64_t next_frame_id_ = 0, generation_ = 0;
  std::uint64_t written_ = 0;  ///< Session::programme()
  std::shared_ptr<SessionObserver> observer_;

  // the device's thread only, or nobody's while no job is under way
  std::unique_ptr<Device> device_;
  std::optional<std::vector<std::byte>> memory_ = std::vector<std::byte>{};  ///< empty bytes: as opened; none: unknown
  bool memory_lost_ = false;
  bool cells_unknown_ = false;  ///< pulses may have moved cells since memory_ was taken
  FrameBuffer programme_;
  bool programme_moves_ = false;            ///< it was of pulses
  std::vector<std::byte> programme_state_;  ///< the snapshot that brought the programme, where that was not written

 private:
  // session_queue.cpp
  void work();
  void finish(const std::shared_ptr<SessionJob>& job, std::exception_ptr error);
  void give_up(SessionJob& job);
  void refuse_waiting(const std::string& why);
  std::optional<Moment> patience(const SessionJob& job) const;
  void pause(SessionJob& job, Moment until);
  void throw_if_cancelled(const SessionJob& job);

  // session_program.cpp
  void pulse(SessionJob& job, const ConstFrames& codes);
  void overwrite(SessionJob& job, const ConstFrames& codes);

  // session_link.cpp
  void lose(const std::string& why);
  void try_open();
  void put_back(Device& device);
  void check_identity(const DeviceInfo& now) const;

  // session_run.cpp
  RunReport show(SessionJob& job, const ConstFrames& in, const Frames& out, const RunOptions& options);
  RunReport show_once(SessionJob& job, const ConstFrames& in, const Frames& out, const RunOptions& options);
  RunReport expose(SessionJob& job, const ConstFrames& in, const Frames& out, RunOptions options);
  RunReport expose_checked(SessionJob& job, const ConstFrames& in, const Frames& out, const RunOptions& options);
  RunReport refuse(SessionJob& job);
  bool repeatable() const;
  bool check_due() const;
  void keep_memory();      ///< after a batch
  void put_memory_back();  ///< before it is shown again

  const Session::Opener open_;
  // guarded by mutex_
  std::deque<std::shared_ptr<SessionJob>> queue_;
  std::shared_ptr<SessionJob> running_;
  bool stopping_ = false, ended_ = true, stuck_ = false;
  Moment stuck_since_{}, last_good_time_{};
  std::uint64_t last_good_frame_ = 0;
  std::string holder_;
  std::thread::id holder_thread_;
  mutable std::condition_variable work_, done_;

  // the device's thread only
  bool fault_ = false;
  std::string open_error_;
  Moment lost_since_{}, next_attempt_{};
  double backoff_s_ = 0;
  std::vector<std::uint64_t> numbers_;
  std::uint64_t last_number_ = 0;
  bool in_step_ = true;  ///< the next exposure has the next number
  CheckFrames checks_;
  Index batches_since_check_ = 0;
  FrameBuffer again_, framed_in_, framed_out_;
  Matrix<std::uint16_t> framed_aux_;

  std::thread thread_;
  long process_ = 0;  ///< the thread does not follow a fork
};

}  // namespace lightloop
