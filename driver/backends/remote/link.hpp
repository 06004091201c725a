#pragma once
// The client's side of one session, whatever carries the messages: a request goes out, its reply comes back, in time or
// not at all.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "driver/backends/remote/payload.hpp"
#include "driver/backends/remote/wire.hpp"

namespace lightloop::v1 {
class Reply;
class Request;
}  // namespace lightloop::v1

namespace lightloop::remote {

/// A thread reads, one sends heartbeats, and, once a call had a deadline, one watches that writing keeps it.
class Link {
 public:
  using Clock = std::chrono::steady_clock;
  using Deadline = std::optional<Clock::time_point>;
  /// Where the payload of a good reply goes; called once its size is known.
  using Sink = std::function<Incoming(const v1::Reply&)>;

  /// Says Hello. `name` ("remote:host:port/opu0") stands in every message about the link, `client` is told to the
  /// server. Throws LinkError, or what the server refuses with.
  Link(std::unique_ptr<ClientWire> wire, std::string name, const std::string& client, Clock::time_point deadline);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Sends a request (its id and deadline are set here) with its payload and waits for the reply. `event` names it in
  /// messages. Throws what the device threw; Timeout at the deadline, and then the answer is dropped when it comes,
  /// before the next request is sent; LinkError, naming the last answer, once the session has ended.
  void call(v1::Request& request, const std::string& event, Outgoing payload, const Sink& sink, v1::Reply& reply,
            const Deadline& deadline = {});
  /// Ends the session: nothing is sent any more. Harmless twice.
  void finish();
  const std::string& name() const { return name_; }

 private:
  struct Awaited {
    std::uint64_t id = 0;
    bool begun = false;      ///< the reply's head has come
    std::uint64_t left = 0;  ///< of its payload
    std::uint64_t owed = 0;  ///< taken in without a Credit
  };

  void read_all();
  void beat_on();
  void watch();
  bool write(const v1::FromClient& message, const Deadline& deadline);
  void require_write(const v1::FromClient& message, const Deadline& deadline);
  /// The next message; false at the deadline. Throws what ended the session.
  bool next(v1::FromServer& to, const Deadline& deadline);
  /// Takes in what belongs to the awaited reply until it is complete; false at the deadline.
  bool await(v1::Reply* reply, const Sink* sink, Window* window, const Deadline& deadline, bool until_complete);
  void take(const std::string& payload, Incoming& to);
  void send(const v1::Request& request, Outgoing& payload, v1::Reply& reply, const Sink& sink,
            const Deadline& deadline);
  void end(const std::string& reason);
  [[noreturn]] void raise_lost();
  [[noreturn]] void raise_late(const std::string& event);
  [[noreturn]] void violation(const std::string& what);

  std::unique_ptr<ClientWire> wire_;
  std::string name_, session_;
  double timeout_s_ = 0;
  std::uint64_t window_ = 0, id_ = 0;
  std::size_t chunk_ = 0;
  std::mutex call_mutex_;
  std::optional<Awaited> awaited_;
  Incoming incoming_;
  std::unique_ptr<v1::FromServer> message_;

  std::mutex mutex_;  // for all that follows
  std::condition_variable arrived_, room_, stirred_;
  std::deque<std::unique_ptr<v1::FromServer>> queue_, spare_;
  std::size_t queued_bytes_ = 0;
  bool ended_ = false, stopping_ = false;
  std::string reason_;
  std::exception_ptr refusal_;
  Deadline write_until_;
  std::string last_event_;
  Clock::time_point last_time_;

  std::thread reader_, heart_, watcher_;
};

}  // namespace lightloop::remote
