// The way back through a layer: gradients of inputs and of ranges.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

void check_learned(const LayerState& s, const char* what) {
  const std::string& chosen = s.params.text("output_range");
  if (chosen != "learned")
    throw Unsupported(std::string("layer: ") + what, "layer.output_range = " + chosen, "learned");
}

}  // namespace

void check_gradient(const char* what, View<const float> x, Index n_in, View<const float> grad_y, Index n_out) {
  if (x.cols() != n_in || grad_y.cols() != n_out || x.rows() != grad_y.rows())
    throw ShapeMismatch(std::string("layer: ") + what,
                        std::to_string(x.rows()) + " x " + std::to_string(x.cols()) + " and " +
                            std::to_string(grad_y.rows()) + " x " + std::to_string(grad_y.cols()),
                        "rows x " + std::to_string(n_in) + " and rows x " + std::to_string(n_out));
}

void LayerState::decoding(std::vector<float>& zero, std::vector<float>& unit) const {
  zero.resize(static_cast<std::size_t>(device_rows));
  unit.resize(zero.size());
  for (std::size_t i = 0; i < zero.size(); ++i) {
    zero[i] = static_cast<float>(mid_out + offset[i] / range * mid_out);
    unit[i] = static_cast<float>(range / mid_out / gain[i]);
  }
  for (std::size_t i = 0; i < scale.size(); ++i) {
    const RowPair pair = rows_of(weights, n_out, static_cast<Index>(i));
    unit[static_cast<std::size_t>(pair.plus)] *= static_cast<float>(scale[i]);
    if (weights == Weights::differential) unit[static_cast<std::size_t>(pair.minus)] *= static_cast<float>(scale[i]);
  }
}

void LayerState::code_slopes(View<const float> grad_y, std::span<const double> full, std::span<const double> factor,
                             View<float> slopes) const {
  std::vector<float> zero, unit;
  decoding(zero, unit);
  for (Index r = 0; r < grad_y.rows(); ++r) {
    const auto n = static_cast<std::size_t>(r);
    std::ranges::fill(slopes.row(r), 0.0f);
    const double back = full[n] * factor[n] * mid_in / (mid_in - 1);
    for (Index i = 0; i < n_out; ++i) {
      const RowPair pair = rows_of(weights, n_out, i);
      const double g = back * static_cast<double>(grad_y(r, i));
      slopes(r, pair.plus) += static_cast<float>(g * static_cast<double>(unit[static_cast<std::size_t>(pair.plus)]));
      if (pair.minus < 0) continue;
      const double own = weights == Weights::offset ? scale[static_cast<std::size_t>(i)] : 1.0;
      slopes(r, pair.minus) -=
          static_cast<float>(g * own * static_cast<double>(unit[static_cast<std::size_t>(pair.minus)]));
    }
  }
}

void LayerState::count_program() {
  const CostModel& cost = session.info().cost;
  report.device_s += cost.program_s;
  report.device_j += cost.program_j;
  ++report.programs;
  report.program_s += cost.program_s;
  report.program_j += cost.program_j;
  report.energy.add_program(cost);
}

void LayerState::at_twin(View<const float> x, View<const float> grad_y, Matrix<float>& drive, Matrix<float>& slopes,
                         std::vector<double>& alpha_of, std::vector<double>& factor) const {
  if (!twin)
    throw Unsupported("layer.backward", "twin", "the layer was given no twin of " + session.info().model,
                      "Networks and PyTorch modules open it themselves; a Layer takes it with set_twin().");
  const double top = mid_in - 1;
  const std::int64_t most = most_repeats();
  const auto rows = static_cast<std::size_t>(x.rows());
  alpha_of = row_ranges(x);
  factor.assign(rows, 1.0);
  drive.resize(x.rows(), twin->inputs());
  slopes.resize(x.rows(), twin->outputs());
  const auto show = [&](Index r) {
    const auto i = static_cast<std::size_t>(r);
    const std::span<float> to = drive.row(r);
    std::ranges::fill(to, static_cast<float>(mid_in));
    if (alpha_of[i] <= kLeastRange) return;
    for (Index j = 0; j < n_in; ++j) {
      const double v = std::clamp(static_cast<double>(x(r, j)) / alpha_of[i], -1.0, 1.0);
      to[static_cast<std::size_t>(j)] = static_cast<float>(mid_in + v * top / factor[i]);
    }
  };
  std::vector<Index> shown(rows);
  for (Index r = 0; r < x.rows(); ++r) {
    const auto i = static_cast<std::size_t>(r);
    shown[i] = r;
    show(r);
  }
  const double wider = twin_range / range, middle = mid_out;  // the twin's codes are those of its own range
  // At the drive at which bound management takes the device's answer: none of its codes, rounded, is at an end.
  for (std::int64_t k = 1; k <= most && !shown.empty(); ++k) {
    Matrix<float> part(static_cast<Index>(shown.size()), drive.cols()), answer(part.rows(), slopes.cols());
    for (std::size_t i = 0; i < shown.size(); ++i)
      std::ranges::copy(drive.row(shown[i]), part.row(static_cast<Index>(i)).begin());
    twin->forward(part, answer);
    std::vector<Index> again;
    for (std::size_t i = 0; i < shown.size(); ++i) {
      const auto codes = answer.row(static_cast<Index>(i)).first(static_cast<std::size_t>(device_rows));
      if (std::ranges::all_of(codes,
                              [&](float c) { return !at_end(middle + wider * (static_cast<double>(c) - middle)); }))
        continue;
      const auto r = static_cast<std::size_t>(shown[i]);
      const double next = repeat_factor(k, x.row(shown[i]), alpha_of[r]);
      if (next == factor[r]) continue;
      factor[r] = next;
      show(shown[i]);
      again.push_back(shown[i]);
    }
    shown = std::move(again);
  }
  code_slopes(grad_y, alpha_of, factor, slopes);
  for (float& slope : slopes.flat()) slope *= static_cast<float>(wider);
}

