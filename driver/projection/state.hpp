#pragma once
// What a Projection holds: two channels (the linear read-out and plain intensity) on one device, and their workspaces.
#include <optional>

#include "driver/projection/calibration.hpp"
#include "driver/projection/encoder.hpp"
#include "driver/projection/layout.hpp"
#include "driver/projection/projection.hpp"
#include "driver/projection/shots.hpp"

namespace lightloop {

/// One way from rows to numbers: an encoder, a read-out, and what was measured for it.
struct Channel {
  Encoder encoder;
  Readout readout;
  Calibration calibration;
  Index frames_per_row() const { return encoder.encoding().patterns() * static_cast<Index>(readout.shots.size()); }
};

/// Where the frames of a row went.
struct Row {
  Index first = 0, frames = 0;
  float weights = 0, scale = 1;
};

struct Projection::State {
  State(Session& s, Index inputs, Index outputs, const Settings& settings);

  Channel& linear_channel();  ///< throws Unsupported when there is none
  Channel& main() { return linear ? *linear : intensity; }
  CalibrationPlan plan() const;
  /// In as few batches as the device allows, but at least so many.
  ProjectionCost cost(Index frames, Index batches = 0) const;

  void calibrate(Channel& channel) { channel.calibration = lightloop::calibrate(shots, channel.readout, plan()); }
  /// Calibrates if that has not been done, and sets the channel's exposure.
  void prepare(Channel& channel);
  /// Rows in, numbers out, in pieces that fit into memory. On throw nothing that later rows depend on has changed. With
  /// `later` the last piece is only submitted; finish() brings it.
  void transform(Channel& channel, View<const float> x, View<float> y, bool later = false);
  void finish();
  void decode_rows(const Channel& channel, View<float> y);
  /// Codes rows and lists their frames.
  void collect(Channel& channel, View<const float> x);
  /// Puts the codes of one row's frames together; rows are independent of each other.
  void decode(const Channel& channel, Index row, std::span<float> y);

  Session& session;
  ParamSet params;
  Index n_in, n_out;
  Layout needed;
  Shots shots;
  Channel intensity;
  std::optional<Channel> linear;

  std::vector<Row> rows;
  Matrix<float> coefficients;  // per frame: real, imaginary
  Matrix<float> sums;          // per row: one value per source
  std::vector<float> residual;
  Channel* pending = nullptr;  // what finish() will decode, and where to
  View<float> pending_rows;
};

}  // namespace lightloop
