// Measures that drive a device themselves, and sweep files.
#include <pybind11/stl.h>

#include "core/error.hpp"
#include "python/bindings/arrays.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/session.hpp"
#include "training/sweep/file.hpp"
#include "training/sweep/summary.hpp"

namespace lightloop::python {
namespace {
using namespace sweeps;

/// Numbers from draw(n), an array of n uniform on [-1, 1).
Draw to_draw(const py::function& draw) {
  return [call = draw.ptr()](std::span<double> out) {
    const py::gil_scoped_acquire lock;
    const py::array_t<double, py::array::c_style | py::array::forcecast> numbers =
        py::reinterpret_borrow<py::function>(call)(out.size());
    if (numbers.size() != static_cast<py::ssize_t>(out.size()))
      throw ShapeMismatch("draw", std::to_string(numbers.size()), std::to_string(out.size()) + " numbers wanted");
    std::copy_n(numbers.data(), out.size(), out.begin());
  };
}

py::object from_toml(const Toml& node) {
  if (node.kind == Toml::Kind::value) return from_value(node.value);
  if (node.kind == Toml::Kind::array) {
    py::list list;
    for (const Toml& item : node.items) list.append(from_toml(item));
    return list;
  }
  py::dict dict;
  for (const auto& [key, entry] : node.entries) dict[py::str(key)] = from_toml(entry);
  return dict;
}

py::dict read(const std::string& path) {
  const SweepFile file = read_sweep(path);
  const Sweep& sweep = file.sweep;
  py::dict over, options, asked;
  for (const Axis& axis : sweep.axes) {
    py::list values;
    for (const Value& value : axis.values) values.append(from_value(value));
    over[py::str(axis.key)] = values;
  }
  py::list measures;
  for (const MeasureAsked& m : file.measures) {
    Toml arguments;
    arguments.entries = m.arguments;
    measures.append(py::make_tuple(m.name, m.task, m.with_arguments ? from_toml(arguments) : py::none()));
  }
  options["repeats"] = sweep.repeats;
  options["seed"] = sweep.seed;
  options["engine"] = sweep.engine == Engine::alone     ? py::object(py::str("alone"))
                      : sweep.engine == Engine::threads ? py::object(py::str("threads"))
                                                        : py::none();
  options["errors"] = sweep.nan_where_it_fails ? "nan" : "raise";
  options["order"] = sweep.bench.order;
  options["settle"] = sweep.bench.settle_s;
  options["hysteresis"] = sweep.bench.hysteresis.empty() ? py::object(py::none()) : py::str(sweep.bench.hysteresis);
  options["reference_every"] = sweep.bench.reference_every;
  options["reference"] = from_settings(sweep.bench.reference);
  options["abort"] = sweep.bench.abort;
  options["attached"] = sweep.attached;
  asked["device"] = sweep.device;
  asked["over"] = over;
  asked["measure"] = measures;
  asked["options"] = options;
  return asked;
}
}  // namespace

void register_measures(py::module_& m) {
  m.def(
      "measure",
      [](const std::string& name, SharedSession& session, const py::function& draw, const py::dict& settings) {
        const MeasureModel& model = measure(name);
        ParamSet params(name, model.params);
        params.set(to_settings(settings));
        const Draw numbers = to_draw(draw);
        return without_interpreter(session, [&](Session& s) { return model.measure(s, numbers, params); });
      },
      py::arg("name"), py::arg("session"), py::arg("draw"), py::arg("settings"),
      "A measure that drives the device itself; draw(n) gives n numbers uniform on [-1, 1).");
  m.def(
      "responses",
      [](SharedSession& session, const py::function& draw, Index repeats, Index length, Index washout) {
        const Draw numbers = to_draw(draw);
        const Responses seen =
            without_interpreter(session, [&](Session& s) { return responses(s, numbers, repeats, length, washout); });
        const Index nodes = seen.states.empty() ? 0 : seen.states[0].cols();
        py::array_t<double> input(static_cast<py::ssize_t>(seen.input.size()), seen.input.data());
        py::array_t<double> states({repeats, length, nodes});
        for (Index r = 0; r < repeats; ++r)
          std::copy_n(seen.states[static_cast<std::size_t>(r)].data(), length * nodes,
                      states.mutable_data() + r * length * nodes);
        return py::make_tuple(input, states);
      },
      py::arg("session"), py::arg("draw"), py::arg("repeats"), py::arg("length"), py::arg("washout"));
  m.def(
      "score_task",
      [](SharedSession& session, const py::function& draw, const Task& task) {
        const Draw numbers = to_draw(draw);
        return without_interpreter(session, [&](Session& s) { return score(s, numbers, task); });
      },
      py::arg("session"), py::arg("draw"), py::arg("task"), "The score of a task on an open device of kind reservoir.");
  m.def(
      "measures",
      [] {
        std::vector<std::string> names;
        for (const MeasureModel& model : measures()) names.push_back(model.name);
        return names;
      },
      "The measures that a sweep file can name.");
  m.def("read_sweep", &read, py::arg("path"), "device, over, measure, options of a sweep file.");
  m.def("sweep_summary", &summary_text, py::arg("path"), py::arg("seconds"));
  m.def("sweep_summary_json", &summary_json, py::arg("path"), py::arg("seconds"), py::arg("resumed"));
}

}  // namespace lightloop::python
