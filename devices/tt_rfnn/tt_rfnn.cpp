#include "devices/tt_rfnn/tt_rfnn.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/train_shape.hpp"
#include "devices/detector.hpp"
#include "devices/mzi_mesh/chip.hpp"
#include "devices/noisy_product.hpp"
#include "devices/param_list.hpp"
#include "devices/programme_bytes.hpp"
#include "devices/room.hpp"
#include "devices/tt_rfnn/twin.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/component_latency.hpp"

namespace lightloop::tt_rfnn {
namespace {

// 1 had no programme. What the filters remember is at the end where detector.order is not 0, which is in the head.
constexpr std::uint8_t kSnapshotVersion = 2, kOldestSnapshot = 1;
// Assumed; a use of a network lasts as long as the way through it and its switching.
constexpr double kUseS = 10e-9, kSwitchJ = 1e-12, kShifterWPerRad = 1e-4 / std::numbers::pi, kSettleS = 1e-6;
// Of one mesh, as of sim:mzi_mesh.
constexpr Index kMostChannels = 512;

Value whole(std::int64_t value) { return value; }
Value text(const char* value) { return std::string(value); }

std::vector<ParamInfo> params() {
  const std::vector<ParamInfo> size{
      {"input.size", "1", whole(16), 1, 4096, "numbers that enter: DAC codes per frame", {}, true},
      {"output.size", "1", whole(16), 1, 4096, "numbers that leave: ADC codes per frame", {}, true},
      {"tt.cores", "1", whole(2), 1, 12, "networks in the train", {}, true},
      {"tt.rank", "1", whole(4), 1, 256, "channels between two of them, per index", {}, true},
  };
  const FrontEndDefaults front{.range = 2,
                               .least_range = 1e-6,
                               .most_range = 1e3,
                               .range_help = "amplitude at the ends of the ADC's range, full input amplitude 1",
                               .output_noise = 0.001,
                               .output_noise_help = "sd of the electrical noise, full input amplitude 1",
                               .losses = "loss,switch_loss"};
  const std::vector<ParamInfo> train{
      {"phase.bits", "1", whole(12), 2, 16, "bits of a phase code", {}, true, whole(16)},
      {"mesh.layout", "", text("clements"), 0, 0, "rectangle or triangle", {"clements", "reck"}, true},
      {"phase.law",
       "",
       text("linear"),
       0,
       0,
       "phase goes with the code, or with its square",
       {"linear", "voltage"},
       true},
      {"phase.range_rad", "rad", 2 * std::numbers::pi, 1, 13, "phase at the highest code", {}, true},
      {"splitter_error", "rad", 0.01, 0, 0.5, "sd of the couplers' angles, drawn once per core", {}, true, 0.0},
      {"phase_error", "rad", 0.005, 0, 1, "sd of a phase as it is set, redrawn with every write", {}, true, 0.0},
      {"crosstalk", "1", 0.0, 0, 0.1, "part of a phase that reaches each neighbour", {}, true, 0.0},
      {"loss", "1", 0.023, 0, 0.9, "part of the power lost in one interferometer", {}, true, 0.0},
      {"switch_loss", "1", 0.11, 0, 0.99, "part of the power lost in the switches between two cores", {}, false, 0.0},
      {"correction",
       "",
       text("splitters"),
       0,
       0,
       "what the controller takes out: splitters, heat, all or none",
       {"none", "splitters", "heat", "all"},
       true},
      {"power_w", "W", 1e-3, 1e-12, 10, "power of a channel at full amplitude, where it is detected"},
  };
  const std::string losses = ",loss,switch_loss";
  const std::vector<ParamInfo> last{
      {"detector.shot",
       "",
       false,
       0,
       0,
       "shot noise of the local oscillator",
       {},
       false,
       false,
       "detector.noise=true" + losses},
      {"seed", "1", whole(1), 0, 9007199254740992.0, "key of all random numbers of this device", {}, true},
  };
  return param_list({size, front_end_params(front), train, homodyne_params(0.5 / kUseS, losses), last});
}

class TtRfnn : public Device {
 public:
  explicit TtRfnn(const ParamSet& given);

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override;
  RunReport run(ConstFrames in, Frames out, const RunOptions& options = {}) override;
  void program(ConstFrames codes) override;
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;
  void reset() override { receivers_.rest(); }
  SelfTest self_test() override;
  void close() override { open_ = false; }

 private:
  void derive();
  double frame_s() const;
  void write(const std::vector<std::uint16_t>& codes, std::uint64_t writes);

