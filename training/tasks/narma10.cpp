// NARMA10 (Atiya and Parlos, IEEE Trans. Neural Netw. 11, 697 (2000)), in the form that most reservoir papers use:
//   y(t+1) = 0.3 y(t) + 0.05 y(t) sum_{i=0..9} y(t-i) + 1.5 u(t-9) u(t) + 0.1,   u ~ U(0, 0.5), y(0..9) = 0.
// Given u(..t), predict y(t+1). Libraries differ: some leave y(t) out of the sum, some take u(t-10).
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "training/tasks/task.hpp"

namespace lightloop {
namespace {

Task make(const ParamSet& params) {
  Task task;
  take_split(task, params);
  const Index total = task.washout + task.train + task.test;
  task.inputs = Matrix<double>(total, 1);
  task.targets = Matrix<double>(total, 1);
  const Stream stream(static_cast<std::uint64_t>(params.integer("seed")), 0, Purpose::task_data);
  std::vector<double> y(static_cast<std::size_t>(total) + 1, 0.0);
  for (Index t = 0; t < total; ++t) {
    task.inputs(t, 0) = 0.5 * stream.uniform(0, static_cast<std::uint64_t>(t));
    const auto now = static_cast<std::size_t>(t);
    if (t >= 9) {
      double sum = 0;
      for (std::size_t i = 0; i < 10; ++i) sum += y[now - i];
      y[now + 1] = 0.3 * y[now] + 0.05 * y[now] * sum + 1.5 * task.inputs(t - 9, 0) * task.inputs(t, 0) + 0.1;
      if (!(std::abs(y[now + 1]) < 10))
        throw OutOfRange("task narma10: series", "diverged at step " + std::to_string(t), "", "Take another seed.");
    }
    task.targets(t, 0) = y[now + 1];
  }
  task.baseline_taps = 20;
  task.convention =
      "u ~ U(0, 0.5); y(t+1) = 0.3 y(t) + 0.05 y(t) sum_{i=0..9} y(t-i) + 1.5 u(t-9) u(t) + 0.1; y(t+1) from u(..t); "
      "NMSE by the variance of the test segment";
  return task;
}

}  // namespace

TaskModel narma10_task() {
  auto params = split_params(200, 3000, 1000);
  params.push_back({"seed", "1", std::int64_t{1}, 0, 9007199254740992.0, "key of the series"});
  return {"narma10", "nonlinear autoregressive moving average of order 10",
          "Atiya and Parlos, IEEE Trans. Neural Netw. 11, 697 (2000)", params, make};
}

}  // namespace lightloop
