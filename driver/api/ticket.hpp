#pragma once
// A Ticket stands for frames that were submitted and will be answered.
#include <chrono>
#include <memory>
#include <optional>

#include "driver/api/device.hpp"

namespace lightloop {

class SessionCore;
struct SessionJob;

/// Made by Session::submit. A copy stands for the same job. The job is done whether or not anybody waits.
class Ticket {
 public:
  Ticket() = default;  ///< stands for nothing; only to be assigned to
  Ticket(std::shared_ptr<SessionCore> core, std::shared_ptr<SessionJob> job)
      : core_(std::move(core)), job_(std::move(job)) {}

  bool ready() const;  ///< wait() would not wait
  /// What happened; throws what the job threw. Throws WaitTimeout when nothing has come after `timeout`: the job goes
  /// on and can be waited for again.
  RunReport wait(std::optional<std::chrono::duration<double>> timeout = {}) const;
  /// The answers, valid as long as the ticket. Waits as wait().
  ConstFrames frames() const;
  /// True: it will not be shown at all. False: it is under way or done; one under way ends between two batches.
  bool cancel();
  std::uint64_t first_frame_id() const;

 private:
  std::shared_ptr<SessionCore> core_;
  std::shared_ptr<SessionJob> job_;
};

}  // namespace lightloop
