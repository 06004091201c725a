// Weights that live in cells, moved by pulses from where they are.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

constexpr std::uint64_t kUpdates = 2;  // instance of Purpose::calibration: rounding of updates to pulses

/// An update in whole pulses, and what nominal cells hold after them.
struct Change {
  Matrix<std::int32_t> pulses;
  Matrix<float> target, held, common;
  std::int64_t clipped = 0;  ///< cells that ended at a bound
  bool any = false;
};

/// What pulses do to a nominal cell.
struct Law {
  double step;
  bool soft, pair;
  double refresh;  ///< of pairs
};

/// Of one cell by one programme.
std::int32_t most_pulses(const LayerState& s) {
  return static_cast<std::int32_t>(s.session.info().program->highest() / 2);
}

Law law_of(const LayerState& s) {
  const ParamSet& device = s.session.settings();
  return {device.real("pulse.step"), device.has("cell.kind") && device.text("cell.kind") == "soft_bounds", s.pairs(),
          s.pairs() ? device.real("pulse.refresh") : 0};
}

/// What a nominal cell of soft bounds holds after so many pulses: each moves it by `step` of what is left of the way.
double soft(double from, std::int32_t pulses, double step) {
  const double sign = pulses < 0 ? -1 : 1;
  return sign * (1 - (1 - sign * from) * std::pow(1 - step, std::abs(static_cast<double>(pulses))));
}

/// How far pulses move a weight, and whether some of them met a bound.
struct Move {
  double by;
  bool clipped = false;
};

/// Of a pair, programme by programme of at most `most` pulses: one side rises to 1, and what both hold in `common` may
/// call for a refresh behind each.
Move move_pair(const Law& law, double from, std::int32_t pulses, std::int32_t most, float& common) {
  double plus = std::max(from, 0.0) + static_cast<double>(common), minus = plus - from;
  Move move{0};
  double& side = pulses > 0 ? plus : minus;
  for (std::int32_t left = std::abs(pulses); left > 0; left -= most) {
    const std::int32_t now = std::min(left, most);
    const double aim = law.soft ? soft(side, now, law.step) : side + now * law.step;
    side = std::min(aim, 1.0);
    move.clipped = move.clipped || aim > 1;
    const double both = std::min(plus, minus);
    if (law.refresh == 0 || both < law.refresh) continue;
    plus -= both;
    minus -= both;
  }
  move.by = plus - minus - from;
  common = static_cast<float>(std::max(0.0, std::min(plus, minus)));
  return move;
}

Change change_of(const LayerState& s, View<const float> dw) {
  const Law law = law_of(s);
  const std::int32_t most = most_pulses(s);
  const Stream rounding(static_cast<std::uint64_t>(s.params.integer("seed")), kUpdates, Purpose::calibration);
  Change to{Matrix<std::int32_t>(s.n_out, s.n_in), s.target, s.held, s.common};
  std::vector<float> u(static_cast<std::size_t>(s.n_in));
  for (Index i = 0; i < s.n_out; ++i) {
    rounding.uniform(s.updates * static_cast<std::uint64_t>(s.n_out) + static_cast<std::uint64_t>(i), 0, u);
    const double full = s.scale[static_cast<std::size_t>(i)];
    for (Index j = 0; j < s.n_in; ++j) {
      const double part = static_cast<double>(dw(i, j)) / full;
      const auto pulses =
          static_cast<std::int32_t>(std::floor(part / law.step + static_cast<double>(u[static_cast<std::size_t>(j)])));
      to.pulses(i, j) = pulses;
      to.any = to.any || pulses != 0;
      const auto from = static_cast<double>(s.target(i, j));
      const Move move = law.pair   ? move_pair(law, from, pulses, most, to.common(i, j))
                        : law.soft ? Move{soft(from, pulses, law.step) - from}
                                   : Move{pulses * law.step};
      const auto moved = static_cast<float>(move.by);
      const float aim = s.target(i, j) + moved, now = std::clamp(aim, -1.0f, s.highest_target());
      to.target(i, j) = now;
      to.held(i, j) = now == aim ? s.held(i, j) + moved * static_cast<float>(full) : now * static_cast<float>(full);
      to.clipped += move.clipped || now != aim;
    }
  }
  return to;
}