  ParamSet params_;
  DeviceInfo info_;
  TrainShape shape_;
  std::vector<mzi_mesh::Chip> chips_;
  std::uint64_t seed_;
  FrontEnd front_;
  HomodyneNoise receiver_;
  float pass_ = 1;  // amplitude left by the switches
  std::vector<std::uint16_t> codes_;
  std::uint64_t writes_ = 0;
  bool open_ = true;
  Factor map_;  // (outputs, inputs), switches aside
  TwoEnds receivers_;
  ProductWork work_;
};

/// Before anything large is made: a core is a mesh, and those are made, and known to be exact, up to a size.
void check_size(const TrainShape& shape, Index inputs, Index outputs) {
  const std::string hint = "Give more tt.cores, or a lower tt.rank, input.size or output.size.";
  double bytes = (sizeof(float) + sizeof(Complex)) * static_cast<double>(inputs * outputs);
  for (std::size_t k = 0; k < shape.cores(); ++k) {
    if (const Index widest = std::max(shape.inputs(k), shape.outputs(k)); widest > kMostChannels)
      throw OutOfRange(
          "sim:tt_rfnn: channels of core " + std::to_string(k + 1) + " of " + std::to_string(shape.cores()),
          std::to_string(widest), "at most " + std::to_string(kMostChannels), hint);
    bytes += mzi_mesh::Chip::bytes(shape.inputs(k), shape.outputs(k), shape.codes(k));
  }
  check_room("sim:tt_rfnn chips", bytes, hint);
}

TtRfnn::TtRfnn(const ParamSet& given)
    : params_(given),
      shape_(given.integer("output.size"), given.integer("input.size"), given.integer("tt.cores"),
             given.integer("tt.rank")),
      seed_(static_cast<std::uint64_t>(given.integer("seed"))) {
  const auto bits = [&](const char* name) { return static_cast<int>(params_.integer(name)); };
  check_size(shape_, given.integer("input.size"), given.integer("output.size"));
  for (std::size_t k = 0; k < shape_.cores(); ++k) chips_.emplace_back(given, shape_.inputs(k), shape_.outputs(k), k);
  info_.kind = "layer";
  info_.model = "sim:tt_rfnn";
  info_.serial = "seed " + std::to_string(seed_);
  info_.version = "1";
  info_.input = {{given.integer("input.size")}, bits("dac.bits"), "DAC code of an amplitude, signed around the middle"};
  info_.output = {
      {given.integer("output.size")}, bits("adc.bits"), "ADC code of an amplitude, signed around the middle"};
  info_.program = FrameFormat{{shape_.programme()}, bits("phase.bits"), "DAC code of a phase"};
  info_.transposed = true;
  info_.stateful = given.integer("detector.order") > 0;
  receivers_.set(SymbolFilter::taps(params_, info_.model, frame_s()), info_.output.size(), info_.input.size());
  codes_.assign(static_cast<std::size_t>(info_.program->size()), 0);
  write(codes_, 0);
}

double TtRfnn::frame_s() const {
  double uses = 0;
  for (std::size_t k = 0; k < shape_.cores(); ++k) uses += static_cast<double>(shape_.uses(k));
  return kUseS * uses;
}

void TtRfnn::derive() {
  front_ = FrontEnd(params_, info_.model);
  receiver_ = homodyne_noise(params_, params_.real("power_w"));
  pass_ = static_cast<float>(std::pow(1 - params_.real("switch_loss"), static_cast<double>(shape_.cores() - 1) / 2));
  info_.deterministic =
      receiver_.quadrature_sd == 0 && receiver_.intensity_sd == 0 && !front_.noisy() && !info_.stateful;
  const auto in = static_cast<double>(info_.input.size()), out = static_cast<double>(info_.output.size());
  double switched = 0, held_rad = 0;
  for (std::size_t k = 0; k < shape_.cores(); ++k) {
    held_rad += chips_[k].heater_rad();
    switched += static_cast<double>(shape_.uses(k) * shape_.inputs(k));
  }
  const auto shifters = static_cast<double>(info_.program->size());
  const double hold_w = kShifterWPerRad * held_rad, writing = shifters * dac_energy_j(info_.program->bits);
  info_.cost.frame_s = frame_s();
  const double signal_j = in * params_.real("power_w") * info_.cost.frame_s / kWallPlug;
  const double local_j = out * receiver_.local_w * info_.cost.frame_s / kWallPlug;
  const bool real = receiver_.local_w > 0 || info_.stateful;  // else receivers are ideal, and take nothing
  info_.cost.parts = {{"source", in, signal_j, 0, 0, 0, CostPer::input},
                      {"local oscillator", receiver_.local_w > 0 ? out : 0, local_j, 0, 0, 0, CostPer::output},
                      {"dac", in, in * front_.dac_j(), 0, 0, kDacLatencyS, CostPer::input},
                      {"switches", switched, switched * kSwitchJ, 0, 0, info_.cost.frame_s},
                      {"hold", shifters, hold_w * info_.cost.frame_s, shifters, hold_w * kSettleS},
                      {"tia", real ? out : 0, real ? out * kAmplifierW * info_.cost.frame_s : 0, 0, 0,
                       real ? receiver_rise_s(params_) : 0, CostPer::output},
                      {"adc", out, out * front_.adc_j(), 0, 0, front_.adc_s(), CostPer::output},
                      {"programming", 0, 0, shifters, writing}};
  info_.cost.power_w = 0;
  for (const CostPart& part : info_.cost.parts) info_.cost.power_w += part.frame_j / info_.cost.frame_s;
  info_.cost.program_s = kSettleS;
  info_.cost.program_j = hold_w * kSettleS + writing;
}

void TtRfnn::configure(const Settings& changes) {
  ParamSet next = changed(changes);
  const std::vector<double> taps = SymbolFilter::taps(next, info_.model, frame_s());
  params_ = std::move(next);
  receivers_.set(taps, info_.output.size(), info_.input.size());
  derive();
}

void TtRfnn::write(const std::vector<std::uint16_t>& codes, std::uint64_t writes) {
  std::vector<Matrix<Complex>> cores;
  std::size_t first = 0;
  for (std::size_t k = 0; k < shape_.cores(); ++k) {
    const auto n = static_cast<std::size_t>(shape_.codes(k));
    cores.push_back(chips_[k].matrix(std::span(codes).subspan(first, n), writes));
    first += n;
  }
  const Matrix<Complex> w = train_matrix(shape_.rows, shape_.cols, cores);
  Matrix<float>& map = map_.change();
  map.resize(w.rows(), w.cols());
  for (Index i = 0; i < w.size(); ++i) map.data()[i] = static_cast<float>(w.data()[i].real());
  writes_ = writes;
  derive();
}

void TtRfnn::program(ConstFrames codes) {
  check_open(open_);
  check_program(codes);
  std::vector<std::uint16_t> next(codes_.size());
  for (Index i = 0; i < codes.size; ++i) next[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(codes.at(0, i));
  write(next, writes_ + 1);
  codes_ = std::move(next);
  receivers_.rest();
}

RunReport TtRfnn::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  const bool forward = options.pass == Pass::forward;
  const std::uint64_t pass = forward ? 0 : 1;
  return run_product({.front = front_,
                      .map = map_,
                      .pass = options.pass,
                      .turned = !forward,
                      .gain = pass_,
                      .noise_sd = receiver_.quadrature_sd,
                      .intensity_sd = receiver_.intensity_sd,
                      .noise = Stream(seed_, pass + 2, Purpose::mesh_read),
                      .intensity = Stream(seed_, pass, kLaserIntensity),
                      .converters = converter_streams(seed_, pass),
                      .filter = receivers_.reading(pass, in.count)},
                     info_, in, out, options.first_frame_id, work_);
}

std::vector<std::byte> TtRfnn::snapshot() const {
  ByteWriter bytes;
  put_head(bytes, kSnapshotVersion, params_);
  bytes.put(writes_);
  put_codes(bytes, codes_, *info_.program);
  if (info_.stateful) receivers_.put(bytes);
  return bytes.take();
}

void TtRfnn::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "tt_rfnn snapshot");
  const bool whole = get_head(bytes, kSnapshotVersion, kOldestSnapshot, params_, info_.model);
  const auto writes = bytes.get<std::uint64_t>();
  std::vector<std::uint16_t> codes = whole ? get_codes(bytes, *info_.program) : codes_;
  if (info_.stateful && !whole) bytes.refuse("no memory of the receivers' filters");
  auto past = info_.stateful ? receivers_.get(bytes) : std::array<Matrix<float>, 2>();
  bytes.done();
  write(codes, writes);
  codes_ = std::move(codes);
  if (info_.stateful) receivers_.take(std::move(past));
}

