#pragma once
// For tests only: a server and its clients in one process.
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "driver/backends/remote/client.hpp"
#include "driver/backends/remote/echo_for_tests.hpp"
#include "driver/backends/remote/pair_for_tests.hpp"

namespace lightloop::test {
using Clock = std::chrono::steady_clock;
using Devices = std::vector<remote::Served>;

struct RemoteBench {
  explicit RemoteBench(Devices devices = {{"echo0", "sim:echo"}, {"fake0", "sim:fake"}},
                       remote::HostOptions options = {})
      : host(std::move(devices), registry, std::move(options)), server(host) {}

  std::unique_ptr<remote::Link> link(const std::string& client = "tester",
                                     std::shared_ptr<Pipes> pipes = std::make_shared<Pipes>()) {
    return std::make_unique<remote::Link>(server.connect(std::move(pipes)), "remote:pair", client,
                                          Clock::now() + std::chrono::seconds(60));
  }
  std::unique_ptr<Device> open(const std::string& name, const Settings& settings = {}) {
    return remote::open_device(link(), name, settings);
  }

  Registry registry = test_registry();
  remote::Host host;
  LocalServer server;
};

inline FrameBuffer numbered(const DeviceInfo& info, Index count, std::uint8_t first = 1) {
  FrameBuffer in(info.input, count);
  for (Index i = 0; i < count * info.input.size(); ++i)
    in.frames().set(0, i, static_cast<std::uint8_t>(first + i % 251));
  return in;
}

inline bool equal(const FrameBuffer& a, const FrameBuffer& b) {
  const ConstFrames x = a.frames(), y = b.frames();
  return x.count == y.count && std::memcmp(x.data, y.data, static_cast<std::size_t>(x.count * x.size * x.bytes)) == 0;
}

inline bool echoes(Device& device, Index count, std::uint8_t first = 1) {
  const FrameBuffer in = numbered(device.describe(), count, first);
  FrameBuffer out(device.describe().output, count);
  device.run(in.frames(), out.frames());
  return equal(in, out);
}

/// Waits for what another thread is about to do; false after a minute, which no machine is too busy for.
template <class Condition>
bool comes_true(Condition&& condition) {
  for (const auto until = Clock::now() + std::chrono::minutes(1); !condition();
       std::this_thread::sleep_for(std::chrono::milliseconds(1)))
    if (Clock::now() > until) return false;
  return true;
}

}  // namespace lightloop::test
