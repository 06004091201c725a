#include "devices/mzi_mesh/mzi_mesh.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/random.hpp"
#include "devices/detector.hpp"
#include "devices/mzi_mesh/chip.hpp"
#include "devices/mzi_mesh/monitors.hpp"
#include "devices/mzi_mesh/twin.hpp"
#include "devices/noisy_product.hpp"
#include "devices/param_list.hpp"
#include "devices/programme_bytes.hpp"
#include "devices/room.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/component_latency.hpp"

namespace lightloop::mzi_mesh {
namespace {

// 1 had no programme. What the filters remember is at the end where detector.order is not 0, which is in the head.
constexpr std::uint8_t kSnapshotVersion = 2, kOldestSnapshot = 1;
// Converters, modulators, amplifiers, heaters: sim/detection/component_energy.hpp. Half of
// the laser's light is lost on the way (assumed); it shines whatever the modulators let through.
constexpr double kLaserEfficiency = kWallPlug * 0.5;

Value whole(std::int64_t value) { return value; }
Value text(const char* value) { return std::string(value); }

std::vector<ParamInfo> params() {
  const std::vector<ParamInfo> size{
      {"input.size", "1", whole(16), 2, 512, "channels that light enters", {}, true},
      {"output.size", "1", whole(16), 2, 512, "channels that light leaves", {}, true},
      {"field.kind",
       "",
       text("real"),
       0,
       0,
       "one code per channel, or a real and an imaginary part",
       {"real", "complex"},
       true},
  };
  const FrontEndDefaults front{.range = 2,
                               .most_range = 1e3,
                               .range_help = "field at the ends of the ADC's range, full input amplitude 1",
                               .output_noise = 0.002,
                               .output_noise_help = "sd of the electrical noise, full input amplitude 1",
                               .losses = "loss"};
  const std::vector<ParamInfo> mesh{
      {"phase.bits", "1", whole(12), 2, 16, "bits of a phase code", {}, true, whole(16)},
      {"mesh.layout",
       "",
       text("clements"),
       0,
       0,
       "rectangle, triangle, or butterfly (2^n channels, few matrices: its phases are trained)",
       {"clements", "reck", "butterfly"},
       true},
      {"phase.law",
       "",
       text("voltage"),
       0,
       0,
       "phase goes with the code, or with its square",
       {"linear", "voltage"},
       true},
      {"phase.range_rad", "rad", 2 * std::numbers::pi, 1, 13, "phase at the highest code", {}, true},
      {"splitter_error", "rad", 0.01, 0, 0.5, "sd of the splitters' angles, drawn once per chip", {}, true, 0.0},
      {"phase_error", "rad", 0.005, 0, 1, "sd of a phase as it is set, redrawn with every write", {}, true, 0.0},
      {"crosstalk", "1", 0.01, 0, 0.1, "part of a shifter's heat that reaches each neighbour", {}, true, 0.0},
      {"loss", "1", 0.023, 0, 0.9, "part of the power lost in one interferometer", {}, true, 0.0},
      {"correction",
       "",
       text("all"),
       0,
       0,
       "what the controller takes out: splitters, heat, all or none",
       {"none", "splitters", "heat", "all"},
       true},
      {"monitors",
       "",
       false,
       0,
       0,
       "power monitors at every shifter: the twin's gradients are those of this chip (in-situ); correction=none",
       {},
       true},
      {"monitor_noise",
       "1",
       0.0,
       0,
       10,
       "sd of a monitor's reading, 1 the power of a channel at full amplitude; detector.noise adds the photodiode's",
       {},
       true},
      {"photons",
       "1",
       1e6,
       1e-3,
       1e15,
       "photons per frame in a channel at full amplitude",
       {},
       false,
       1e15,
       "vacuum_noise=true,loss"},
      {"vacuum_noise", "", true, 0, 0, "the standard quantum limit of homodyne detection"},
  };
  const std::vector<ParamInfo> seed{
      {"seed", "1", whole(1), 0, 9007199254740992.0, "key of all random numbers of this device", {}, true},
  };
  return param_list({size, front_end_params(front), mesh, homodyne_params(0.5 / kFrameS, ",photons,loss"), seed});
}

class MziMesh : public Device {
 public:
  explicit MziMesh(const ParamSet& given);

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override;
  RunReport run(ConstFrames in, Frames out, const RunOptions& options = {}) override;
  void program(ConstFrames codes) override;
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;
  void reset() override { receivers_.rest(); }
  SelfTest self_test() override;
  std::vector<Monitor> monitors() const override { return {{"heater power", "W", hold_w()}}; }
  void close() override { open_ = false; }

