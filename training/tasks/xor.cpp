// Delayed exclusive or: b(t) xor b(t - d) of fair random bits. No linear read-out of the bits can do better than
// chance.
#include "training/tasks/bits.hpp"
#include "training/tasks/task.hpp"

namespace lightloop {
namespace {

Task make(const ParamSet& params) {
  Task task;
  take_split(task, params);
  const Index total = task.washout + task.train + task.test, d = params.integer("distance");
  const auto seed = static_cast<std::uint64_t>(params.integer("seed"));
  task.inputs = Matrix<double>(total, 1);
  task.targets = Matrix<double>(total, 1);
  for (Index t = 0; t < total; ++t) {
    const int now = task_bit(seed, static_cast<std::uint64_t>(t + d)),
              before = task_bit(seed, static_cast<std::uint64_t>(t));
    task.inputs(t, 0) = now;
    task.targets(t, 0) = now ^ before;
  }
  task.score = Score::symbol_error_rate;
  task.alphabet = {0, 1};
  task.baseline_taps = d + 2;
  task.convention = "b(t) xor b(t - " + std::to_string(d) +
                    ") from fair bits 0, 1; wrong where the read-out is nearer to the other bit";
  return task;
}

}  // namespace

TaskModel xor_task() {
  auto params = split_params(100, 2000, 2000);
  params.push_back({"distance", "1", std::int64_t{1}, 1, 1000, "how far back the other bit lies"});
  params.push_back({"seed", "1", std::int64_t{1}, 0, 9007199254740992.0, "key of the bits"});
  return {"xor", "exclusive or of two bits of the past", "a common test of memory with nonlinearity", params, make};
}

}  // namespace lightloop
