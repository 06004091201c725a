#include <pybind11/stl.h>

#include "python/bindings/arrays.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/shares.hpp"
#include "training/run_file.hpp"

namespace lightloop::python {

void register_runs(py::module_& m) {
  py::class_<RunFile>(m, "RunFile", "What stands in the file of a run.")
      .def_property_readonly("settings", [](const RunFile& run) { return from_settings(settings_of(run)); })
      .def_property_readonly("title", &title_of)
      .def_readonly("complete", &RunFile::complete)
      .def_readonly("net", &RunFile::net)
      .def_property_readonly("rule_parameters", [](const RunFile& run) { return to_array(run.own); })
      .def_readonly("epochs", &RunFile::epochs)
      .def_readonly("step_loss", &RunFile::step_loss)
      .def_readonly("health_start", &RunFile::health_start)
      .def_readonly("health_end", &RunFile::health_end)
      .def_readonly("warnings", &RunFile::warnings)
      .def_property_readonly("clipped_inputs", [](const RunFile& run) { return run.about_device.clipped_inputs; })
      .def_property_readonly("saturated", [](const RunFile& run) { return run.about_device.saturated; })
      .def_property_readonly("device_frames", [](const RunFile& run) { return run.about_device.frames; })
      .def_property_readonly("device_seconds", [](const RunFile& run) { return run.about_device.device_s; })
      .def_property_readonly("device_joules", [](const RunFile& run) { return run.about_device.device_j; })
      .def_property_readonly("device_writes", [](const RunFile& run) { return run.about_device.writes; })
      .def_property_readonly("devices", [](const RunFile& run) { return shares(run.about_device.shares); })
      .def_property_readonly("faults", [](const RunFile& run) {
        return py::dict(py::arg("retries") = run.about_device.retries, py::arg("losses") = run.about_device.losses,
                        py::arg("reopened") = run.about_device.reopened);
      });
  m.def(
      "load_run", [](const std::string& path) { return load_run(path); }, py::arg("path"),
      "Reads a run file; FileError says what is wrong with it.");
  m.def(
      "weights_sha256", [](const RunFile& run) { return weights_sha256(run); }, py::arg("run"));
}

}  // namespace lightloop::python
