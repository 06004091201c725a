#include "sim/memory/pulsed.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/threads.hpp"

namespace lightloop {
namespace {

/// Distance to a soft bound after n pulses, as a part of what it was: mean and standard deviation.
struct Remaining {
  double mean, sd;
};
Remaining remaining(double step, double bound, double noise, double n) {
  const double q = 1 - step / bound, s = step * noise / bound;
  return {std::pow(q, n), std::sqrt(std::max(0.0, std::pow(q * q + s * s, n) - std::pow(q * q, n)))};
}

}  // namespace

double nominal_pulses(const PulsedModel& model, double from, double to) {
  if (model.kind == PulsedModel::Kind::constant_step) return (to - from) / model.step;
  const double sign = to > from ? 1 : -1, bound = model.bound;
  const double near = std::max(bound - sign * to, 1e-3 * bound), far = std::max(bound - sign * from, near);
  return sign * std::log(near / far) / std::log1p(-model.step / bound);
}

PulsedCells::PulsedCells(const PulsedModel& model, Index rows, Index cols, const Stream& fabrication)
    : model_(model), weights_(rows, cols), up_(rows, cols), down_(rows, cols), upper_(rows, cols), lower_(rows, cols) {
  parallel_for(rows, [&](Index i) {
    for (Index j = 0; j < cols; ++j) {
      const auto xi = [&](Index q) {
        return fabrication.normal(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(4 * j + q));
      };
      const double tilt = model_.asymmetry_spread * xi(0), size = 1 + model_.step_spread * xi(1);
      // no cell moves against its pulses, and none is without range
      up_(i, j) = static_cast<float>(model_.step * std::max(0.0, size + tilt));
      down_(i, j) = static_cast<float>(model_.step * std::max(0.0, size - tilt));
      upper_(i, j) = static_cast<float>(model_.bound * std::max(0.05, 1 + model_.bound_spread * xi(2)));
      lower_(i, j) = static_cast<float>(model_.bound * std::max(0.05, 1 + model_.bound_spread * xi(3)));
    }
  });
}

void PulsedCells::pulse(View<const std::int32_t> counts, const Stream& cycles, std::uint64_t first_row) {
  if (counts.rows() != weights_.rows() || counts.cols() != weights_.cols())
    throw ShapeMismatch("pulses", std::to_string(counts.rows()) + " x " + std::to_string(counts.cols()),
                        std::to_string(weights_.rows()) + " x " + std::to_string(weights_.cols()));
  parallel_for(counts.rows(), [&](Index i) {
    for (Index j = 0; j < counts.cols(); ++j) {
      if (counts(i, j) == 0) continue;
      const bool rising = counts(i, j) > 0;
      const double n = std::abs(static_cast<double>(counts(i, j))), sign = rising ? 1 : -1;
      const auto step = static_cast<double>(rising ? up_(i, j) : down_(i, j));
      const auto upper = static_cast<double>(upper_(i, j)), lower = static_cast<double>(lower_(i, j));
      const double noise = model_.cycle_noise;
      const double xi =
          noise == 0 ? 0.0 : cycles.normal(first_row + static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(j));
      auto w = static_cast<double>(weights_(i, j));
      if (model_.kind == PulsedModel::Kind::constant_step) {
        w = std::clamp(w + sign * step * (n + std::sqrt(n) * noise * xi), -lower, upper);
      } else {
        const double bound = rising ? upper : lower;
        const Remaining left = remaining(step, bound, noise, n);
        w = sign * (bound - (bound - sign * w) * (left.mean + left.sd * xi));
      }
      weights_(i, j) = static_cast<float>(model_.rising ? std::max(0.0, w) : w);
    }
  });
}

void PulsedCells::nominal_pulses(View<const float> target, View<std::int32_t> counts) const {
  const double most = 1e6;
  for (Index i = 0; i < target.rows(); ++i)
    for (Index j = 0; j < target.cols(); ++j) {
      const double n =
          lightloop::nominal_pulses(model_, static_cast<double>(weights_(i, j)), static_cast<double>(target(i, j)));
      counts(i, j) = static_cast<std::int32_t>(std::rint(std::clamp(n, -most, most)));
    }
}

void PulsedCells::set(View<const float> weights) {
  if (weights.rows() != weights_.rows() || weights.cols() != weights_.cols())
    throw ShapeMismatch("pulsed cells", std::to_string(weights.rows()) + " x " + std::to_string(weights.cols()),
                        std::to_string(weights_.rows()) + " x " + std::to_string(weights_.cols()));
  for (Index i = 0; i < weights.rows(); ++i) std::ranges::copy(weights.row(i), weights_.row(i).begin());
}

}  // namespace lightloop
