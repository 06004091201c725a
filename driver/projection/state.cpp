#include "driver/projection/state.hpp"

#include <algorithm>

#include "driver/projection/exposure.hpp"

namespace lightloop {
namespace {

Encoding linear_encoding(const ParamSet& params) {
  Encoding encoding = parse_encoding(params.text("encoding"));
  encoding.dead_zone = static_cast<float>(params.real("dead_zone"));
  encoding.full_scale = static_cast<float>(params.real("full_scale"));
  encoding.feedback = params.boolean("error_feedback");
  return encoding;
}

Encoding intensity_encoding(const ParamSet& params) {
  Encoding encoding = parse_encoding("threshold");
  encoding.dead_zone = static_cast<float>(params.real("dead_zone"));
  return encoding;
}

// Every shot `repeats` times in a row, with its share of the coefficient.
std::vector<Shot> repeated(const std::vector<Shot>& shots, std::int64_t repeats) {
  std::vector<Shot> all;
  for (Shot shot : shots) {
    shot.real /= static_cast<float>(repeats);
    shot.imaginary /= static_cast<float>(repeats);
    all.insert(all.end(), static_cast<std::size_t>(repeats), shot);
  }
  return all;
}

}  // namespace

Projection::State::State(Session& s, Index inputs, Index outputs, const Settings& settings)
    : session(s),
      params(projection_settings(settings)),
      n_in(inputs),
      n_out(outputs),
      needed(layout(params, inputs, outputs)),
      shots(s, inputs, needed.anchor),
      intensity{Encoder(intensity_encoding(params), inputs), parse_readout("intensity"), {}} {
  intensity.readout.shots = repeated(intensity_shots(), params.integer("repeats"));
  if (needed.readout.kind == Readout::Kind::intensity) return;
  linear.emplace(Channel{Encoder(linear_encoding(params), inputs), needed.readout, {}});
  linear->readout.shots =
      repeated(needed.readout.kind == Readout::Kind::anchor ? anchor_shots()
                                                            : phase_shots(needed.readout.steps, shots.phase_bits()),
               params.integer("repeats"));
}

CalibrationPlan Projection::State::plan() const {
  return {.outputs = n_out,
          .on = needed.on,
          .inputs = n_in,
          .saturation = params.real("saturation"),
          .max_exposure_s = params.real("max_exposure"),
          .exposure_s = params.real("exposure"),
          .gain = params.real("gain"),
          .frames = params.integer("calibration_frames"),
          .seed = static_cast<std::uint64_t>(params.integer("seed"))};
}

ProjectionCost Projection::State::cost(Index frames, Index batches) const {
  const DeviceInfo& info = session.info();
  batches = std::max(batches, (frames + info.max_batch - 1) / info.max_batch);
  return {frames, info.cost.seconds(frames, batches), info.cost.joules(frames, batches)};
}

void Projection::State::prepare(Channel& channel) {
  if (!channel.calibration.done) calibrate(channel);
  if (channel.calibration.exposure_s > 0) set_exposure(session, channel.calibration.exposure_s);
}

}  // namespace lightloop
