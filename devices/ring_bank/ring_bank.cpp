#include "devices/ring_bank/ring_bank.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/clock.hpp"
#include "devices/crossbar/twin.hpp"
#include "devices/detector.hpp"
#include "devices/front_end.hpp"
#include "devices/programme_bytes.hpp"
#include "devices/ring_bank/bank.hpp"
#include "devices/ring_bank/bus.hpp"
#include "devices/ring_bank/params.hpp"
#include "devices/room.hpp"
#include "devices/symbol_filter.hpp"
#include "driver/api/answer.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/component_latency.hpp"
#include "sim/detection/photoreceiver.hpp"

namespace lightloop::ring_bank {
namespace {

// 1 had no programme. What the filter remembers is at the end where detector.order is not 0, which is in the head.
constexpr std::uint8_t kSnapshotVersion = 2, kOldestSnapshot = 1;
// What bank.hpp keeps of a ring, with its code.
constexpr double kRingBytes = sizeof(AddDropRing) + 3 * sizeof(double) + 2 * sizeof(float) + sizeof(std::uint16_t);
constexpr double kMostLeft = 0.01;  // rms error of a weight besides the monitor's that the self-test allows: assumed
// A heater settles. In a measured round of the controller the weights of one input after the other are then read in a
// frame each, by the outputs' receivers and ADCs: assumed.
constexpr double kLoopS = 10e-6;

class RingBank : public Device {
 public:
  explicit RingBank(const ParamSet& given);

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override;
  RunReport run(ConstFrames in, Frames out, const RunOptions& options = {}) override;
  void program(ConstFrames codes) override;
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;
  void reset() override;
  SelfTest self_test() override;
  std::vector<Monitor> monitors() const override;
  void close() override { open_ = false; }

 private:
  void derive();
  double at(Index frame) const { return base_s_ + static_cast<double>(frames_ + frame) * info_.cost.frame_s; }
  Index frames_alike(Index first, Index count) const;
  Index run_part(const ConstFrames& in, const Frames& out, std::uint64_t first_id);
  void subtract_bias(std::span<float> y) const {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] -= static_cast<float>(bank_.bias()[i]);
  }
  void write();

