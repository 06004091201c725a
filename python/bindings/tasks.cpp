// Benchmark tasks, their scores, the ridge read-out and closed loops.
#include <pybind11/stl.h>

#include <algorithm>

#include "core/error.hpp"
#include "python/bindings/arrays.hpp"
#include "python/bindings/bindings.hpp"
#include "training/closed_loop.hpp"
#include "training/echo_state.hpp"
#include "training/tasks/evaluate.hpp"

namespace lightloop::python {
namespace {

using Numbers = py::array_t<double, py::array::c_style | py::array::forcecast>;

py::array rows_of(const Matrix<double>& matrix, const py::object& owner) {
  return read_only(matrix.data(), {matrix.rows(), matrix.cols()}, owner);
}

/// A reservoir whose state is a Python object: run(u) -> states, reset().
class PythonReservoir : public Reservoir {
 public:
  explicit PythonReservoir(const py::object& object)
      : object_(object), inputs_(object.attr("inputs").cast<Index>()), nodes_(object.attr("nodes").cast<Index>()) {}
  Index inputs() const override { return inputs_; }
  Index nodes() const override { return nodes_; }
  void reset() override { object_.attr("reset")(); }
  void run(View<const double> u, View<float> states) override {
    check_run(*this, u, states);
    py::array_t<double> rows({u.rows(), u.cols()});
    for (Index t = 0; t < u.rows(); ++t) std::ranges::copy(u.row(t), rows.mutable_data() + t * u.cols());
    const py::array_t<float, py::array::c_style | py::array::forcecast> answer = object_.attr("run")(rows);
    if (answer.ndim() != 2 || answer.shape(0) != states.rows() || answer.shape(1) != states.cols())
      throw ShapeMismatch("states of the reservoir", std::string(py::str(answer.attr("shape"))),
                          "(" + std::to_string(states.rows()) + ", " + std::to_string(states.cols()) + ") wanted");
    for (Index t = 0; t < states.rows(); ++t)
      std::copy_n(answer.data() + t * states.cols(), states.cols(), states.row(t).data());
  }

