// Conformance: is what the device says about itself complete, and true?
#include <algorithm>
#include <cmath>

#include "driver/api/conformance_checks.hpp"
#include "driver/api/description.hpp"
#include "driver/api/session.hpp"

namespace lightloop::conformance {
namespace {

void description(const Open& open) {
  const auto device = fresh(open);
  const DeviceInfo& info = device->describe();
  check_info(info, "the device");
  const auto says_what = [](const std::string& which, const FrameFormat& format) {
    require(!format.meaning.empty(), "the " + which + " does not say what a code means");
  };
  says_what("input", info.input);
  says_what("output", info.output);
  if (info.program) says_what("programme", *info.program);
  for (const AuxFormat& aux : info.aux_inputs)
    require(!aux.help.empty(), "auxiliary input " + aux.name + " has no help");
}

void description_stays(const Open& open) {
  const auto device = fresh(open);
  const DeviceInfo before = device->describe();
  const Settings settings = device->settings().all();
  run(*device, open.frames(before, kFrames).frames());
  const DeviceInfo& after = device->describe();
  require(before.input.shape == after.input.shape && before.output.shape == after.output.shape &&
              before.input.bits == after.input.bits && before.output.bits == after.output.bits &&
              before.max_batch == after.max_batch && before.stateful == after.stateful &&
              before.deterministic == after.deterministic && before.repeatable == after.repeatable &&
              before.cost.frame_s == after.cost.frame_s,
          "describe() gave another answer after run()");
  require(settings == device->settings().all(), "settings() gave other values after run()");
}

void cost(const Open& open) {
  const auto device = fresh(open);
  const CostModel model = device->describe().cost;
  for (const double number : {model.frame_s, model.batch_s, model.program_s, model.power_w, model.program_j})
    require(std::isfinite(number) && number >= 0, "a number of the cost model is " + std::to_string(number));
  require(model.frame_s > 0, "frame_s is 0: say how long one frame takes");
  require(model.power_w > 0, "power_w is 0: say what the device draws");
  const double parts = model.seconds(3, 1) + model.seconds(4, 1), whole = model.seconds(7, 2);
  require(std::abs(parts - whole) <= 1e-9 * whole, "seconds(3) + seconds(4) is not seconds(7)");
}

void report(const Open& open) {
  const auto device = fresh(open);
  const DeviceInfo& info = device->describe();
  const Codes codes = run(*device, open.frames(info, kFrames).frames());
  const RunReport& said = codes.report;
  require(said.frames == kFrames, "reported " + std::to_string(said.frames) + " frames of " + std::to_string(kFrames));
  require(said.codes == static_cast<std::int64_t>(codes.values.size()),
          "reported " + std::to_string(said.codes) + " codes of " + std::to_string(codes.values.size()));
  const auto at_an_end = std::ranges::count_if(
      codes.values, [&](std::uint32_t code) { return code == 0 || code == info.output.highest(); });
  require(said.saturated >= 0 && said.saturated <= at_an_end, "reported " + std::to_string(said.saturated) +
                                                                  " clipped codes, but " + std::to_string(at_an_end) +
                                                                  " lie at an end of the range");
  if (!said.parts.empty()) return;  // a call of its own price, which the cost model is only the plan of
  const Index batches = (kFrames + info.max_batch - 1) / info.max_batch;
  const auto near = [](double a, double b) { return std::abs(a - b) <= 0.01 * b; };
  require(near(said.device_s, info.cost.seconds(kFrames, batches)),
          "reported " + in_short(said.device_s) + " s, the cost model says " +
              in_short(info.cost.seconds(kFrames, batches)) + " s");
  require(near(said.device_j, info.cost.joules(kFrames, batches)),
          "reported " + in_short(said.device_j) + " J, the cost model says " +
              in_short(info.cost.joules(kFrames, batches)) + " J");
}

void only_grow(const Open& open) {
  Session session(fresh(open));
  constexpr Index kAll = kFrames + 3;
  const FrameBuffer in = open.frames(session.info(), kAll);
  FrameBuffer out = output_memory(session.info(), kAll);
  Meter before = session.meter();
  for (const Index n : {Index{1}, kFrames, Index{0}, Index{2}}) {
    const Index shown = before.frames;
    session.run(in.frames().slice(shown, n), out.frames().slice(shown, n));
    const Meter& now = session.meter();
    require(now.frames == before.frames + n,
            "a run of " + std::to_string(n) + " frames was counted as " + std::to_string(now.frames - before.frames));
    require(n > 0 ? now.device_s > before.device_s && now.device_j > before.device_j
                  : now.device_s >= before.device_s && now.device_j >= before.device_j,
            "a run of " + std::to_string(n) + " frames took " + std::to_string(now.device_s - before.device_s) +
                " s and " + std::to_string(now.device_j - before.device_j) + " J");
    before = now;
  }
}

void monitors(const Open& open) {
  const auto device = fresh(open);
  const std::vector<Monitor> all = device->monitors();
  if (all.empty()) throw Skipped{"the device watches nothing"};
  for (const Monitor& monitor : all)
    require(!monitor.name.empty() && !monitor.unit.empty() && std::isfinite(monitor.value),
            "monitor \"" + monitor.name + "\" lacks a name, a unit or a finite value");
}

void self_test(const Open& open) {
  const auto device = fresh(open);
  SelfTest result;
  try {
    result = device->self_test();
  } catch (const Unsupported&) {
    throw Skipped{"the device has no self-test"};
  }
  require(!result.detail.empty(), "the self-test says nothing");
  require(result.passed, result.detail);
}

}  // namespace

std::vector<Check> description_checks() {
  return {{"the description is complete", description},
          {"running changes neither description nor settings", description_stays},
          {"the cost model is positive and additive", cost},
          {"the report counts what was run and costs what the cost model says", report},
          {"counters, time and energy only grow, by what was run", only_grow},
          {"monitors have names, units and finite values", monitors},
          {"the self-test passes", self_test}};
}

}  // namespace lightloop::conformance
