#pragma once
// A Session owns one open device and adds policy: a queue, deadlines, frame ids, splitting, repeats, reopening,
// metering, snapshots. The same for every backend.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "driver/api/device.hpp"
#include "driver/api/session_policy.hpp"
#include "driver/api/session_status.hpp"
#include "driver/api/ticket.hpp"

namespace lightloop {

class Registry;
class SessionCore;

/// Told of all that went through a session, on the thread that talks to the device, after the device has done it and
/// before the caller hears of it: what an observer of a returned call wrote down can be relied upon. What it throws
/// goes to the caller, who must then take the call as failed.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  /// One batch, with the ids and the pass the device was given.
  virtual void on_run(const ConstFrames& in, const ConstFrames& out, const RunOptions& options,
                      const RunReport& report) = 0;
  virtual void on_program(const ConstFrames& codes) = 0;
  virtual void on_configure() = 0;  ///< the session has its new settings and description
  virtual void on_reset() = 0;
  virtual void on_restore() = 0;
};

/// One thread of its own talks to the device; calls wait for it, submit() does not. Calls may come from several
/// threads; what info() and settings() refer to is valid until the next configure(), the cost until the next program().
///
/// Deadlines. One absolute deadline per job is handed down to the device. A device that notices throws Timeout; when it
/// does not return within a tenth of the time allowed + 50 ms, the caller gets WaitTimeout all the same: the call is
/// left behind with memory of its own, the session is LOST until it returns, and is then opened again. Without a
/// deadline (neither in the options nor in session.deadline_s) a caller waits as long as it takes.
///
/// Faults. FrameError and an early Timeout: the batch is shown again, up to session.retries times, with the same frame
/// ids and so the same read noise. LinkError: where the session knows how to open the device, it is closed, opened
/// again (after 0, 0.1, 0.2 .. 5 s, for session.reopen_s), given its settings, programme and memory, tested, and the
/// batch is shown again. Frames of a stateful device are repeated only with session.snapshots. A device numbering its
/// exposures must number them without gap, repeat or step back; one that cannot is held to check frames
/// (session.check_every). All of it is counted in the meter and told by events().
class Session {
 public:
  using Opener = std::function<std::unique_ptr<Device>()>;
  /// An open device, which the session closes in the end and cannot open again. `address` is kept for provenance;
  /// `policy` are "session." settings without that prefix. Throws InvalidParameter kinds.
  explicit Session(std::unique_ptr<Device> device, std::string address = {}, const Settings& policy = {});
  /// Opens the device, now (what `open` throws is thrown) and whenever the link is lost.
  explicit Session(Opener open, std::string address = {}, const Settings& policy = {});
  /// Calls jobs off and closes the device. Waits two seconds at most for a call that hangs, then leaves it behind.
  ~Session();

  const DeviceInfo& info() const;
  const ParamSet& settings() const;  ///< the device's
  const ParamSet& policy() const;    ///< the session's
  const std::string& address() const;
  /// The device itself, for what the session has no call for. Only while no job is under way; what is done to it goes
  /// unseen. Throws LinkError where there is none.
  Device& device() const;

  /// Runs frames in batches the device accepts. Logical frame ids go on from the last job (they replace
  /// options.first_frame_id), so that results do not depend on how the caller cuts its work into calls. The deadline is
  /// also looked at between batches. After a throw the ids are as before the call, unless more was submitted since, so
  /// repeating it repeats the noise; batches that were shown before the throw stay in the meter, because they have cost
  /// device time. Throws what the device throws, WaitTimeout, and as submit().
  RunReport run(ConstFrames in, Frames out, RunOptions options = {});
  /// The same, later: frames are copied, checked and given their ids now. Throws Busy when session.queue jobs are under
  /// way or somebody else has the lease, LinkError when closed. When a job of a stateful device fails, those behind it
  /// are Cancelled.
  Ticket submit(ConstFrames in, RunOptions options = {});
  void program(ConstFrames codes);
  /// Tells programmes apart: a fingerprint of the codes that program() wrote last, or that a restored snapshot came
  /// with; pulses (program.mode) move what is there and leave it. 0: nothing was written, or a write failed half-way.
  std::uint64_t programme() const;
  void configure(const Settings& changes);
  /// Device::reset(); ids and meter go on.
  void reset();
  SelfTest self_test();
  std::vector<Monitor> monitors();

  SessionState state() const;
  /// From the given number on; the last thousand are kept.
  std::vector<SessionEvent> events(std::int64_t from = 0) const;
  Provenance provenance(const RunReport& report) const;
  /// Calls jobs off and closes the device; twice is harmless. As patient as the destructor.
  void close();
  /// Closes and opens anew, whatever the state; settings, programme and memory are put back. Throws Unsupported where
  /// the session cannot open.
  void reopen();

  /// Until the lease is gone, other threads get Busy, which names the holder. Throws Busy when it is taken.
  std::shared_ptr<void> lease(const std::string& holder);

  /// From the next job on `observer` is told; nullptr ends it. What a caller does with device() itself goes unseen.
  void observe(std::shared_ptr<SessionObserver> observer);

  Meter meter() const;
  /// Adds to the meter what the device was asked beside run(): frames, device_s and device_j.
  void count(const RunReport& beside);
  std::uint64_t next_frame_id() const;
  /// The next frame gets this logical id: an earlier one repeats that frame's noise.
  void continue_at(std::uint64_t frame_id);
  /// Frame ids, meter and the device's snapshot: what a checkpoint stores. Restoring throws InvalidParameter for bytes
  /// of another device or version and then changes nothing. The device must be opened with the same settings and, where
  /// programmable, be programmed with the same codes first.
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);

 private:
  std::shared_ptr<SessionCore> core_;
};

/// A session that can open its device again. "session." keys in the string and in `extra` are its policy, the others of
/// `extra` are laid over the device's settings. Throws as Registry::open.
std::unique_ptr<Session> open_session(const Registry& registry, const std::string& address, const Settings& extra = {});

}  // namespace lightloop
