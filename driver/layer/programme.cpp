// A programme that learns: phases instead of weights.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/mesh_codes.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

/// Which codes of the programme go round: phases of meshes where the range is a whole turn. Attenuators do not: sin(a /
/// 2) changes its sign at 0, and a whole turn from there it is rising where it fell. Of a programme that nobody knows
/// none does.
std::vector<bool> turning(const LayerState& s) {
  const DeviceInfo& info = s.session.info();
  const ParamSet& device = s.session.settings();
  const MeshLayout layout = s.mesh ? parse_mesh_layout(device.text("mesh.layout")) : MeshLayout::clements;
  const bool known =
      s.train || (s.mesh && info.program->size() == mesh_programme_size(layout, info.input.size(), info.output.size()));
  const bool turns = known && device.text("phase.law") == "linear" &&
                     std::abs(device.real("phase.range_rad") - 2 * std::numbers::pi) < 1e-9;
  std::vector<bool> which(static_cast<std::size_t>(info.program->size()), turns);
  if (!turns) return which;
  Index at = 0;
  const auto stop_attenuators = [&](Index inputs, Index outputs) {  // they follow the phases of the input mesh
    std::fill_n(which.begin() + at + 2 * mesh_elements(layout, inputs) + inputs, std::min(inputs, outputs), false);
    at += mesh_programme_size(layout, inputs, outputs);
  };
  if (s.train)
    for (std::size_t k = 0; k < s.train->cores(); ++k) stop_attenuators(s.train->inputs(k), s.train->outputs(k));
  else
    stop_attenuators(info.input.size() / s.parts(), info.output.size() / s.parts());
  return which;
}

/// `code` where the device can have it: once round, or at the nearest end, which is counted.
double reachable(double code, double highest, bool goes_round, std::int64_t& clipped) {
  if (goes_round) code -= highest * std::floor(code / highest);
  const double kept = std::clamp(code, 0.0, highest);
  clipped += kept != code;
  return kept;
}

void check_rate(double lr) {
  if (!(std::isfinite(lr) && lr >= 0))
    throw InvalidParameter("layer: learning rate", std::to_string(lr), "a finite number, 0 or more");
}

/// What is asked of a programme that learns by losses alone.
void check_moved(const char* what, const LayerState& s, std::span<const float> codes) {
  s.check_programmed();
  if (!s.learns())
    throw Unsupported(std::string("layer: ") + what, "layer.update = " + s.params.text("update"), "programme");
  if (static_cast<Index>(codes.size()) != s.theta.size())
    throw ShapeMismatch(std::string("layer: ") + what, std::to_string(codes.size()) + " codes",
                        std::to_string(s.theta.size()) + " has the programme");
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

void LayerState::write_codes(View<const float> codes) {
  FrameBuffer frame(*session.info().program, 1);
  for (Index i = 0; i < codes.cols(); ++i) frame.frames().set(0, i, static_cast<std::uint32_t>(codes(0, i)));
  programmed = false;  // until they have arrived nobody knows what the device holds
  session.program(std::as_const(frame).frames());
  written = session.programme();
  programmed = true;
  count_program();
}

void LayerState::write_theta() {
  Matrix<float> rounded(1, theta.size());
  for (Index i = 0; i < theta.size(); ++i) rounded.data()[i] = std::rint(theta.data()[i]);
  write_codes(rounded);
  if (!twin) return;
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
  return state_->learns() && state_->twin ? state_->gradient_report(rows) : LayerReport{};
}

void Layer::learn_programme(View<const float> x, View<const float> grad_y, double lr) {
  LayerState& s = *state_;
  check_gradient("learn_programme()", x, s.n_in, grad_y, s.n_out);
  s.check_programmed();
  check_rate(lr);
  const DeviceInfo& info = s.session.info();
  if (!s.learns() || !s.twin)
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
  const auto highest = static_cast<double>(info.program->highest());
  std::vector<double> slopes_of_range(static_cast<std::size_t>(gradient.size()));
  for (std::size_t i = 0; i < slopes_of_range.size(); ++i)
    slopes_of_range[i] =
        static_cast<double>(gradient.data()[i]) * highest / static_cast<double>(std::max<Index>(1, x.rows()));
  s.step_theta(slopes_of_range, lr);
}

void LayerState::step_theta(std::span<const double> slopes, double lr) {
  for (std::size_t i = 0; i < slopes.size(); ++i)
    if (!std::isfinite(slopes[i]))
      throw InvalidParameter("layer: gradient of code " + std::to_string(i), "not finite", "finite signals and inputs",
                             "Lower train.lr.");
  constexpr double kSlope = 0.9, kSquare = 0.999;  // Kingma and Ba, ICLR 2015
  constexpr double kLeast = 1e-12;  // assumed: below any gradient that matters, so that codes without one stay
  ++steps;
  const auto highest = static_cast<double>(session.info().program->highest());
  const double grown = 1 - std::pow(kSlope, static_cast<double>(steps)),
               filled = 1 - std::pow(kSquare, static_cast<double>(steps));
  const std::vector<bool> goes_round = turning(*this);
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    float &mean = mean_slope.data()[i], &square = mean_square.data()[i];
    mean = static_cast<float>(kSlope * static_cast<double>(mean) + (1 - kSlope) * slopes[i]);
    square = static_cast<float>(kSquare * static_cast<double>(square) + (1 - kSquare) * slopes[i] * slopes[i]);
    const double step = static_cast<double>(mean) / grown / (std::sqrt(static_cast<double>(square) / filled) + kLeast);
    const std::int64_t before = report.clipped_updates;
    theta.data()[i] = static_cast<float>(reachable(static_cast<double>(theta.data()[i]) - lr * highest * step, highest,
                                                   goes_round[i], report.clipped_updates));
    if (report.clipped_updates > before) mean = 0;  // or it would push at the end after the gradient has turned
  }
  write_theta();
}

