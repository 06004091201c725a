// A programme that learns: phases instead of weights.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/mesh_codes.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

/// Which codes of the programme go round: phases of meshes where the range is a whole turn. Attenuators do not: sin(a /
/// 2) changes its sign at 0, and a whole turn from there it is rising where it fell.
std::vector<bool> turning(const LayerState& s) {
  const DeviceInfo& info = s.session.info();
  const ParamSet& device = s.session.settings();
  const bool turns = s.mesh && device.text("phase.law") == "linear" &&
                     std::abs(device.real("phase.range_rad") - 2 * std::numbers::pi) < 1e-9;
  std::vector<bool> which(static_cast<std::size_t>(info.program->size()), turns);
  if (!turns) return which;
  Index at = 0;
  const auto stop_attenuators = [&](Index inputs, Index outputs) {  // they follow the phases of the input mesh
    std::fill_n(which.begin() + at + inputs * inputs, std::min(inputs, outputs), false);
    at += mesh_programme_size(inputs, outputs);
  };
  if (s.train)
    for (std::size_t k = 0; k < s.train->cores(); ++k) stop_attenuators(s.train->inputs(k), s.train->outputs(k));
  else
    stop_attenuators(info.input.size() / s.parts(), info.output.size() / s.parts());
  return which;
}

}  // namespace

Matrix<float> LayerState::twin_matrix() const {
  const auto middle = static_cast<float>(mid_in), per_unit = static_cast<float>(twin_range / mid_out);
  const Index asked = n_in / parts(), half = n_out / parts();
  Matrix<float> units(asked + 1, twin->inputs()), answers(asked + 1, twin->outputs()), matrix(n_out, n_in);
  std::ranges::fill(units.flat(), middle);
  for (Index j = 0; j < asked; ++j) units(j, j) += middle;
  twin->forward(units, answers);
  for (Index i = 0; i < n_out; ++i)
    for (Index j = 0; j < asked; ++j) matrix(i, j) = per_unit * (answers(j, i) - answers(asked, i));
  for (Index i = 0; i < half && complex_field; ++i)  // the columns of [Re; Im] say those of [-Im; Re]
    for (Index j = 0; j < asked; ++j) {
      matrix(i, asked + j) = -matrix(half + i, j);
      matrix(half + i, asked + j) = matrix(i, j);
    }
  return matrix;
}

void LayerState::find_twin_gain() {
  const Matrix<float> matrix = twin_matrix();
  double along = 0, size = 0;
  for (Index i = 0; i < matrix.size(); ++i) {
    along += static_cast<double>(matrix.data()[i]) * static_cast<double>(target.data()[i]);
    size += static_cast<double>(target.data()[i]) * static_cast<double>(target.data()[i]);
  }
  twin_gain = along > 0 ? along / size : 1;
}

void LayerState::write_theta() {
  FrameBuffer codes(*session.info().program, 1);
  Matrix<float> rounded(1, theta.size());
  for (Index i = 0; i < theta.size(); ++i) {
    rounded.data()[i] = std::rint(theta.data()[i]);
    codes.frames().set(0, i, static_cast<std::uint32_t>(rounded.data()[i]));
  }
  programmed = false;  // until they have arrived nobody knows what the device holds
  session.program(std::as_const(codes).frames());
  written = session.programme();
  programmed = true;
  count_program();
  twin->program(rounded);
  const Matrix<float> matrix = twin_matrix();
  for (Index i = 0; i < n_out; ++i)
    for (Index j = 0; j < n_in; ++j) {
      target(i, j) = matrix(i, j) / static_cast<float>(twin_gain);
      held(i, j) = target(i, j) * static_cast<float>(scale[static_cast<std::size_t>(i)]);
    }
  find_largest_sum();
}

LayerReport LayerState::gradient_report(Index rows) const {
  LayerReport took;
  const GradientCost of = twin->gradient_cost();
  if (of.exposures == 0) return took;
  CostModel cost = session.info().cost;
  cost.parts.push_back({.name = "monitors", .frame_events = of.readings, .frame_j = of.reading_j});
  took.frames = rows * of.exposures;
  const auto frames = static_cast<double>(took.frames);
  took.device_s = frames * cost.frame_s;
  took.device_j = frames * (cost.power_w * cost.frame_s + of.reading_j);
  took.energy.add_frames(cost, took.frames, took.device_j);
  return took;
}

LayerReport Layer::expected_gradient(Index rows) const {
  return state_->learns() ? state_->gradient_report(rows) : LayerReport{};
}

void Layer::learn_programme(View<const float> x, View<const float> grad_y, double lr) {
  LayerState& s = *state_;
  check_gradient("learn_programme()", x, s.n_in, grad_y, s.n_out);
  s.check_programmed();
  if (!(std::isfinite(lr) && lr >= 0))
    throw InvalidParameter("layer: learning rate", std::to_string(lr), "a finite number, 0 or more");
  const DeviceInfo& info = s.session.info();
  if (!s.learns())
    throw Unsupported("layer: learn_programme()", s.twin ? "layer.update = " + s.params.text("update") : "no twin",
                      "layer.update = programme and a twin of " + info.model);
  Matrix<float> drive, slopes;
  std::vector<double> alpha, factor;
  s.at_twin(x, grad_y, drive, slopes, alpha, factor);
  Matrix<float> gradient(1, s.theta.size());
  s.twin->measure(drive, slopes, s.steps << 32, gradient);
  const LayerReport took = s.gradient_report(x.rows());
  s.session.count({.frames = took.frames, .device_s = took.device_s, .device_j = took.device_j});
  s.report.add(took);
  for (Index i = 0; i < gradient.size(); ++i)
    if (!std::isfinite(gradient.data()[i]))
      throw InvalidParameter("layer: gradient of code " + std::to_string(i), "not finite", "finite signals and inputs",
                             "Lower train.lr.");
  constexpr double kSlope = 0.9, kSquare = 0.999;  // Kingma and Ba, ICLR 2015
  constexpr double kLeast = 1e-12;  // assumed: below any gradient that matters, so that codes without one stay
  ++s.steps;
  const auto highest = static_cast<double>(info.program->highest()), steps = static_cast<double>(s.steps);
  const double grown = 1 - std::pow(kSlope, steps), filled = 1 - std::pow(kSquare, steps);
  const std::vector<bool> goes_round = turning(s);
  for (Index i = 0; i < s.theta.size(); ++i) {
    const double g =
        static_cast<double>(gradient.data()[i]) * highest / static_cast<double>(std::max<Index>(1, x.rows()));
    float &mean = s.mean_slope.data()[i], &square = s.mean_square.data()[i];
    mean = static_cast<float>(kSlope * static_cast<double>(mean) + (1 - kSlope) * g);
    square = static_cast<float>(kSquare * static_cast<double>(square) + (1 - kSquare) * g * g);
    const double step = static_cast<double>(mean) / grown / (std::sqrt(static_cast<double>(square) / filled) + kLeast);
    double code = static_cast<double>(s.theta.data()[i]) - lr * highest * step;
    if (goes_round[static_cast<std::size_t>(i)]) code -= highest * std::floor(code / highest);
    const double kept = std::clamp(code, 0.0, highest);
    if (kept != code) {
      ++s.report.clipped_updates;
      mean = 0;  // or it would go on pushing at the end after the gradient has turned
    }
    s.theta.data()[i] = static_cast<float>(kept);
  }
  s.write_theta();
}

}  // namespace lightloop
