#include "driver/projection/projection.hpp"

#include <pybind11/stl.h>

#include <algorithm>

#include "core/error.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/session.hpp"

namespace lightloop::python {
namespace {

/// A Projection together with the session it drives, so that neither outlives the other.
struct BoundProjection {
  SharedSession& shared;
  Projection projection;
  BoundProjection(SharedSession& s, Index n_in, Index n_out, const Settings& settings)
      : shared(s), projection(*s.session, n_in, n_out, settings) {}
};

using Transform = void (Projection::*)(View<const float>, View<float>);

py::array_t<float> apply(BoundProjection& bound, const py::object& x, Transform transform) {
  const View<const float> in = float_rows(x, bound.projection.inputs(), "x");
  py::array_t<float> y({in.rows(), bound.projection.outputs()});
  const View<float> out(y.mutable_data(), in.rows(), bound.projection.outputs());
  without_interpreter(bound.shared, [&](Session&) { (bound.projection.*transform)(in, out); });
  return y;
}

const std::vector<ParamInfo>& size_params() {
  static const std::vector<ParamInfo> params = {{"input.size", "1", std::int64_t{1}, 0, 0, ""},
                                                {"output.size", "1", std::int64_t{1}, 0, 0, ""}};
  return params;
}

py::tuple sizes(const py::dict& projection, Index n_in, Index n_out) {
  const Settings sizes = sizes_for_projection(size_params(), {}, to_settings(projection), n_in, n_out);
  return py::make_tuple(from_value(sizes.at("input.size")), from_value(sizes.at("output.size")));
}

py::dict size_settings(const std::string& address, Index inputs, Index outputs) {
  Settings settings;
  for (const ParamInfo& info : registry().open_params(address)) {
    const auto least = static_cast<std::int64_t>(info.min);
    if (info.name == "input.size") settings[info.name] = std::max(std::int64_t{inputs}, least);
    if (info.name == "output.size") settings[info.name] = std::max(std::int64_t{outputs}, least);
  }
  return from_settings(settings);
}

}  // namespace

void register_projection(py::module_& m) {
  m.def("projection_params", &projection_params, "The settings of a projection, without the prefix 'projection.'.");
  m.def("projection_sizes", &sizes, py::arg("settings"), py::arg("n_in"), py::arg("n_out"),
        "(inputs, outputs) a device needs for a projection n_in -> n_out.");
  m.def("size_settings", &size_settings, py::arg("address"), py::arg("inputs"), py::arg("outputs"),
        "Settings that give a device these sizes, or the least it has, where they can be chosen and the string leaves "
        "them open.");
  py::class_<ProjectionCost>(m, "ProjectionCost", "Frames and device time for a piece of work.")
      .def_readonly("frames", &ProjectionCost::frames)
      .def_readonly("device_s", &ProjectionCost::device_s)
      .def_readonly("device_j", &ProjectionCost::device_j)
      .def("__repr__", [](const ProjectionCost& c) {
        return "ProjectionCost(frames=" + std::to_string(c.frames) +
               ", device_s=" + std::string(py::repr(py::float_(c.device_s))) +
               ", device_j=" + std::string(py::repr(py::float_(c.device_j))) + ")";
      });
  py::class_<Health>(m, "Health", "Dark level, saturation and repeat-frame correlation of a fixed probe.")
      .def_readonly("dark_level", &Health::dark_level)
      .def_readonly("saturation", &Health::saturation)
      .def_readonly("repeat_correlation", &Health::repeat_correlation);
  py::class_<CalibrationReport>(m, "CalibrationReport", "What a calibration found and had to warn about.")
      .def_readonly("exposure_s", &CalibrationReport::exposure_s)
      .def_readonly("saturation", &CalibrationReport::saturation)
      .def_readonly("dark_code", &CalibrationReport::dark_code)
      .def_readonly("signal_code", &CalibrationReport::signal_code)
      .def_readonly("warnings", &CalibrationReport::warnings);
  py::class_<BoundProjection>(m, "Projection", "A random map evaluated by a device.")
      .def(py::init([](SharedSession& session, Index n_in, Index n_out, const py::dict& settings) {
             const Settings wanted = to_settings(settings);
             py::gil_scoped_release release;  // the device may be Python, on a thread of its own
             return std::make_unique<BoundProjection>(session, n_in, n_out, wanted);
           }),
           py::arg("session"), py::arg("n_in"), py::arg("n_out"), py::arg("settings") = py::dict(),
           py::keep_alive<1, 2>())
      .def_property_readonly("n_in", [](const BoundProjection& b) { return b.projection.inputs(); })
      .def_property_readonly("n_out", [](const BoundProjection& b) { return b.projection.outputs(); })
      .def("get_settings", [](const BoundProjection& b) { return from_settings(b.projection.settings().all()); })
      .def(
          "calibrate",
          [](BoundProjection& b) {
            return without_interpreter(b.shared, [&](Session&) {
              b.projection.calibrate();
              return b.projection.report();
            });
          },
          "Sets the exposure, measures dark level and scale, chooses pixels; returns what it found and warns of. The "
          "first "
          "transform does it when needed.")
      .def_property_readonly(
          "report", [](const BoundProjection& b) { return b.projection.report(); }, "What the last calibration found.")
      .def(
          "linear", [](BoundProjection& b, const py::object& x) { return apply(b, x, &Projection::linear); },
          py::arg("x"), "y = B x: float32 (rows, n_in) -> (rows, n_out); B real Gaussian with E[B^2] = 1.")
      .def(
          "intensity", [](BoundProjection& b, const py::object& x) { return apply(b, x, &Projection::intensity); },
          py::arg("x"), "y = |H x|^2 of the binary pattern x > dead_zone: float32 (rows, n_in) -> (rows, n_out).")
      .def(
          "cost", [](const BoundProjection& b, Index rows) { return b.projection.cost(rows); }, py::arg("rows"),
          "What linear() asks of the device at most.")
      .def(
          "snapshot",
          [](BoundProjection& b) {
            const auto state = without_interpreter(b.shared, [&](Session&) { return b.projection.snapshot(); });
            return to_bytes(state);
          },
          "The calibration; restore() it after Session.restore().")
      .def(
          "restore",
          [](BoundProjection& b, const py::bytes& state) {
            const auto bytes = from_bytes(state);
            without_interpreter(b.shared, [&](Session&) { b.projection.restore(bytes); });
          },
          py::arg("state"))
      .def("calibration_cost", [](const BoundProjection& b) { return b.projection.calibration_cost(); })
      .def(
          "probe",
          [](BoundProjection& b) {
            return without_interpreter(b.shared, [&](Session&) { return b.projection.probe(); });
          },
          "Repeats a fixed probe; costs a few frames.");
}

}  // namespace lightloop::python
