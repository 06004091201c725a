#pragma once
// A Session owns one open device and adds policy: frame ids, splitting, metering, snapshots. The same for every
// backend.
#include <memory>
#include <string>
#include <utility>

#include "driver/api/device.hpp"

namespace lightloop {

/// Everything counted since the session was opened (and carried through checkpoints).
struct Meter {
  std::int64_t frames = 0, batches = 0, programs = 0, codes = 0, saturated = 0;
  double device_s = 0, device_j = 0;
  double saturation() const { return codes ? static_cast<double>(saturated) / static_cast<double>(codes) : 0.0; }
};

/// Told of all that went through a session, after the device has done it and before the caller hears of it: what an
/// observer of a returned call wrote down can be relied upon. What it throws goes to the caller, who must then take the
/// call as failed.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  /// One batch, with the ids and the pass the device was given.
  virtual void on_run(const ConstFrames& in, const ConstFrames& out, const RunOptions& options,
                      const RunReport& report) = 0;
  virtual void on_program(const ConstFrames& codes) = 0;
  virtual void on_configure() = 0;  ///< the device has its new settings and description
  virtual void on_reset() = 0;
  virtual void on_restore() = 0;
};

class Session {
 public:
  /// `address` is kept for provenance. The device is closed with the session.
  explicit Session(std::unique_ptr<Device> device, std::string address = {});
  ~Session();

  Device& device() { return *device_; }
  const Device& device() const { return *device_; }
  const DeviceInfo& info() const { return device_->describe(); }
  const std::string& address() const { return address_; }

  /// Runs frames in batches the device accepts. Logical frame ids go on from the last successful call (they replace
  /// options.first_frame_id), so that results do not depend on how the caller cuts its work into calls. The deadline is
  /// also looked at between batches. After a throw the ids are as before the call, so repeating it repeats the noise;
  /// batches that were shown before the throw stay in the meter, because they have cost device time.
  RunReport run(ConstFrames in, Frames out, RunOptions options = {});
  void program(ConstFrames codes);
  void configure(const Settings& changes);
  /// Device::reset(); ids and meter go on.
  void reset();

  /// From now on `observer` is told; nullptr ends it. What a caller does with device() itself goes unseen.
  void observe(std::shared_ptr<SessionObserver> observer) { observer_ = std::move(observer); }

  const Meter& meter() const { return meter_; }
  std::uint64_t next_frame_id() const { return next_frame_id_; }
  /// The next frame gets this logical id: an earlier one repeats that frame's noise.
  void continue_at(std::uint64_t frame_id) { next_frame_id_ = frame_id; }
  /// Frame ids, meter and the device's snapshot: what a checkpoint stores. Restoring throws InvalidParameter for bytes
  /// of another device or version and then changes nothing. The device must be opened with the same settings and, where
  /// programmable, be programmed with the same codes first.
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);

 private:
  std::unique_ptr<Device> device_;
  std::string address_;
  Meter meter_;
  std::uint64_t next_frame_id_ = 0;
  std::shared_ptr<SessionObserver> observer_;
};

}  // namespace lightloop
