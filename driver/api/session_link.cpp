// Opening, losing and opening again: the device's thread only.
#include <algorithm>

#include "core/error.hpp"
#include "driver/api/description.hpp"
#include "driver/api/session_core.hpp"

namespace lightloop {
namespace {

constexpr double kFirstBackoff_s = 0.1, kLongestBackoff_s = 5.0;

void close_quietly(std::unique_ptr<Device>& device) {
  if (!device) return;
  try {
    device->close();
  } catch (const std::exception&) {
    // A link that is already broken must not end the program while it is being let go.
  }
  device.reset();
}

/// What was opened again is not what was lost; opening it once more would not help.
struct AnotherDevice : LinkError {
  using LinkError::LinkError;
};

}  // namespace

void SessionCore::open_first(std::unique_ptr<Device> device) {
  device_ = device ? std::move(device) : open_();
  LIGHTLOOP_ASSERT(device_ != nullptr);
  const std::lock_guard lock(mutex_);
  info_ = device_->describe();
  settings_ = device_->settings();
  state_ = SessionState::ready;
}

void SessionCore::shut(SessionState state) {
  close_quietly(device_);
  const std::lock_guard lock(mutex_);
  state_ = state;
}

void SessionCore::remember() {
  memory_lost_ = false;
  if (info_.stateful || info_.program)
    memory_ = can_reopen() || policy_.snapshots ? std::optional(device_->snapshot()) : std::nullopt;
}

void SessionCore::remember_settings() {
  if (info_.stateful && memory_ && !memory_->empty()) remember();
}

void SessionCore::keep_memory() {
  if (policy_.snapshots)
    memory_ = device_->snapshot();
  else
    memory_.reset();
}

void SessionCore::put_memory_back() {
  if (memory_->empty())
    device_->reset();
  else
    device_->restore(*memory_);
}

void SessionCore::lose(const std::string& why) {
  if (can_reopen() && info_.stateful && !memory_) memory_lost_ = true;
  lost_since_ = next_attempt_ = SteadyClock::now();
  backoff_s_ = 0;
  open_error_ = why;
  if (can_reopen()) close_quietly(device_);
  const std::lock_guard lock(mutex_);
  note("lost: " + why);
  if (state_ == SessionState::closed) return;
  if (state_ != SessionState::lost) ++meter_.losses;
  state_ = device_ ? SessionState::degraded : SessionState::lost;
}

void SessionCore::need_device(SessionJob& job) {
  throw_if_cancelled(job);
  {
    const std::lock_guard lock(mutex_);
    if (state_ == SessionState::closed) throw LinkError(address_, "the device is closed", "", "Open it again.");
  }
  if (fault_) throw LinkError(address_, open_error_, last_good(), "Call reopen() when that has been put right.");
  for (bool tried = false; !device_; tried = true) {
    if (tried && SteadyClock::now() - lost_since_ >= std::chrono::duration<double>(policy_.reopen_s))
      throw LinkError(address_, "the link is lost", last_good(), "Last attempt to open it again: " + open_error_);
    pause(job, next_attempt_);
    try_open();
    if (fault_) throw LinkError(address_, open_error_, last_good(), "Call reopen() when that has been put right.");
  }
}

void SessionCore::try_open() {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == SessionState::closed) return;
    state_ = SessionState::opening;
  }
  std::unique_ptr<Device> device;
  try {
    device = open_();
    LIGHTLOOP_ASSERT(device != nullptr);
    put_back(*device);
    device_ = std::move(device);
    last_number_ = 0;
    in_step_ = true;
    const std::lock_guard lock(mutex_);
    ++meter_.reopened;
    note("opened again");
    if (state_ == SessionState::opening) state_ = SessionState::ready;
    return;
  } catch (const AnotherDevice& error) {
    fault_ = true;
    open_error_ = error.what();
  } catch (const std::exception& error) {
    open_error_ = error.what();
  }
  close_quietly(device);
  backoff_s_ = std::clamp(2 * backoff_s_, kFirstBackoff_s, kLongestBackoff_s);
  next_attempt_ =
      SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(backoff_s_));
  const std::lock_guard lock(mutex_);
  if (fault_) note("not used: " + open_error_);
  if (state_ == SessionState::opening) state_ = fault_ ? SessionState::fault : SessionState::lost;
}

