#include "devices/crossbar/crossbar.hpp"

#include <algorithm>
#include <cmath>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/crossbar/twin.hpp"

namespace lightloop::crossbar {
namespace {

constexpr std::uint8_t kSnapshotVersion = 1;
// Times and energies. 130 ns per product: assumed, the order of published 8-bit phase-change cores. Converters per
// sample: 8-bit DAC 3.6 pJ and SAR ADC 1.48 pJ (the figures used by the SimPhony energy model). A cell that is read:
// half of g_max = 25 uS, 0.2 V full scale, uniform voltages: 22 fJ in 130 ns. Programming: one row at a time, assumed
// ten program-and-verify pulses of 1 us and 100 pJ per cell.
constexpr double kFrameS = 130e-9, kDacJ = 3.6e-12, kAdcJ = 1.48e-12, kCellJ = 22e-15;
constexpr double kProgramRowS = 10e-6, kProgramCellJ = 1e-9;

Value whole(std::int64_t value) { return value; }

std::vector<ParamInfo> params() {
  return {
      {"input.size", "1", whole(256), 1, 16384, "columns of the memory: DAC codes per frame", {}, true},
      {"output.size", "1", whole(256), 1, 16384, "rows of the memory: ADC codes per frame", {}, true},
      {"dac.bits", "1", whole(8), 2, 16, "bits of an input code", {}, true},
      {"weight.bits", "1", whole(8), 2, 16, "bits of a programme code", {}, true},
      {"adc.bits", "1", whole(8), 2, 16, "bits of an output code", {}, true},
      {"adc.range", "1", 10.0, 0.01, 1e6, "sum of products at the ends of the ADC's range"},
      {"programming_error",
       "1",
       0.038,
       0,
       1,
       "sd of a written weight, full scale 1, redrawn with every write",
       {},
       true},
      {"read_noise", "1", 0.0175, 0, 1, "sd of a weight in one frame, full scale 1"},
      {"output_noise", "1", 0.04, 0, 100, "sd of an output before the ADC, in units of the sum of products"},
      {"seed", "1", whole(1), 0, 9007199254740992.0, "key of all random numbers of this device", {}, true},
  };
}

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
  SelfTest self_test() override;
  void close() override { open_ = false; }

 private:
  void derive();
  void write_weights();
  void load_voltages(const ConstFrames& in);
  Index convert(std::span<float> y, double noise_sd, std::uint64_t frame, const Stream& noise, const Frames& out,
                Index row);