Index Layer::programme_size() const { return state_->session.info().program->size(); }

void Layer::learn_programme(std::span<const float> gradient, double lr) {
  LayerState& s = *state_;
  check_moved("learn_programme()", s, gradient);
  check_rate(lr);
  s.step_theta(std::vector<double>(gradient.begin(), gradient.end()), lr);
}

void Layer::try_programme(std::span<const float> direction, double step) {
  LayerState& s = *state_;
  check_moved("try_programme()", s, direction);
  const auto highest = static_cast<double>(s.session.info().program->highest());
  const std::vector<bool> goes_round = turning(s);
  Matrix<float> codes(1, s.theta.size());
  for (std::size_t i = 0; i < direction.size(); ++i) {
    const double code = static_cast<double>(s.theta.data()[i]) + step * highest * static_cast<double>(direction[i]);
    if (!std::isfinite(code))
      throw InvalidParameter("layer: try_programme(): code " + std::to_string(i), "not finite", "a finite step");
    codes.data()[i] = static_cast<float>(std::rint(reachable(code, highest, goes_round[i], s.report.clipped_updates)));
  }
  s.write_codes(codes);
}

Index Layer::measured_rows() const {
  return static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(state_->n_in) + 1));
}

Matrix<float> Layer::measure() {
  LayerState& s = *state_;
  s.check_programmed();
  const NotFollowed measuring(s);
  const RangeWindow input = s.input, began = s.began;
  const double range = s.row_range(0);
  const auto level = static_cast<float>(range > kLeastRange ? range : 1);
  // Columns 1, 2, ... of Sylvester's matrix are orthogonal to each other and to the constant column 0, so that offsets
  // fall out and every answer says something of every weight.
  const Index rows = measured_rows();
  const auto sign = [](Index r, Index j) {
    return (std::popcount(static_cast<std::uint64_t>(r & (j + 1))) & 1) != 0 ? -1.0f : 1.0f;
  };
  Matrix<float> drive(rows, s.n_in), answers(rows, s.n_out), matrix(s.n_out, s.n_in);
  for (Index r = 0; r < rows; ++r)
    for (Index j = 0; j < s.n_in; ++j) drive(r, j) = level * sign(r, j);
  forward(drive, answers);
  s.input = input;
  s.began = began;
  for (Index i = 0; i < s.n_out; ++i)
    for (Index j = 0; j < s.n_in; ++j) {
      double sum = 0;
      for (Index r = 0; r < rows; ++r) sum += static_cast<double>(sign(r, j) * answers(r, i));
      matrix(i, j) = static_cast<float>(sum / static_cast<double>(rows) / static_cast<double>(level));
    }
  return matrix;
}

}  // namespace lightloop
