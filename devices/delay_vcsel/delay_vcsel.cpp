#include "devices/delay_vcsel/delay_vcsel.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/random.hpp"
#include "sim/lasers/lang_kobayashi.hpp"

namespace lightloop::delay_vcsel {
namespace {

constexpr std::uint8_t kSnapshotVersion = 1;
// Energy per sample of the converters (DAC 3.6 pJ, SAR ADC 1.48 pJ: the figures used by the SimPhony energy model) and
// electrical power of the laser (5 mA at 2 V, assumed).
constexpr double kDacJ = 3.6e-12, kAdcJ = 1.48e-12, kLaserW = 10e-3;

Value whole(std::int64_t value) { return value; }

std::vector<ParamInfo> params() {
  return {
      {"input.size", "1", whole(50), 1, 65536, "drive samples per frame (virtual nodes)", {}, true},
      {"sample_s", "s", 20e-12, 1e-13, 1e-6, "how long one drive sample is held", {}, true},
      {"step_s", "s", 1e-12, 1e-15, 1e-10, "integration step of the laser equations", {}, true},
      {"dac.bits", "1", whole(8), 1, 16, "bits of a drive code", {}, true},
      {"adc.bits", "1", whole(8), 1, 16, "bits of a photodiode code", {}, true},
      {"adc.range", "1", 0.3, 1e-6, 1e6, "normalised intensity at the highest code"},
      {"drive.kind", "", std::string("injection"), 0, 0, "what the drive modulates", {"injection", "current"}},
      {"drive.depth", "1", 0.2, 0, 1, "relative modulation of the pump when drive.kind is current"},
      {"laser.pump", "1", 1.0, 0, 20, "pump over its threshold value"},
      {"laser.alpha", "1", 3.0, 0, 20, "linewidth enhancement factor"},
      {"laser.photon_lifetime_s", "s", 1.0 / 600e9, 1e-13, 1e-9, "1 / (2 k), k the decay rate of the field"},
      {"laser.carrier_lifetime_s", "s", 1e-9, 1e-11, 1e-7, "1 / g"},
      {"laser.spontaneous", "1", 1e-5, 0, 0.1, "fraction of carriers that emit into the mode"},
      {"feedback.rate_per_s", "1/s", 15e9, 0, 1e12, "coupling rate of the light that comes back"},
      {"feedback.delay_s", "s", 1.02e-9, 1e-13, 1e-5, "round trip of the feedback loop", {}, true},
      {"feedback.phase_rad", "rad", 0.0, -1e3, 1e3, "phase of the light that comes back"},
      {"injection.rate_per_s", "1/s", 20e9, 0, 1e12, "coupling rate of the injected light"},
      {"injection.detuning_hz", "Hz", 0.0, -1e12, 1e12, "injected minus free-running optical frequency"},
      {"detector.noise", "1", 0.01, 0, 1, "sd of the detected signal over the ADC's range"},
      {"seed", "1", whole(1), 0, 9007199254740992.0, "key of all random numbers of this device", {}, true},
  };
}

/// `name` in whole steps; throws when it is not a whole number of them.
Index in_steps(const ParamSet& params, const std::string& name) {
  const double ratio = params.real(name) / params.real("step_s");
  const Index count = std::llround(ratio);
  if (count < 1 || std::abs(ratio - static_cast<double>(count)) > 1e-6 * ratio)
    throw InvalidParameter("sim:delay_vcsel: " + name, std::to_string(params.real(name) * 1e12) + " ps",
                           "a whole number of steps of " + std::to_string(params.real("step_s") * 1e12) + " ps",
                           "Change " + name + " or step_s.");
  return count;
}

LangKobayashiModel laser_model(const ParamSet& params) {
  LangKobayashiModel m;
  m.photon_lifetime_s = params.real("laser.photon_lifetime_s");
  m.carrier_lifetime_s = params.real("laser.carrier_lifetime_s");
  m.alpha = params.real("laser.alpha");
  m.spontaneous = params.real("laser.spontaneous");
  m.feedback_rate = params.real("feedback.rate_per_s");
  m.feedback_phase_rad = params.real("feedback.phase_rad");
  m.delay_steps = in_steps(params, "feedback.delay_s");
  m.injection_rate = params.real("injection.rate_per_s");
  m.detuning_hz = params.real("injection.detuning_hz");
  m.step_s = params.real("step_s");
  return m;
}

class DelayVcsel : public Device {
 public:
  explicit DelayVcsel(const ParamSet& given);

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override;
  RunReport run(ConstFrames in, Frames out, const RunOptions& options = {}) override;
  void reset() override { laser_.reset(params_.real("laser.pump")); }
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;
  SelfTest self_test() override;
  std::vector<Monitor> monitors() const override;
  void close() override { open_ = false; }

 private:
  void derive();
  Index run_frame(const ConstFrames& in, const Frames& out, Index frame, std::uint64_t id);

