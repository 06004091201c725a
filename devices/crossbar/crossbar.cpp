#include "devices/crossbar/crossbar.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/clock.hpp"
#include "devices/crossbar/params.hpp"
#include "devices/crossbar/product.hpp"
#include "devices/crossbar/twin.hpp"
#include "devices/detector.hpp"
#include "devices/front_end.hpp"
#include "devices/programme_bytes.hpp"
#include "devices/room.hpp"
#include "driver/api/answer.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/component_latency.hpp"

namespace lightloop::crossbar {
namespace {

constexpr std::uint8_t kSnapshotVersion = 3, kOldestSnapshot = 2;  // 2 had no programme
// Energies. Converters, amplifiers: sim/detection/component_energy.hpp. A cell that is read: half of g_max = 25 uS, 0.2
// V full scale, uniform voltages: 22 fJ in 130 ns. Programming: one row at a time, assumed ten program-and-verify
// pulses of 1 us and 100 pJ per cell. Pulsed cells: as many such pulses as are sent, in weights mode one that erases
// (assumed) and those of all rounds; reading back between rounds is not counted. All cells of a row get their trains
// together, up or down (assumed).
constexpr double kCellJ = 22e-15;
constexpr double kProgramRowS = 10e-6, kProgramCellJ = 1e-9, kPulseS = 1e-6, kPulseJ = 100e-12;

constexpr Index kSlab = 192;  // frames in the caches together; bits do not depend on it
constexpr std::size_t kChunk = 256;

class Crossbar : public Device {
 public:
  explicit Crossbar(const ParamSet& given);

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
  void cost_of_frames();
  void cost_of_writing();
  double now() const { return base_s_ + static_cast<double>(frames_) * kFrameS; }
  double at(Index frame) const { return base_s_ + static_cast<double>(frames_ + frame) * kFrameS; }
  /// How many of the frames after `first` see the conductances that `first` sees.
  Index frames_alike(Index first, Index count) const;
  Index run_slab(const ConstFrames& in, const Frames& out, const RunOptions& options);
  /// What the two passes have of their own.
  struct Side {
    std::span<const float> offsets;
    Stream read;
    ConverterStreams converters;
  };
  Index convert(Index row, std::uint64_t id, const Side& side, const Frames& out);

