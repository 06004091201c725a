#include "devices/pendula/pendula.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/front_end.hpp"
#include "devices/pendula/params.hpp"
#include "devices/pendula/twin.hpp"
#include "devices/programme_bytes.hpp"
#include "devices/streams.hpp"
#include "driver/api/answer.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/component_latency.hpp"
#include "sim/detection/converter.hpp"

namespace lightloop::pendula {
namespace {

constexpr std::uint8_t kSnapshotVersion = 1;
constexpr double kDriveW = 1e-3;  // assumed: a small coil per pendulum

class Pendula : public Device {
 public:
  explicit Pendula(const ParamSet& given);

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
  /// What fabrication made of a chain.
  Chain made(Chain chain) const;
  /// The fastest motion of that, which steps must resolve.
  Chain fastest(double perturbation) const { return perturbed(made(scales_.fastest()), perturbation); }
  /// The chain of these codes before and after the perturbation.
  void build(std::vector<std::uint16_t> codes);
  /// What the perturbation makes of a chain.
  Chain perturbed(Chain chain, double size) const;

  ParamSet params_;
  DeviceInfo info_;
  Scales scales_;
  std::uint64_t seed_;
  FrontEnd front_;
  std::vector<std::uint16_t> codes_;
  Chain chain_;    // as they build it
  Chain changed_;  // from frame perturbation.frame on
  std::uint64_t changes_at_ = 0;
  bool open_ = true;
};

Pendula::Pendula(const ParamSet& given)
    : params_(given),
      scales_(given),
      seed_(static_cast<std::uint64_t>(given.integer("seed"))),
      front_(given, "sim:pendula", front_end_names()) {
  const auto bits = [&](const char* name) { return static_cast<int>(params_.integer(name)); };
  info_.kind = "layer";
  info_.model = "sim:pendula";
  info_.serial = "seed " + std::to_string(seed_);
  info_.version = "1";
  info_.input = {{scales_.size}, bits("dac.bits"), "DAC code of the angle a pendulum is let go from"};
  info_.output = {{scales_.size}, bits("adc.bits"), "ADC code of an angle, signed around the middle"};
  info_.program = FrameFormat{{3, scales_.size}, bits("program.bits"), "frequencies, couplings, drives"};
  const auto n = static_cast<double>(scales_.size);
  const double time = params_.real("time_s");
  info_.cost.frame_s = time;
  info_.cost.parts = {{"drive", n, n * kDriveW * time, 0, 0, time},
                      {"dac", n, n * front_.dac_j(), 0, 0, kDacLatencyS},
                      {"adc", n, n * front_.adc_j(), 0, 0, front_.adc_s()},
                      {"programming", 0, 0, 3 * n, 3 * n * dac_energy_j(info_.program->bits)}};
  for (const CostPart& part : info_.cost.parts) info_.cost.power_w += part.frame_j / time;
  info_.cost.program_j = 3 * n * dac_energy_j(info_.program->bits);
  check_turn(fastest(params_.real("perturbation")), scales_.step_s);
  const auto middle = static_cast<std::uint16_t>(info_.program->highest() / 2 + 1);
  build(std::vector<std::uint16_t>(static_cast<std::size_t>(scales_.parameters()), middle));
}

Chain Pendula::made(Chain chain) const {
  const Stream stream(seed_, 0, kPendulaFabrication);
  const auto spoil = [&](std::vector<double>& values, std::uint64_t row, const char* error) {
    for (std::size_t i = 0; i < values.size(); ++i)  // never below 0: a spring that pushes would tear the chain apart
      values[i] *= std::max(0.0, 1 + params_.real(error) * stream.normal(row, i));
  };
  spoil(chain.frequency, 0, "frequency_error");
  spoil(chain.coupling, 1, "coupling_error");
  spoil(chain.drive, 2, "drive_error");
  return chain;
}

Chain Pendula::perturbed(Chain chain, double size) const {
  const Stream stream(seed_, 0, kPendulaFabrication);
  for (std::size_t i = 0; i < chain.frequency.size(); ++i)
    chain.frequency[i] *= std::max(0.0, 1 + size * stream.normal(3, i));
  return chain;
}

void Pendula::build(std::vector<std::uint16_t> codes) {
  std::vector<float> settings(codes.size());
  from_codes(codes, info_.program->bits, settings);
  chain_ = made(scales_.chain(std::vector<double>(settings.begin(), settings.end())));
  const double size = params_.real("perturbation");
  changed_ = perturbed(chain_, size);
  changes_at_ = size > 0 ? static_cast<std::uint64_t>(params_.integer("perturbation.frame"))
                         : std::numeric_limits<std::uint64_t>::max();
  info_.deterministic = !front_.noisy() && (size == 0 || changes_at_ == 0);
  codes_ = std::move(codes);
}

void Pendula::configure(const Settings& changes) {
  const ParamSet asked = changed(changes);
  check_turn(fastest(asked.real("perturbation")), scales_.step_s);
  FrontEnd front(asked, info_.model, front_end_names());
  params_ = asked;
  front_ = std::move(front);
  build(codes_);
}

void Pendula::program(ConstFrames codes) {
  check_open(open_);
  check_program(codes);
  std::vector<std::uint16_t> next(codes_.size());
  for (Index i = 0; i < codes.size; ++i) next[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(codes.at(0, i));
  build(std::move(next));
}

std::vector<std::byte> Pendula::snapshot() const {
  ByteWriter bytes;
  put_head(bytes, kSnapshotVersion, params_);
  put_codes(bytes, codes_, *info_.program);
  return bytes.take();
}

void Pendula::restore(const std::vector<std::byte>& state) {
  if (state.empty()) return;  // taken when there was nothing in it
  ByteReader bytes(state, "pendula snapshot");
  get_head(bytes, kSnapshotVersion, kSnapshotVersion, params_, info_.model);
  std::vector<std::uint16_t> codes = get_codes(bytes, *info_.program);
  bytes.done();
  build(std::move(codes));
}

RunReport Pendula::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  if (in.count == 0) return {};
  const Stream noise(seed_, 0, kPendulaRead);
  const ConverterStreams converters = converter_streams(seed_, 0);
  const double early = front_.early_noise();
  const auto n = static_cast<std::size_t>(scales_.size);
  std::vector<Index> clipped(static_cast<std::size_t>(in.count));
  parallel_for(in.count, [&](Index r) {
    const std::uint64_t id = options.first_frame_id + static_cast<std::uint64_t>(r);
    std::vector<float> row(n), draws(n);
    front_.read(in, r, id, converters, row);
    std::vector<double> state(2 * n);
    for (std::size_t i = 0; i < n; ++i) state[i] = scales_.encoding_rad * static_cast<double>(row[i]);
    swing(id < changes_at_ ? chain_ : changed_, scales_.step_s, scales_.steps, state);
    if (early > 0) noise.normal(id, 0, draws);
    for (std::size_t i = 0; i < n; ++i) row[i] = static_cast<float>(state[i] + early * static_cast<double>(draws[i]));
    clipped[static_cast<std::size_t>(r)] = front_.write(row, id, converters, out, r);
  });
  return counted(info_, out, std::accumulate(clipped.begin(), clipped.end(), std::int64_t{0}));
}

SelfTest Pendula::self_test() {
  const double turned = turn(fastest(params_.real("perturbation")), scales_.step_s);
  return {turned <= kMostTurn, "the fastest motion turns by " + std::to_string(turned) + " rad in a step (" +
                                   to_string(Value(kMostTurn)) + " allowed)"};
}

}  // namespace

DeviceModel model() {
  DeviceModel record;
  record.name = "pendula";
  record.kind = "layer";
  record.summary = "A ring of driven, coupled pendula: angles in, angles later out, frequencies and springs to train";
  record.source = "Thakur et al., arXiv 0710.3373 (2007); Wright et al., Nature 601, 549 (2022)";
  record.params = params();
  record.presets["ideal"] = {
      {"frequency_error", 0.0}, {"coupling_error", 0.0}, {"drive_error", 0.0}, {"read_noise_rad", 0.0}};
  record.open = [](const ParamSet& given) { return std::make_unique<Pendula>(given); };
  record.twin = make_twin;
  return record;
}

}  // namespace lightloop::pendula
