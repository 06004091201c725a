#include "devices/homodyne/homodyne.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/factor.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/crossbar/twin.hpp"
#include "devices/detector.hpp"
#include "devices/frame_rows.hpp"
#include "devices/front_end.hpp"
#include "devices/param_list.hpp"
#include "devices/programme_bytes.hpp"
#include "devices/room.hpp"
#include "devices/symbol_filter.hpp"
#include "driver/api/answer.hpp"
#include "sim/detection/coherent.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/component_latency.hpp"

namespace lightloop::homodyne {
namespace {

// What the filters remember is at the end where detector.order is not 0, which is in the head.
constexpr std::uint8_t kSnapshotVersion = 1;

Value whole(std::int64_t value) { return value; }
Value text(const char* value) { return std::string(value); }

std::vector<ParamInfo> params() {
  const std::vector<ParamInfo> size{
      {"input.size", "1", whole(64), 1, 16384, "pulses of a frame: DAC codes", {}, true},
      {"output.size", "1", whole(64), 1, 16384, "pairs of detectors: ADC codes", {}, true},
  };
  const std::string counted = "photon_noise=true,efficiency,visibility";
  const std::string light = "photons.input,photons.weight,efficiency,visibility";
  const std::vector<ParamInfo> own{
      {"weight.bits", "1", whole(8), 2, 16, "bits of a programme code", {}, true, whole(16)},
      {"multiplexing",
       "",
       text("time"),
       0,
       0,
       "pulses one after the other, or one path per weight",
       {"time", "space"},
       true},
      {"photons.input",
       "1",
       1e4,
       1e-6,
       1e10,
       "mean photons of an input pulse of full amplitude at every output",
       {},
       false,
       1e10,
       counted},
      {"photons.weight",
       "1",
       1e4,
       1e-6,
       1e10,
       "mean photons of a local pulse of full amplitude",
       {},
       false,
       1e10,
       counted},
      {"photon_noise", "", true, 0, 0, "the standard quantum limit"},
      {"efficiency", "1", 0.8, 1e-6, 1, "part of the photons that is counted", {}, false, 1.0},
      {"visibility", "1", 0.98, 0.01, 1, "overlap of the two pulses", {}, false, 1.0},
      {"dark", "1", 0.0, 0, 1e9, "mean dark counts of a detector in a frame", {}, false, 0.0, light},
      {"electrons",
       "1",
       300.0,
       0,
       1e9,
       "sd of the electrical read noise in electrons, per output and frame",
       {},
       false,
       0.0,
       light},
      receiver_switch("load, amplifier and dark current"),
  };
  const std::string on = "detector.noise=true," + light;
  const DetectorDefaults detector{
      .bandwidth_hz = 0,
      .least_bandwidth_hz = 0,
      .bandwidth_help =
          "noise bandwidth of a receiver, or the cutoff of its filter; 0: of an integrator over the frame",
      .only_with = on,
      .dark_only_with = on,
      .responsivity = false};
  const std::vector<ParamInfo> last{
      {"wavelength_m", "m", 1550e-9, 200e-9, 20e-6, "of the light"},
      {"symbol_rate_hz", "Hz", 1e9, 1, 1e12, "pulses per second"},
      {"seed", "1", whole(1), 0, 9007199254740992.0, "key of all random numbers of this device", {}, true},
  };
  return param_list({size, front_end_params({.range = 8}), own, detector_params(detector), last});
}

class Homodyne : public Device {
 public:
  explicit Homodyne(const ParamSet& given);

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override;
  RunReport run(ConstFrames in, Frames out, const RunOptions& options = {}) override;
  void program(ConstFrames codes) override;
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;
  void reset() override { filters_.rest(); }
  SelfTest self_test() override;
  std::vector<Monitor> monitors() const override {
    return {{"photons of the weights in a frame", "1", weight_photons()}};
  }
  void close() override { open_ = false; }

 private:
  void derive();
  /// Of a pass that shows as many pulses.
  static double frame_s(const ParamSet& params, Index pulses) {
    return (params.text("multiplexing") == "time" ? static_cast<double>(pulses) : 1.0) / params.real("symbol_rate_hz");
  }
  void write(Matrix<float> weights);
  double weight_photons() const {
    return receivers_[0].photons_local * std::accumulate(norms_[0].begin(), norms_[0].end(), 0.0);
  }

