#pragma once
// The server's side, whatever carries the messages: which devices there are, who may use them, what a session may ask.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "driver/api/registry.hpp"
#include "driver/backends/remote/guests.hpp"

namespace lightloop::v1 {
class ListReply;
}

namespace lightloop::remote {

struct Served {
  std::string name;     ///< what clients write after the server's address
  std::string address;  ///< the device string it is opened by here
};

/// A client took a device, or left it.
struct Visit {
  enum class What { came, left, lost } what = What::came;
  std::string client, device;
  std::int64_t frames = 0;  ///< run meanwhile
};

struct HostOptions {
  double timeout_s = 5;                                ///< a session not heard of for so long is ended
  std::uint64_t max_bytes = std::uint64_t{256} << 20;  ///< of one batch, and of anything else a client may send
  std::size_t max_sessions = 32;
  std::function<void(const Visit&)> observer = {};  ///< called from the threads of the sessions
};

class Host {
 public:
  /// Throws InvalidParameter for no device, or a name that is empty, taken or holds other characters than letters,
  /// digits, '_', '-' and '.'. The registry must outlive the host.
  Host(std::vector<Served> devices, const Registry& registry, HostOptions options);

  /// One session, from Hello to its end. A device is opened when the client asks for it and closed at the end at the
  /// latest. Throws nothing; a client that does not keep the protocol is told so.
  void converse(ServerWire& wire) noexcept;
  bool beat(const std::string& session) { return guests_.heard(session); }
  void list(v1::ListReply& to) const;
  /// To be called now and then: ends the sessions that have been silent for too long at `now`.
  void expire(Guests::Clock::time_point now = Guests::Clock::now());
  /// Tells every client that the server ends and lets nobody in any more.
  void stop();
  std::size_t sessions() const { return guests_.count(); }
  void cancel_all() { guests_.cancel_all(); }

  const std::vector<Served>& devices() const { return devices_; }

 private:
  friend class Conversation;
  const Served& find(const std::string& name) const;
  std::vector<Served> devices_;
  const Registry& registry_;
  HostOptions options_;
  Guests guests_;
};

/// "NAME=STRING" or "STRING" as typed after --device; without a name it is called after the model and numbered: opu0.
std::vector<Served> name_devices(const std::vector<std::string>& typed);

}  // namespace lightloop::remote
