#pragma once
// One session seen from the server: Hello, then requests, one at a time, each answered by one reply.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "driver/api/device.hpp"
#include "driver/api/twin.hpp"
#include "driver/backends/remote/host.hpp"
#include "driver/backends/remote/payload.hpp"

namespace lightloop::v1 {
class Open;
class Reply;
class Request;
class Run;
class TwinCall;
}  // namespace lightloop::v1

namespace lightloop::remote {

class Conversation {
 public:
  Conversation(Host& host, ServerWire& wire);
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  /// Until the client has gone. Throws LinkError when it does not keep the protocol, which ends the session.
  void run();

 private:
  /// The client has gone in the middle of something.
  struct Gone {};

  void greet();
  /// The next message; throws Gone, or LinkError for a malformed one.
  void read(v1::FromClient& to);
  void answer(const v1::Request& request);
  void work(const v1::Request& request, v1::Reply& reply, Outgoing& out);
  void send(v1::FromServer& message, Outgoing& out);
  /// Takes the whole payload of `request`; throws InvalidParameter, before anything is taken, if it is of another size.
  void receive(const v1::Request& request, Incoming to);
  void no_payload(const v1::Request& request) { receive(request, Incoming()); }

  void open(const v1::Open& what, v1::Reply& reply);
  void run_frames(const v1::Request& request, v1::Reply& reply, Outgoing& out);
  void program(const v1::Request& request);
  void restore(const v1::Request& request);
  void twin_call(const v1::Request& request, v1::Reply& reply, Outgoing& out);
  void close_device();
  Device& device();
  void describe(v1::Reply& reply);

  Host& host_;
  ServerWire& wire_;
  std::string session_, client_ = "a client without a name";
  std::uint64_t window_ = 0, present_ = 0, payload_limit_ = 0;
  bool lost_ = true;  // unless it says goodbye
  std::unique_ptr<Device> device_;
  std::unique_ptr<Twin> twin_;
  std::string name_;  // of the device that is leased
  std::int64_t frames_ = 0;
  FrameBuffer in_, out_;
  Matrix<std::uint16_t> aux_;
  Matrix<std::uint64_t> numbers_;
  std::vector<std::byte> state_;
  Matrix<float> x_, grad_, y_, theta_;
};

}  // namespace lightloop::remote
