// Both sides of the protocol over an in-process transport: no gRPC here.
#include <catch2/catch.hpp>
#include <cstring>

#include "core/error.hpp"
#include "driver/api/conformance.hpp"
#include "driver/backends/remote/client.hpp"
#include "driver/backends/remote/echo_for_tests.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/pair_for_tests.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

using Devices = std::vector<remote::Served>;

struct Bench {
  explicit Bench(std::vector<remote::Served> devices = {{"echo0", "sim:echo"}, {"fake0", "sim:fake"}},
                 remote::HostOptions options = {})
      : host(std::move(devices), registry, std::move(options)), server(host) {}

  std::unique_ptr<remote::Link> link(const std::string& client = "tester",
                                     std::shared_ptr<test::Pipes> pipes = std::make_shared<test::Pipes>()) {
    return std::make_unique<remote::Link>(server.connect(std::move(pipes)), "remote:pair", client, Clock::now() + 60s);
  }
  std::unique_ptr<Device> open(const std::string& name, const Settings& settings = {}) {
    return remote::open_device(link(), name, settings);
  }

  Registry registry = test::test_registry();
  remote::Host host;
  test::LocalServer server;
};

FrameBuffer numbered(const DeviceInfo& info, Index count, std::uint8_t first = 1) {
  FrameBuffer in(info.input, count);
  for (Index i = 0; i < count * info.input.size(); ++i)
    in.frames().set(0, i, static_cast<std::uint8_t>(first + i % 251));
  return in;
}

bool equal(const FrameBuffer& a, const FrameBuffer& b) {
  const ConstFrames x = a.frames(), y = b.frames();
  return x.count == y.count && std::memcmp(x.data, y.data, static_cast<std::size_t>(x.count * x.size * x.bytes)) == 0;
}

bool echoes(Device& device, Index count, std::uint8_t first = 1) {
  const FrameBuffer in = numbered(device.describe(), count, first);
  FrameBuffer out(device.describe().output, count);
  device.run(in.frames(), out.frames());
  return equal(in, out);
}

std::string hello(std::uint32_t version = remote::kVersion) {
  v0::FromClient message;
  message.mutable_hello()->set_version(version);
  message.mutable_hello()->set_window(remote::kWindow);
  message.mutable_hello()->set_client("somebody@else pid 7");
  return message.SerializeAsString();
}

v0::FromServer last(const std::vector<std::string>& answers) {
  v0::FromServer message;
  REQUIRE_FALSE(answers.empty());
  REQUIRE(message.ParseFromString(answers.back()));
  return message;
}

}  // namespace

TEST_CASE("a device with every capability keeps the contract through a session") {
  Bench bench;
  for (const CheckResult& result : check_device([&] { return bench.open("fake0"); })) {
    INFO(result.name << ": " << result.detail);
    CHECK(result.outcome != CheckResult::Outcome::failed);
  }
}

TEST_CASE("settings reach the device, over what the server says") {
  Bench bench(Devices{{"slow", "sim:echo,size=16,delay=0.001"}});
  const auto plain = bench.open("slow");
  CHECK(plain->describe().input.size() == 16);
  CHECK(plain->settings().real("delay") == 0.001);
  plain->close();
  CHECK(bench.open("slow", {{"size", std::int64_t{32}}})->describe().input.size() == 32);
  CHECK_THROWS_AS(bench.open("slow", {{"sizes", std::int64_t{32}}}), UnknownName);
  CHECK_THROWS_AS(bench.open("slow", {{"size", std::int64_t{0}}}), OutOfRange);
  std::vector<std::string> open;
  for (const ParamInfo& info : remote::open_params(*bench.link(), "slow")) open.push_back(info.name);
  CHECK(open.empty());  // the server's string fixes both
}

TEST_CASE("what was thrown there is thrown here, part by part") {
  const auto same = [](const auto& error) {
    using E = std::decay_t<decltype(error)>;
    v0::Error message;
    remote::put(error, message);
    try {
      remote::raise(message);
    } catch (const Error& back) {
      INFO(back.what());
      CHECK(typeid(back) == typeid(E));
      CHECK(back.subject() == "what");
      CHECK(back.value() == "value");
      CHECK(back.limit() == "limit");
      CHECK(back.hint() == "hint");
    }
  };
  same(Error("what", "value", "limit", "hint"));
  same(InvalidParameter("what", "value", "limit", "hint"));
  same(OutOfRange("what", "value", "limit", "hint"));
  same(UnknownName("what", "value", "limit", "hint"));
  same(ShapeMismatch("what", "value", "limit", "hint"));
  same(Unsupported("what", "value", "limit", "hint"));
  same(Refused("what", "value", "limit", "hint"));
  same(Timeout("what", "value", "limit", "hint"));
  same(LinkError("what", "value", "limit", "hint"));
  same(FrameError("what", "value", "limit", "hint"));
  same(WaitTimeout("what", "value", "limit", "hint"));
  same(Busy("what", "value", "limit", "hint"));
  same(Cancelled("what", "value", "limit", "hint"));
  same(FileError("what", "value", "limit", "hint"));
  same(DeviceError("what", "value", "limit", "hint"));
  same(InternalError("what", "value", "limit", "hint"));
  v0::Error other;
  remote::put(std::runtime_error("bad\nline\x1b[31m"), other);
  CHECK_THROWS_AS(remote::raise(other), InternalError);
  CHECK(other.value() == "bad?line?[31m");
}

