#include "training/tasks/evaluate.hpp"

#include <algorithm>

#include "training/metrics/error.hpp"

namespace lightloop {
namespace {

Index end_of(const Task& task, std::size_t sequence) {
  return sequence + 1 < task.starts.size() ? task.starts[sequence + 1] : task.inputs.rows();
}

/// One row per sequence: its mean state.
Matrix<double> sequence_means(const Task& task, View<const double> states) {
  Matrix<double> means(static_cast<Index>(task.starts.size()), states.cols());
  for (std::size_t s = 0; s < task.starts.size(); ++s) {
    const Index first = task.starts[s], count = end_of(task, s) - first;
    for (Index t = 0; t < count; ++t)
      for (Index i = 0; i < states.cols(); ++i)
        means(static_cast<Index>(s), i) += states(first + t, i) / static_cast<double>(count);
  }
  return means;
}

Metric score(const Task& task, View<const double> target, View<const double> prediction) {
  return task.score == Score::nmse ? nmse(target, prediction) : symbol_error_rate(target, prediction, task.alphabet);
}

}  // namespace

Matrix<double> task_states(Reservoir& reservoir, const Task& task, double scale, double offset) {
  Matrix<double> u(task.inputs.rows(), task.inputs.cols());
  for (Index i = 0; i < u.size(); ++i) u.data()[i] = scale * task.inputs.data()[i] + offset;
  Matrix<float> states(u.rows(), reservoir.nodes());
  const std::size_t sequences = std::max<std::size_t>(1, task.starts.size());
  for (std::size_t s = 0; s < sequences; ++s) {
    const Index first = task.starts.empty() ? 0 : task.starts[s];
    const Index count = (task.starts.empty() ? u.rows() : end_of(task, s)) - first;
    reservoir.reset();
    reservoir.run(u.view().rows(first, count), states.view().rows(first, count));
  }
  Matrix<double> wide(states.rows(), states.cols());
  std::copy_n(states.data(), states.size(), wide.data());
  return wide;
}

Metric evaluate(const Task& task, View<const double> states, std::span<const double> ridges) {
  if (states.rows() != task.inputs.rows())
    throw ShapeMismatch("states of task " + task.name, std::to_string(states.rows()) + " rows",
                        std::to_string(task.inputs.rows()) + " rows of its inputs");
  check_states("evaluate", states);
  Matrix<double> means;
  if (!task.starts.empty()) means = sequence_means(task, states);
  const View<const double> x = task.starts.empty() ? states : means.view(), y = task.targets.view();
  RidgeTrainer trainer(x.cols(), y.cols());
  const Index first = task.washout, validation = task.train / 5;
  if (ridges.size() == 1) {
    trainer.add(x.rows(first, task.train), y.rows(first, task.train));
  } else if (task.starts.empty()) {
    const Index learnt = task.train - validation;
    trainer.add(x.rows(first, learnt), y.rows(first, learnt));
    trainer.add_validation(x.rows(first + learnt, validation), y.rows(first + learnt, validation));
  } else {  // sequences come class by class: every fifth is held out
    for (Index s = first; s < first + task.train; ++s) {
      if (s % 5 == 4)
        trainer.add_validation(x.rows(s, 1), y.rows(s, 1));
      else
        trainer.add(x.rows(s, 1), y.rows(s, 1));
    }
  }
  const LinearReadout readout = trainer.solve(ridges);
  const auto scored = [&](Index from, Index count) {
    const Matrix<double> p = readout.predict(x.rows(from, count));
    return score(task, y.rows(from, count), p.view());
  };
  Metric result = scored(first + task.train, task.test);
  result.convention = task.convention + "; " + std::to_string(task.washout) + " washout, " +
                      std::to_string(task.train) + " train, " + std::to_string(task.test) +
                      " test; ridge chosen on the last fifth of the training rows";
  if (!task.starts.empty()) result.convention = task.convention + "; ridge chosen on every fifth training sequence";
  result.detail.push_back({"ridge", {readout.ridge}});
  result.detail.push_back({"train", {scored(first, task.train).value}});
  return result;
}

Metric linear_baseline(const Task& task) {
  const Index taps = task.starts.empty() ? std::max<Index>(1, task.baseline_taps) : 1, channels = task.inputs.cols();
  Matrix<double> lagged(task.inputs.rows(), taps * channels);
  for (Index t = 0; t < lagged.rows(); ++t)
    for (Index k = 0; k < std::min(taps, t + 1); ++k)
      for (Index c = 0; c < channels; ++c) lagged(t, k * channels + c) = task.inputs(t - k, c);
  Metric result = evaluate(task, lagged);
  result.name += " of the linear baseline";
  result.convention = "ridge on the last " + std::to_string(taps) + " inputs; " + result.convention;
  return result;
}

}  // namespace lightloop
