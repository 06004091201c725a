#pragma once
// What waits for the thread of a Session. Internal to driver/api.
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "driver/api/device.hpp"

namespace lightloop {

using SteadyClock = std::chrono::steady_clock;
using Moment = SteadyClock::time_point;

/// One piece of work for the thread that talks to the device.
struct SessionJob {
  enum class Stage { waiting, running, done };
  std::string what;  ///< "run", "configure"
  std::function<void(SessionJob&)> work;
  bool frames = false;  ///< a run: counts against session.queue
  Moment since = {};
  RunOptions options = {};  ///< with its deadline
  ConstFrames in = {};
  Frames out = {};
  // memory of its own, so that a call left behind writes to nobody else's
  FrameBuffer own_in = {}, own_out = {};
  Matrix<std::uint16_t> own_aux = {};
  // guarded by SessionCore::mutex_
  Stage stage = Stage::waiting;
  bool cancelled = false;  ///< to end at the next opportunity
  bool abandoned = false;  ///< nobody waits for it any more; what it brings is thrown away
  std::exception_ptr error = {};
  RunReport report = {};
};

/// Jobs come back here when nobody holds them any more, and bring their memory along: fresh pages cost more than the
/// copy.
class SessionJobs : public std::enable_shared_from_this<SessionJobs> {
 public:
  std::shared_ptr<SessionJob> take();

 private:
  void give_back(std::unique_ptr<SessionJob> job);
  std::mutex mutex_;
  std::vector<std::unique_ptr<SessionJob>> spare_;
};

}  // namespace lightloop