  ParamSet params_;
  DeviceInfo info_;
  std::uint64_t seed_;
  CoherentReceiver receivers_[2];  // of the forward and the transposed pass
  double intensity_sd_[2] = {};    // relative, of the amplitude of all inputs of a frame
  FrontEnd front_;
  bool open_ = true;
  Factor weights_;                // (outputs, inputs)
  std::vector<double> norms_[2];  // sums of w^2 over rows, over columns
  TwoEnds filters_;
  Matrix<float> drive_, sums_, work_, quiet_;  // workspaces, one row per frame
};

const ParamSet& fitting(const ParamSet& given) {
  const auto weights = static_cast<double>(given.integer("output.size") * given.integer("input.size"));
  check_room("sim:homodyne weights", weights * (sizeof(float) + sizeof(std::uint16_t)),
             "Lower input.size or output.size.");
  return given;
}

Homodyne::Homodyne(const ParamSet& given)
    : params_(fitting(given)),
      seed_(static_cast<std::uint64_t>(given.integer("seed"))),
      weights_(given.integer("output.size"), given.integer("input.size")) {
  const auto bits = [&](const char* name) { return static_cast<int>(params_.integer(name)); };
  info_.kind = "layer";
  info_.model = "sim:homodyne";
  info_.serial = "seed " + std::to_string(seed_);
  info_.version = "1";
  info_.input = {{weights_.cols()}, bits("dac.bits"), "DAC code of a pulse's amplitude, signed around the middle"};
  info_.output = {{weights_.rows()}, bits("adc.bits"), "ADC code of a difference of charges, signed around the middle"};
  info_.program =
      FrameFormat{{weights_.rows(), weights_.cols()}, bits("weight.bits"), "weight code, signed around the middle"};
  info_.transposed = true;
  info_.stateful = given.integer("detector.order") > 0;
  if (info_.stateful && given.text("multiplexing") == "time")
    throw Unsupported("sim:homodyne: detector.order", "a filter with multiplexing = time", "multiplexing = space",
                      "Charges of one pulse after the other are added up; detector.order = 0 is their integrator.");
  filters_.set(SymbolFilter::taps(params_, info_.model, frame_s(params_, weights_.cols())), weights_.rows(),
               weights_.cols());
  norms_[0].assign(static_cast<std::size_t>(weights_.rows()), 0.0);
  norms_[1].assign(static_cast<std::size_t>(weights_.cols()), 0.0);
  derive();
}

void Homodyne::derive() {
  front_ = FrontEnd(params_, info_.model);
  const CoherentReceiver counting{.photons_signal = params_.real("photons.input"),
                                  .photons_local = params_.real("photons.weight"),
                                  .efficiency = params_.real("efficiency"),
                                  .visibility = params_.real("visibility"),
                                  .dark = params_.real("dark"),
                                  .electrons = params_.real("electrons"),
                                  .counts = params_.boolean("photon_noise")};
  const bool integrates = params_.real("detector.bandwidth_hz") == 0;
  const double density = params_.boolean("detector.noise") ? photoreceiver(params_, 2).floor_density() : 0.0;
  for (const int side : {0, 1}) {
    const double seconds = frame_s(params_, side == 0 ? weights_.cols() : weights_.rows());
    const double bandwidth = integrates ? 0.5 / seconds : receiver_bandwidth_hz(params_);
    CoherentReceiver& receiver = receivers_[side] = counting;
    if (info_.stateful) receiver.count_sd = std::sqrt(2 * bandwidth * seconds);
    receiver.electrons = std::hypot(receiver.electrons, front_.early_noise() * receiver.gain());
    receiver.electrons = std::hypot(receiver.electrons, std::sqrt(density * bandwidth) * seconds / kElectronCharge);
    intensity_sd_[side] = std::sqrt(params_.real("laser.rin_hz") * bandwidth) / 2;
  }
  info_.deterministic = !receivers_[0].noisy() && intensity_sd_[0] == 0 && !front_.noisy() && !info_.stateful;
  const auto in = static_cast<double>(weights_.cols()), out = static_cast<double>(weights_.rows());
  const bool time = params_.text("multiplexing") == "time";
  const double modulate_j = front_.dac_j() + kModulatorJ;
  const double weight_j = dac_energy_j(info_.program->bits) + kModulatorJ;
  // lasers give full amplitude all the time; modulators carve it
  const double photons = in * out * (counting.photons_signal + counting.photons_local);
  const double light_j = photons * photon_energy_j(params_.real("wavelength_m")) / kWallPlug;
  const double rate_hz = params_.real("symbol_rate_hz");
  info_.cost.frame_s = frame_s(params_, weights_.cols());
  info_.cost.time_per = time ? CostPer::input : CostPer::frame;
  const double weights = in * out, shown = time ? weights : 0.0, written = time ? 0.0 : weights;
  info_.cost.parts = {
      {"laser", photons, light_j, 0, 0},
      {"inputs", in, in * modulate_j, 0, 0, kDacLatencyS + info_.cost.frame_s, CostPer::input},
      {"weights", shown, shown * weight_j, written, written * weight_j},
      {"tia", out, out * kAmplifierW * info_.cost.frame_s, 0, 0,
       integrates ? rise_time_s(kReceiverBandwidth * rate_hz) : receiver_rise_s(params_),
       time ? CostPer::frame : CostPer::output},  // one pulse after the other it sees as many as there are weights
      {"adc", out, out * front_.adc_j(), 0, 0, front_.adc_s(), CostPer::output}};
  info_.cost.power_w = 0;
  for (const CostPart& part : info_.cost.parts) info_.cost.power_w += part.frame_j / info_.cost.frame_s;
  info_.cost.program_s = time ? 0.0 : kHeaterSettleS;
  info_.cost.program_j = written * weight_j;
}

void Homodyne::configure(const Settings& changes) {
  ParamSet next = changed(changes);
  const std::vector<double> taps = SymbolFilter::taps(next, info_.model, frame_s(next, weights_.cols()));
  params_ = std::move(next);
  filters_.set(taps, weights_.rows(), weights_.cols());
  derive();
}

void Homodyne::program(ConstFrames codes) {
  check_open(open_);
  check_program(codes);
  Matrix<float> weights(weights_.rows(), weights_.cols());
  read_row(codes, 0, info_.program->bits, weights.flat());
  write(std::move(weights));
  filters_.rest();
}

void Homodyne::write(Matrix<float> weights) {
  weights_.change() = std::move(weights);
  const Matrix<float>& values = weights_.matrix();
  for (std::vector<double>& norms : norms_) std::ranges::fill(norms, 0.0);
  for (Index i = 0; i < weights_.rows(); ++i)
    for (Index j = 0; j < weights_.cols(); ++j) {
      const double square = static_cast<double>(values(i, j)) * static_cast<double>(values(i, j));
      norms_[0][static_cast<std::size_t>(i)] += square;
      norms_[1][static_cast<std::size_t>(j)] += square;
    }
}

RunReport Homodyne::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  if (in.count == 0) return {};
  const bool forward = options.pass == Pass::forward;
  drive_.resize(in.count, in.size);
  sums_.resize(in.count, out.size);
  work_.resize(in.count, 4 * out.size);
  const std::uint64_t side = forward ? 0 : 1;
  SymbolFilter* const filter = filters_.reading(side, in.count);
  const ConverterStreams converters = converter_streams(seed_, side);
  const auto id = [&](Index r) { return options.first_frame_id + static_cast<std::uint64_t>(r); };
  parallel_for(in.count, [&](Index r) { front_.read(in, r, id(r), converters, drive_.row(r)); });
  weights_.multiply(1.0f, drive_, forward ? Transpose::yes : Transpose::no, 0.0f, sums_);
  if (filter) {  // what is remembered has no noise of the detection
    quiet_.resize(in.count, out.size);
    std::ranges::copy(sums_.flat(), quiet_.flat().begin());
  }
  const Stream intensity(seed_, side, kLaserIntensity);
  const Stream counts(seed_, side, Purpose::homodyne_read), electrons(seed_, side + 2, Purpose::homodyne_read);
  std::vector<Index> clipped(static_cast<std::size_t>(in.count));
  parallel_for(in.count, [&](Index r) {
    double norm = 0;
    for (const float v : drive_.row(r)) norm += static_cast<double>(v) * static_cast<double>(v);
    const std::span<float> y = sums_.row(r);
    if (intensity_sd_[side] > 0) {
      const double light = 1 + intensity_sd_[side] * intensity.normal(id(r), 0);
      norm *= light * light;
      for (float& value : y) value *= static_cast<float>(light);
    }
    receivers_[side].detect(norm, norms_[side], counts, electrons, id(r), work_.row(r), y);
  });
  if (filter) filter->apply(quiet_, sums_);
  parallel_for(in.count, [&](Index r) {
    clipped[static_cast<std::size_t>(r)] = front_.write(sums_.row(r), id(r), converters, out, r);
  });
  return counted(info_, out, std::accumulate(clipped.begin(), clipped.end(), std::int64_t{0}), options.pass);
}

std::vector<std::byte> Homodyne::snapshot() const {
  std::vector<std::uint16_t> codes(weights_.matrix().flat().size());
  to_codes(weights_.matrix().flat(), info_.program->bits, 1,
           codes);  // weights are codes over a power of two: nothing is rounded
  ByteWriter bytes;
  put_head(bytes, kSnapshotVersion, params_);
  put_codes(bytes, codes, *info_.program);
  if (info_.stateful) filters_.put(bytes);
  return bytes.take();
}

void Homodyne::restore(const std::vector<std::byte>& state) {
  if (state.empty()) return;  // taken when there was nothing in it
  ByteReader bytes(state, "homodyne snapshot");
  get_head(bytes, kSnapshotVersion, kSnapshotVersion, params_, info_.model);
  const std::vector<std::uint16_t> codes = get_codes(bytes, *info_.program);
  auto past = info_.stateful ? filters_.get(bytes) : std::array<Matrix<float>, 2>();
  bytes.done();
  if (info_.stateful) filters_.take(std::move(past));
  Matrix<float> weights(weights_.rows(), weights_.cols());
  from_codes(codes, info_.program->bits, weights.flat());
  write(std::move(weights));
}

SelfTest Homodyne::self_test() {
  FrameBuffer in(info_.input, 1), out(info_.output, 1);
  for (Index j = 0; j < info_.input.size(); ++j) in.frames().set(0, j, info_.input.highest() / 2 + 1);
  const FrontEnd::AtRest rest(front_);
  const TwoEnds remembered = filters_;
  filters_.rest();
  run(std::as_const(in).frames(), out.frames());
  filters_ = remembered;
  const double zero = info_.output.highest() / 2 + 1;
  double worst = 0;
  for (Index i = 0; i < info_.output.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(out.frames().at(0, i)) - zero));
  const CoherentReceiver& receiver = receivers_[0];
  const double photons = receiver.photons_local * *std::ranges::max_element(norms_[0]) + 2 * receiver.dark;
  // no normal draw is beyond 6.8 sd; counts of few photons have longer tails
  // and noise of the inputs meets the weights
  const double counted_sd =
                   (std::hypot(receiver.count_sd * std::sqrt(photons), receiver.electrons) + 3) / receiver.gain(),
               driven_sd = front_.input_noise * std::sqrt(*std::ranges::max_element(norms_[0]));
  const double allowed = front_.off_zero(counted_sd + driven_sd + front_.output_noise);
  return {worst <= allowed, "without drive the outputs lie within " + std::to_string(worst) + " codes of zero (" +
                                std::to_string(allowed) + " allowed)"};
}

}  // namespace

DeviceModel model() {
  DeviceModel record;
  record.name = "homodyne";
  record.kind = "layer";
  record.summary =
      "Products by interference of modulated pulses, counted in photons down to the standard quantum limit";
  record.source = "Hamerly et al., Phys. Rev. X 9, 021032 (2019)";
  record.params = params();
  record.presets["ideal"] = {{"photon_noise", false}, {"electrons", 0.0}, {"visibility", 1.0}};
  record.presets["quantum_limit"] = {{"efficiency", 1.0}, {"visibility", 1.0}, {"electrons", 0.0}};
  record.presets["receiver"] = homodyne_preset();
  record.presets["receiver"]["electrons"] = 0.0;  // amplifiers in the place of capacitors
  record.open = [](const ParamSet& given) { return std::make_unique<Homodyne>(given); };
  record.twin = crossbar::make_twin;  // the matrix of the codes, without noise
  return record;
}

}  // namespace lightloop::homodyne
