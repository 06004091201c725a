#include "driver/projection/projection.hpp"

#include <algorithm>
#include <cmath>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/stats.hpp"
#include "driver/projection/exposure.hpp"
#include "driver/projection/state.hpp"

namespace lightloop {
namespace {

constexpr std::uint8_t kSnapshotVersion = 1;
constexpr Index kProbeFrames = 4;

}  // namespace

Projection::Projection(Session& session, Index n_in, Index n_out, const Settings& settings) {
  const DeviceInfo& info = session.info();
  if (info.kind != "projection")
    throw Unsupported("projection on " + info.model, "a device of kind " + info.kind, "kind projection");
  if (n_in < 1 || n_out < 1)
    throw ShapeMismatch("projection", std::to_string(n_in) + " to " + std::to_string(n_out), "at least 1 to 1");
  state_ = std::make_unique<State>(session, n_in, n_out, settings);
  const Layout& needed = state_->needed;
  if (info.input.size() < needed.inputs)
    throw ShapeMismatch("input.size of " + info.model, std::to_string(info.input.size()),
                        "at least " + std::to_string(needed.inputs) + " = " + std::to_string(n_in) + " inputs + " +
                            std::to_string(needed.anchor) + " for the anchor",
                        "Open the device with input.size=" + std::to_string(needed.inputs) + ".");
  if (info.output.size() < needed.pixels)
    throw ShapeMismatch("output.size of " + info.model, std::to_string(info.output.size()),
                        "at least " + std::to_string(needed.pixels) + " for " + std::to_string(n_out) + " outputs",
                        "Open the device with output.size=" + std::to_string(needed.pixels) + ".");
  const double exposure_s = state_->params.real("exposure");
  if (exposure_s > 0 && exposure_range(session).settable()) set_exposure(session, exposure_s);
}

Projection::~Projection() = default;

Index Projection::inputs() const { return state_->n_in; }
Index Projection::outputs() const { return state_->n_out; }
const ParamSet& Projection::settings() const { return state_->params; }
void Projection::calibrate() { state_->calibrate(state_->main()); }
const CalibrationReport& Projection::report() const { return state_->main().calibration; }

Channel& Projection::State::linear_channel() {
  if (!linear) throw Unsupported("linear projection", "projection.readout=intensity", "readout=anchor or phaseN");
  return *linear;
}

void Projection::linear(View<const float> x, View<float> y) { state_->transform(state_->linear_channel(), x, y); }
void Projection::begin_linear(View<const float> x, View<float> y) {
  state_->transform(state_->linear_channel(), x, y, true);
}
void Projection::finish_linear() { state_->finish(); }

void Projection::intensity(View<const float> x, View<float> y) {
  if (state_->shots.pixels() < state_->n_out)
    throw ShapeMismatch("output.size of " + state_->session.info().model, std::to_string(state_->shots.pixels()),
                        "at least " + std::to_string(state_->n_out) + " for intensities",
                        "Open the device with output.size=" + std::to_string(state_->n_out) + ".");
  state_->transform(state_->intensity, x, y);
}

ProjectionCost Projection::cost(Index rows) const { return state_->cost(rows * state_->main().frames_per_row()); }
ProjectionCost Projection::calibration_cost() const {
  const CalibrationCost most = lightloop::calibration_cost(state_->main().readout, state_->plan());
  return state_->cost(most.frames, most.batches);
}
ProjectionCost Projection::probe_cost() const { return state_->cost(kProbeFrames); }

Health Projection::probe() {
  State& s = *state_;
  s.prepare(s.main());
  const CalibrationPlan plan = s.plan();
  std::vector<std::uint8_t> pattern(static_cast<std::size_t>(s.n_in));
  s.shots.begin(kProbeFrames);
  for (int k = 0; k < 2; ++k) s.shots.add(pattern, {});
  probe_pattern(plan, 0, pattern);
  for (int k = 0; k < 2; ++k) s.shots.add(pattern, s.main().readout.shots.front());
  s.shots.run();
  Matrix<float> codes(kProbeFrames, s.shots.pixels());
  for (Index f = 0; f < kProbeFrames; ++f) s.shots.accumulate(f, 1, codes.row(f));
  Health health;
  for (const float code : codes.flat().first(static_cast<std::size_t>(2 * codes.cols()))) health.dark_level += code;
  health.dark_level /= static_cast<double>(2 * codes.cols());
  const auto highest = static_cast<float>(s.session.info().output.highest());
  const auto bright = codes.view().rows(2, 2);
  for (Index f = 0; f < 2; ++f)
    for (const float code : bright.row(f)) health.saturation += code == highest;
  health.saturation /= static_cast<double>(bright.size());
  health.repeat_correlation = correlation(bright.row(0), bright.row(1));
  if (std::isnan(health.repeat_correlation)) health.repeat_correlation = 0;  // a constant frame repeats nothing
  return health;
}

std::vector<std::byte> Projection::snapshot() const {
  ByteWriter out;
  out.put(kSnapshotVersion);
  out.put(state_->n_in);
  out.put(state_->n_out);
  out.put(static_cast<int>(state_->main().readout.kind));
  state_->intensity.calibration.write(out);
  if (state_->linear) {
    state_->linear->calibration.write(out);
    out.put_all(std::span<const float>(state_->linear->encoder.residual()));
  }
  return out.take();
}

void Projection::restore(const std::vector<std::byte>& bytes) {
  State& s = *state_;
  ByteReader in(bytes, "projection snapshot");
  if (const auto version = in.get<std::uint8_t>(); version != kSnapshotVersion)
    in.refuse("version " + std::to_string(version));
  const auto n_in = in.get<Index>(), n_out = in.get<Index>();
  if (n_in != s.n_in || n_out != s.n_out || in.get<int>() != static_cast<int>(s.main().readout.kind))
    in.refuse("taken of another read-out or of " + std::to_string(n_in) + " to " + std::to_string(n_out));
  Calibration intensity, linear;
  intensity.read(in, s.n_out, s.shots.pixels());
  std::vector<float> carried;
  if (s.linear) {
    linear.read(in, s.n_out, s.shots.pixels() * s.linear->readout.parts());
    carried.resize(s.linear->encoder.residual().size());
    in.get_all(std::span<float>(carried));
  }
  in.done();
  s.intensity.calibration = std::move(intensity);
  if (!s.linear) return;
  s.linear->calibration = std::move(linear);
  std::copy(carried.begin(), carried.end(), s.linear->encoder.residual().begin());
}

}  // namespace lightloop
