#include "devices/wave/wave.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/factor.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/streams.hpp"
#include "devices/wave/params.hpp"
#include "devices/wave/twin.hpp"
#include "driver/api/answer.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/component_latency.hpp"

namespace lightloop::wave {
namespace {

constexpr double kFrameS = 1e-3, kSourceW = 10e-3;  // assumed: a modulator and a camera of 1 kHz; the waves' source

class Wave : public Device {
 public:
  explicit Wave(const ParamSet& given);

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override;
  RunReport run(ConstFrames in, Frames out, const RunOptions& options = {}) override;
  SelfTest self_test() override;
  void close() override { open_ = false; }

 private:
  void check_part(const ParamSet& asked) const;
  void derive();
  Index show(const ConstFrames& in, const Frames& out, std::uint64_t first_id, bool perturbed);

  ParamSet params_;
  DeviceInfo info_;
  std::uint64_t seed_;
  Medium medium_, changed_medium_;
  std::optional<Medium> other_;  // of perturbation.matrix
  std::optional<Scales> scales_;
  Factor operation_, changed_;  // changed_: empty without a perturbation
  std::uint64_t changes_at_ = 0;
  bool noisy_ = true, open_ = true;
  Matrix<float> drive_, fields_;  // workspaces
  std::vector<Index> clipped_;
};

Wave::Wave(const ParamSet& given)
    : params_(given), seed_(static_cast<std::uint64_t>(given.integer("seed"))), medium_(medium_of(given)) {
  if (const std::string& file = given.text("perturbation.matrix"); !file.empty()) {
    other_ = read_medium(file);
    if (other_->outputs() != medium_.outputs() || other_->inputs() != medium_.inputs())
      throw ShapeMismatch(
          "perturbation.matrix", std::to_string(other_->outputs()) + " x " + std::to_string(other_->inputs()),
          "the matrix is " + std::to_string(medium_.outputs()) + " x " + std::to_string(medium_.inputs()));
    check_part(params_);
    const auto agree = [](const std::string& said, const std::string& here) { return said.empty() || said == here; };
    if (!agree(other_->encoding, encoding_of(given, medium_)) ||
        !agree(other_->detection, detection_of(given, medium_)))
      throw InvalidParameter("sim:wave: perturbation.matrix", file,
                             "it holds for encoding=" + other_->encoding + " and detection=" + other_->detection,
                             "Take a file that was made as the first one.");
  }
  const auto bits = [&](const char* name) { return static_cast<int>(params_.integer(name)); };
  const std::string encoding = encoding_of(params_, medium_), detection = detection_of(params_, medium_);
  info_.kind = "layer";
  info_.model = "sim:wave";
  info_.serial = "seed " + std::to_string(seed_);
  info_.version = "1";
  info_.input = {{medium_.inputs()}, bits("dac.bits"), "DAC code of the wave into a port (" + encoding + ")"};
  info_.output = {{medium_.outputs()},
                  bits("adc.bits"),
                  "ADC code of " + (detection == "field" ? "a field, signed around the middle" : "the " + detection)};
  const auto in = static_cast<double>(medium_.inputs()), out = static_cast<double>(medium_.outputs());
  info_.cost.frame_s = kFrameS;
  info_.cost.parts = {{"source", 1, kSourceW * kFrameS, 0, 0, kFrameS},
                      {"dac", in, in * dac_energy_j(info_.input.bits), 0, 0, kDacLatencyS},
                      {"adc", out, out * adc_energy_j(info_.output.bits), 0, 0, adc_latency_s(info_.output.bits)}};
  for (const CostPart& part : info_.cost.parts) info_.cost.power_w += part.frame_j / kFrameS;
  derive();
}

void Wave::derive() {
  scales_.emplace(params_, medium_);
  if (operation_.rows() == 0) operation_.change() = scales_->operation(medium_);
  const double part = params_.real("perturbation");
  changes_at_ = static_cast<std::uint64_t>(params_.integer("perturbation.frame"));
  changed_ = {};
  if (part > 0) {
    changed_medium_ = other_ ? *other_ : scattered_anew(medium_, part, Stream(seed_, 0, kWaveScattered));
    changed_.change() = scales_->operation(changed_medium_);
  }
  noisy_ = false;
  for (Index i = 0; i < medium_.outputs(); ++i) noisy_ = noisy_ || scales_->noise(i) > 0;
  info_.deterministic = !noisy_ && (part == 0 || changes_at_ == 0);
}

/// A measured state is there or not.
void Wave::check_part(const ParamSet& asked) const {
  const double part = asked.real("perturbation");
  if (other_ && part > 0 && part < 1)
    throw InvalidParameter("sim:wave: perturbation", to_string(Value(part)), "0 or 1 with perturbation.matrix",
                           "Leave perturbation.matrix out to let a part of the power go new ways.");
}

void Wave::configure(const Settings& changes) {
  const ParamSet asked = changed(changes);
  check_part(asked);
  params_ = asked;
  derive();
}

RunReport Wave::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  if (in.count == 0) return {};
  const std::uint64_t first = options.first_frame_id;
  const bool any = changed_.rows() > 0;
  Index before = any ? 0 : in.count;  // frames that meet the system as it was
  if (any && changes_at_ > first)
    before = static_cast<Index>(std::min<std::uint64_t>(changes_at_ - first, static_cast<std::uint64_t>(in.count)));
  std::int64_t clipped = 0;
  if (before > 0) clipped += show(in.slice(0, before), out.slice(0, before), first, false);
  if (before < in.count)
    clipped += show(in.slice(before, in.count - before), out.slice(before, in.count - before),
                    first + static_cast<std::uint64_t>(before), true);
  return counted(info_, out, clipped);
}

Index Wave::show(const ConstFrames& in, const Frames& out, std::uint64_t first_id, bool perturbed) {
  const Medium& medium = perturbed ? changed_medium_ : medium_;
  const Index n = medium.outputs();
  const auto highest = static_cast<double>(info_.output.highest());
  drive_.resize(in.count, scales_->drives());
  fields_.resize(in.count, 2 * n);
  parallel_for(in.count, [&](Index r) {
    std::vector<float> codes(static_cast<std::size_t>(in.size));
    for (Index j = 0; j < in.size; ++j) codes[static_cast<std::size_t>(j)] = static_cast<float>(in.at(r, j));
    scales_->drive(codes, drive_.row(r));
  });
  (perturbed ? changed_ : operation_).multiply(1.0f, drive_, Transpose::yes, 0.0f, fields_);
  clipped_.assign(static_cast<std::size_t>(in.count), 0);
  const Stream noise(seed_, 0, kWaveRead);
  parallel_for(in.count, [&](Index r) {
    std::vector<float> draws(static_cast<std::size_t>(n));
    if (noisy_) noise.normal(first_id + static_cast<std::uint64_t>(r), 0, draws);
    for (Index i = 0; i < n; ++i) {
      const auto k = static_cast<std::size_t>(i);
      const double signal = scales_->signal(i, static_cast<double>(fields_(r, i) + medium.offset_re[k]),
                                            static_cast<double>(fields_(r, n + i) + medium.offset_im[k]));
      const double code = std::round(scales_->code(i, signal + scales_->noise(i) * static_cast<double>(draws[k])));
      clipped_[static_cast<std::size_t>(r)] += code < 0 || code > highest;
      out.set(r, i, static_cast<std::uint32_t>(std::clamp(code, 0.0, highest)));
    }
  });
  Index sum = 0;
  for (const Index count : clipped_) sum += count;
  return sum;
}

SelfTest Wave::self_test() {
  check_open(open_);
  double power = 0;
  for (const auto* part : {&medium_.re, &medium_.im})
    for (const float v : part->flat()) power += static_cast<double>(v) * static_cast<double>(v);
  return {power > 0,
          "mean power per entry of the matrix " + std::to_string(power / static_cast<double>(medium_.re.size()))};
}

}  // namespace

DeviceModel model() {
  DeviceModel record;
  record.name = "wave";
  record.kind = "layer";
  record.summary =
      "A linear wave system with a detector, from a measured transmission matrix or at random: an unknown physical map";
  record.source = "Momeni et al., Science 382, 1297 (2023); Popoff et al., Phys. Rev. Lett. 104, 100601 (2010)";
  record.params = params();
  record.presets["ideal"] = {{"noise", 0.0}};
  record.presets["cavity"] = {{"encoding", std::string("amplitude")}, {"detection", std::string("amplitude")}};
  record.open = [](const ParamSet& given) { return std::make_unique<Wave>(given); };
  record.twin = make_twin;
  return record;
}

}  // namespace lightloop::wave