/// Makes a newly opened device what the lost one was.
void SessionCore::put_back(Device& device) {
  Settings changes;
  for (const ParamInfo& info : settings_.infos())
    if (device.settings().has(info.name) && device.settings().value(info.name) != settings_.value(info.name))
      changes[info.name] = settings_.value(info.name);
  try {
    if (!changes.empty()) device.configure(changes);
  } catch (const Unsupported& error) {
    throw AnotherDevice(address_, error.what(), "before: " + format_settings(changes));
  }
  if (device.settings().all() != settings_.all())
    throw AnotherDevice(address_, "it was opened again with other settings",
                        "now " + format_settings(device.settings().all()));
  check_identity(device.describe());
  try {
    if (const SelfTest test = device.self_test(); !test.passed) throw LinkError(address_, "self-test: " + test.detail);
  } catch (const Unsupported&) {
    // not every device can test itself
  }
  // The last pulses once more would be too many, and weights are no pulses.
  const bool forgets = (programme_moves_ || moves_by_pulses(settings_)) && (!memory_ || memory_->empty());
  if (forgets && programme_.frames().count > 0) cells_unknown_ = true;
  if (!programme_state_.empty() && !forgets) {
    device.restore(programme_state_);
  } else if (programme_.frames().count > 0 && !forgets) {
    device.program(programme_.frames());
    const std::lock_guard lock(mutex_);
    info_.cost = device.describe().cost;
    ++meter_.programs;
    meter_.device_s += info_.cost.program_s;
    meter_.device_j += info_.cost.program_j;
  }
  try {
    if (memory_ && !memory_->empty()) {
      device.restore(*memory_);
      cells_unknown_ = false;
    }
  } catch (const InvalidParameter& error) {
    throw AnotherDevice(address_, error.what());
  }
}

void SessionCore::check_identity(const DeviceInfo& now) const {
  const auto same = [this](const std::string& what, const std::string& then, const std::string& found) {
    if (then != found)
      throw AnotherDevice(address_, "another device answers: its " + what + " is \"" + found + "\"",
                          "before: \"" + then + "\"");
  };
  same("kind", info_.kind, now.kind);
  same("model", info_.model, now.model);
  same("serial number", info_.serial, now.serial);
  same("version", info_.version, now.version);
  same("calibration", info_.calibration_id, now.calibration_id);
  const auto format = [](const DeviceInfo& info) {
    std::string text;
    for (const FrameFormat* one : {&info.input, &info.output, info.program ? &*info.program : nullptr}) {
      if (!one) continue;
      for (const Index side : one->shape) text += std::to_string(side) + "x";
      text += std::to_string(one->bits) + " bit, ";
    }
    return text + std::to_string(info.aux_inputs.size()) + " auxiliary, up to " + std::to_string(info.max_batch) +
           " frames" + (info.stateful ? ", stateful" : "") + (info.deterministic ? ", deterministic" : "") +
           (info.repeatable ? ", repeatable" : "") +
           (info.pairing == Pairing::counted   ? ", counted"
            : info.pairing == Pairing::unknown ? ", uncounted"
                                               : "") +
           (info.transposed ? ", transposed" : "");
  };
  same("frame format", format(info_), format(now));
}

void SessionCore::reopen(SessionJob& job) {
  fault_ = false;
  lost_since_ = next_attempt_ = SteadyClock::now();
  backoff_s_ = 0;
  if (info_.stateful && device_ && !memory_) memory_ = device_->snapshot();
  close_quietly(device_);
  commit(job, [this] { state_ = SessionState::lost; });
  need_device(job);
}

}  // namespace lightloop