/// The next programme of at most +-most pulses per cell, taken from what is left; whether more is left after it.
bool next_programme(Matrix<std::int32_t>& left, std::int32_t most, std::uint32_t middle, Index stride,
                    const Frames& codes) {
  bool more = false;
  for (Index i = 0; i < codes.size; ++i) codes.set(0, i, middle);
  for (Index i = 0; i < left.rows(); ++i)
    for (Index j = 0; j < left.cols(); ++j) {
      const std::int32_t now = std::clamp(left(i, j), -most, most);
      left(i, j) -= now;
      more = more || left(i, j) != 0;
      codes.set(0, i * stride + j, static_cast<std::uint32_t>(static_cast<std::int64_t>(middle) + now));
    }
  return more;
}

}  // namespace

bool LayerState::pairs() const {
  const ParamSet& device = session.settings();
  return device.has("pulse.pair") && device.boolean("pulse.pair");
}

float LayerState::highest_target() const {
  const std::uint32_t highest = session.info().program->highest();
  return static_cast<float>(highest) / static_cast<float>(highest / 2 + 1) - 1.0f;
}

void Layer::check_update(View<const float> dw) const {
  const LayerState& s = *state_;
  s.check_programmed();
  s.check_written();
  if (dw.rows() != s.n_out || dw.cols() != s.n_in)
    throw ShapeMismatch("layer: update", std::to_string(dw.rows()) + " x " + std::to_string(dw.cols()),
                        std::to_string(s.n_out) + " x " + std::to_string(s.n_in) + " (outputs x inputs)");
  const ParamSet& device = s.session.settings();
  if (!device.has("program.mode") || !device.has("pulse.step") || s.weights != Weights::one)
    throw Unsupported(
        "layer: update in pulses", s.session.info().model + " with layer.cells = " + s.params.text("cells"),
        "a device with program.mode = pulses, and layer.cells = signed", "sim:crossbar,cell.kind=soft_bounds is one.");
  for (Index i = 0; i < s.n_out; ++i) {
    const double full = s.scale[static_cast<std::size_t>(i)];
    for (Index j = 0; j < s.n_in; ++j)
      if (!(std::abs(static_cast<double>(dw(i, j)) / full) <= 2))  // also NaN
        throw OutOfRange("layer: update (" + std::to_string(i) + ", " + std::to_string(j) + ")",
                         std::to_string(dw(i, j)), "at most the whole range, " + std::to_string(2 * full),
                         full == 0 ? "Weights of 0 have no range: give layer.weight_limit." : "");
  }
}

void Layer::update(View<const float> dw) {
  check_update(dw);
  LayerState& s = *state_;
  const DeviceInfo& info = s.session.info();
  Change change = change_of(s, dw);
  if (change.any) {
    const std::string mode = s.session.settings().text("program.mode");
    if (mode != "pulses") s.session.configure({{"program.mode", std::string("pulses")}});
    FrameBuffer codes(*info.program, 1);
    const std::uint32_t middle = info.program->highest() / 2 + 1;
    const std::int32_t most = most_pulses(s);
    s.programmed = false;  // until all pulses have arrived nobody knows what the cells hold
    for (bool more = true; more;) {
      more = next_programme(change.pulses, most, middle, info.input.size(), codes.frames());
      try {
        s.session.program(std::as_const(codes).frames());
      } catch (const Unsupported&) {  // by cells that know no pulses, before the first one: they hold what they held
        s.programmed = true;
        s.session.configure({{"program.mode", mode}});
        throw;
      }
      s.count_program();
    }
    s.programmed = true;
  }
  s.target = std::move(change.target);
  s.held = std::move(change.held);
  s.common = std::move(change.common);
  s.report.clipped_updates += change.clipped;
  ++s.updates;
  s.follow_target();
}

}  // namespace lightloop