  ParamSet params_;
  DeviceInfo info_;
  std::uint64_t seed_;
  double read_noise_ = 0, output_noise_ = 0;
  float gain_ = 1;  // ADC codes per unit of y
  std::vector<std::uint16_t> codes_;
  std::uint64_t writes_ = 0;
  bool open_ = true;
  Matrix<float> weights_;                       // (outputs, inputs), as written
  Matrix<float> voltages_, products_, noises_;  // workspaces, one row per frame
};

Crossbar::Crossbar(const ParamSet& given)
    : params_(given),
      seed_(static_cast<std::uint64_t>(given.integer("seed"))),
      weights_(given.integer("output.size"), given.integer("input.size")) {
  const Index n_out = weights_.rows(), n_in = weights_.cols();
  const auto bits = [&](const char* name) { return static_cast<int>(params_.integer(name)); };
  info_.kind = "layer";
  info_.model = "sim:crossbar";
  info_.serial = "seed " + std::to_string(seed_);
  info_.version = "1";
  info_.input = {{n_in}, bits("dac.bits"), "DAC code, signed around the middle"};
  info_.output = {{n_out}, bits("adc.bits"), "ADC code, signed around the middle"};
  info_.program = FrameFormat{{n_out, n_in}, bits("weight.bits"), "weight code, signed around the middle"};
  info_.transposed = true;
  const double cells = static_cast<double>(weights_.size());
  info_.cost.frame_s = kFrameS;
  info_.cost.power_w =
      (static_cast<double>(n_in) * kDacJ + static_cast<double>(n_out) * kAdcJ + cells * kCellJ) / kFrameS;
  info_.cost.program_s = static_cast<double>(n_out) * kProgramRowS;
  info_.cost.program_j = cells * kProgramCellJ;
  codes_.assign(static_cast<std::size_t>(weights_.size()),
                static_cast<std::uint16_t>(info_.program->highest() / 2 + 1));
  derive();
}

void Crossbar::derive() {
  read_noise_ = params_.real("read_noise");
  output_noise_ = params_.real("output_noise");
  gain_ = static_cast<float>(std::ldexp(1.0, info_.output.bits - 1) / params_.real("adc.range"));
  info_.deterministic = read_noise_ == 0 && output_noise_ == 0;
}

void Crossbar::configure(const Settings& changes) {
  params_ = changed(changes);
  derive();
}

void Crossbar::program(ConstFrames codes) {
  check_open(open_);
  check_program(codes);
  for (Index i = 0; i < codes.size; ++i)
    codes_[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(codes.at(0, i));
  ++writes_;
  write_weights();
}

void Crossbar::write_weights() {
  const Stream errors(seed_, 0, Purpose::crossbar_programming);
  const float middle = std::ldexp(1.0f, info_.program->bits - 1);
  const float sd = static_cast<float>(params_.real("programming_error"));
  parallel_for(weights_.rows(), [&](Index i) {
    const std::span<float> row = weights_.row(i);
    if (writes_ == 0) {
      std::ranges::fill(row, 0.0f);
      return;
    }
    errors.normal(writes_ * static_cast<std::uint64_t>(weights_.rows()) + static_cast<std::uint64_t>(i), 0, row);
    const std::uint16_t* codes = codes_.data() + i * weights_.cols();
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = (codes[j] - middle) / middle + sd * row[j];
  });
}

void Crossbar::load_voltages(const ConstFrames& in) {
  voltages_.resize(in.count, in.size);
  const float scale = std::ldexp(1.0f, 1 - info_.input.bits);
  const auto load = [&](const auto codes) {
    for (Index i = 0; i < voltages_.size(); ++i) voltages_.data()[i] = scale * codes.data()[i] - 1.0f;
  };
  in.bytes == 1 ? load(in.u8()) : load(in.u16());
}

Index Crossbar::convert(std::span<float> y, double noise_sd, std::uint64_t frame, const Stream& noise,
                        const Frames& out, Index row) {
  if (noise_sd > 0) {
    const std::span<float> xi = noises_.row(row);
    noise.normal(frame, 0, xi);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += static_cast<float>(noise_sd) * xi[i];
  }
  const float middle = std::ldexp(1.0f, info_.output.bits - 1), top = 2 * middle - 1;
  Index clipped = 0;
  for (float& value : y) {
    const float code = std::rint(middle + gain_ * value);
    value = std::clamp(code, 0.0f, top);
    clipped += code != value;
  }
  const auto store = [&](const auto codes) {
    for (std::size_t i = 0; i < y.size(); ++i)
      codes[i] = static_cast<std::remove_reference_t<decltype(codes[i])>>(y[i]);
  };
  out.bytes == 1 ? store(out.u8().row(row)) : store(out.u16().row(row));
  return clipped;
}

RunReport Crossbar::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  RunReport report;
  if (in.count == 0) return report;
  const bool forward = options.pass == Pass::forward;
  load_voltages(in);
  products_.resize(in.count, out.size);
  noises_.resize(in.count, out.size);
  gemm(Transpose::no, forward ? Transpose::yes : Transpose::no, 1.0f, voltages_, weights_, 0.0f, products_);
  const Stream noise(seed_, forward ? 0 : 1, Purpose::crossbar_read);
  std::vector<Index> clipped(static_cast<std::size_t>(in.count));
  parallel_for(in.count, [&](Index row) {
    double square = 0;
    for (const float v : voltages_.row(row)) square += static_cast<double>(v) * v;
    const double sd = std::sqrt(read_noise_ * read_noise_ * square + output_noise_ * output_noise_);
    clipped[static_cast<std::size_t>(row)] =
        convert(products_.row(row), sd, options.first_frame_id + static_cast<std::uint64_t>(row), noise, out, row);
  });
  for (const Index count : clipped) report.saturated += count;
  report.frames = in.count;
  report.codes = in.count * out.size;
  report.device_s = info_.cost.seconds(in.count, 1);
  report.device_j = info_.cost.joules(in.count, 1);
  return report;
}

std::vector<std::byte> Crossbar::snapshot() const {
  ByteWriter bytes;
  bytes.put(kSnapshotVersion);
  bytes.put(writes_);
  return bytes.take();
}

void Crossbar::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "crossbar snapshot");
  if (bytes.get<std::uint8_t>() != kSnapshotVersion) bytes.refuse("another version");
  const auto writes = bytes.get<std::uint64_t>();
  bytes.done();
  writes_ = writes;
  write_weights();
}

SelfTest Crossbar::self_test() {
  FrameBuffer in(info_.input, 1), out(info_.output, 1);
  const std::uint32_t zero_in = info_.input.highest() / 2 + 1, zero_out = info_.output.highest() / 2 + 1;
  for (Index j = 0; j < info_.input.size(); ++j) in.frames().set(0, j, zero_in);
  run(in.frames(), out.frames());
  double worst = 0;
  for (Index i = 0; i < info_.output.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(out.frames().at(0, i)) - zero_out));
  const double allowed = 7 * output_noise_ * static_cast<double>(gain_) + 1;  // no draw is beyond 6.8 sd
  return {worst <= allowed, "without drive the outputs lie within " + std::to_string(worst) + " codes of zero (" +
                                std::to_string(allowed) + " allowed)"};
}

}  // namespace

DeviceModel model() {
  DeviceModel record;
  record.name = "crossbar";
  record.kind = "layer";
  record.summary = "Analog crossbar memory: a programmable matrix with programming error, read noise and converters";
  record.source = "Rasch et al., Nat. Commun. 14, 5282 (2023); Joshi et al., Nat. Commun. 11, 2473 (2020)";
  record.params = params();
  record.presets["ideal"] = {{"programming_error", 0.0}, {"read_noise", 0.0}, {"output_noise", 0.0}};
  record.open = [](const ParamSet& given) { return std::make_unique<Crossbar>(given); };
  record.twin = make_twin;
  return record;
}

}  // namespace lightloop::crossbar
