#include "devices/delay_vcsel/delay_vcsel.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "devices/delay_vcsel/members.hpp"
#include "devices/delay_vcsel/physics.hpp"

namespace lightloop::delay_vcsel {
namespace {

constexpr std::uint8_t kSnapshotVersion = 2;
// Energy per sample of the converters (DAC 3.6 pJ, SAR ADC 1.48 pJ: the figures used by the SimPhony energy model) and
// electrical power of the laser (5 mA at 2 V, assumed).
constexpr double kDacJ = 3.6e-12, kAdcJ = 1.48e-12, kLaserW = 10e-3;

std::string blamed(const ParamSet& params) {
  return "step_s = " + to_string(params.value("step_s")) + ", laser.pump = " + to_string(params.value("laser.pump")) +
         ", injection.rate_per_s = " + to_string(params.value("injection.rate_per_s")) +
         ", feedback.rate_per_s = " + to_string(params.value("feedback.rate_per_s"));
}

class DelayVcsel final : public Device, public Ensemble {
 public:
  explicit DelayVcsel(const ParamSet& given);

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override;
  RunReport run(ConstFrames in, Frames out, const RunOptions& options = {}) override;
  void reset() override;
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;
  SelfTest self_test() override;
  std::vector<Monitor> monitors() const override;
  Ensemble* ensemble() override { return this; }
  void close() override { open_ = false; }

  void configure_members(const std::vector<Settings>& members) override;
  RunReport run_members(ConstFrames in, Frames out, const RunOptions& options) override;

 private:
  void take(const Operation& operation);
  void count(RunReport& report, Index frames) const;

  ParamSet params_;
  DeviceInfo info_;
  const Shape shape_;
  Members laser_;
  std::unique_ptr<Members> members_;          // of the ensemble, once configured
  std::vector<std::string> member_settings_;  // of the ensemble, for messages
  std::uint64_t frames_ = 0;                  // since reset(): the clock
  bool open_ = true;
};

DelayVcsel::DelayVcsel(const ParamSet& given) : params_(given), shape_(shape_of(given)), laser_(shape_, 1) {
  info_.kind = "reservoir";
  info_.model = "sim:delay_vcsel";
  info_.serial = "seed " + std::to_string(shape_.seed);
  info_.version = "2";
  info_.input = {{shape_.samples}, shape_.dac_bits, "DAC code of the drive"};
  info_.output = {{shape_.samples}, shape_.adc_bits, "ADC code of the photodiode"};
  if (shape_.detected == Detected::both) info_.output.shape = {2, shape_.samples};
  info_.stateful = true;
  const double sample_s = given.real("sample_s");
  info_.cost.frame_s = static_cast<double>(shape_.samples) * sample_s;
  info_.cost.power_w = (kDacJ + kAdcJ) / sample_s + kLaserW;
  take(operation_of(params_, shape_));
  reset();
}

void DelayVcsel::take(const Operation& operation) {
  laser_.set(0, operation);
  info_.deterministic = operation.laser.spontaneous == 0 && !operation.receiver.noisy();
}

void DelayVcsel::reset() {
  laser_.reset(0);
  frames_ = 0;
}

void DelayVcsel::configure(const Settings& changes) {
  const ParamSet next = changed(changes);
  take(operation_of(next, shape_));
  params_ = next;
}

void DelayVcsel::count(RunReport& report, Index frames) const {
  report.frames = frames;
  report.codes = frames * info_.output.size();
  report.device_s = info_.cost.seconds(frames, 1);
  report.device_j = info_.cost.joules(frames, 1);
}

RunReport DelayVcsel::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  RunReport report;
  if (in.count == 0) return report;
  const auto before = snapshot();
  try {
    laser_.run(in, out, options, report);
    if (!report.failures.empty())
      throw OutOfRange("sim:delay_vcsel: " + report.failures[0].detail, blamed(params_), "",
                       "Open the device with a smaller step_s, or lower the rates.");
  } catch (...) {
    restore(before);
    throw;
  }
  frames_ += static_cast<std::uint64_t>(in.count);
  count(report, in.count);
  return report;
}

void DelayVcsel::configure_members(const std::vector<Settings>& members) {
  check_open(open_);
  if (members.empty()) throw InvalidParameter("sim:delay_vcsel: members of an ensemble", "0", "1 or more");
  auto made = std::make_unique<Members>(shape_, static_cast<Index>(members.size()));
  std::vector<std::string> named;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const std::string who = "member " + std::to_string(m) + ": ";
    try {
      made->set(static_cast<Index>(m), operation_of(changed(members[m]), shape_));
    } catch (const Unsupported& e) {
      throw Unsupported(who + e.subject(), e.value(), e.limit(), e.hint());
    } catch (const UnknownName& e) {
      throw UnknownName(who + e.subject(), e.value(), e.limit(), e.hint());
    } catch (const OutOfRange& e) {
      throw OutOfRange(who + e.subject(), e.value(), e.limit(), e.hint());
    } catch (const InvalidParameter& e) {
      throw InvalidParameter(who + e.subject(), e.value(), e.limit(), e.hint());
    }
    made->reset(static_cast<Index>(m));
    named.push_back(format_settings(members[m]));
  }
  members_ = std::move(made);
  member_settings_ = std::move(named);
}

