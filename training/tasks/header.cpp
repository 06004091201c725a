// Header recognition: which of the 2^n words do the last n bits make? One output per word, the largest wins (Porte et
// al., J. Phys. Photonics 3, 024017 (2021)).
#include "training/tasks/bits.hpp"
#include "training/tasks/task.hpp"

namespace lightloop {
namespace {

Task make(const ParamSet& params) {
  Task task;
  take_split(task, params);
  const Index total = task.washout + task.train + task.test, n = params.integer("bits"), words = Index{1} << n;
  const auto seed = static_cast<std::uint64_t>(params.integer("seed"));
  task.inputs = Matrix<double>(total, 1);
  task.targets = Matrix<double>(total, words);
  for (Index t = 0; t < total; ++t) {
    Index word = 0;
    for (Index i = 0; i < n; ++i) word = 2 * word + task_bit(seed, static_cast<std::uint64_t>(t + i));
    task.inputs(t, 0) = static_cast<double>(word % 2);
    task.targets(t, word) = 1;
  }
  task.score = Score::symbol_error_rate;
  task.baseline_taps = n;
  task.convention = "word of the last " + std::to_string(n) +
                    " fair bits at every step, one output per word, largest wins; fraction wrong";
  return task;
}

}  // namespace

TaskModel header_task() {
  auto params = split_params(100, 4000, 4000);
  params.push_back({"bits", "1", std::int64_t{3}, 1, 10, "length of the word"});
  params.push_back({"seed", "1", std::int64_t{1}, 0, 9007199254740992.0, "key of the bits"});
  return {"header", "recognition of n-bit headers", "Porte et al., J. Phys. Photonics 3, 024017 (2021)", params, make};
}

}  // namespace lightloop