  ParamSet params_;
  DeviceInfo info_;
  LangKobayashi laser_;
  Index steps_per_sample_;
  Stream spontaneous_, detector_;
  bool open_ = true, by_injection_ = true;
  double pump_ = 0, depth_ = 0, noise_ = 0, codes_per_intensity_ = 0;
  std::vector<float> normals_, detector_normals_;  // workspaces
};

DelayVcsel::DelayVcsel(const ParamSet& given)
    : params_(given),
      laser_(laser_model(given)),
      steps_per_sample_(in_steps(given, "sample_s")),
      spontaneous_(static_cast<std::uint64_t>(given.integer("seed")), 0, Purpose::laser_spontaneous),
      detector_(static_cast<std::uint64_t>(given.integer("seed")), 0, Purpose::detector_noise) {
  const Index samples = given.integer("input.size");
  info_.kind = "reservoir";
  info_.model = "sim:delay_vcsel";
  info_.serial = "seed " + std::to_string(given.integer("seed"));
  info_.version = "1";
  info_.input = {{samples}, static_cast<int>(given.integer("dac.bits")), "DAC code of the drive"};
  info_.output = {{samples}, static_cast<int>(given.integer("adc.bits")), "ADC code of the photodiode"};
  info_.stateful = true;
  const double sample_s = given.real("sample_s");
  info_.cost.frame_s = static_cast<double>(samples) * sample_s;
  info_.cost.power_w = (kDacJ + kAdcJ) / sample_s + kLaserW;
  detector_normals_.resize(static_cast<std::size_t>(samples));
  derive();
  reset();
}

void DelayVcsel::derive() {
  laser_.change(laser_model(params_));
  by_injection_ = params_.text("drive.kind") == "injection";
  pump_ = params_.real("laser.pump");
  depth_ = params_.real("drive.depth");
  noise_ = params_.real("detector.noise") * info_.output.highest();
  codes_per_intensity_ = info_.output.highest() / params_.real("adc.range");
  const bool emits = params_.real("laser.spontaneous") > 0;
  normals_.resize(emits ? static_cast<std::size_t>(2 * steps_per_sample_) : 0);
  info_.deterministic = !emits && noise_ == 0;
}

void DelayVcsel::configure(const Settings& changes) {
  params_ = changed(changes);
  derive();
}

Index DelayVcsel::run_frame(const ConstFrames& in, const Frames& out, Index frame, std::uint64_t id) {
  if (noise_ > 0) detector_.normal(id, 0, detector_normals_);
  Index clipped = 0;
  for (Index n = 0; n < in.size; ++n) {
    const double s = 2.0 * in.at(frame, n) / info_.input.highest() - 1;
    if (!normals_.empty())
      spontaneous_.normal(id * static_cast<std::uint64_t>(in.size) + static_cast<std::uint64_t>(n), 0, normals_);
    const double pump = by_injection_ ? pump_ : pump_ * (1 + depth_ * s);
    const double injected = by_injection_ ? std::sin(std::numbers::pi / 4 * (1 + s)) : 0.0;
    const double intensity = laser_.advance(steps_per_sample_, pump, injected, normals_);
    if (!std::isfinite(intensity))
      throw OutOfRange("sim:delay_vcsel: the laser equations diverged",
                       "step_s = " + std::to_string(params_.real("step_s")), "too long for the rates set",
                       "Open the device with a smaller step_s, or lower the rates.");
    double code = codes_per_intensity_ * intensity;
    if (noise_ > 0) code += noise_ * static_cast<double>(detector_normals_[static_cast<std::size_t>(n)]);
    const double rounded = std::rint(code), stored = std::clamp(rounded, 0.0, double(info_.output.highest()));
    clipped += rounded != stored;
    out.set(frame, n, static_cast<std::uint32_t>(stored));
  }
  return clipped;
}

RunReport DelayVcsel::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  RunReport report;
  if (in.count == 0) return report;
  LangKobayashi before = laser_;
  try {
    for (Index frame = 0; frame < in.count; ++frame)
      report.saturated += run_frame(in, out, frame, options.first_frame_id + static_cast<std::uint64_t>(frame));
  } catch (...) {
    laser_ = std::move(before);
    throw;
  }
  report.frames = in.count;
  report.codes = in.count * in.size;
  report.device_s = info_.cost.seconds(in.count, 1);
  report.device_j = info_.cost.joules(in.count, 1);
  return report;
}

std::vector<std::byte> DelayVcsel::snapshot() const {
  ByteWriter bytes;
  bytes.put(kSnapshotVersion);
  laser_.save(bytes);
  return bytes.take();
}

void DelayVcsel::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "delay_vcsel snapshot");
  if (bytes.get<std::uint8_t>() != kSnapshotVersion) bytes.refuse("another version");
  LangKobayashi restored = laser_;
  restored.load(bytes);
  bytes.done();
  laser_ = std::move(restored);
}

SelfTest DelayVcsel::self_test() {
  const LangKobayashi before = laser_;
  laser_.advance(10 * steps_per_sample_, pump_, by_injection_ ? 1.0 : 0.0, {});
  const double intensity = laser_.intensity(), carriers = laser_.carriers();
  laser_ = before;
  return {std::isfinite(intensity) && carriers > 0,
          "ten samples of full drive lead to an intensity of " + std::to_string(intensity)};
}

std::vector<Monitor> DelayVcsel::monitors() const {
  return {{"intensity", "1", laser_.intensity()},
          {"carriers", "1", laser_.carriers()},
          {"clock", "s", static_cast<double>(laser_.steps()) * laser_.model().step_s}};
}

}  // namespace

DeviceModel model() {
  DeviceModel record;
  record.name = "delay_vcsel";
  record.kind = "reservoir";
  record.summary =
      "Single-mode laser with delayed feedback: a time-multiplexed reservoir driven by injection or current";
  record.source =
      "Lang and Kobayashi, IEEE J. Quantum Electron. 16, 347 (1980); Brunner et al., Nat. Commun. 4, 1364 (2013)";
  record.params = params();
  record.presets["noiseless"] = {{"laser.spontaneous", 0.0}, {"detector.noise", 0.0}};
  record.presets["memory"] = {{"laser.pump", 0.9}, {"feedback.rate_per_s", 30e9}};
  record.open = [](const ParamSet& given) { return std::make_unique<DelayVcsel>(given); };
  return record;
}

}  // namespace lightloop::delay_vcsel