RunReport DelayVcsel::run_members(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  if (!members_)
    throw InvalidParameter("sim:delay_vcsel: ensemble", "no members", "", "Call configure_members() first.");
  if (options.pass == Pass::transposed) unsupported("transposed pass");
  check_run(info_, in, out, options.pass);
  if (in.count % members_->count() != 0)
    throw ShapeMismatch("sim:delay_vcsel: frames of an ensemble", std::to_string(in.count),
                        "a multiple of " + std::to_string(members_->count()) + " members");
  check_deadline(options, info_.model);
  RunReport report;
  members_->run(in, out, options, report);
  for (MemberFailure& failure : report.failures) {
    const std::string& own = member_settings_[static_cast<std::size_t>(failure.member)];
    failure.detail += own.empty() ? "" : " with " + own;
  }
  count(report, in.count);
  return report;
}

std::vector<std::byte> DelayVcsel::snapshot() const {
  ByteWriter bytes;
  bytes.put(kSnapshotVersion);
  bytes.put(frames_);
  laser_.save(bytes);
  return bytes.take();
}

void DelayVcsel::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "delay_vcsel snapshot");
  if (bytes.get<std::uint8_t>() != kSnapshotVersion) bytes.refuse("another version");
  const auto frames = bytes.get<std::uint64_t>();
  laser_.load(bytes);
  frames_ = frames;
}

SelfTest DelayVcsel::self_test() {
  const auto before = snapshot();
  laser_.settle(10 * shape_.steps_per_sample, params_.text("drive.kind") == "injection" ? 1.0 : 0.0);
  const LaserState after = laser_.state(0);
  restore(before);
  return {std::isfinite(after.intensity()) && after.carriers > 0,
          "ten samples of full drive lead to an intensity of " + std::to_string(after.intensity())};
}

std::vector<Monitor> DelayVcsel::monitors() const {
  const LaserState now = laser_.state(0);
  return {{"intensity", "1", now.intensity()},
          {"carriers", "1", now.carriers},
          {"clock", "s", static_cast<double>(frames_) * info_.cost.frame_s}};
}

}  // namespace

DeviceModel model() {
  DeviceModel record;
  record.name = "delay_vcsel";
  record.kind = "reservoir";
  record.summary =
      "Laser of one or two polarisations with delayed feedback: a time-multiplexed reservoir driven by injection or "
      "current";
  record.source =
      "Lang and Kobayashi, IEEE J. Quantum Electron. 16, 347 (1980); Martin-Regalado et al., ibid. 33, 765 (1997); "
      "Brunner et al., Nat. Commun. 4, 1364 (2013)";
  record.params = params();
  record.presets = presets();
  record.open = [](const ParamSet& given) { return std::make_unique<DelayVcsel>(given); };
  record.physics = physics;
  return record;
}

}  // namespace lightloop::delay_vcsel
