// What a device can do here it can do over a session: both sides of the protocol over an in-process transport, no gRPC.
#include <algorithm>
#include <catch2/catch.hpp>

#include "driver/api/conformance.hpp"
#include "driver/backends/remote/bench_for_tests.hpp"

namespace lightloop {
namespace {
using test::Devices;
using test::echoes;
using test::numbered;
using test::RemoteBench;
}  // namespace

TEST_CASE("a device with every capability keeps the contract through a session") {
  RemoteBench bench;
  for (const CheckResult& result : check_device([&] { return bench.open("fake0"); })) {
    INFO(result.name << ": " << result.detail);
    CHECK(result.outcome != CheckResult::Outcome::failed);
  }
}

TEST_CASE("settings reach the device, over what the server says") {
  RemoteBench bench(Devices{{"slow", "sim:echo,size=16,delay=0.001"}});
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

TEST_CASE("payloads longer than a window pass in both directions") {
  RemoteBench bench(Devices{{"echo0", "sim:echo,size=1000003"}});
  const auto device = bench.open("echo0");
  REQUIRE(20 * device->describe().input.size() > static_cast<Index>(2 * remote::kWindow));
  CHECK(echoes(*device, 20));
  CHECK(echoes(*device, 1, 77));
  CHECK(device->describe().max_batch == (256 << 20) / 1000003);  // what a server takes at once
  const FrameBuffer in(device->describe().input, 269);
  FrameBuffer out(device->describe().output, 269);
  CHECK_THROWS_AS(device->run(in.frames(), out.frames()), OutOfRange);
}

TEST_CASE("twins answer as they do at home") {
  RemoteBench bench;
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
  RemoteBench bench;
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

}  // namespace lightloop
