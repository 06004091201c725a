// What goes over the wire: errors, names, versions, and messages that keep to no protocol.
#include <catch2/catch.hpp>

#include "driver/backends/remote/bench_for_tests.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop {
namespace {
using Catch::Matchers::Contains;
using test::Devices;
using test::RemoteBench;

v1::FromServer last(const std::vector<std::string>& answers) {
  v1::FromServer message;
  REQUIRE_FALSE(answers.empty());
  REQUIRE(message.ParseFromString(answers.back()));
  return message;
}
}  // namespace

TEST_CASE("what was thrown there is thrown here, part by part") {
  const auto same = [](const auto& error) {
    using E = std::decay_t<decltype(error)>;
    v1::Error message;
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
  v1::Error other;
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

TEST_CASE("an unknown device names those that are there") {
  RemoteBench bench;
  CHECK_THROWS_AS(bench.open("echo1"), UnknownName);
  CHECK_THROWS_WITH(bench.open("echo1"), Contains("echo0, fake0") && Contains("Did you mean echo0?"));
}

TEST_CASE("another version is refused with both numbers") {
  RemoteBench bench;
  const v1::FromServer answer = last(bench.server.converse({test::hello(7)}));
  CHECK_THROWS_WITH(remote::raise(answer.refusal()), Contains("version 7") && Contains("version 1"));
}

TEST_CASE("who does not keep the protocol is told so, and costs nobody anything") {
  RemoteBench bench;
  const auto refusal = [&](std::vector<v1::FromClient> messages) {
    std::vector<std::string> bytes = {test::hello()};
    for (const auto& message : messages) bytes.push_back(message.SerializeAsString());
    return last(bench.server.converse(bytes));
  };
  CHECK(last(bench.server.converse({"\xff\xff\xff not a message"})).refusal().value() ==
        "a message that cannot be read");
  CHECK(last(bench.server.converse({test::hello(), test::hello()})).refusal().value() == "a second Hello");
  CHECK(last(bench.server.converse({""})).refusal().value() == "the first message is no Hello");
  v1::FromClient message;
  CHECK(refusal({message}).refusal().value() == "an empty message");
  message.mutable_chunk()->set_id(3);
  CHECK_THAT(refusal({message}).refusal().value(), Contains("belongs to no request"));
  message.mutable_request();
  CHECK_THAT(refusal({message}).refusal().value(), Contains("id is not larger"));
  message.mutable_request()->set_id(1);
  CHECK_THROWS_AS(remote::raise(refusal({message}).reply().error()), Unsupported);
  message.mutable_request()->mutable_run()->set_frames(1);
  CHECK_THROWS_WITH(remote::raise(refusal({message}).reply().error()), Contains("no device is open"));

  v1::FromClient open, run;
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
