#pragma once
// What carries messages between a client and a server: gRPC, or queues in one process. The two sides' state machines
// (host.hpp, link.hpp) know nothing else of it.
#include <string>

namespace lightloop::v1 {
class FromClient;
class FromServer;
}  // namespace lightloop::v1

namespace lightloop::remote {

enum class Received { message, end, malformed };

/// The server's end of one session. One thread reads and writes, one other may say goodbye or cancel.
class ServerWire {
 public:
  virtual ~ServerWire() = default;
  virtual Received read(v1::FromClient& to) = 0;
  virtual bool write(const v1::FromServer& message) = 0;  ///< false: the session has ended
  virtual void cancel() = 0;                              ///< read() and write() fail from now on
};

/// The client's end of one session. One thread reads, one writes, one beats; all may cancel.
class ClientWire {
 public:
  virtual ~ClientWire() = default;
  virtual bool read(v1::FromServer& to) = 0;  ///< false: the session has ended
  virtual bool write(const v1::FromClient& message) = 0;
  virtual void done() = 0;           ///< nothing more will be written
  virtual void cancel() = 0;         ///< read(), write() and beat() fail from now on
  virtual std::string reason() = 0;  ///< of the end, one phrase; asked by the reading thread after read() was false
  virtual bool beat(const std::string& session, double timeout_s) = 0;  ///< false: no answer, or an unknown session
};

}  // namespace lightloop::remote