void LayerState::through_twin(View<const float> x, View<const float> grad_y, View<float> grad_x) const {
  Matrix<float> drive, slopes;
  std::vector<double> alpha_of, factor;
  at_twin(x, grad_y, drive, slopes, alpha_of, factor);
  const double top = mid_in - 1;
  Matrix<float> found(x.rows(), drive.cols());
  twin->vjp(drive, slopes, found, {});
  for (Index r = 0; r < x.rows(); ++r) {
    const auto n = static_cast<std::size_t>(r);
    const auto per_input = static_cast<float>(alpha_of[n] <= kLeastRange ? 0.0 : top / alpha_of[n] / factor[n]);
    for (Index j = 0; j < n_in; ++j) grad_x(r, j) = per_input * found(r, j);
  }
}

void Layer::set_twin(std::unique_ptr<Twin> twin) {
  LayerState& s = *state_;
  const DeviceInfo& info = s.session.info();
  if (twin && (twin->inputs() != info.input.size() || twin->outputs() != info.output.size() ||
               twin->parameters() != info.program->size()))
    throw ShapeMismatch("twin of " + info.model,
                        std::to_string(twin->inputs()) + " -> " + std::to_string(twin->outputs()) + ", " +
                            std::to_string(twin->parameters()) + " parameters",
                        std::to_string(info.input.size()) + " -> " + std::to_string(info.output.size()) + ", " +
                            std::to_string(info.program->size()));
  s.twin = std::move(twin);
  if (s.range_known) s.twin_range = s.session.settings().real("adc.range");
  if (!s.twin || s.theta.size() == 0) return;
  s.twin->program(s.theta);
  if (s.learns() && s.programmed && s.steps == 0) s.find_twin_gain();
}

void Layer::backward(View<const float> x, View<const float> grad_y, View<float> grad_x) {
  LayerState& s = *state_;
  check_gradient("backward()", x, s.n_in, grad_y, s.n_out);
  if (grad_x.rows() != x.rows() || grad_x.cols() != s.n_in)
    throw ShapeMismatch("layer: backward(): grad_x",
                        std::to_string(grad_x.rows()) + " x " + std::to_string(grad_x.cols()),
                        std::to_string(x.rows()) + " x " + std::to_string(s.n_in) + ", as x");
  s.check_programmed();
  const std::string& by = s.params.text("backward");
  if (by == "device")
    transposed(grad_y, grad_x);
  else if (by == "twin")
    s.through_twin(x, grad_y, grad_x);
  else
    gemm(Transpose::no, Transpose::no, 1.0f, grad_y, s.held, 0.0f, grad_x);
  if (s.params.text("noise_management") == "abs_max") return;
  const std::vector<double> ranges = s.row_ranges(x);
  for (Index r = 0; r < x.rows(); ++r) {
    const auto limit = static_cast<float>(ranges[static_cast<std::size_t>(r)]);
    for (Index j = 0; j < s.n_in; ++j)
      if (std::abs(x(r, j)) > limit) grad_x(r, j) = 0;
  }
}

