#pragma once
// The members of an ensemble as devices of their own: what was written for one device runs as one vectorised batch.
#include <memory>
#include <string>
#include <vector>

#include "driver/api/registry.hpp"

namespace lightloop {

class MemberBatch;

/// One device string opened as an ensemble, member m with its own settings and the noise of instance m, counted from
/// the device's own. Each member is handed out as a Device that describes itself and answers as a device opened alone
/// with those settings and that instance would, bit for bit. Every member needs a thread of its own: run() and reset()
/// wait until all open members have asked for the same (as many frames, under the same ids), and are then done at once.
/// Members that are closed, or go with an exception, no longer count.
///
/// Members whose callers do different things cannot be batched, nor can configure(), snapshot(), restore() and
/// monitors(): all members then throw Unsupported, for good, and diverged() is true; the work is to be done again on
/// devices opened alone. RunReport::saturated is the number of codes at either end of the range, an upper bound of what
/// a device alone would count. A member whose model breaks down throws OutOfRange; the others go on.
class Members {
 public:
  /// `common` is laid over the settings in the string. Throws as Registry::open and Ensemble::configure_members, and
  /// Unsupported where the device offers no ensemble.
  Members(const Registry& registry, const std::string& address, const Settings& common,
          const std::vector<Settings>& members);
  /// Member m, once.
  std::unique_ptr<Device> take(Index m);
  Index count() const { return static_cast<Index>(devices_.size()); }
  bool diverged() const;
  /// Whoever waits, and whoever comes, throws: the members were called off.
  void stop();

 private:
  std::shared_ptr<MemberBatch> batch_;
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace lightloop
