#pragma once
// Who is connected to a server, and who holds which device: one lease per device, given back when its session ends.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "driver/backends/remote/wire.hpp"

namespace lightloop::remote {

class Guests {
 public:
  using Clock = std::chrono::steady_clock;

  /// A session begins; returns its id, which nobody can guess. Throws Refused when there are `most` already, LinkError
  /// after stop().
  std::string enter(ServerWire& wire, std::size_t most);
  void name(const std::string& session, const std::string& client);
  /// The session ended; so does its lease. Its wire is not touched any more when this returns.
  void leave(const std::string& session);

  /// Throws Busy, naming the holder, when another session has the device.
  void lease(const std::string& session, const std::string& device);
  void release(const std::string& session);
  /// Who has the device; empty: nobody.
  std::string holder(const std::string& device) const;

  /// The session was heard of; false: there is none of this id.
  bool heard(const std::string& session);
  /// Cancels the sessions not heard of since `limit`; returns who they are.
  std::vector<std::string> cancel_silent(Clock::time_point limit);
  /// Lets nobody in any more.
  void stop();
  /// Calls wire.write(message) for every session. Together with the session's own writes: see ServerWire.
  void tell(const v1::FromServer& message);
  void cancel_all();
  std::size_t count() const;

 private:
  struct Guest {
    ServerWire* wire = nullptr;
    std::string client = "a client without a name";
    Clock::time_point heard, since;
    std::string device;
  };
  Guest* holder_of(const std::string& device);
  mutable std::mutex mutex_;
  std::map<std::string, Guest> guests_;
  bool stopped_ = false;
};

}  // namespace lightloop::remote