  ParamSet params_;
  DeviceInfo info_;
  std::uint64_t seed_;
  Bank bank_;
  FrontEnd front_;
  double laser_sd_ = 0, floor_variance_ = 0, shot_variance_ = 0;
  std::vector<std::uint16_t> codes_;
  bool open_ = true;
  // state
  std::uint64_t writes_ = 0;
  double base_s_ = 0, written_s_ = 0;
  std::int64_t frames_ = 0;
  SymbolFilter filter_;
  Matrix<float> powers_, sums_, totals_, draws_, quiet_;  // workspaces, one row per frame
};

/// Before anything large is made.
const ParamSet& fitting(const ParamSet& given) {
  const auto rings = static_cast<double>(given.integer("output.size") * given.integer("input.size"));
  check_room("sim:ring_bank rings", rings * kRingBytes, "Lower input.size or output.size.");
  check_spectrum(given, "sim:ring_bank");
  return given;
}

RingBank::RingBank(const ParamSet& given)
    : params_(fitting(given)), seed_(static_cast<std::uint64_t>(given.integer("seed"))), bank_(given) {
  const auto bits = [&](const char* name) { return static_cast<int>(params_.integer(name)); };
  const Index n_in = given.integer("input.size"), n_out = given.integer("output.size");
  info_.kind = "layer";
  info_.model = "sim:ring_bank";
  info_.serial = "seed " + std::to_string(seed_);
  info_.version = "1";
  info_.input = {{n_in}, bits("dac.bits"), "DAC code of a channel's power, signed around the middle"};
  info_.output = {{n_out}, bits("adc.bits"), "ADC code of a balanced photocurrent, signed around the middle"};
  info_.program = FrameFormat{{n_out, n_in}, bits("weight.bits"), "weight code, signed around the middle"};
  info_.stateful = bank_.moves() || given.integer("detector.order") > 0;
  codes_.assign(static_cast<std::size_t>(n_out * n_in), static_cast<std::uint16_t>(info_.program->highest() / 2 + 1));
  base_s_ = given.real("clock_s");
  written_s_ = base_s_;
  filter_.set(SymbolFilter::taps(params_, info_.model, 1 / given.real("symbol_rate_hz")), n_out);
  write();
}

void RingBank::derive() {
  front_ = FrontEnd(params_, info_.model);
  const double bandwidth = receiver_bandwidth_hz(params_), power = params_.real("power_w");
  const bool shot = params_.boolean("detector.shot");
  const auto buses = static_cast<double>(bank_.buses());
  // two diodes per bus, one amplifier per output
  const PhotoreceiverModel receiver = photoreceiver(params_, shot ? 2 * buses : 0.0);
  const double unit_a = receiver.responsivity_a_w * power / 2 * bank_.full_scale();  // current of y = 1
  const double early = front_.early_noise();
  floor_variance_ = receiver.floor_density() * bandwidth / (unit_a * unit_a) + early * early;
  shot_variance_ = shot ? 2 * kElectronCharge * bandwidth / unit_a : 0.0;
  laser_sd_ = std::sqrt(params_.real("laser.rin_hz") * bandwidth);
  info_.deterministic =
      floor_variance_ == 0 && shot_variance_ == 0 && laser_sd_ == 0 && !front_.noisy() && !info_.stateful;

  const auto in = static_cast<double>(info_.input.size()), out = static_cast<double>(info_.output.size());
  const double heaters_w = kHeaterWPerRad * bank_.heater_rad();
  const double frame_s = 1 / params_.real("symbol_rate_hz"),
               light_j = in * out * power * frame_s;  // modulators carve it
  const auto dac = front_.dac_j(), adc = front_.adc_j();
  const bool loop = params_.text("control.method") == "pid";
  const double rounds = loop ? static_cast<double>(params_.integer("control.steps")) : 0.0;
  const double read = rounds * in, program_s = kLoopS * (1 + rounds) + read * frame_s, lit = program_s / frame_s;
  const double photons = light_j / photon_energy_j(params_.real("wavelength_m")), set = (1 + rounds) * in * out;
  const double laser_j = light_j / kWallPlug,
               set_j = set * dac_energy_j(static_cast<int>(params_.integer("heater.bits")));
  info_.cost = {.frame_s = frame_s, .program_s = program_s};
  info_.cost.parts = {
      {"laser", photons, laser_j, lit * photons, lit * laser_j},
      {"dac", in, in * dac, read * in, read * in * dac, kDacLatencyS},
      {"modulator", in, in * kModulatorJ, read * in, read * in * kModulatorJ, frame_s},
      {"hold", in * out, heaters_w * frame_s, in * out, heaters_w * program_s},
      {"tia", out, out * kAmplifierW * frame_s, out, out * kAmplifierW * program_s, receiver_rise_s(params_)},
      {"adc", out, out * adc, read * out, read * out * adc, front_.adc_s()},
      {"path", 0, 0, 0, 0, bank_.path_latency_s()},
      {"programming", 0, 0, set, set_j}};
  for (const CostPart& part : info_.cost.parts) {
    info_.cost.power_w += part.frame_j / frame_s;
    info_.cost.program_j += part.program_j;
  }
}

void RingBank::configure(const Settings& changes) {
  ParamSet next = changed(changes);
  const double clock = next.real("clock_s"), rate = next.real("symbol_rate_hz");
  const bool set = clock != params_.real("clock_s");
  const std::vector<double> taps = SymbolFilter::taps(next, info_.model, 1 / rate);
  check_spectrum(next, info_.model);
  if (set) check_clock(info_.model, clock, at(0));
  if (set || rate != params_.real("symbol_rate_hz")) {
    base_s_ = set ? clock : at(0);
    frames_ = 0;
  }
  params_ = std::move(next);
  filter_.set(taps, info_.output.size());
  if (set) filter_.rest();
  derive();
}

void RingBank::reset() {
  base_s_ = params_.real("clock_s");
  frames_ = 0;
  written_s_ = std::min(written_s_, base_s_);
  filter_.rest();
}

void RingBank::write() {
  bank_.write(codes_, std::ldexp(1.0f, info_.program->bits - 1), writes_, written_s_);
  derive();
}

void RingBank::program(ConstFrames codes) {
  check_open(open_);
  check_program(codes);
  for (Index i = 0; i < codes.size; ++i)
    codes_[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(codes.at(0, i));
  ++writes_;
  written_s_ = at(0);
  filter_.rest();
  write();
}

Index RingBank::frames_alike(Index first, Index count) const {
  const Index here = bank_.step(at(first));
  Index low = 1, high = count;  // the step never falls: bisect
  while (low < high) {
    const Index middle = low + (high - low + 1) / 2;
    bank_.step(at(first + middle - 1)) == here ? low = middle : high = middle - 1;
  }
  return low;
}

Index RingBank::run_part(const ConstFrames& in, const Frames& out, std::uint64_t first_id) {
  powers_.resize(in.count, in.size);
  sums_.resize(in.count, out.size);
  draws_.resize(in.count, std::max(in.size, out.size));
  const Stream lasers(seed_, 1, Purpose::ring_read), noise(seed_, 0, Purpose::ring_read);
  const ConverterStreams converters = converter_streams(seed_, 0);
  const bool filtered = filter_.remembers();
  const auto id = [&](Index r) { return first_id + static_cast<std::uint64_t>(r); };
  const auto flicker = [&](Index r) {
    if (laser_sd_ == 0) return;
    const std::span<float> u = powers_.row(r), xi = draws_.row(r).first(u.size());
    lasers.normal(id(r), 0, xi);
    for (std::size_t j = 0; j < u.size(); ++j) u[j] *= 1.0f + static_cast<float>(laser_sd_) * xi[j];
  };
  parallel_for(in.count, [&](Index r) {  // 1 + v
    const std::span<float> u = powers_.row(r);
    front_.read(in, r, id(r), converters, u);
    for (float& value : u) value += 1.0f;
    if (front_.input_noise > 0)
      for (float& value : u) value = std::max(0.0f, value);
    if (!filtered) flicker(r);
  });
  if (filtered) {  // what is remembered has no noise of the detection
    quiet_.resize(in.count, out.size);
    bank_.weights().multiply(1.0f, powers_, Transpose::yes, 0.0f, quiet_);
    parallel_for(in.count, flicker);
  }
  bank_.weights().multiply(1.0f, powers_, Transpose::yes, 0.0f, sums_);
  if (shot_variance_ > 0) {
    totals_.resize(in.count, out.size);
    bank_.totals().multiply(1.0f, powers_, Transpose::yes, 0.0f, totals_);
  }
  if (filtered) {
    parallel_for(in.count, [&](Index r) { subtract_bias(quiet_.row(r)); });
    filter_.apply(quiet_, sums_);
  }
  std::vector<Index> clipped(static_cast<std::size_t>(in.count));
  parallel_for(in.count, [&](Index r) {
    const std::span<float> y = sums_.row(r);
    subtract_bias(y);
    if (shot_variance_ > 0 || floor_variance_ > 0) {
      const std::span<float> xi = draws_.row(r).first(y.size());
      noise.normal(id(r), 0, xi);
      const auto floor = static_cast<float>(floor_variance_), shot = static_cast<float>(shot_variance_);
      for (std::size_t i = 0; i < y.size(); ++i) {
        const float light = shot > 0 ? std::max(0.0f, totals_(r, static_cast<Index>(i))) : 0.0f;
        y[i] += std::sqrt(floor + shot * light) * xi[i];
      }
    }
    clipped[static_cast<std::size_t>(r)] = front_.write(y, id(r), converters, out, r);
  });
  Index sum = 0;
  for (const Index count : clipped) sum += count;
  return sum;
}

RunReport RingBank::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  if (in.count == 0) return {};
  std::int64_t saturated = 0;
  for (Index done = 0; done < in.count;) {
    bank_.move_to(bank_.step(at(done)));
    const Index n = frames_alike(done, in.count - done);
    saturated +=
        run_part(in.slice(done, n), out.slice(done, n), options.first_frame_id + static_cast<std::uint64_t>(done));
    done += n;
  }
  frames_ += in.count;
  return counted(info_, out, saturated);
}

std::vector<std::byte> RingBank::snapshot() const {
  ByteWriter bytes;
  put_head(bytes, kSnapshotVersion, params_);
  bytes.put(writes_);
  bytes.put(base_s_);
  bytes.put(written_s_);
  bytes.put(frames_);
  bytes.put(params_.real("clock_s"));  // not base_s_ where the symbol rate was changed since
  put_codes(bytes, codes_, *info_.program);
  if (params_.integer("detector.order") > 0) filter_.put(bytes);
  return bytes.take();
}

void RingBank::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "ring_bank snapshot");
  const bool whole = get_head(bytes, kSnapshotVersion, kOldestSnapshot, params_, info_.model);
  const auto writes = bytes.get<std::uint64_t>();
  const auto base = bytes.get<double>(), written = bytes.get<double>();
  const auto frames = bytes.get<std::int64_t>();
  const double clock = whole ? bytes.get<double>() : base;
  std::vector<std::uint16_t> codes = whole ? get_codes(bytes, *info_.program) : codes_;
  const bool filtered = params_.integer("detector.order") > 0;
  if (filtered && !whole) bytes.refuse("no memory of the receivers' filters");
  Matrix<float> past = filtered ? filter_.get(bytes) : Matrix<float>();
  bytes.done();
  if (!std::isfinite(base) || !std::isfinite(written) || frames < 0) bytes.refuse("times that are none");
  params_.set({{"clock_s", clock}});
  codes_ = std::move(codes);
  writes_ = writes;
  base_s_ = base;
  written_s_ = written;
  frames_ = frames;
  if (filtered) filter_.take(std::move(past));
  write();
}

