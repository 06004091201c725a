#pragma once
// Benchmark tasks with frozen conventions. Published scores of one task differ by factors because its authors differ in
// series, split and normalisation; here every choice is written in the task's convention and pinned by a test.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/param.hpp"

namespace lightloop {

enum class Score { nmse, symbol_error_rate };

/// One task, made. Rows are times (of all sequences one after the other): `washout` that only wake the reservoir, then
/// `train`, then `test`.
struct Task {
  std::string name, convention;
  Matrix<double> inputs, targets;  ///< (T, K), (T, M), in the units of the source
  Index washout = 0, train = 0, test = 0;
  Score score = Score::nmse;
  std::vector<double> alphabet = {};  ///< symbols of a target with one column
  /// First row of every sequence, for tasks made of sequences: the reservoir is reset there, the states of a sequence
  /// are averaged before the read-out, washout, train and test count sequences, and `targets` has one row for each.
  std::vector<Index> starts = {};
  Index baseline_taps = 10;  ///< of the linear baseline
  double step = 1;           ///< time between two rows, in the units of the model
  double exponent = 0;       ///< largest Lyapunov exponent of the model where it is known, else 0
};

/// The record of a task: Python, docs and tests read it.
struct TaskModel {
  std::string name, summary, source;
  std::vector<ParamInfo> params;  ///< `seed` only where something is drawn
  std::function<Task(const ParamSet&)> make;
};

/// Every task of this build, in the order of the list in training/CMakeLists.txt.
const std::vector<TaskModel>& tasks();
/// Throws UnknownName with the nearest name.
const TaskModel& task(const std::string& name);
/// Makes a task; throws as ParamSet::set, FileError where data are wanted and not found.
Task make_task(const std::string& name, const Settings& settings = {});

/// The three counts that every task has, with its own defaults.
std::vector<ParamInfo> split_params(std::int64_t washout, std::int64_t train, std::int64_t test);
void take_split(Task& task, const ParamSet& params);

}  // namespace lightloop
