// Who holds a device and for how long: leases, clients and servers that vanish, fall silent, stall or are late.
#include <catch2/catch.hpp>

#include "driver/backends/remote/bench_for_tests.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;
using namespace std::chrono_literals;
using test::Clock;
using test::Devices;
using test::echoes;
using test::equal;
using test::numbered;
using test::RemoteBench;

/// A server that takes ten minutes to miss a heartbeat.
remote::HostOptions patient() {
  remote::HostOptions options;
  options.timeout_s = 600;
  return options;
}
}  // namespace

TEST_CASE("a device has one holder at a time, who is named to others") {
  RemoteBench bench;
  auto first = remote::open_device(bench.link("ann@lab pid 1"), "echo0", {});
  CHECK_THROWS_AS(bench.open("echo0"), Busy);
  CHECK_THROWS_WITH(bench.open("echo0"), Contains("echo0") && Contains("ann@lab pid 1"));
  const auto other = bench.open("fake0");  // another device is free
  first->close();
  CHECK_NOTHROW(first = bench.open("echo0"));
  first.reset();
  CHECK_NOTHROW(bench.open("echo0"));
}

TEST_CASE("only so many sessions are open at a time") {
  remote::HostOptions options;
  options.max_sessions = 2;
  RemoteBench bench({{"echo0", "sim:echo"}, {"echo1", "sim:echo"}}, options);
  const auto a = bench.open("echo0"), b = bench.open("echo1");
  CHECK_THROWS_AS(bench.link(), Refused);
}

TEST_CASE("a client that vanishes gives its device back") {
  std::vector<std::string> seen;
  std::mutex mutex;
  remote::HostOptions options;
  options.observer = [&](const remote::Visit& visit) {
    const std::scoped_lock lock(mutex);
    constexpr const char* kWhat[] = {"came", "left", "lost"};
    seen.push_back(kWhat[static_cast<int>(visit.what)] + (" " + visit.client) + " " + std::to_string(visit.frames));
  };
  RemoteBench bench({{"echo0", "sim:echo"}}, options);
  const auto pipes = std::make_shared<test::Pipes>();
  const auto device = remote::open_device(bench.link("ann", pipes), "echo0", {});
  CHECK(echoes(*device, 3));
  pipes->to_server.break_off();
  REQUIRE(test::comes_true([&] { return bench.host.sessions() == 0; }));
  CHECK_NOTHROW(bench.open("echo0")->close());
  const std::scoped_lock lock(mutex);
  CHECK(seen == std::vector<std::string>{"came ann 0", "lost ann 3", "came tester 0", "left tester 0"});
}

TEST_CASE("a client that falls silent loses its device, one that beats keeps it") {
  remote::HostOptions options;
  options.timeout_s = 0.5;  // a beat every tenth of a second
  RemoteBench bench({{"echo0", "sim:echo"}, {"echo1", "sim:echo"}}, options);
  const auto beating = std::make_shared<test::Pipes>();
  const auto alive = remote::open_device(bench.link("ann", beating), "echo0", {});

  // a client without heartbeats: raw messages only
  v1::FromClient open;
  open.mutable_request()->set_id(1);
  open.mutable_request()->mutable_open()->set_device("echo1");
  const auto silent = std::make_shared<test::Pipes>();
  const auto wire = bench.server.connect(silent);
  silent->to_server.push(test::hello());
  silent->to_server.push(open.SerializeAsString());
  v1::FromServer answer;
  REQUIRE(wire->read(answer));
  REQUIRE(wire->read(answer));
  REQUIRE(answer.reply().has_description());
  CHECK_THROWS_AS(bench.open("echo1"), Busy);
  REQUIRE(test::comes_true([&] { return bench.host.sessions() == 2; }));

  const auto moment = Clock::now();
  const int before = beating->beats;
  REQUIRE(test::comes_true([&] { return beating->beats >= before + 2; }));  // the second began after the moment
  bench.host.expire(moment + 500ms);                                        // who was last heard before the moment
  REQUIRE(test::comes_true([&] { return bench.host.sessions() == 1; }));
  CHECK_NOTHROW(bench.open("echo1"));
  CHECK(echoes(*alive, 1));
}

TEST_CASE("a deadline holds although the device is late, and its late answer is dropped") {
  RemoteBench bench(Devices{{"echo0", "sim:echo,size=100000"}});
  const auto device = bench.open("echo0");
  const auto run = [&](std::uint8_t first, std::optional<Clock::time_point> deadline) {
    const FrameBuffer in = numbered(device->describe(), 5, first);
    FrameBuffer out(device->describe().output, 5);
    device->run(in.frames(), out.frames(), {.deadline = deadline});
    return equal(in, out);
  };
  test::Gate::shut();
  CHECK_THROWS_AS(run(1, Clock::now() + 1s), Timeout);  // long enough to send the request on a busy machine
  CHECK_THROWS_AS(run(2, Clock::now() + 1s), Timeout);  // still busy with the first
  test::Gate::open();
  CHECK(run(3, std::nullopt));
  CHECK(run(4, Clock::now() + 60s));
}

TEST_CASE("a server that stops taking in does not keep the caller past the deadline") {
  RemoteBench bench(Devices{{"echo0", "sim:echo,size=1000000"}}, patient());
  const auto pipes = std::make_shared<test::Pipes>();
  const auto device = remote::open_device(bench.link("ann", pipes), "echo0", {});
  CHECK(echoes(*device, 1));
  pipes->to_server.stall(true);
  const FrameBuffer in = numbered(device->describe(), 20);
  FrameBuffer out(device->describe().output, 20);
  const auto begin = Clock::now();
  CHECK_THROWS_AS(device->run(in.frames(), out.frames(), {.deadline = begin + 200ms}), Error);
  CHECK(Clock::now() - begin < 60s);                                   // a heartbeat would find out after ten minutes
  CHECK_THROWS_AS(device->run(in.frames(), out.frames()), LinkError);  // the session is over
  pipes->to_server.stall(false);
}

TEST_CASE("a lost link is a LinkError at once, which names the last answer") {
  RemoteBench bench(Devices{{"echo0", "sim:echo"}}, patient());
  const auto pipes = std::make_shared<test::Pipes>();
  const auto device = remote::open_device(bench.link("ann", pipes), "echo0", {});
  const FrameBuffer in = numbered(device->describe(), 3);
  FrameBuffer out(device->describe().output, 3);
  device->run(in.frames(), out.frames(), {.first_frame_id = 40});
  pipes->to_client.break_off();
  pipes->to_server.break_off();
  const auto begin = Clock::now();
  CHECK_THROWS_AS(device->run(in.frames(), out.frames()), LinkError);
  CHECK_THROWS_WITH(device->run(in.frames(), out.frames()),
                    Contains("remote:pair") && Contains("the pipe broke") && Contains("run of 3 frames (ids 40..42)"));
  CHECK(Clock::now() - begin < 60s);  // a heartbeat would find out after ten minutes
  CHECK_NOTHROW(device->close());
}

TEST_CASE("a server that ends tells its clients and lets nobody in") {
  RemoteBench bench;
  const auto device = bench.open("echo0");
  bench.host.stop();
  CHECK_THROWS_WITH(echoes(*device, 1), Contains("server was stopped"));
  CHECK_THROWS_WITH(bench.link(), Contains("being stopped"));
}

}  // namespace lightloop