TEST_CASE("text from elsewhere becomes one line of UTF-8") {
  CHECK(remote::clean("Größe → 1") == "Größe → 1");
  CHECK(remote::clean("a\xff"
                      "b\xc0\xaf"
                      "c\xed\xa0\x80") == "a?b??c???");
  CHECK(remote::clean("\xe2\x86") == "??");
  CHECK(remote::clean("äää", 5) == "ää");
}

TEST_CASE("a device has one holder at a time, who is named to others") {
  Bench bench;
  auto first = remote::open_device(bench.link("ann@lab pid 1"), "echo0", {});
  CHECK_THROWS_AS(bench.open("echo0"), Busy);
  CHECK_THROWS_WITH(bench.open("echo0"), Contains("echo0") && Contains("ann@lab pid 1"));
  const auto other = bench.open("fake0");  // another device is free
  first->close();
  CHECK_NOTHROW(first = bench.open("echo0"));
  first.reset();
  CHECK_NOTHROW(bench.open("echo0"));
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
  Bench bench({{"echo0", "sim:echo"}}, options);
  const auto pipes = std::make_shared<test::Pipes>();
  const auto device = remote::open_device(bench.link("ann", pipes), "echo0", {});
  CHECK(echoes(*device, 3));
  pipes->to_server.break_off();
  const auto until = Clock::now() + 5s;
  while (bench.host.sessions() > 0 && Clock::now() < until) std::this_thread::sleep_for(1ms);
  CHECK_NOTHROW(bench.open("echo0")->close());
  const std::scoped_lock lock(mutex);
  CHECK(seen == std::vector<std::string>{"came ann 0", "lost ann 3", "came tester 0", "left tester 0"});
}

TEST_CASE("a client that falls silent loses its device, one that beats keeps it") {
  remote::HostOptions options;
  options.timeout_s = 0.3;
  Bench bench({{"echo0", "sim:echo"}}, options);
  const auto alive = bench.open("echo0");
  const auto expire_for = [&](auto time) {
    for (const auto until = Clock::now() + time; Clock::now() < until; std::this_thread::sleep_for(20ms))
      bench.host.expire();
  };
  expire_for(700ms);
  CHECK(echoes(*alive, 1));
  alive->close();

  // a client without heartbeats: raw messages only
  v0::FromClient open;
  open.mutable_request()->set_id(1);
  open.mutable_request()->mutable_open()->set_device("echo0");
  const auto pipes = std::make_shared<test::Pipes>();
  const auto wire = bench.server.connect(pipes);
  pipes->to_server.push(hello());
  pipes->to_server.push(open.SerializeAsString());
  v0::FromServer answer;
  REQUIRE(wire->read(answer));
  REQUIRE(wire->read(answer));
  REQUIRE(answer.reply().has_description());
  CHECK_THROWS_AS(bench.open("echo0"), Busy);
  expire_for(600ms);
  CHECK_NOTHROW(bench.open("echo0"));
}

TEST_CASE("payloads longer than a window pass in both directions") {
  Bench bench(Devices{{"echo0", "sim:echo,size=1000003"}});
  const auto device = bench.open("echo0");
  REQUIRE(20 * device->describe().input.size() > static_cast<Index>(2 * remote::kWindow));
  CHECK(echoes(*device, 20));
  CHECK(echoes(*device, 1, 77));
  CHECK(device->describe().max_batch == (256 << 20) / 1000003);  // what a server takes at once
  const FrameBuffer in(device->describe().input, 269);
  FrameBuffer out(device->describe().output, 269);
  CHECK_THROWS_AS(device->run(in.frames(), out.frames()), OutOfRange);
}

