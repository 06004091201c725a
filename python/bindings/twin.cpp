#include "driver/api/twin.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "driver/api/opening.hpp"
#include "driver/layer/named_twin.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/session.hpp"

namespace lightloop::python {

void register_twin(py::module_& m) {
  py::class_<Twin>(m, "Twin", "A differentiable model of a device, in code units, without noise.")
      .def(py::init([](const std::string& address, const py::dict& settings) {
             return registry().twin(address, to_settings(settings));
           }),
           py::arg("address"), py::arg("settings") = py::dict(), "Of a device string.")
      .def(py::init([](SharedSession& device) {
             return without_interpreter(device, [](Session& session) {
               return registry().twin(without_session(session.address()), session.settings().all());
             });
           }),
           py::arg("device"), "Of an open device, as it is set now; what it holds is not taken over: program().")
      .def(py::init([](SharedSession& device, const std::string& of) {
             return without_interpreter(
                 device, [&](Session& session) { return named_twin(registry(), "layer.twin", of, session); });
           }),
           py::arg("device"), py::arg("of"),
           "Of another device string, standing for an open device that brings none: sizes and ADC range are the "
           "device's; "
           "ShapeMismatch says what else differs.")
      .def_property_readonly("inputs", &Twin::inputs)
      .def_property_readonly("outputs", &Twin::outputs)
      .def_property_readonly("parameters", &Twin::parameters)
      .def(
          "program",
          [](Twin& twin, const py::object& theta) {
            const View<const float> codes = float_rows(theta, twin.parameters(), "theta");
            py::gil_scoped_release release;
            twin.program(codes);
          },
          py::arg("theta"), "Programme of float32 (1, parameters), in the order of Session.program.")
      .def(
          "forward",
          [](const Twin& twin, const py::object& x) {
            const View<const float> in = float_rows(x, twin.inputs(), "x");
            py::array_t<float> y({in.rows(), twin.outputs()});
            const View<float> out(y.mutable_data(), in.rows(), twin.outputs());
            {
              py::gil_scoped_release release;
              twin.forward(in, out);
            }
            return y;
          },
          py::arg("x"), "float32 (rows, inputs) -> (rows, outputs).")
      .def(
          "vjp",
          [](const Twin& twin, const py::object& x, const py::object& grad_y) {
            const View<const float> in = float_rows(x, twin.inputs(), "x");
            const View<const float> g = float_rows(grad_y, twin.outputs(), "grad_y");
            if (g.rows() != in.rows())
              throw ShapeMismatch("grad_y", std::to_string(g.rows()) + " rows", "x has " + std::to_string(in.rows()));
            py::array_t<float> grad_x({in.rows(), twin.inputs()}), grad_theta({Index{1}, twin.parameters()});
            std::fill_n(grad_theta.mutable_data(), grad_theta.size(), 0.0f);
            const View<float> gx(grad_x.mutable_data(), in.rows(), twin.inputs());
            const View<float> gt(grad_theta.mutable_data(), twin.parameters() > 0 ? 1 : 0, twin.parameters());
            {
              py::gil_scoped_release release;
              twin.vjp(in, g, gx, gt);
            }
            return py::make_tuple(grad_x, grad_theta);
          },
          py::arg("x"), py::arg("grad_y"),
          "(dy/dx^T grad_y, dy/dtheta^T grad_y) at x: float32 (rows, inputs) and (1, parameters).")
      .def(
          "measure",
          [](const Twin& twin, const py::object& x, const py::object& grad_y, std::uint64_t first_sample) {
            const View<const float> in = float_rows(x, twin.inputs(), "x");
            const View<const float> g = float_rows(grad_y, twin.outputs(), "grad_y");
            if (g.rows() != in.rows())
              throw ShapeMismatch("grad_y", std::to_string(g.rows()) + " rows", "x has " + std::to_string(in.rows()));
            py::array_t<float> gradient({Index{1}, twin.parameters()});
            std::fill_n(gradient.mutable_data(), gradient.size(), 0.0f);
            const View<float> sum(gradient.mutable_data(), twin.parameters() > 0 ? 1 : 0, twin.parameters());
            {
              py::gil_scoped_release release;
              twin.measure(in, g, first_sample, sum);
            }
            return gradient;
          },
          py::arg("x"), py::arg("grad_y"), py::arg("first_sample") = 0,
          "dy/dtheta^T grad_y at x (1, parameters) as monitors in the device measure it, with the read noise of "
          "samples "
          "first_sample, first_sample + 1, ...; without monitors that of vjp().")
      .def_property_readonly(
          "exposures", [](const Twin& twin) { return twin.gradient_cost().exposures; },
          "Frames of the device in which one sample's measure() is made; 0: it is computed.");
}

}  // namespace lightloop::python