 private:
  void derive();
  double hold_w() const { return kHeaterWPerRad * chip_.heater_rad(); }
  void write(const std::vector<std::uint16_t>& codes, std::uint64_t writes);

  ParamSet params_;
  DeviceInfo info_;
  Chip chip_;
  std::uint64_t seed_;
  FrontEnd front_;
  double noise_sd_ = 0, intensity_sd_ = 0;
  std::vector<std::uint16_t> codes_;
  std::uint64_t writes_ = 0;
  bool open_ = true;
  Factor map_[2];  // real matrices of the forward and the transposed pass, (out, in)
  TwoEnds receivers_;
  ProductWork work_;
};

/// Before anything large is made.
const ParamSet& fitting(const ParamSet& given) {
  if (given.boolean("monitors") && given.text("correction") != "none")
    throw InvalidParameter("sim:mzi_mesh: monitors", "true with correction = " + given.text("correction"),
                           "correction = none",
                           "A controller that sets other phases than it is told has no gradient of those it is told.");
  const Index in = given.integer("input.size"), out = given.integer("output.size");
  const Index codes = mesh_programme_size(parse_mesh_layout(given.text("mesh.layout")), in, out);
  const double maps = 2.0 * (given.text("field.kind") == "complex" ? 4 : 1) * sizeof(float);
  check_room("sim:mzi_mesh chip", Chip::bytes(in, out, codes) + maps * static_cast<double>(in * out),
             "Lower input.size or output.size.");
  return given;
}

MziMesh::MziMesh(const ParamSet& given)
    : params_(fitting(given)), chip_(given), seed_(static_cast<std::uint64_t>(given.integer("seed"))) {
  const Index n_in = given.integer("input.size"), n_out = given.integer("output.size");
  const Index parts = given.text("field.kind") == "complex" ? 2 : 1;
  const auto bits = [&](const char* name) { return static_cast<int>(params_.integer(name)); };
  info_.kind = "layer";
  info_.model = "sim:mzi_mesh";
  info_.serial = "seed " + std::to_string(seed_);
  info_.version = "1";
  info_.input = {{parts * n_in}, bits("dac.bits"), "DAC code of a field amplitude, signed around the middle"};
  info_.output = {{parts * n_out}, bits("adc.bits"), "ADC code of a quadrature, signed around the middle"};
  info_.program = FrameFormat{{mesh_programme_size(parse_mesh_layout(given.text("mesh.layout")), n_in, n_out)},
                              bits("phase.bits"),
                              "DAC code of a phase"};
  info_.transposed = true;
  info_.stateful = given.integer("detector.order") > 0;
  receivers_.set(SymbolFilter::taps(params_, info_.model, kFrameS), info_.output.size(), info_.input.size());
  codes_.assign(static_cast<std::size_t>(info_.program->size()), 0);
  write(codes_, 0);
}

void MziMesh::derive() {
  const auto in = static_cast<double>(info_.input.size()), out = static_cast<double>(info_.output.size());
  const auto shifters = static_cast<double>(info_.program->size());
  const double photons = params_.real("photons"), channel_w = photons * photon_energy_j(kPhotonM) / kFrameS;
  const HomodyneNoise receiver = homodyne_noise(params_, channel_w);
  front_ = FrontEnd(params_, info_.model);
  const double filtered = info_.stateful ? std::sqrt(2 * receiver_bandwidth_hz(params_) * kFrameS) : 1.0;
  const double vacuum_sd = params_.boolean("vacuum_noise") ? 0.5 / std::sqrt(photons) * filtered : 0.0;
  noise_sd_ = std::hypot(vacuum_sd, receiver.quadrature_sd);
  intensity_sd_ = receiver.intensity_sd;
  info_.deterministic = noise_sd_ == 0 && intensity_sd_ == 0 && !front_.noisy() && !info_.stateful;
  const double lit = photons * in, local = receiver.local_w * out * kFrameS / photon_energy_j(kPhotonM);
  const double photon_j = photon_energy_j(kPhotonM) / kLaserEfficiency;
  const double hold = hold_w(), writing = shifters * dac_energy_j(info_.program->bits);
  info_.cost.frame_s = kFrameS;
  info_.cost.parts = {{"laser", lit, lit * photon_j, 0, 0, 0, CostPer::input},
                      {"local oscillator", local, local * photon_j, 0, 0, 0, CostPer::output},
                      {"dac", in, in * front_.dac_j(), 0, 0, kDacLatencyS, CostPer::input},
                      {"modulator", in, in * kModulatorJ, 0, 0, kFrameS, CostPer::input},
                      {"path", 0, 0, 0, 0, chip_.path_latency_s()},
                      {"hold", shifters, hold * kFrameS, shifters, hold * kHeaterSettleS},
                      {"tia", out, out * kAmplifierW * kFrameS, 0, 0, receiver_rise_s(params_), CostPer::output},
                      {"adc", out, out * front_.adc_j(), 0, 0, front_.adc_s(), CostPer::output},
                      {"programming", 0, 0, shifters, writing}};
  info_.cost.power_w = 0;
  for (const CostPart& part : info_.cost.parts) info_.cost.power_w += part.frame_j / kFrameS;
  info_.cost.program_s = kHeaterSettleS;
  info_.cost.program_j = writing + hold * kHeaterSettleS;
}

void MziMesh::configure(const Settings& changes) {
  ParamSet next = changed(changes);
  const std::vector<double> taps = SymbolFilter::taps(next, info_.model, kFrameS);
  params_ = std::move(next);
  receivers_.set(taps, info_.output.size(), info_.input.size());
  derive();
}

void MziMesh::write(const std::vector<std::uint16_t>& codes, std::uint64_t writes) {
  const Matrix<Complex> w = chip_.matrix(codes, writes);
  const bool complex = params_.text("field.kind") == "complex";
  for (int pass = 0; pass < 2; ++pass) {
    const Index n_out = pass == 0 ? w.rows() : w.cols(), n_in = pass == 0 ? w.cols() : w.rows();
    Matrix<float> map(complex ? 2 * n_out : n_out, complex ? 2 * n_in : n_in);
    for (Index i = 0; i < n_out; ++i)
      for (Index j = 0; j < n_in; ++j) {
        const Complex value = pass == 0 ? w(i, j) : w(j, i);
        map(i, j) = static_cast<float>(value.real());
        if (!complex) continue;
        map(n_out + i, n_in + j) = map(i, j);
        map(n_out + i, j) = static_cast<float>(value.imag());
        map(i, n_in + j) = -map(n_out + i, j);
      }
    map_[pass].change() = std::move(map);
  }
  writes_ = writes;
  derive();
}

void MziMesh::program(ConstFrames codes) {
  check_open(open_);
  check_program(codes);
  std::vector<std::uint16_t> next(codes_.size());
  for (Index i = 0; i < codes.size; ++i) next[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(codes.at(0, i));
  write(next, writes_ + 1);
  codes_ = std::move(next);
  receivers_.rest();
}

RunReport MziMesh::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  const std::size_t pass = options.pass == Pass::forward ? 0 : 1;
  return run_product({.front = front_,
                      .map = map_[pass],
                      .pass = options.pass,
                      .noise_sd = noise_sd_,
                      .intensity_sd = intensity_sd_,
                      .noise = Stream(seed_, pass, Purpose::mesh_read),
                      .intensity = Stream(seed_, pass, kLaserIntensity),
                      .converters = converter_streams(seed_, pass),
                      .filter = receivers_.reading(pass, in.count)},
                     info_, in, out, options.first_frame_id, work_);
}

std::vector<std::byte> MziMesh::snapshot() const {
  ByteWriter bytes;
  put_head(bytes, kSnapshotVersion, params_);
  bytes.put(writes_);
  put_codes(bytes, codes_, *info_.program);
  if (info_.stateful) receivers_.put(bytes);
  return bytes.take();
}

void MziMesh::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "mzi_mesh snapshot");
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

SelfTest MziMesh::self_test() {
  double most = 0;  // energy is not made: no column of the map is longer than 1
  for (Index j = 0; j < map_[0].cols(); ++j) {
    double sum = 0;
    for (Index i = 0; i < map_[0].rows(); ++i)
      sum += static_cast<double>(map_[0].matrix()(i, j)) * map_[0].matrix()(i, j);
    most = std::max(most, sum);
  }
  return {most <= 1 + 1e-5, "at most " + std::to_string(100 * most) + " % of the light of a channel comes out"};
}

}  // namespace

DeviceModel model() {
  DeviceModel record;
  record.name = "mzi_mesh";
  record.kind = "layer";
  record.summary =
      "Two meshes of interferometers with attenuators between them: any matrix, read by homodyne detection";
  record.source = "Clements et al., Optica 3, 1460 (2016); Shen et al., Nat. Photonics 11, 441 (2017)";
  record.params = params();
  record.presets["ideal"] = {{"splitter_error", 0.0}, {"phase_error", 0.0},    {"crosstalk", 0.0},       {"loss", 0.0},
                             {"output_noise", 0.0},   {"vacuum_noise", false}, {"phase.bits", whole(16)}};
  record.presets["receiver"] = homodyne_preset();
  record.presets["uncorrected"] = {{"correction", text("none")}};
  record.open = [](const ParamSet& given) { return std::make_unique<MziMesh>(given); };
  record.twin = make_twin;
  return record;
}

}  // namespace lightloop::mzi_mesh
