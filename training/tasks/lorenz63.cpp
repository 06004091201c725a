// Lorenz' convection model (J. Atmos. Sci. 20, 130 (1963)): x' = 10 (y - x), y' = x (28 - z) - y, z' = x y - 8/3 z.
// Given the state at t, predict it one sample later. Integrated by Odeint's Dormand-Prince stepper to 1e-12, from (1,
// 1, 1), after 100 time units of transient.
#include <array>
#include <boost/numeric/odeint/integrate/integrate_adaptive.hpp>
#include <boost/numeric/odeint/stepper/controlled_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_dopri5.hpp>

#include "training/tasks/task.hpp"

namespace lightloop {
namespace {

using State = std::array<double, 3>;
constexpr double kTransient = 100, kTolerance = 1e-12;

void lorenz(const State& x, State& dxdt, double) {
  dxdt = {10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8.0 / 3 * x[2]};
}

Task make(const ParamSet& params) {
  namespace odeint = boost::numeric::odeint;
  Task task;
  take_split(task, params);
  task.step = params.real("step");
  task.exponent = 0.9056;  // Viswanath, Nonlinearity 16, 1035 (2003)
  const Index total = task.washout + task.train + task.test;
  task.inputs = Matrix<double>(total, 3);
  task.targets = Matrix<double>(total, 3);
  auto stepper = odeint::make_controlled(kTolerance, kTolerance, odeint::runge_kutta_dopri5<State>());
  State x = {1, 1, 1};
  odeint::integrate_adaptive(stepper, lorenz, x, 0.0, kTransient, 1e-3);
  for (Index t = 0; t < total; ++t) {
    std::copy(x.begin(), x.end(), task.inputs.row(t).begin());
    odeint::integrate_adaptive(stepper, lorenz, x, 0.0, task.step, task.step / 8);
    std::copy(x.begin(), x.end(), task.targets.row(t).begin());
  }
  task.baseline_taps = 10;
  task.convention =
      "sigma 10, rho 28, beta 8/3, from (1, 1, 1) after 100 time units; all three variables one sample ahead from "
      "all three; NMSE over the three by the sum of their variances";
  return task;
}

}  // namespace

TaskModel lorenz63_task() {
  auto params = split_params(200, 5000, 2500);
  params.push_back({"step", "1", 0.02, 1e-4, 1, "time between samples"});
  return {"lorenz63", "prediction of Lorenz' attractor", "Lorenz, J. Atmos. Sci. 20, 130 (1963)", params, make};
}

}  // namespace lightloop
