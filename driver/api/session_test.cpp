#include "driver/api/session.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "driver/api/fake_device_test.hpp"

namespace lightloop {
namespace {
using test::FakeDevice;
using test::FakeOptions;

FrameBuffer some_frames(Index count) {
  FrameBuffer in({{6}, 4, ""}, count);
  for (Index f = 0; f < count; ++f)
    for (Index i = 0; i < 6; ++i) in.frames().set(f, i, static_cast<std::uint32_t>((f * 7 + i * 3) % 16));
  return in;
}

std::vector<std::uint32_t> codes(const FrameBuffer& frames) {
  std::vector<std::uint32_t> all;
  for (Index f = 0; f < frames.frames().count; ++f)
    for (Index i = 0; i < frames.frames().size; ++i) all.push_back(frames.frames().at(f, i));
  return all;
}

const FrameFormat kOutput{{4}, 10, ""};
}  // namespace

TEST_CASE("a session cuts batches to what the device accepts and counts everything") {
  Session session(std::make_unique<FakeDevice>(FakeOptions{}), "sim:fake");
  const FrameBuffer in = some_frames(250);
  FrameBuffer out(kOutput, 250);
  const RunReport report = session.run(in.frames(), out.frames());
  CHECK(report.frames == 250);
  CHECK(session.meter().frames == 250);
  CHECK(session.meter().batches == 3);
  CHECK(session.meter().codes == 1000);
  CHECK(session.meter().device_s == Approx(250e-3 + 3 * 1e-2));
  CHECK(session.meter().device_j == Approx(2.0 * (250e-3 + 3 * 1e-2)));
  CHECK(session.next_frame_id() == 250);
  CHECK(session.address() == "sim:fake");
  const FrameBuffer programme({{4, 6}, 6, ""}, 1);
  session.program(programme.frames());
  CHECK(session.meter().programs == 1);
  CHECK(session.meter().device_s == Approx(250e-3 + 3 * 1e-2 + 0.5));
}

TEST_CASE("a failed run repeats the same noise when repeated, and keeps what it cost") {
  const FakeOptions stateless{false, true, true, true, true};
  auto device = std::make_unique<FakeDevice>(stateless);
  FakeDevice* fake = device.get();
  Session session(std::move(device)), undisturbed(std::make_unique<FakeDevice>(stateless));
  const FrameBuffer in = some_frames(250);
  FrameBuffer out(kOutput, 250), expected(kOutput, 250);
  undisturbed.run(in.frames(), expected.frames());
  fake->fail_after = 1;
  CHECK_THROWS_AS(session.run(in.frames(), out.frames()), LinkError);
  CHECK(session.next_frame_id() == 0);
  CHECK(session.meter().frames == 100);
  CHECK(session.meter().batches == 1);
  session.run(in.frames(), out.frames());
  CHECK(codes(out) == codes(expected));
  CHECK(session.meter().frames == 350);
}

TEST_CASE("a mistake in the last frame costs no device time") {
  Session session(std::make_unique<FakeDevice>(FakeOptions{}));
  FrameBuffer in = some_frames(250), out(kOutput, 250);
  in.frames().set(249, 5, 16);
  CHECK_THROWS_AS(session.run(in.frames(), out.frames()), OutOfRange);
  CHECK_THROWS_AS(session.run(in.frames(), out.frames().slice(0, 249)), ShapeMismatch);
  CHECK(session.meter().frames == 0);
}

TEST_CASE("a session goes on from its snapshot as if nothing had happened") {
  Session session(std::make_unique<FakeDevice>(FakeOptions{}));
  const FrameBuffer in = some_frames(30);
  FrameBuffer first(kOutput, 30), second(kOutput, 30);
  session.run(in.frames(), first.frames());
  const auto state = session.snapshot();
  session.run(in.frames(), first.frames());
  Session resumed(std::make_unique<FakeDevice>(FakeOptions{}));
  resumed.restore(state);
  CHECK(resumed.meter().frames == 30);
  resumed.run(in.frames(), second.frames());
  CHECK(codes(first) == codes(second));
  CHECK(resumed.next_frame_id() == session.next_frame_id());
  CHECK(resumed.meter().device_s == session.meter().device_s);
}

TEST_CASE("a snapshot of another version or length is refused and changes nothing") {
  Session session(std::make_unique<FakeDevice>(FakeOptions{}));
  auto state = session.snapshot();
  auto other_version = state, longer = state, shorter = state;
  other_version[0] = std::byte{9};
  longer.push_back(std::byte{0});
  shorter.resize(5);
  const FrameBuffer in = some_frames(3);
  FrameBuffer out(kOutput, 3);
  session.run(in.frames(), out.frames());
  for (const auto& wrong : {other_version, longer, shorter}) CHECK_THROWS_AS(session.restore(wrong), InvalidParameter);
  CHECK(session.next_frame_id() == 3);
  CHECK(session.meter().frames == 3);
}

TEST_CASE("a snapshot of which one byte has changed is refused, one of before snapshots had digests is taken") {
  Session session(std::make_unique<FakeDevice>(FakeOptions{}));
  const FrameBuffer in = some_frames(3);
  FrameBuffer out(kOutput, 3);
  session.run(in.frames(), out.frames());
  const auto state = session.snapshot();
  for (std::size_t i = 0; i < state.size(); ++i) {
    auto damaged = state;
    damaged[i] = ~damaged[i];
    CHECK_THROWS_AS(session.restore(damaged), InvalidParameter);
  }
  auto earlier = state;
  earlier.resize(state.size() - 64);
  earlier[0] = std::byte{3};
  session.run(in.frames(), out.frames());
  session.restore(earlier);
  CHECK(session.next_frame_id() == 3);
  CHECK(session.meter().frames == 3);
}

TEST_CASE("the deadline is looked at between batches") {
  Session session(std::make_unique<FakeDevice>(FakeOptions{}));
  const FrameBuffer in = some_frames(150);
  FrameBuffer out(kOutput, 150);
  RunOptions late;
  late.deadline = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(session.run(in.frames(), out.frames(), late), Timeout);
  CHECK(session.next_frame_id() == 0);
}

}  // namespace lightloop
