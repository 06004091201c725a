// The way back through a layer: gradients of inputs, of the input range, and updates in pulses.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

constexpr std::uint64_t kUpdates = 2;  // instance of Purpose::calibration: rounding of updates to pulses

void check_gradient(View<const float> x, Index n_in, View<const float> grad_y, Index n_out, Index grad_cols) {
  if (x.cols() != n_in || grad_y.cols() != n_out || grad_cols != n_in || x.rows() != grad_y.rows())
    throw ShapeMismatch("layer: backward()",
                        std::to_string(x.rows()) + " x " + std::to_string(x.cols()) + " and " +
                            std::to_string(grad_y.rows()) + " x " + std::to_string(grad_y.cols()),
                        "rows x " + std::to_string(n_in) + " and rows x " + std::to_string(n_out));
}

}  // namespace

double LayerState::row_range(double largest_x) const {
  const std::string& kind = params.text("noise_management");
  return kind == "abs_max" ? largest_x : kind == "fixed" ? params.real("input_range") : running;
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

void LayerState::count_program() {
  const CostModel& cost = session.info().cost;
  report.device_s += cost.program_s;
  report.device_j += cost.program_j;
  ++report.programs;
  report.program_s += cost.program_s;
  report.energy.add_program(cost);
}

void LayerState::through_twin(View<const float> x, View<const float> grad_y, View<float> grad_x) const {
  if (!twin)
    throw Unsupported("layer.backward", "twin", "the layer was given no twin of " + session.info().model,
                      "Networks and PyTorch modules open it themselves; a Layer takes it with set_twin().");
  const double top = mid_in - 1;
  const auto highest = static_cast<float>(session.info().output.highest());
  const bool manage = params.text("bound_management") != "none";
  const std::int64_t most = manage ? params.integer("max_repeats") : 0;
  const auto rows = static_cast<std::size_t>(x.rows());
  std::vector<double> alpha_of(rows), factor(rows, 1.0);
  Matrix<float> drive(x.rows(), twin->inputs()), slopes(x.rows(), twin->outputs());
  const auto show = [&](Index r) {
    const auto i = static_cast<std::size_t>(r);
    const std::span<float> to = drive.row(r);
    std::ranges::fill(to, static_cast<float>(mid_in));
    if (alpha_of[i] == 0) return;
    for (Index j = 0; j < n_in; ++j) {
      const double v = std::clamp(static_cast<double>(x(r, j)) / alpha_of[i], -1.0, 1.0);
      to[static_cast<std::size_t>(j)] = static_cast<float>(mid_in + v * top / factor[i]);
    }
  };
  std::vector<Index> shown(rows);
  for (Index r = 0; r < x.rows(); ++r) {
    const auto i = static_cast<std::size_t>(r);
    alpha_of[i] = row_range(static_cast<double>(largest_size(x.row(r))));
    shown[i] = r;
    show(r);
  }
  // At the drive at which the device answers without clipping, as bound management finds it.
  for (std::int64_t k = 0; k < most && !shown.empty(); ++k) {
    Matrix<float> part(static_cast<Index>(shown.size()), drive.cols()), answer(part.rows(), slopes.cols());
    for (std::size_t i = 0; i < shown.size(); ++i)
      std::ranges::copy(drive.row(shown[i]), part.row(static_cast<Index>(i)).begin());
    twin->forward(part, answer);
    std::vector<Index> again;
    for (std::size_t i = 0; i < shown.size(); ++i) {
      const auto codes = answer.row(static_cast<Index>(i)).first(static_cast<std::size_t>(device_rows));
      if (std::ranges::all_of(codes, [&](float c) { return c > 0 && c < highest; })) continue;
      factor[static_cast<std::size_t>(shown[i])] *= 2;
      show(shown[i]);
      again.push_back(shown[i]);
    }
    shown = std::move(again);
  }
  std::vector<float> zero, unit;
  decoding(zero, unit);
  for (Index r = 0; r < x.rows(); ++r) {
    const auto n = static_cast<std::size_t>(r);
    const double back = alpha_of[n] * factor[n] * mid_in / top;
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
  Matrix<float> found(x.rows(), drive.cols());
  twin->vjp(drive, slopes, found, {});
  for (Index r = 0; r < x.rows(); ++r) {
    const auto n = static_cast<std::size_t>(r);
    const auto per_input = static_cast<float>(alpha_of[n] == 0 ? 0.0 : top / alpha_of[n] / factor[n]);
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
  if (s.twin && s.theta.size() > 0) s.twin->program(s.theta);
}

void Layer::backward(View<const float> x, View<const float> grad_y, View<float> grad_x) {
  LayerState& s = *state_;
  check_gradient(x, s.n_in, grad_y, s.n_out, grad_x.rows() == x.rows() ? grad_x.cols() : -1);
  s.check_programmed();
  const std::string& by = s.params.text("backward");
  if (by == "device")
    transposed(grad_y, grad_x);
  else if (by == "twin")
    s.through_twin(x, grad_y, grad_x);
  else
    gemm(Transpose::no, Transpose::no, 1.0f, grad_y, s.held, 0.0f, grad_x);
  if (s.params.text("noise_management") == "abs_max") return;
  const auto limit = static_cast<float>(s.row_range(0));
  for (Index r = 0; r < x.rows(); ++r)
    for (Index j = 0; j < s.n_in; ++j)
      if (std::abs(x(r, j)) > limit) grad_x(r, j) = 0;
}

double Layer::range_gradient(View<const float> x, View<const float> grad_y) const {
  const LayerState& s = *state_;
  check_gradient(x, s.n_in, grad_y, s.n_out, s.n_in);
  s.check_programmed();
  if (s.params.text("noise_management") == "abs_max")
    throw Unsupported("layer: gradient of the input range", "layer.noise_management = abs_max",
                      "fixed, running or learned");
  Matrix<float> below(x.rows(), s.n_in);
  gemm(Transpose::no, Transpose::no, 1.0f, grad_y, s.held, 0.0f, below);
  const double limit = s.row_range(0), top = s.mid_in - 1;
  double sum = 0;
  for (Index r = 0; r < x.rows(); ++r)
    for (Index j = 0; j < s.n_in; ++j) {
      const double v = static_cast<double>(x(r, j)) / limit;
      const double slope = std::abs(v) > 1 ? std::copysign(1.0, v) : std::rint(v * top) / top - v;
      sum += static_cast<double>(below(r, j)) * slope;
    }
  return sum;
}

void Layer::set_input_range(double range) {
  LayerState& s = *state_;
  if (s.params.text("noise_management") != "learned")
    throw Unsupported("layer: set_input_range()", "layer.noise_management = " + s.params.text("noise_management"),
                      "learned");
  if (!(range > 0) || !std::isfinite(range))
    throw OutOfRange("layer: input range", std::to_string(range), "a finite number above 0");
  s.running = range;
}

double Layer::input_range() const { return state_->row_range(0); }

void Layer::check_update(View<const float> dw) const {
  const LayerState& s = *state_;
  s.check_programmed();
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
                         std::to_string(dw(i, j)), "at most the whole range, " + std::to_string(2 * full));
  }
}

void Layer::update(View<const float> dw) {
  check_update(dw);
  LayerState& s = *state_;
  const DeviceInfo& info = s.session.info();
  const ParamSet& device = s.session.settings();
  const double step = device.real("pulse.step");
  const auto most = static_cast<std::int64_t>(info.program->highest() / 2);
  Matrix<std::int32_t> left(s.n_out, s.n_in);
  const Stream rounding(static_cast<std::uint64_t>(s.params.integer("seed")), kUpdates, Purpose::calibration);
  std::vector<float> u(static_cast<std::size_t>(s.n_in));
  bool any = false;
  for (Index i = 0; i < s.n_out; ++i) {
    rounding.uniform(s.updates * static_cast<std::uint64_t>(s.n_out) + static_cast<std::uint64_t>(i), 0, u);
    const double full = s.scale[static_cast<std::size_t>(i)];
    for (Index j = 0; j < s.n_in; ++j) {
      const double part = static_cast<double>(dw(i, j)) / full;
      left(i, j) =
          static_cast<std::int32_t>(std::floor(part / step + static_cast<double>(u[static_cast<std::size_t>(j)])));
      any = any || left(i, j) != 0;
      const auto moved = static_cast<float>(left(i, j) * step);
      s.target(i, j) += moved;
      s.held(i, j) += moved * static_cast<float>(full);
    }
  }
  s.follow_target();
  ++s.updates;
  if (!any) return;
  if (device.text("program.mode") != "pulses") s.session.configure({{"program.mode", std::string("pulses")}});
  FrameBuffer codes(*info.program, 1);
  const std::uint32_t middle = info.program->highest() / 2 + 1;
  for (; any;) {
    for (Index i = 0; i < codes.frames().size; ++i) codes.frames().set(0, i, middle);
    any = false;
    for (Index i = 0; i < s.n_out; ++i)
      for (Index j = 0; j < s.n_in; ++j) {
        const std::int64_t now = std::clamp<std::int64_t>(left(i, j), -most, most);
        left(i, j) -= static_cast<std::int32_t>(now);
        any = any || left(i, j) != 0;
        codes.frames().set(0, i * info.input.size() + j, static_cast<std::uint32_t>(middle + now));
      }
    s.session.program(std::as_const(codes).frames());
    s.count_program();
  }
}

}  // namespace lightloop
