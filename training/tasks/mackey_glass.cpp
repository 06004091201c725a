// Mackey-Glass equation (Science 197, 287 (1977)): x' = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x. By the classical
// Runge-Kutta method with cubic Hermite interpolation of the past, fourth order; methods that freeze the past over a
// step are of first order and change the mean by per cents. Given x(..t), predict x(t + horizon samples).
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "core/ode/delay_runge_kutta.hpp"
#include "training/tasks/task.hpp"

namespace lightloop {
namespace {

using State = std::array<double, 1>;
constexpr double kTransient = 1000;  // time units

Task make(const ParamSet& params) {
  Task task;
  take_split(task, params);
  task.step = params.real("sample");
  const Index horizon = params.integer("horizon"), total = task.washout + task.train + task.test + horizon;
  const double tau = params.real("tau"), step = params.real("step");
  const Index steps = std::llround(task.step / step);
  if (steps < 1 || std::abs(task.step - static_cast<double>(steps) * step) > 1e-9 * task.step)
    throw InvalidParameter("task mackey_glass: sample", std::to_string(task.step),
                           "a whole number of steps of " + std::to_string(step));
  DelayRungeKutta4<State> stepper(tau, step, {1.2});
  State x = {1.2};
  const auto system = [](const State& now, const State& past, State& slope, double) {
    slope[0] = 0.2 * past[0] / (1 + std::pow(past[0], 10)) - 0.1 * now[0];
  };
  const auto advance = [&](Index count) {
    for (Index i = 0; i < count; ++i) stepper.do_step(system, x, 0.0, step);
  };
  advance(std::llround(kTransient / step));
  std::vector<double> series;
  for (Index t = 0; t < total; ++t) {
    series.push_back(x[0]);
    advance(steps);
  }
  const Index rows = total - horizon;
  task.inputs = Matrix<double>(rows, 1);
  task.targets = Matrix<double>(rows, 1);
  for (Index t = 0; t < rows; ++t) {
    task.inputs(t, 0) = series[static_cast<std::size_t>(t)];
    task.targets(t, 0) = series[static_cast<std::size_t>(t + horizon)];
  }
  if (tau == 17) task.exponent = 0.00514;  // measured by two tangent integrations at three step sizes
  task.baseline_taps = 20;
  task.convention =
      "x' = 0.2 x(t-tau) / (1 + x(t-tau)^10) - 0.1 x from the constant 1.2, 1000 time units of transient, RK4 with "
      "Hermite past; x(t + " +
      std::to_string(horizon) + " samples) from x(..t); NMSE by the variance of the test segment";
  return task;
}

}  // namespace

TaskModel mackey_glass_task() {
  auto params = split_params(200, 3000, 1000);
  params.push_back({"tau", "1", 17.0, 1, 1000, "delay, in time units"});
  params.push_back({"sample", "1", 1.0, 1e-3, 100, "time between samples"});
  params.push_back({"step", "1", 0.1, 1e-3, 1, "integration step"});
  params.push_back({"horizon", "1", std::int64_t{6}, 1, 10000, "samples ahead"});
  return {"mackey_glass", "prediction of a chaotic delay equation", "Mackey and Glass, Science 197, 287 (1977)", params,
          make};
}

}  // namespace lightloop
