#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "driver/projection/state.hpp"

namespace lightloop {
namespace {

constexpr Index kChunkBytes = Index{64} << 20;  // assumed: frames kept in memory at a time

}  // namespace

void Projection::State::transform(Channel& channel, View<const float> x, View<float> y, bool later) {
  if (pending)
    throw InvalidParameter("projection", "begun and not finished", "", "Call finish() before the next projection.");
  if (x.cols() != n_in || y.cols() != n_out || x.rows() != y.rows())
    throw ShapeMismatch("projection",
                        "(" + std::to_string(x.rows()) + ", " + std::to_string(x.cols()) + ") to (" +
                            std::to_string(y.rows()) + ", " + std::to_string(y.cols()) + ")",
                        "equal rows, " + std::to_string(n_in) + " inputs and " + std::to_string(n_out) + " outputs");
  channel.encoder.check(x);
  prepare(channel);
  const Index frame_bytes = shots.frame_bytes() * channel.frames_per_row();
  const Index chunk = std::clamp<Index>(kChunkBytes / frame_bytes, 1, std::max<Index>(x.rows(), 1));
  const auto carried = channel.encoder.residual();
  residual.assign(carried.begin(), carried.end());
  try {
    for (Index first = 0; first < x.rows(); first += chunk) {
      const Index count = std::min(chunk, x.rows() - first);
      collect(channel, x.rows(first, count));
      if (later && first + count == x.rows()) {
        shots.submit();
        pending = &channel;
        pending_rows = y.rows(first, count);
      } else {
        shots.run();
        decode_rows(channel, y.rows(first, count));
      }
    }
  } catch (...) {
    std::copy(residual.begin(), residual.end(), carried.begin());
    throw;
  }
}

void Projection::State::finish() {
  if (!pending) return;
  Channel& channel = *std::exchange(pending, nullptr);
  try {
    shots.wait();
  } catch (...) {
    std::ranges::copy(residual, channel.encoder.residual().begin());
    throw;
  }
  decode_rows(channel, pending_rows);
}

void Projection::State::decode_rows(const Channel& channel, View<float> y) {
  struct Job {
    State* state;
    const Channel* channel;
    View<float> y;
  } job{this, &channel, y};
  parallel_for(y.rows(), [&job](Index r) { job.state->decode(*job.channel, r, job.y.row(r)); });
}

void Projection::State::collect(Channel& channel, View<const float> x) {
  const Index most = x.rows() * channel.frames_per_row();
  const bool skip = params.boolean("skip_empty");
  Encoder& encoder = channel.encoder;
  shots.begin(most);
  coefficients.resize(most, 2);
  rows.resize(static_cast<std::size_t>(x.rows()));
  sums.resize(x.rows(), shots.pixels() * channel.readout.parts());
  for (Index r = 0; r < x.rows(); ++r) {
    encoder.encode(x.row(r));
    Row& row = rows[static_cast<std::size_t>(r)];
    row = {.first = shots.count(), .scale = encoder.scale()};
    for (Index k = 0; k < encoder.encoding().patterns(); ++k) {
      if (skip && encoder.empty(k)) continue;
      row.weights += encoder.weight(k);
      for (const Shot& shot : channel.readout.shots) {
        coefficients(shots.count(), 0) = encoder.weight(k) * shot.real;
        coefficients(shots.count(), 1) = encoder.weight(k) * shot.imaginary;
        shots.add(encoder.pattern(k), shot);
      }
    }
    row.frames = shots.count() - row.first;
  }
}

void Projection::State::decode(const Channel& channel, Index r, std::span<float> y) {
  const Row& row = rows[static_cast<std::size_t>(r)];
  if (row.frames == 0) {
    std::fill(y.begin(), y.end(), 0.0f);
    return;
  }
  const std::span<float> sum = sums.row(r);
  std::fill(sum.begin(), sum.end(), 0.0f);
  const auto pixels = static_cast<std::size_t>(shots.pixels());
  for (Index f = row.first; f < row.first + row.frames; ++f) {
    if (coefficients(f, 0) != 0) shots.accumulate(f, coefficients(f, 0), sum.first(pixels));
    if (sum.size() > pixels && coefficients(f, 1) != 0) shots.accumulate(f, coefficients(f, 1), sum.subspan(pixels));
  }
  const Calibration& c = channel.calibration;
  for (std::size_t j = 0; j < y.size(); ++j)
    y[j] = row.scale * c.gain[j] * (sum[c.source[j]] - row.weights * c.offset[j]);
}

}  // namespace lightloop
