// Conformance: memory, programme, optional passes and the end of a device's use.
#include <cstring>

#include "driver/api/answer.hpp"
#include "driver/api/conformance_checks.hpp"
#include "driver/api/description.hpp"

namespace lightloop::conformance {
namespace {

const FrameFormat& programme_format(const Device& device) {
  if (!device.describe().program) throw Skipped{"the device is not programmable"};
  return *device.describe().program;
}

void remembers_nothing(const Open& open) {
  auto device = fresh(open);
  if (device->describe().stateful) throw Skipped{"the device says it is stateful"};
  run(*device, open.frames(device->describe(), kFrames, 1).frames(), {.first_frame_id = 100});
  require_like_fresh(std::move(device), open, "earlier frames of a device that says it is stateless");
}

void snapshot(const Open& open) {
  auto device = fresh(open);
  const DeviceInfo info = device->describe();
  if (info.program) device->program(open.programme(*info.program, 5).frames());
  const FrameBuffer past = open.frames(info, kFrames, 1), future = open.frames(info, kFrames, 2);
  run(*device, past.frames());
  const auto state = device->snapshot();
  const RunOptions next{.first_frame_id = kFrames};
  const Codes expected = run(*device, future.frames(), next);
  device->restore(state);
  require_equal(expected, run(*device, future.frames(), next), "before and after restore()");
  device.reset();
  device = open();
  if (info.program) device->program(open.programme(*info.program, 5).frames());
  device->restore(state);
  require_equal(expected, run(*device, future.frames(), next), "restored into a fresh device");
}

/// Frames cost what they did with that programme; what the last write took is no state.
void require_cost(const Device& device, const CostModel& expected, const std::string& what) {
  const CostModel& now = device.describe().cost;
  require(now.seconds(1, 1) == expected.seconds(1, 1) && now.joules(1, 1) == expected.joules(1, 1),
          "a frame costs " + in_short(now.seconds(1, 1)) + " s, " + in_short(now.joules(1, 1)) + " J " + what +
              ", not " + in_short(expected.seconds(1, 1)) + " s, " + in_short(expected.joules(1, 1)) + " J");
}

void programme_in_snapshot(const Open& open) {
  const FrameFormat format = programme_format(*open());
  auto device = open();
  device->program(open.programme(format, 5).frames());
  const FrameBuffer past = open.frames(device->describe(), kFrames, 1),
                    future = open.frames(device->describe(), kFrames, 2);
  run(*device, past.frames());
  const auto state = device->snapshot();
  if (state.empty()) throw Skipped{"the device keeps no snapshots"};
  const RunOptions next{.first_frame_id = kFrames};
  const CostModel cost = device->describe().cost;
  const Codes expected = run(*device, future.frames(), next);
  device->program(open.programme(format, 6).frames());
  device->restore(state);
  require_cost(*device, cost, "after restore()");
  require_equal(expected, run(*device, future.frames(), next), "before another programme and after restore()");
  device.reset();
  device = open();
  device->restore(state);
  require_cost(*device, cost, "restored into a device that nobody has programmed");
  require_equal(expected, run(*device, future.frames(), next), "restored into a device that nobody has programmed");
}

void foreign_snapshot(const Open& open) {
  auto device = fresh(open);
  auto state = device->snapshot();
  state.push_back(std::byte{1});
  LIGHTLOOP_REQUIRE_THROWS(InvalidParameter, "a snapshot with one byte more", device->restore(state));
  require_like_fresh(std::move(device), open, "a refused snapshot");
}

void reset(const Open& open) {
  auto device = fresh(open);
  run(*device, open.frames(device->describe(), kFrames, 1).frames(), {.first_frame_id = 100});
  device->reset();
  require_like_fresh(std::move(device), open, "frames before a reset()");
}

void programme(const Open& open) {
  auto device = open();
  const FrameFormat format = programme_format(*device);
  const bool moves = moves_by_pulses(device->settings());
  device.reset();
  const auto after = [&](std::initializer_list<std::uint64_t> programmes) {
    const auto written = open();
    for (const std::uint64_t set : programmes) written->program(open.programme(format, set).frames());
    return run(*written, open.frames(written->describe(), kFrames).frames());
  };
  const Codes first = after({1});
  require(first.values != after({2}).values, "two programmes gave the same codes");
  require_equal(first, after({1}), "two fresh devices with the same programme");
  if (moves) throw Skipped{"pulses move what is there: a programme cannot undo another (program.mode = pulses)"};
  require_equal(after({1, 2}), after({3, 2}), "the same programme written over two others");
}

void wrong_programme(const Open& open) {
  auto device = fresh(open);
  const FrameFormat format = programme_format(*device);
  const auto refuse = [&](const std::string& what, int bytes, Index size, Index count) {
    FrameBuffer codes(format, 1);
    codes.resize(bytes, size, count);
    if (const Index all = bytes * size * count; all > 0)
      std::memset(codes.frames().data, 0, static_cast<std::size_t>(all));
    LIGHTLOOP_REQUIRE_THROWS(ShapeMismatch, what, device->program(codes.frames()));
  };
  refuse("a programme with one code more", format.bytes(), format.size() + 1, 1);
  refuse("a programme with one code less", format.bytes(), format.size() - 1, 1);
  refuse("a programme of the other width", 3 - format.bytes(), format.size(), 1);
  refuse("two programmes at once", format.bytes(), format.size(), 2);
  refuse("no programme", format.bytes(), format.size(), 0);
  if (format.bits < 8 * format.bytes()) {
    FrameBuffer codes = open.programme(format);
    codes.frames().set(0, format.size() - 1, format.highest() + 1);
    LIGHTLOOP_REQUIRE_THROWS(OutOfRange, "a programme code above the highest", device->program(codes.frames()));
  }
  require_like_fresh(std::move(device), open, "refused programmes");
}

void no_programme(const Open& open) {
  const auto device = open();
  if (device->describe().program) throw Skipped{"the device is programmable"};
  const FrameBuffer codes(device->describe().input, 1);
  LIGHTLOOP_REQUIRE_THROWS(Unsupported, "program() of a device without a programme", device->program(codes.frames()));
}

void transposed(const Open& open) {
  auto device = fresh(open);
  const DeviceInfo info = device->describe();
  const RunOptions options{.pass = Pass::transposed};
  const FrameBuffer in = open.frames(info, kFrames, 0, Pass::transposed);
  if (!info.transposed) {
    LIGHTLOOP_REQUIRE_THROWS(Unsupported, "a transposed pass", run(*device, in.frames(), options));
    require_like_fresh(std::move(device), open, "a refused transposed pass");
    return;
  }
  if (info.input.size() != info.output.size())
    LIGHTLOOP_REQUIRE_THROWS(ShapeMismatch, "a transposed pass with frames of the forward one",
                             FrameBuffer out = output_memory(info, kFrames);
                             device->run(open.frames(info, kFrames).frames(), out.frames(), options));
  const Codes codes = run(*device, in.frames(), options, 0xFF);
  for (const std::uint32_t code : codes.values)
    require(code <= info.output.highest(), "a transposed code of " + std::to_string(code));
  const CostModel cost = cost_of(info, Pass::transposed);
  const Index batches = (kFrames + info.max_batch - 1) / info.max_batch;
  const auto billed = [](const std::string& unit, double said, double wanted, double forward) {
    const double off = std::abs(said - wanted);
    // and nearer to its own bill than to the forward pass's, which may be nearly the same
    require(off <= 0.01 * wanted && off <= std::abs(said - forward) + 1e-9 * wanted,
            "a transposed pass reported " + in_short(said) + unit + ", the cost model says " + in_short(wanted) + unit +
                " (forward " + in_short(forward) + unit + ")");
  };
  if (codes.report.parts.empty()) {  // else a call of its own price
    billed(" s", codes.report.device_s, cost.seconds(kFrames, batches), info.cost.seconds(kFrames, batches));
    billed(" J", codes.report.device_j, cost.joules(kFrames, batches), info.cost.joules(kFrames, batches));
  }
  device.reset();
  require_equal(codes, run_fresh(open, in.frames(), options), "two fresh devices, transposed");
}

void auxiliary(const Open& open) {
  auto device = fresh(open);
  const DeviceInfo info = device->describe();
  if (info.aux_inputs.empty()) throw Skipped{"the device has no auxiliary inputs"};
  const Index n = static_cast<Index>(info.aux_inputs.size()), count = few(info);
  const FrameBuffer frames = open.frames(info, count);
  const auto with = [&](const Matrix<std::uint16_t>& aux) {
    ConstFrames in = frames.frames();
    in.aux = aux.view();
    return in;
  };
  Matrix<std::uint16_t> rest(count, n), too_many(count, n + 1), too_few(count - 1, n);
  for (Index r = 0; r < count; ++r)
    for (Index c = 0; c < n; ++c)
      rest(r, c) = static_cast<std::uint16_t>(info.aux_inputs[static_cast<std::size_t>(c)].rest);
  LIGHTLOOP_REQUIRE_THROWS(ShapeMismatch, "one auxiliary code too many", run(*device, with(too_many)));
  LIGHTLOOP_REQUIRE_THROWS(ShapeMismatch, "auxiliary codes for too few frames", run(*device, with(too_few)));
  for (Index c = 0; c < n; ++c) {
    const AuxFormat& aux = info.aux_inputs[static_cast<std::size_t>(c)];
    if (aux.bits == 16) continue;
    Matrix<std::uint16_t> high = rest;
    high(count - 1, c) = static_cast<std::uint16_t>(1u << aux.bits);
    LIGHTLOOP_REQUIRE_THROWS(OutOfRange, "an auxiliary code above the highest", run(*device, with(high)));
  }
  const Codes at_rest = run(*device, with(rest));
  device.reset();
  require_equal(at_rest, run_fresh(open, frames.frames()), "auxiliary codes at rest and none");
}

void ensemble(const Open& open) {
  auto device = fresh(open);
  if (!device->ensemble()) throw Skipped{"the device has no ensemble"};
  need_repeatable(device->describe());
  const DeviceInfo info = device->describe();
  const FrameBuffer one = open.frames(info, kFrames);
  const Codes expected = run(*device, one.frames(), {.first_frame_id = 5});
  constexpr Index kMembers = 3;
  FrameBuffer in(info.input, kMembers * kFrames), out = output_memory(info, kMembers * kFrames);
  for (Index row = 0; row < kMembers * kFrames; ++row)
    for (Index i = 0; i < one.frames().size; ++i) in.frames().set(row, i, one.frames().at(row % kFrames, i));
  device->ensemble()->configure_members(std::vector<Settings>(kMembers));
  device->ensemble()->run_members(in.frames(), out.frames(), {.first_frame_id = 5});
  Codes first;
  first.size = expected.size;
  for (Index frame = 0; frame < kFrames; ++frame)
    for (Index i = 0; i < expected.size; ++i) first.values.push_back(out.frames().at(frame, i));
  require_equal(expected, first, "the device and member 0 of its ensemble");
  LIGHTLOOP_REQUIRE_THROWS(UnknownName, "a member with an unknown setting",
                           device->ensemble()->configure_members({{}, {{"!no such setting", std::int64_t{1}}}}));
}

void closing(const Open& open) {
  auto device = fresh(open);
  const FrameBuffer in = open.frames(device->describe(), 1);
  run(*device, in.frames());
  device->close();
  device->close();
  LIGHTLOOP_REQUIRE_THROWS(LinkError, "run() after close()", run(*device, in.frames()));
  require(!device->describe().model.empty(), "a closed device forgot what it was");
  device.reset();
  fresh(open)->close();  // and it can be opened again
}

}  // namespace

std::vector<Check> state_checks() {
  return {
      {"a device that says it is stateless does not depend on earlier frames", remembers_nothing},
      {"a restored snapshot has the same future, in this device and in a fresh one", snapshot},
      {"a restored snapshot brings its programme back, over another one and in a fresh device, and what frames cost",
       programme_in_snapshot},
      {"a foreign snapshot is refused and changes nothing", foreign_snapshot},
      {"reset() returns to the state after opening", reset},
      {"a programme has an effect, the same in every fresh device", programme},
      {"a wrong programme is refused and changes nothing", wrong_programme},
      {"a device that is not programmable refuses a programme", no_programme},
      {"the transposed pass works exactly where the description says so", transposed},
      {"auxiliary inputs rest where the description says and are checked", auxiliary},
      {"member 0 of an ensemble answers as the device does", ensemble},
      {"closing twice is harmless, a closed device refuses to run, another can be opened", closing}};
}

}  // namespace lightloop::conformance
