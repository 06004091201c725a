#pragma once
// A reservoir's score on a task, and the linear baseline it has to beat.
#include "driver/reservoir/reservoir.hpp"
#include "training/metrics/metric.hpp"
#include "training/readout.hpp"
#include "training/tasks/task.hpp"

namespace lightloop {

/// Drives all rows of the task's inputs: one state per row, (T, N). The reservoir is reset first, and before every
/// sequence. `scale`, `offset`: the reservoir is given scale * u + offset.
Matrix<double> task_states(Reservoir& reservoir, const Task& task, double scale = 1, double offset = 0);

/// Trains the read-out on the task's training rows, the ridge chosen on their last fifth (of sequences: every fifth),
/// and scores it on the test rows. `states` has one row per input row. Detail: "ridge", the one chosen; "train", the
/// score on the rows learnt from.
Metric evaluate(const Task& task, View<const double> states, std::span<const double> ridges = default_ridges());

/// The task done by a tapped delay line of the inputs (the last task.baseline_taps of each) with the same read-out:
/// what needs no reservoir. Sequences: no taps, the mean of the inputs.
Metric linear_baseline(const Task& task);

}  // namespace lightloop
