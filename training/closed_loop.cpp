#include "training/closed_loop.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"

namespace lightloop {
namespace {

void check(const Reservoir& reservoir, View<const double> series, const ClosedLoopSettings& s, Index least) {
  if (series.cols() != reservoir.inputs())
    throw ShapeMismatch("closed loop: series", std::to_string(series.cols()) + " columns",
                        std::to_string(reservoir.inputs()) + " inputs of the reservoir");
  if (series.rows() < least)
    throw OutOfRange("closed loop: series", std::to_string(series.rows()) + " rows",
                     "at least " + std::to_string(least));
  if (!(s.forcing > 0 && s.forcing <= 1) || s.washout < 0 || s.rounds < 1 || !(s.ridge >= 0))
    throw OutOfRange("closed loop: forcing", std::to_string(s.forcing), "above 0, at most 1");
}

Index features(const Reservoir& reservoir, const ClosedLoopSettings& s) {
  return reservoir.nodes() + (s.squares ? reservoir.nodes() / 2 : 0);
}

/// One state as features of the read-out.
void to_features(std::span<const float> state, const ClosedLoopSettings& s, std::span<double> x) {
  std::ranges::transform(state, x.begin(), [](float v) { return static_cast<double>(v); });
  if (s.squares)
    for (std::size_t i = 0; i < state.size() / 2; ++i) {
      const auto v = static_cast<double>(state[2 * i + 1]);
      x[state.size() + i] = v * v;
    }
}

/// A reservoir driven one input at a time.
class Stepper {
 public:
  Stepper(Reservoir& reservoir, const ClosedLoopSettings& s)
      : reservoir_(reservoir),
        settings_(s),
        u_(1, reservoir.inputs()),
        state_(1, reservoir.nodes()),
        x_(1, features(reservoir, s)) {
    reservoir_.reset();
  }
  View<const double> drive(std::span<const double> u) {
    for (Index c = 0; c < u_.cols(); ++c)
      u_(0, c) = settings_.scale * u[static_cast<std::size_t>(c)] + settings_.offset;
    reservoir_.run(u_, state_);
    to_features(state_.row(0), settings_, x_.row(0));
    return x_;
  }

 private:
  Reservoir& reservoir_;
  const ClosedLoopSettings& settings_;
  Matrix<double> u_;
  Matrix<float> state_;
  Matrix<double> x_;
};

}  // namespace

LinearReadout train_closed_loop(Reservoir& reservoir, View<const double> series, const ClosedLoopSettings& s) {
  check(reservoir, series, s, s.washout + 12);
  const double ridge[] = {s.ridge};
  LinearReadout readout;
  const Index rounds = s.forcing < 1 ? 1 + s.rounds : 1;
  std::vector<double> mixed(static_cast<std::size_t>(series.cols()));
  for (Index round = 0; round < rounds; ++round) {
    Stepper stepper(reservoir, s);
    RidgeTrainer trainer(features(reservoir, s), series.cols());
    Matrix<double> own(1, series.cols());
    for (Index t = 0; t + 1 < series.rows(); ++t) {
      const double alpha = round > 0 && t > s.washout ? s.forcing : 1.0;
      for (Index c = 0; c < series.cols(); ++c)
        mixed[static_cast<std::size_t>(c)] = alpha == 1 ? series(t, c) : alpha * series(t, c) + (1 - alpha) * own(0, c);
      const auto x = stepper.drive(mixed);
      if (round > 0) readout.predict(x, own);
      if (t >= s.washout) trainer.add(x, series.rows(t + 1, 1));
    }
    readout = trainer.solve(ridge);
  }
  return readout;
}

Matrix<double> free_run(Reservoir& reservoir, const LinearReadout& readout, View<const double> start, Index steps,
                        const ClosedLoopSettings& s) {
  check(reservoir, start, s, 1);
  if (steps < 1) throw OutOfRange("closed loop: steps", std::to_string(steps), "at least 1");
  Stepper stepper(reservoir, s);
  Matrix<double> generated(steps, start.cols());
  std::ranges::fill(generated.flat(), std::numeric_limits<double>::quiet_NaN());
  for (Index t = 0; t + 1 < start.rows(); ++t) stepper.drive(start.row(t));
  std::span<const double> u = start.row(start.rows() - 1);
  for (Index t = 0; t < steps; ++t) {
    readout.predict(stepper.drive(u), generated.view().rows(t, 1));
    u = generated.view().row(t);
    if (!std::ranges::all_of(u, [](double v) { return std::isfinite(v) && std::abs(v) < 1e12; })) break;
  }
  return generated;
}

}  // namespace lightloop
