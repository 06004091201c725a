// Members of an ensemble as sessions.
#include "driver/api/members.hpp"

#include <pybind11/stl.h>

#include "python/bindings/bindings.hpp"
#include "python/bindings/session.hpp"

namespace lightloop::python {

void register_members(py::module_& m, py::class_<SharedSession>& session) {
  py::class_<Members>(m, "Members", "One device string opened as an ensemble; each member is used in its own thread.")
      .def(py::init([](const std::string& address, const py::dict& common, const std::vector<py::dict>& members) {
             const Settings shared = to_settings(common);
             std::vector<Settings> own;
             for (const py::dict& settings : members) own.push_back(to_settings(settings));
             py::gil_scoped_release release;
             return std::make_unique<Members>(registry(), address, shared, own);
           }),
           py::arg("address"), py::arg("common"), py::arg("members"))
      .def("__len__", &Members::count)
      .def_property_readonly(
          "diverged", &Members::diverged,
          "True when they were asked for different things, and the work is to be done again on devices opened alone.")
      .def("stop", &Members::stop, py::call_guard<py::gil_scoped_release>(), "Calls off all that wait.");
  session.def(py::init([](Members& members, Index member) {
                auto shared = std::make_unique<SharedSession>();
                shared->session = std::make_unique<Session>(members.take(member), "member " + std::to_string(member));
                return shared;
              }),
              py::arg("members"), py::arg("member"));
}

}  // namespace lightloop::python
