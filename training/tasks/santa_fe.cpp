// Santa Fe time series A: the intensity of a chaotic far-infrared laser, 10093 8-bit samples (Huebner, Abraham and
// Weiss, Phys. Rev. A 40, 6354 (1989)). One step ahead: given s(..t), predict s(t+1). Rows 0 to 99 wake the reservoir,
// the next 3000 are learnt from, the next 1000 scored. The series is a file: santafe/santafe_laser.txt (one value per
// line) in one of the data folders.
#include <fstream>

#include "core/error.hpp"
#include "training/tasks/files.hpp"
#include "training/tasks/task.hpp"

namespace lightloop {
namespace {

constexpr std::size_t kLength = 10093;
constexpr long kSum = 603880;  // of all values; tells another file of this name

Task make(const ParamSet& params) {
  const std::string path =
      find_data_file("santafe/santafe_laser.txt", params.text("data_dir"),
                     "The series A of the Santa Fe competition, A.dat then A.cont, one value per line.");
  std::ifstream file(path);
  std::vector<double> s;
  long sum = 0;
  for (double value = 0; file >> value;) {
    if (!(value >= 0 && value <= 255)) throw FileError(path, "value " + std::to_string(value), "0 to 255");
    s.push_back(value);
    sum += static_cast<long>(value);
  }
  if (s.size() != kLength || sum != kSum)
    throw FileError(path, std::to_string(s.size()) + " values with sum " + std::to_string(sum),
                    std::to_string(kLength) + " with sum " + std::to_string(kSum), "Get the published file again.");
  Task task;
  take_split(task, params);
  const Index total = task.washout + task.train + task.test, first = params.integer("first");
  if (first + total + 1 > static_cast<Index>(kLength))
    throw OutOfRange("task santa_fe: rows", std::to_string(first + total + 1), "at most " + std::to_string(kLength));
  task.inputs = Matrix<double>(total, 1);
  task.targets = Matrix<double>(total, 1);
  for (Index t = 0; t < total; ++t) {
    task.inputs(t, 0) = s[static_cast<std::size_t>(first + t)];
    task.targets(t, 0) = s[static_cast<std::size_t>(first + t + 1)];
  }
  task.baseline_taps = 8;
  task.convention = "series A (A.dat + A.cont, 10093 8-bit samples) from sample " + std::to_string(first) +
                    "; s(t+1) from s(..t), raw counts; NMSE by the variance of the test segment";
  return task;
}

}  // namespace

TaskModel santa_fe_task() {
  auto params = split_params(100, 3000, 1000);
  params.push_back({"first", "1", std::int64_t{0}, 0, 10000, "sample of the series the washout begins with"});
  params.push_back({"data_dir", "", std::string(), 0, 0, "folder searched first, then $LIGHTLOOP_DATA"});
  return {"santa_fe", "one-step prediction of a chaotic laser, measured",
          "Weigend and Gershenfeld, Time Series Prediction, 1993", params, make};
}

}  // namespace lightloop
