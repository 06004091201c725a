#pragma once
// For tests only: the two ends of a session in one process. Messages pass as bytes through bounded queues, so that
// everything but gRPC itself is as over a network, and can be run under the thread sanitizer.
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "driver/backends/remote/host.hpp"
#include "driver/backends/remote/link.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/wire.hpp"

namespace lightloop::test {

/// Bytes of messages in one direction.
class Pipe {
 public:
  bool push(std::string bytes);  ///< waits for room; false once broken
  bool pop(std::string& bytes);  ///< waits for a message; false once broken, or closed and empty
  void close();                  ///< nothing more is pushed
  void break_off();
  void stall(bool on);  ///< while on, nothing comes out

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> messages_;
  bool closed_ = false, broken_ = false, stalled_ = false;
};

struct Pipes {
  Pipe to_server, to_client;
  std::atomic<int> beats = 0;  ///< of the client that the server has heard
};

/// A server with one session, on a thread of its own.
class LocalServer {
 public:
  explicit LocalServer(remote::Host& host) : host_(host) {}
  ~LocalServer();
  /// Another session; the pipes can be stalled or broken.
  std::unique_ptr<remote::ClientWire> connect(std::shared_ptr<Pipes> pipes = std::make_shared<Pipes>());
  /// Sends raw bytes as a session's messages and returns what the server answers.
  std::vector<std::string> converse(const std::vector<std::string>& messages);

 private:
  remote::Host& host_;
  std::deque<std::thread> threads_;
};

/// The Hello of a client that is not ours, as bytes.
std::string hello(std::uint32_t version = remote::kVersion);

}  // namespace lightloop::test
