// The fake device itself (see fake_device_test.hpp); linked into the test binary only.
#include "driver/api/fake_device_test.hpp"

#include <algorithm>
#include <cmath>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"

namespace lightloop::test {
namespace {
constexpr Index kIn = 6, kOut = 4;

std::uint64_t next_instance() {
  static std::uint64_t count = 0;
  return ++count;
}
}  // namespace

FakeDevice::FakeDevice(const FakeOptions& options, const Settings& settings) : options_(options) {
  info_.kind = has(Fault::bad_kind) ? "toaster" : "layer";
  info_.model = "fake";
  info_.input = {{kIn}, 4, "DAC code"};
  info_.output = {{kOut}, 10, "ADC code"};
  if (options.aux) info_.aux_inputs = {{"bias", 3, has(Fault::aux_not_at_rest) ? 1u : 2u, "adds 3 codes per step"}};
  if (options.programmable) info_.program = FrameFormat{{kOut, kIn}, 6, "weight code"};
  info_.stateful = options.stateful && !has(Fault::hides_its_state);
  info_.deterministic = has(Fault::lies_about_noise) ? options.noisy : !options.noisy;
  info_.repeatable = options.repeatable || info_.deterministic;
  info_.transposed = options.transposed;
  info_.pairing = options.counted ? Pairing::counted : Pairing::certain;
  info_.max_batch = options.max_batch;
  info_.cost = {.frame_s = has(Fault::frames_cost_nothing) ? 0.0 : 1e-3,
                .batch_s = 1e-2,
                .program_s = 0.5,
                .power_w = 2.0,
                .program_j = 3.0};
  std::vector<ParamInfo> params = {
      {.name = "gain", .unit = "1", .default_value = 1.0, .min = 0.5, .max = 4.0, .help = "factor of the product"},
      {.name = "offset", .unit = "1", .default_value = std::int64_t{20}, .min = 0, .max = 40, .help = "added codes"},
      {.name = "inverted", .unit = "", .default_value = false, .help = "counts down from the highest code"},
      {.name = "size",
       .unit = "1",
       .default_value = std::int64_t{6},
       .min = 6,
       .max = 8,
       .help = "inputs",
       .needs_reopen = true},
      {.name = "seed",
       .unit = "1",
       .default_value = std::int64_t{5},
       .min = 0,
       .max = 1e9,
       .help = "of programming errors and noise",
       .needs_reopen = true}};
  if (has(Fault::setting_without_help)) params[0].help.clear();
  params_ = ParamSet("sim:fake", params);
  if (has(Fault::ignores_what_it_is_given))
    ParamSet(params_).set(settings);
  else
    params_.set(settings);
  if (has(Fault::ignores_what_it_is_given)) params_.set({{"gain", settings.empty() ? 1.0 : 2.0}});
  codes_.assign(static_cast<std::size_t>(kOut * kIn), 40);
}

void FakeDevice::configure(const Settings& changes) {
  if (has(Fault::configure_disturbs)) memory_ += 30;
  if (has(Fault::changes_while_open)) return params_.set(changes);
  Settings kept = changes;
  if (has(Fault::ignores_unknown_keys)) std::erase_if(kept, [&](const auto& one) { return !params_.has(one.first); });
  if (has(Fault::ignores_wrong_kinds))
    std::erase_if(kept, [](const auto& one) { return std::holds_alternative<std::string>(one.second); });
  if (has(Fault::clamps_settings)) {
    for (auto& [key, value] : kept)
      if (const double* number = std::get_if<double>(&value); key == "gain" && number)
        value = std::clamp(*number, 0.5, 4.0);
  }
  if (has(Fault::forgets_a_setting)) kept.erase("inverted");
  if (has(Fault::applies_half))
    for (const auto& one : kept) params_ = changed({one});
  else
    params_ = changed(kept);
}

void FakeDevice::check(const ConstFrames& in, const Frames& out, const RunOptions& options) const {
  if (!has(Fault::runs_when_closed)) check_open(open_);
  RunOptions lenient = options;
  if (has(Fault::ignores_deadline)) lenient.deadline.reset();
  try {
    check_frames(in, out, lenient);
  } catch (const ShapeMismatch&) {
    if (!has(Fault::no_shape_check)) throw;
  } catch (const OutOfRange& e) {
    const bool batch = e.subject().ends_with("batch");
    if (!(batch ? has(Fault::no_batch_limit) : has(Fault::no_code_check))) throw;
  }
}

std::uint64_t FakeDevice::seed() const {
  return has(Fault::ignores_its_seed) ? 5 : static_cast<std::uint64_t>(params_.integer("seed"));
}

double FakeDevice::weight(Index o, Index i) const {
  if (has(Fault::ignores_programme)) return 1.0;
  const Index cell = o * kIn + i;
  const Stream errors(seed(), 0, Purpose::crossbar_programming);
  return (codes_[static_cast<std::size_t>(cell)] + errors.normal(writes_, static_cast<std::uint64_t>(cell))) / 16.0;
}

double FakeDevice::noise(std::uint64_t frame, Index call_frame) const {
  if (!options_.noisy) return 0;
  const std::uint64_t row = has(Fault::noise_of_the_call) ? static_cast<std::uint64_t>(call_frame) : frame;
  const std::uint64_t instance = has(Fault::noise_of_the_instance) || !info_.repeatable ? next_instance() : 0;
  return 5.0 * Stream(seed(), instance, Purpose::detector_noise).normal(row, 0) +
         (has(Fault::noise_of_the_threads) ? 40.0 * threads() : 0.0);
}

RunReport FakeDevice::run(ConstFrames in, Frames out, const RunOptions& options) {
  check(in, out, options);
  if (has(Fault::needs_one_thread) && std::this_thread::get_id() != thread_)
    throw LinkError("fake", "opened on another thread");
  if (fail_after >= 0 && fail_after-- == 0) throw LinkError("fake", "the cable was pulled");
  const bool forward = options.pass == Pass::forward;
  RunReport report;
  report.frames = has(Fault::counts_empty_batches) ? in.count + 1 : in.count;
  if (in.size != (forward ? kIn : kOut) || out.size != (forward ? kOut : kIn) || in.bytes != 1 || out.bytes != 2 ||
      in.count != out.count)
    return report;  // only reached when the faulty device did not check
  for (Index frame = 0; frame < in.count; ++frame) {
    const double aux = in.aux.cols() > 0 ? in.aux(frame, 0) : 2.0;
    const double noisy = noise(options.first_frame_id + static_cast<std::uint64_t>(frame), frame);
    const Index shown = has(Fault::out_of_order) ? std::max<Index>(frame - 1, 0) : frame;
    double first = 0;
    for (Index o = 0; o < out.size; ++o) {
      double y = params_.real("offset") + 3 * aux + memory_ + noisy;
      for (Index i = 0; i < in.size; ++i)
        y += params_.real("gain") * (forward ? weight(o, i) : weight(i, o)) * in.at(shown, i);
      if (params_.boolean("inverted")) y = 1023 - y;
      if (has(Fault::dead)) y = 100;
      const double clipped = std::clamp(std::round(y), 0.0, 1023.0);
      report.saturated += clipped != std::round(y);
      if (has(Fault::codes_out_of_range) || (!forward && has(Fault::transposed_out_of_range))) y = 4000;
      out.set(frame, o, static_cast<std::uint32_t>(y == 4000 ? y : clipped));
      if (o == 0) first = clipped;
    }
    if (options_.stateful) memory_ = 0.5 * memory_ + 0.1 * first;
  }
  report.codes = in.count * out.size;
  report.device_s = in.count > 0 ? info_.cost.seconds(in.count, 1) : 0.0;
  report.device_j = in.count > 0 ? info_.cost.joules(in.count, 1) : 0.0;
  if (options.numbers)
    for (Index frame = 0; frame < in.count; ++frame)
      options.numbers[frame] = ++exposures_ - (has(Fault::numbers_from_zero) ? 1 : 0);
  if (has(Fault::miscounts)) ++report.codes;
  if (has(Fault::description_drifts)) ++info_.max_batch;
  return report;
}

void FakeDevice::configure_members(const std::vector<Settings>& members) {
  std::vector<std::unique_ptr<FakeDevice>> made;
  for (const Settings& own : members) {
    made.push_back(std::make_unique<FakeDevice>(options_));
    made.back()->params_ = changed(own);
    made.back()->codes_ = codes_;
    made.back()->writes_ = writes_;
    made.back()->memory_ = has(Fault::ensemble_of_others) ? 50 : 0;
  }
  members_ = std::move(made);
}

RunReport FakeDevice::run_members(ConstFrames in, Frames out, const RunOptions& options) {
  RunReport sum;
  const Index count = in.count / static_cast<Index>(members_.size());
  for (std::size_t m = 0; m < members_.size(); ++m) {
    const Index first = static_cast<Index>(m) * count;
    sum.frames += members_[m]->run(in.slice(first, count), out.slice(first, count), options).frames;
  }
  return sum;
}

void FakeDevice::program(ConstFrames codes) {
  if (has(Fault::pretends_to_program)) return;
  if (has(Fault::no_programme_check)) {
    if (codes.size != kIn * kOut || codes.bytes != 1 || codes.count < 1) return;
  } else {
    check_program(codes);
  }
  for (Index i = 0; i < kIn * kOut; ++i)
    codes_[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(codes.at(0, i));
  ++writes_;
}

void FakeDevice::reset() {
  if (!has(Fault::reset_does_nothing)) memory_ = 0;
}

std::vector<std::byte> FakeDevice::snapshot() const {
  ByteWriter bytes;
  bytes.put(writes_);
  bytes.put(has(Fault::snapshot_forgets) ? 0.0 : memory_);
  if (!has(Fault::snapshot_without_programme)) bytes.put_all(std::span<const std::uint8_t>(codes_));
  return bytes.take();
}

void FakeDevice::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "fake snapshot");
  const auto writes = bytes.get<std::uint64_t>();
  const auto memory = bytes.get<double>();
  auto codes = codes_;
  if (!has(Fault::snapshot_without_programme)) bytes.get_all(std::span<std::uint8_t>(codes));
  if (!has(Fault::takes_any_snapshot)) bytes.done();
  codes_ = std::move(codes);
  writes_ = writes;
  memory_ = memory;
}

SelfTest FakeDevice::self_test() { return {!has(Fault::self_test_fails), "a frame went through"}; }

std::vector<Monitor> FakeDevice::monitors() const {
  return {{has(Fault::nameless_monitor) ? "" : "temperature", "K", 300.0}};
}

}  // namespace lightloop::test