void Layer::clip(View<const float> x, View<float> seen) const {
  const LayerState& s = *state_;
  if (x.cols() != s.n_in || seen.cols() != s.n_in || x.rows() != seen.rows())
    throw ShapeMismatch("layer: clip()",
                        std::to_string(x.rows()) + " x " + std::to_string(x.cols()) + " -> " +
                            std::to_string(seen.rows()) + " x " + std::to_string(seen.cols()),
                        "rows x " + std::to_string(s.n_in) + ", twice");
  const std::vector<double> ranges = s.row_ranges(x);
  for (Index r = 0; r < x.rows(); ++r) {
    const auto limit = static_cast<float>(ranges[static_cast<std::size_t>(r)]);
    for (Index j = 0; j < s.n_in; ++j) seen(r, j) = std::clamp(x(r, j), -limit, limit);
  }
}

double Layer::range_gradient(View<const float> x, View<const float> grad_y) const {
  const LayerState& s = *state_;
  check_gradient("range_gradient()", x, s.n_in, grad_y, s.n_out);
  s.check_programmed();
  if (s.params.text("noise_management") == "abs_max")
    throw Unsupported("layer: gradient of the input range", "layer.noise_management = abs_max",
                      "fixed, running or learned");
  Matrix<float> below(x.rows(), s.n_in);
  gemm(Transpose::no, Transpose::no, 1.0f, grad_y, s.held, 0.0f, below);
  const std::vector<double> ranges = s.row_ranges(x);
  const double top = s.mid_in - 1;
  double sum = 0;
  for (Index r = 0; r < x.rows(); ++r)
    for (Index j = 0; j < s.n_in; ++j) {
      const double v = static_cast<double>(x(r, j)) / ranges[static_cast<std::size_t>(r)];
      const double seen = s.driven(std::clamp(v, -1.0, 1.0) * top) / top;
      const double slope = std::abs(v) > 1 ? seen : seen - v;
      sum += static_cast<double>(below(r, j)) * slope;
    }
  return sum;
}

double Layer::output_factor_gradient(View<const float> x, View<const float> grad_y) const {
  const LayerState& s = *state_;
  check_gradient("output_factor_gradient()", x, s.n_in, grad_y, s.n_out);
  s.check_programmed();
  check_learned(s, "output_factor_gradient()");
  const std::int64_t most = s.most_repeats();
  const double top = s.mid_in - 1;
  const std::vector<double> alpha = s.row_ranges(x);
  std::vector<double> factor(alpha.size(), 1.0);
  Matrix<float> drive(x.rows(), s.n_in), sums(x.rows(), s.device_rows), slopes(x.rows(), s.device_rows);
  for (Index r = 0; r < x.rows(); ++r) {
    const double full = alpha[static_cast<std::size_t>(r)];
    for (Index j = 0; j < s.n_in; ++j)
      drive(r, j) =
          full <= kLeastRange
              ? 0.0f
              : static_cast<float>(std::clamp(static_cast<double>(x(r, j)) / full, -1.0, 1.0) * top / s.mid_in);
  }
  gemm(Transpose::no, Transpose::yes, 1.0f, drive, s.target, 0.0f, sums);
  /// The answer in steps of the ADC from its middle, before it is rounded.
  const auto answer = [&](Index r, Index i) {
    const auto n = static_cast<std::size_t>(i);
    const double product = static_cast<double>(sums(r, i)) / factor[static_cast<std::size_t>(r)];
    return (s.gain[n] * product + s.offset[n]) / s.range * s.mid_out;
  };
  const double low = -s.mid_out, high = s.mid_out - (s.adc_levels == 0 ? 1 : 0);
  const auto at_end = [&](Index r) {
    for (Index i = 0; i < s.device_rows; ++i)
      if (s.at_end(s.mid_out + answer(r, i))) return true;
    return false;
  };
  for (Index r = 0; r < x.rows(); ++r) {
    const auto i = static_cast<std::size_t>(r);
    for (std::int64_t k = 1; k <= most && at_end(r); ++k) factor[i] = s.repeat_factor(k, x.row(r), alpha[i]);
  }
  s.code_slopes(grad_y, alpha, factor, slopes);
  double sum = 0;
  for (Index r = 0; r < x.rows(); ++r)
    for (Index i = 0; i < s.device_rows; ++i) {
      const double v = answer(r, i);
      const double slope = v <= low || v >= high ? s.read(std::clamp(v, low, high)) : s.read(v) - v;
      sum += static_cast<double>(slopes(r, i)) * slope;
    }
  return sum / s.output_factor;
}

void Layer::set_output_factor(double factor) {
  LayerState& s = *state_;
  check_learned(s, "set_output_factor()");
  if (!(factor > 0) || !std::isfinite(factor))
    throw OutOfRange("layer: factor of the output range", std::to_string(factor), "a finite number above 0");
  s.set_range(s.base_range, factor);
}

double Layer::output_factor() const { return state_->output_factor; }

}  // namespace lightloop