  ParamSet params_;
  DeviceInfo info_;
  std::uint64_t seed_;
  Imperfections what_;
  FrontEnd front_;
  double receiver_sd_ = 0;  // of an output
  std::vector<std::uint16_t> codes_;
  Cells cells_;
  std::vector<float> offsets_[2];  // relative loss of every output, forward and transposed
  bool open_ = true;
  // state
  std::uint64_t writes_ = 0;
  double base_s_ = 0, written_s_ = 0;
  std::int64_t frames_ = 0;
  Product product_;
};

/// Before anything large is made.
const ParamSet& fitting(const ParamSet& given) {
  const auto cells = static_cast<double>(given.integer("output.size") * given.integer("input.size"));
  check_room("sim:crossbar cells", cells * (Cells::bytes_per_cell(given) + sizeof(std::uint16_t)),
             "Lower input.size or output.size.");
  const std::string& kind = given.text("cell.kind");
  if (given.boolean("pulse.pair") && kind != "constant_step" && kind != "soft_bounds")
    throw InvalidParameter("sim:crossbar: pulse.pair", "true with cell.kind = " + kind,
                           "cell.kind = constant_step or soft_bounds", "Other cells know no pulses.");
  return given;
}

Crossbar::Crossbar(const ParamSet& given)
    : params_(fitting(given)), seed_(static_cast<std::uint64_t>(given.integer("seed"))), cells_(given) {
  const Index n_out = given.integer("output.size"), n_in = given.integer("input.size");
  const auto bits = [&](const char* name) { return static_cast<int>(params_.integer(name)); };
  info_.kind = "layer";
  info_.model = "sim:crossbar";
  info_.serial = "seed " + std::to_string(seed_);
  info_.version = "2";
  info_.input = {{n_in}, bits("dac.bits"), "DAC code, signed around the middle"};
  info_.output = {{n_out}, bits("adc.bits"), "ADC code, signed around the middle"};
  info_.program = FrameFormat{{n_out, n_in}, bits("weight.bits"), "weight code, signed around the middle"};
  info_.transposed = true;
  info_.stateful = cells_.drifts();
  codes_.assign(static_cast<std::size_t>(n_out * n_in), static_cast<std::uint16_t>(info_.program->highest() / 2 + 1));
  base_s_ = given.real("clock_s");
  derive();
}

void Crossbar::derive() {
  what_ = imperfections(params_);
  front_ = FrontEnd(params_, info_.model);
  const double density = params_.boolean("detector.noise") ? photoreceiver(params_, 0).floor_density() : 0.0;
  receiver_sd_ = std::sqrt(density * receiver_bandwidth_hz(params_)) / params_.real("cell.current_a");
  info_.deterministic = !reads_noisily(what_, cells_) && receiver_sd_ == 0 && !front_.noisy();
  cost_of_frames();
  cost_of_writing();
  const Stream fabrication(seed_, 0, Purpose::crossbar_fabrication);
  for (int side = 0; side < 2; ++side) {
    std::vector<float>& offsets = offsets_[side];
    offsets.resize(static_cast<std::size_t>((side == 0 ? info_.output : info_.input).size()));
    fabrication.normal(static_cast<std::uint64_t>(side), 0, offsets);
    for (float& value : offsets) value *= static_cast<float>(what_.voltage_offset);
  }
}

void Crossbar::cost_of_frames() {
  const auto in = static_cast<double>(info_.input.size()), out = static_cast<double>(info_.output.size());
  info_.cost.frame_s = kFrameS;
  info_.cost.parts = {{"dac", in, in * front_.dac_j(), 0, 0, kDacLatencyS, CostPer::input},
                      {"cells", in * out, in * out * kCellJ, 0, 0, kFrameS},
                      {"adc", out, out * front_.adc_j(), 0, 0, front_.adc_s(), CostPer::output},
                      {"programming", 0, 0, 0, 0}};
  if (params_.boolean("detector.noise"))  // without it receivers are ideal, and take nothing
    info_.cost.parts.insert(info_.cost.parts.begin() + 2,
                            {"tia", out, out * kAmplifierW * kFrameS, 0, 0, receiver_rise_s(params_), CostPer::output});
  info_.cost.power_w = 0;
  for (const CostPart& part : info_.cost.parts) info_.cost.power_w += part.frame_j / kFrameS;
}

void Crossbar::cost_of_writing() {
  const auto rows = static_cast<double>(info_.output.size()), cells = rows * static_cast<double>(info_.input.size());
  const PulseTrains& sent = cells_.sent();
  const bool pulsed = cells_.pulsed();
  info_.cost.program_s = pulsed ? sent.longest * kPulseS : rows * kProgramRowS;
  info_.cost.program_j = pulsed ? sent.pulses * kPulseJ : cells * kProgramCellJ;
  CostPart& part = info_.cost.parts.back();
  part.program_events = pulsed ? sent.pulses : cells;
  part.program_j = info_.cost.program_j;
}

void Crossbar::configure(const Settings& changes) {
  ParamSet next = changed(changes);
  const double clock = next.real("clock_s");
  if (clock != params_.real("clock_s")) {
    check_clock(info_.model, clock, now());
    if (writes_ > 0 && clock - written_s_ > cells_.oldest())
      throw OutOfRange("sim:crossbar: clock_s", std::to_string(clock) + " s",
                       std::to_string(written_s_ + cells_.oldest()) + " s for what was written at " +
                           std::to_string(written_s_) + " s and cell.kind = " + params_.text("cell.kind"),
                       "Nothing is known of older cells of this kind; write the weights again.");
    base_s_ = clock;
    frames_ = 0;
  }
  params_ = std::move(next);
  derive();
}

void Crossbar::reset() {
  base_s_ = params_.real("clock_s");
  frames_ = 0;
  written_s_ = std::min(written_s_, base_s_);
}

void Crossbar::program(ConstFrames codes) {
  check_open(open_);
  check_program(codes);
  const bool pulses = params_.text("program.mode") == "pulses";
  if (pulses && !cells_.pulsed())
    throw Unsupported("sim:crossbar: program.mode", "pulses with cell.kind = " + params_.text("cell.kind"),
                      "cell.kind = constant_step or soft_bounds", "Set program.mode to weights.");
  for (Index i = 0; i < codes.size; ++i)
    codes_[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(codes.at(0, i));
  ++writes_;
  written_s_ = now();
  const float middle = std::ldexp(1.0f, info_.program->bits - 1);
  pulses ? cells_.pulse(codes_, middle, writes_) : cells_.write(codes_, middle, writes_);
  cost_of_writing();
}

Index Crossbar::convert(Index row, std::uint64_t id, const Side& side, const Frames& out) {
  const double early = std::hypot(front_.early_noise(), receiver_sd_),
               before = early * early + product_.row_variance(what_, row);
  const auto squared = static_cast<float>(before), sd = static_cast<float>(std::sqrt(before));
  const bool offsets = what_.voltage_offset > 0, noisy = !info_.deterministic;
  Index clipped = 0;
  float values[kChunk], variances[kChunk], draws[kChunk];
  const auto size = static_cast<std::size_t>(out.size);
  for (std::size_t first = 0; first < size; first += kChunk) {
    const std::size_t n = std::min(kChunk, size - first);
    const std::span<float> y(values, n), variance(variances, n), xi(draws, n);
    product_.outputs(what_, row, static_cast<Index>(first), y);
    if (offsets)
      for (std::size_t i = 0; i < n; ++i) y[i] *= 1.0f - side.offsets[first + i];
    if (noisy) {
      side.read.normal(id, first, xi);
      if (product_.own_variances()) {
        product_.variances(what_, row, static_cast<Index>(first), variance);
        for (std::size_t i = 0; i < n; ++i) y[i] += std::sqrt(variance[i] + squared) * xi[i];
      } else {
        for (std::size_t i = 0; i < n; ++i) y[i] += sd * xi[i];
      }
    }
    clipped += front_.write(y, id, side.converters, out, row, first);
  }
  return clipped;
}

Index Crossbar::frames_alike(Index first, Index count) const {
  if (!cells_.drifts()) return count;
  const Index here = Cells::step(at(first) - written_s_);
  Index low = 1, high = count;  // the step never falls: bisect
  while (low < high) {
    const Index middle = low + (high - low + 1) / 2;
    if (Cells::step(at(first + middle - 1) - written_s_) == here)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

Index Crossbar::run_slab(const ConstFrames& in, const Frames& out, const RunOptions& options) {
  const bool forward = options.pass == Pass::forward;
  const std::uint64_t number = forward ? 0 : 1;
  const auto read = [&](std::uint64_t instance) { return Stream(seed_, instance + number, Purpose::crossbar_read); };
  Side side{offsets_[number], read(0), converter_streams(seed_, number)};
  side.converters.input = read(2);
  side.converters.output = read(4);
  const auto id = [&](Index row) { return options.first_frame_id + static_cast<std::uint64_t>(row); };
  product_.prepare(in.count, in.size);
  parallel_for(in.count, [&](Index row) { front_.read(in, row, id(row), side.converters, product_.voltages(row)); });
  product_.compute(cells_, what_, forward);
  Index counts[kSlab] = {};
  parallel_for(in.count, [&](Index row) { counts[row] = convert(row, id(row), side, out); });
  return std::accumulate(counts, counts + in.count, Index{0});
}

RunReport Crossbar::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  if (in.count == 0) return {};
  std::int64_t saturated = 0;
  const double age = at(in.count - 1) - written_s_;
  if (writes_ > 0 && Cells::age_of(Cells::step(age)) > cells_.oldest())
    throw OutOfRange("sim:crossbar: age of the cells at the last frame", std::to_string(age) + " s",
                     std::to_string(cells_.oldest()) + " s",
                     "Nothing is known of older cells of this kind; write the weights again.");
  for (Index done = 0; done < in.count;) {
    cells_.age(Cells::step(at(done) - written_s_));
    const Index n = frames_alike(done, std::min(kSlab, in.count - done));
    RunOptions part = options;
    part.first_frame_id += static_cast<std::uint64_t>(done);
    saturated += run_slab(in.slice(done, n), out.slice(done, n), part);
    done += n;
  }
  frames_ += in.count;
  return counted(info_, out, saturated, options.pass);
}

std::vector<std::byte> Crossbar::snapshot() const {
  ByteWriter bytes;
  put_head(bytes, kSnapshotVersion, params_);
  bytes.put(writes_);
  bytes.put(base_s_);
  bytes.put(written_s_);
  bytes.put(frames_);
  if (const PulsedPairs* pairs = cells_.pairs()) {
    bytes.put_all(pairs->plus().flat());
    bytes.put_all(pairs->minus().flat());
  } else {
    cells_.pulsed() ? bytes.put_all(cells_.weights().matrix().flat()) : put_codes(bytes, codes_, *info_.program);
  }
  return bytes.take();
}

void Crossbar::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "crossbar snapshot");
  const bool whole = get_head(bytes, kSnapshotVersion, kOldestSnapshot, params_, info_.model);
  const auto writes = bytes.get<std::uint64_t>();
  const auto base = bytes.get<double>(), written = bytes.get<double>();
  const auto frames = bytes.get<std::int64_t>();
  Matrix<float> pulsed, minus;  // of pairs both sides
  const auto get_sizes = [&](Matrix<float>& to, bool side) {
    to.resize(cells_.weights().rows(), cells_.weights().cols());
    bytes.get_all(to.flat());
    for (const float weight : to.flat())
      if (!std::isfinite(weight) || (side && weight < 0)) bytes.refuse("a weight that no cell holds");
  };
  if (cells_.pulsed()) get_sizes(pulsed, cells_.pairs() != nullptr);
  if (cells_.pairs()) get_sizes(minus, true);
  std::vector<std::uint16_t> codes = whole && !cells_.pulsed() ? get_codes(bytes, *info_.program) : codes_;
  bytes.done();
  if (!std::isfinite(written) || written > base + static_cast<double>(frames) * kFrameS || frames < 0)
    bytes.refuse("cells that will be written at " + std::to_string(written) + " s");
  params_.set({{"clock_s", base}});
  codes_ = std::move(codes);
  writes_ = writes;
  base_s_ = base;
  written_s_ = written;
  frames_ = frames;
  cells_.pairs()    ? cells_.set_pairs(pulsed, minus)
  : cells_.pulsed() ? cells_.set(pulsed)
                    : cells_.write(codes_, std::ldexp(1.0f, info_.program->bits - 1), writes_);
}

std::vector<Monitor> Crossbar::monitors() const {
  return {{"clock", "s", now()}, {"age of the programme", "s", now() - written_s_}};
}

SelfTest Crossbar::self_test() {
  FrameBuffer in(info_.input, 1), out(info_.output, 1);
  const std::uint32_t zero_in = info_.input.highest() / 2 + 1, zero_out = info_.output.highest() / 2 + 1;
  for (Index j = 0; j < info_.input.size(); ++j) in.frames().set(0, j, zero_in);
  const std::int64_t frames = frames_;
  const FrontEnd::AtRest rest(front_);
  run(in.frames(), out.frames());
  frames_ = frames;
  double worst = 0;
  for (Index i = 0; i < info_.output.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(out.frames().at(0, i)) - zero_out));
  // voltage noise meets weights of full size at most
  const double allowed = front_.off_zero(front_.output_noise + receiver_sd_ +
                                         front_.input_noise * std::sqrt(static_cast<double>(info_.input.size())));
  return {worst <= allowed, "without drive the outputs lie within " + std::to_string(worst) + " codes of zero (" +
                                std::to_string(allowed) + " allowed)"};
}

}  // namespace

DeviceModel model() {
  DeviceModel record;
  record.name = "crossbar";
  record.kind = "layer";
  record.summary =
      "Analog crossbar memory: a programmable matrix with converters, programming error, read noise, IR drop and drift";
  record.source = "Rasch et al., Nat. Commun. 14, 5282 (2023); Joshi et al., Nat. Commun. 11, 2473 (2020)";
  record.params = params();
  record.presets = presets();
  record.open = [](const ParamSet& given) { return std::make_unique<Crossbar>(given); };
  record.twin = make_twin;
  return record;
}

}  // namespace lightloop::crossbar