std::vector<Monitor> RingBank::monitors() const {
  return {{"clock", "s", at(0)},
          {"heater power", "W", kHeaterWPerRad * bank_.heater_rad()},
          {"rings at the end of their detuning", "1", static_cast<double>(bank_.out_of_reach())},
          {"rms weight error in the loop's last round", "1", bank_.loop_error()}};
}

SelfTest RingBank::self_test() {
  float most = 0;  // light is not made
  for (const float total : bank_.totals().matrix().flat()) most = std::max(most, total);
  const double part = static_cast<double>(most) * bank_.full_scale();
  const double left = bank_.loop_error(), allowed = kMostLeft + 3 * params_.real("monitor_noise");
  std::string detail = "at most " + std::to_string(100 * part) +
                       " % of a channel arrives at a pair of diodes; the loop's last round left weights " +
                       std::to_string(left) + " off (rms, " + std::to_string(allowed) + " allowed)";
  if (left > allowed)
    detail += ": up to " + std::to_string(static_cast<Index>(bank_.resolved())) +
              " channels hold every matrix at this finesse and weight_range, " +
              std::to_string(params_.integer("channels")) + " are set; " + std::to_string(bank_.out_of_reach()) +
              " rings are at the end of their detuning; the loop may need more control.steps";
  return {part <= 1 + 1e-6 && left <= allowed, detail};
}

}  // namespace

DeviceModel model() {
  DeviceModel record;
  record.name = "ring_bank";
  record.kind = "layer";
  record.summary = "Banks of microrings that weigh wavelengths, read by balanced photodiodes";
  record.source = "Tait et al., Sci. Rep. 7, 7430 (2017); rings: Zhang et al., Opt. Express 31, 23651 (2023)";
  record.params = params();
  record.presets = presets();
  record.open = [](const ParamSet& given) { return std::make_unique<RingBank>(given); };
  record.twin = crossbar::make_twin;  // what the controller aims at: the matrix of the codes, without noise
  return record;
}

}  // namespace lightloop::ring_bank
