#include "training/tasks/task.hpp"

#include "core/error.hpp"

namespace lightloop {

const TaskModel& task(const std::string& name) {
  std::vector<std::string> known;
  std::string list;
  for (const TaskModel& model : tasks()) {
    if (model.name == name) return model;
    known.push_back(model.name);
    list += (list.empty() ? "" : ", ") + model.name;
  }
  const auto near = nearest(name, known);
  throw UnknownName("task", "\"" + name + "\"", list, near ? "Did you mean \"" + *near + "\"?" : "");
}

Task make_task(const std::string& name, const Settings& settings) {
  const TaskModel& model = task(name);
  ParamSet params("task " + name, model.params);
  params.set(settings);
  Task made = model.make(params);
  made.name = name;
  return made;
}

std::vector<ParamInfo> split_params(std::int64_t washout, std::int64_t train, std::int64_t test) {
  constexpr double kMost = 1e8;
  return {{"washout", "1", washout, 0, kMost, "rows that only wake the reservoir"},
          {"train", "1", train, 10, kMost, "rows to learn from"},
          {"test", "1", test, 2, kMost, "rows that are scored"}};
}

void take_split(Task& task, const ParamSet& params) {
  task.washout = params.integer("washout");
  task.train = params.integer("train");
  task.test = params.integer("test");
}

}  // namespace lightloop