 private:
  py::object object_;
  Index inputs_, nodes_;
};

void register_readout(py::module_& m) {
  py::class_<LinearReadout>(m, "LinearReadout", "p = W' (x - mean) + offset.")
      .def_property_readonly("weights", [](const LinearReadout& r) { return to_array(r.weights); })
      .def_readonly("mean", &LinearReadout::mean)
      .def_readonly("offset", &LinearReadout::offset)
      .def_readonly("ridge", &LinearReadout::ridge)
      .def_readonly("candidates", &LinearReadout::candidates)
      .def_readonly("validation_nmse", &LinearReadout::validation_nmse)
      .def(
          "predict", [](const LinearReadout& r, const Numbers& x) { return to_array(r.predict(number_rows(x, "x"))); },
          py::arg("x"), "(T, features) -> (T, outputs).");
  py::class_<RidgeTrainer>(m, "RidgeTrainer", "Streaming ridge regression on standardised features, from running sums.")
      .def(py::init<Index, Index>(), py::arg("features"), py::arg("outputs") = 1)
      .def(
          "add",
          [](RidgeTrainer& t, const Numbers& x, const Numbers& y) { t.add(number_rows(x, "x"), number_rows(y, "y")); },
          py::arg("x"), py::arg("y"), "Rows to learn from.")
      .def(
          "add_validation",
          [](RidgeTrainer& t, const Numbers& x, const Numbers& y) {
            t.add_validation(number_rows(x, "x"), number_rows(y, "y"));
          },
          py::arg("x"), py::arg("y"), "Rows to choose the ridge by; learnt from as well once it is chosen.")
      .def(
          "solve", [](const RidgeTrainer& t, const std::vector<double>& ridges) { return t.solve(ridges); },
          py::arg("ridges") = default_ridges(), "The read-out with the ridge that validates best.");
}

ClosedLoopSettings loop_settings(Index washout, double forcing, Index rounds, double scale, double offset, double ridge,
                                 bool squares) {
  return {washout, forcing, rounds, scale, offset, ridge, squares};
}

void register_closed_loop(py::module_& m) {
  const ClosedLoopSettings d;
  m.def(
      "train_closed_loop",
      [](const py::object& reservoir, const Numbers& series, Index washout, double forcing, Index rounds, double scale,
         double offset, double ridge, bool squares) {
        const auto settings = loop_settings(washout, forcing, rounds, scale, offset, ridge, squares);
        if (py::isinstance<EchoState>(reservoir))
          return train_closed_loop(reservoir.cast<EchoState&>(), number_rows(series, "series"), settings);
        PythonReservoir bridge(reservoir);
        return train_closed_loop(bridge, number_rows(series, "series"), settings);
      },
      py::arg("reservoir"), py::arg("series"), py::kw_only(), py::arg("washout") = d.washout,
      py::arg("forcing") = d.forcing, py::arg("rounds") = d.rounds, py::arg("scale") = d.scale,
      py::arg("offset") = d.offset, py::arg("ridge") = d.ridge, py::arg("squares") = d.squares);
  m.def(
      "free_run",
      [](const py::object& reservoir, const LinearReadout& readout, const Numbers& start, Index steps, double scale,
         double offset, bool squares) {
        ClosedLoopSettings settings;
        settings.scale = scale;
        settings.offset = offset;
        settings.squares = squares;
        if (py::isinstance<EchoState>(reservoir))
          return to_array(
              free_run(reservoir.cast<EchoState&>(), readout, number_rows(start, "start"), steps, settings));
        PythonReservoir bridge(reservoir);
        return to_array(free_run(bridge, readout, number_rows(start, "start"), steps, settings));
      },
      py::arg("reservoir"), py::arg("readout"), py::arg("start"), py::arg("steps"), py::kw_only(),
      py::arg("scale") = d.scale, py::arg("offset") = d.offset, py::arg("squares") = d.squares);
}

}  // namespace

void register_tasks(py::module_& m) {
  py::class_<TaskModel>(m, "TaskModel", "The record of a benchmark task.")
      .def_readonly("name", &TaskModel::name)
      .def_readonly("summary", &TaskModel::summary)
      .def_readonly("source", &TaskModel::source)
      .def_readonly("params", &TaskModel::params);
  py::class_<Task>(m, "Task", "A benchmark task: inputs, targets, split, convention.")
      .def_readonly("name", &Task::name)
      .def_readonly("convention", &Task::convention)
      .def_property_readonly("inputs",
                             [](const py::object& self) { return rows_of(self.cast<const Task&>().inputs, self); })
      .def_property_readonly("targets",
                             [](const py::object& self) { return rows_of(self.cast<const Task&>().targets, self); })
      .def_readonly("washout", &Task::washout)
      .def_readonly("train", &Task::train)
      .def_readonly("test", &Task::test)
      .def_property_readonly("score",
                             [](const Task& t) { return t.score == Score::nmse ? "nmse" : "symbol_error_rate"; })
      .def_readonly("alphabet", &Task::alphabet)
      .def_readonly("starts", &Task::starts)
      .def_readwrite("baseline_taps", &Task::baseline_taps)
      .def_readonly("step", &Task::step)
      .def_readonly("exponent", &Task::exponent);
  m.def(
      "tasks", [] { return tasks(); }, "The record of every benchmark task.");
  m.def(
      "make_task",
      [](const std::string& name, const py::dict& settings) {
        const Settings wanted = to_settings(settings);
        py::gil_scoped_release release;
        return make_task(name, wanted);
      },
      py::arg("name"), py::arg("settings") = py::dict());
  m.def(
      "evaluate",
      [](const Task& task, const Numbers& states, const std::vector<double>& ridges) {
        const auto x = number_rows(states, "states");
        py::gil_scoped_release release;
        return evaluate(task, x, ridges);
      },
      py::arg("task"), py::arg("states"), py::arg("ridges") = default_ridges());
  m.def(
      "linear_baseline",
      [](const Task& task) {
        py::gil_scoped_release release;
        return linear_baseline(task);
      },
      py::arg("task"));
  m.def(
      "task_states",
      [](const py::object& reservoir, const Task& task, double scale, double offset) {
        if (py::isinstance<EchoState>(reservoir))
          return to_array(task_states(reservoir.cast<EchoState&>(), task, scale, offset));
        PythonReservoir bridge(reservoir);
        return to_array(task_states(bridge, task, scale, offset));
      },
      py::arg("reservoir"), py::arg("task"), py::arg("scale") = 1.0, py::arg("offset") = 0.0);
  register_readout(m);
  register_closed_loop(m);
}

}  // namespace lightloop::python
