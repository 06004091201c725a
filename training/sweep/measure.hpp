#pragma once
// Measures of a device of kind reservoir by name: metrics and tasks that drive the open device themselves. Sweep files
// and Python call the same ones.
#include <functional>
#include <string>
#include <vector>

#include "driver/api/session.hpp"
#include "training/metrics/metric.hpp"
#include "training/sweep/generator.hpp"
#include "training/tasks/task.hpp"

namespace lightloop::sweeps {

/// The record of a measure. All draw their mask (nodes, 1), then their input, uniform on [-1, 1); one node per drive
/// sample, the mask over the whole frame.
struct MeasureModel {
  std::string name, summary;
  std::vector<ParamInfo> params;
  std::function<Metric(Session&, const Draw&, const ParamSet&)> measure;
};
const std::vector<MeasureModel>& measures();
/// Throws UnknownName with the nearest name.
const MeasureModel& measure(const std::string& name);

/// One input shown several times: the device is reset before each repeat, its noise is fresh.
struct Responses {
  std::vector<double> input;           ///< (length)
  std::vector<Matrix<double>> states;  ///< of each repeat, (length, nodes)
};
Responses responses(Session& session, const Draw& draw, Index repeats, Index length, Index washout);

/// The score of a task: inputs brought to [-1, 1] by their range in training meet a mask (nodes, channels) from `draw`.
/// Throws as evaluate().
Metric score(Session& session, const Draw& draw, const Task& task);

}  // namespace lightloop::sweeps