TEST_CASE("a deadline holds although the device is late, and its late answer is dropped") {
  Bench bench(Devices{{"echo0", "sim:echo,size=500000,delay=3"}});
  const auto device = bench.open("echo0");
  const auto run = [&](std::uint8_t first, std::optional<Clock::time_point> deadline) {
    const FrameBuffer in = numbered(device->describe(), 5, first);
    FrameBuffer out(device->describe().output, 5);
    device->run(in.frames(), out.frames(), {.deadline = deadline});
    return equal(in, out);
  };
  const auto begin = Clock::now();
  CHECK_THROWS_AS(run(1, begin + 100ms), Timeout);
  CHECK_THROWS_AS(run(2, begin + 200ms), Timeout);  // still busy with the first
  CHECK(Clock::now() - begin < 2500ms);             // the bound leaves room for a busy machine, the answer takes longer
  CHECK(run(3, std::nullopt));
  CHECK(run(4, Clock::now() + 60s));
}

TEST_CASE("a server that stops taking in does not keep the caller past the deadline") {
  Bench bench(Devices{{"echo0", "sim:echo,size=1000000"}});
  const auto pipes = std::make_shared<test::Pipes>();
  const auto device = remote::open_device(bench.link("ann", pipes), "echo0", {});
  CHECK(echoes(*device, 1));
  pipes->to_server.stall(true);
  const FrameBuffer in = numbered(device->describe(), 20);
  FrameBuffer out(device->describe().output, 20);
  const auto begin = Clock::now();
  CHECK_THROWS_AS(device->run(in.frames(), out.frames(), {.deadline = begin + 200ms}), Error);
  CHECK(Clock::now() - begin < 2500ms);                                // a heartbeat would find out after five
  CHECK_THROWS_AS(device->run(in.frames(), out.frames()), LinkError);  // the session is over
  pipes->to_server.stall(false);
}

TEST_CASE("a lost link is a LinkError at once, which names the last answer") {
  Bench bench;
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
  CHECK(Clock::now() - begin < 1s);
  CHECK_NOTHROW(device->close());
}

TEST_CASE("a server that ends tells its clients and lets nobody in") {
  Bench bench;
  const auto device = bench.open("echo0");
  bench.host.stop();
  CHECK_THROWS_WITH(echoes(*device, 1), Contains("server was stopped"));
  CHECK_THROWS_WITH(bench.link(), Contains("being stopped"));
}

TEST_CASE("twins answer as they do at home") {
  Bench bench;
  const auto far = remote::open_twin(bench.link(), "echo0", {});
  test::DoublingTwin near;
  REQUIRE(far->inputs() == 1);
  REQUIRE(far->parameters() == 1);
  CHECK(far->fit_parameters().at(0).sigma == 0.5);
  Matrix<float> x(3, 1), y(3, 1), z(3, 1), gx(3, 1), hx(3, 1), theta(1, 1), gt(1, 1), ht(1, 1);
  for (Index i = 0; i < 3; ++i) x(i, 0) = 0.3f * static_cast<float>(i + 1);
  theta(0, 0) = 1.7f;
  far->program(theta);
  near.program(theta);
  far->forward(x, y);
  near.forward(x, z);
  gt(0, 0) = ht(0, 0) = 5;  // gradients of the programme are added
  far->vjp(x, y, gx, gt);
  near.vjp(x, z, hx, ht);
  CHECK(std::ranges::equal(y.flat(), z.flat()));
  CHECK(std::ranges::equal(gx.flat(), hx.flat()));
  CHECK(gt(0, 0) == ht(0, 0));
  far->vjp(x, y, gx, {});
  CHECK_THROWS_AS(far->forward(theta, y), ShapeMismatch);
  CHECK_NOTHROW(bench.open("echo0"));  // a twin takes no lease
  CHECK_THROWS_AS(remote::open_twin(bench.link(), "fake0", {}), Unsupported);
}

TEST_CASE("ensembles run there as here, and name the members that broke down") {
  Bench bench;
  const auto device = bench.open("echo0");
  REQUIRE(device->ensemble());
  device->ensemble()->configure_members({{}, {{"delay", 2.0}}, {{"delay", 0.5}}});
  const FrameBuffer in = numbered(device->describe(), 6);
  FrameBuffer out(device->describe().output, 6);
  const RunReport report = device->ensemble()->run_members(in.frames(), out.frames(), {});
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].member == 1);
  CHECK(report.failures[0].detail == "too slow");
  CHECK(report.frames == 6);
  CHECK(out.frames().at(0, 5) == in.frames().at(0, 5));
  CHECK(out.frames().at(3, 5) == 0);
  CHECK(out.frames().at(4, 5) == in.frames().at(4, 5) + 2);
  CHECK(bench.open("fake0")->ensemble() == nullptr);
}

TEST_CASE("an unknown device names those that are there") {
  Bench bench;
  CHECK_THROWS_AS(bench.open("echo1"), UnknownName);
  CHECK_THROWS_WITH(bench.open("echo1"), Contains("echo0, fake0") && Contains("Did you mean echo0?"));
}