SelfTest TtRfnn::self_test() {
  // Every core is passive, and so is the train: no entry of its matrix exceeds 1.
  double most = 0;
  for (const float value : map_.matrix().flat()) most = std::max(most, std::abs(static_cast<double>(value)));
  return {most <= 1 + 1e-5, "at most " + std::to_string(100 * most) + " % of an input's amplitude reaches one output"};
}

}  // namespace

DeviceModel model() {
  DeviceModel record;
  record.name = "tt_rfnn";
  record.kind = "layer";
  record.summary = "A large matrix as a train of small interferometer networks with switches between them";
  record.source = "Sui et al., ICCAD 2023 (arXiv 2312.10343); Oseledets, SIAM J. Sci. Comput. 33, 2295 (2011)";
  record.params = params();
  record.presets["ideal"] = {{"splitter_error", 0.0}, {"phase_error", 0.0},  {"loss", 0.0},
                             {"switch_loss", 0.0},    {"output_noise", 0.0}, {"phase.bits", whole(16)}};
  record.presets["receiver"] = homodyne_preset();
  record.presets["uncorrected"] = {{"correction", text("none")}};
  record.open = [](const ParamSet& given) { return std::make_unique<TtRfnn>(given); };
  record.twin = make_twin;
  return record;
}

}  // namespace lightloop::tt_rfnn