TEST_CASE("another version is refused with both numbers") {
  Bench bench;
  const v0::FromServer answer = last(bench.server.converse({hello(7)}));
  CHECK_THROWS_WITH(remote::raise(answer.refusal()), Contains("version 7") && Contains("version 0"));
}

TEST_CASE("who does not keep the protocol is told so, and costs nobody anything") {
  Bench bench;
  const auto refusal = [&](std::vector<v0::FromClient> messages) {
    std::vector<std::string> bytes = {hello()};
    for (const auto& message : messages) bytes.push_back(message.SerializeAsString());
    return last(bench.server.converse(bytes));
  };
  CHECK(last(bench.server.converse({"\xff\xff\xff not a message"})).refusal().value() ==
        "a message that cannot be read");
  CHECK(last(bench.server.converse({hello(), hello()})).refusal().value() == "a second Hello");
  CHECK(last(bench.server.converse({""})).refusal().value() == "the first message is no Hello");
  v0::FromClient message;
  CHECK(refusal({message}).refusal().value() == "an empty message");
  message.mutable_chunk()->set_id(3);
  CHECK_THAT(refusal({message}).refusal().value(), Contains("belongs to no request"));
  message.mutable_request();
  CHECK_THAT(refusal({message}).refusal().value(), Contains("id is not larger"));
  message.mutable_request()->set_id(1);
  CHECK_THROWS_AS(remote::raise(refusal({message}).reply().error()), Unsupported);
  message.mutable_request()->mutable_run()->set_frames(1);
  CHECK_THROWS_WITH(remote::raise(refusal({message}).reply().error()), Contains("no device is open"));

  v0::FromClient open, run;
  open.mutable_request()->set_id(1);
  open.mutable_request()->mutable_open()->set_device("echo0");
  run.mutable_request()->set_id(2);
  const auto error_of_run = [&] { return refusal({open, run}).reply().error(); };
  run.mutable_request()->mutable_run()->set_frames(~0ull);
  CHECK_THROWS_AS(remote::raise(error_of_run()), OutOfRange);
  run.mutable_request()->mutable_run()->set_frames(2);
  CHECK_THROWS_WITH(remote::raise(error_of_run()), Contains("16 expected"));
  run.mutable_request()->set_payload_bytes(1ull << 60);
  CHECK_THROWS_WITH(remote::raise(error_of_run()), Contains("16 expected"));
  run.mutable_request()->mutable_run()->set_aux(1u << 31);
  CHECK_THROWS_AS(remote::raise(error_of_run()), ShapeMismatch);
  run.mutable_request()->mutable_run()->set_aux(0);
  run.mutable_request()->mutable_run()->set_numbers(true);
  CHECK_THROWS_AS(remote::raise(error_of_run()), Unsupported);
  run.mutable_request()->mutable_restore();
  CHECK_THROWS_AS(remote::raise(error_of_run()), OutOfRange);
  run.mutable_request()->set_payload_bytes(16);
  run.mutable_request()->mutable_run()->set_frames(2);
  *run.mutable_request()->mutable_payload() = std::string(17, 'x');
  CHECK_THAT(error_of_run().value() + refusal({open, run}).refusal().value(), Contains("longer than announced"));
  CHECK_NOTHROW(bench.open("echo0"));
}

TEST_CASE("only so many sessions are open at a time") {
  remote::HostOptions options;
  options.max_sessions = 2;
  Bench bench({{"echo0", "sim:echo"}, {"echo1", "sim:echo"}}, options);
  const auto a = bench.open("echo0"), b = bench.open("echo1");
  CHECK_THROWS_AS(bench.link(), Refused);
}

TEST_CASE("served devices are named after their models") {
  const auto names = [](const std::vector<std::string>& typed) {
    std::string all;
    for (const auto& device : remote::name_devices(typed)) all += device.name + "|" + device.address + " ";
    return all;
  };
  CHECK(names({"sim:opu", "sim:opu,seed=2", "lab=sim:opu,seed=3"}) ==
        "opu0|sim:opu opu1|sim:opu,seed=2 lab|sim:opu,seed=3 ");
  CHECK(names({"dir/bench.toml", "fault:a.toml@sim:crossbar,seed=1", "opu0=sim:opu", "sim:opu"}) ==
        "bench0|dir/bench.toml crossbar0|fault:a.toml@sim:crossbar,seed=1 opu0|sim:opu opu1|sim:opu ");
  const Registry registry = test::test_registry();
  CHECK_THROWS_AS(remote::Host(Devices{}, registry, {}), InvalidParameter);
  CHECK_THROWS_AS(remote::Host(Devices{{"a/b", "sim:echo"}}, registry, {}), InvalidParameter);
  CHECK_THROWS_AS(remote::Host(Devices{{"a", "sim:echo"}, {"a", "sim:fake"}}, registry, {}), InvalidParameter);
}

}  // namespace lightloop
