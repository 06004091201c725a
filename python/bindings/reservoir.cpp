// Reservoirs: the time-multiplexed device and the digital echo-state network.
#include <pybind11/stl.h>

#include <algorithm>

#include "core/error.hpp"
#include "driver/reservoir/delay_reservoir.hpp"
#include "driver/reservoir/mask.hpp"
#include "python/bindings/arrays.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/session.hpp"
#include "training/echo_state.hpp"

namespace lightloop::python {
namespace {

using Numbers = py::array_t<double, py::array::c_style | py::array::forcecast>;

/// A reservoir that drives a shared session; one caller at a time.
struct BoundReservoir {
  BoundReservoir(SharedSession& shared, const Matrix<float>& mask, const DelayReservoirSettings& settings)
      : session(shared), reservoir(*shared.session, mask, settings) {}
  SharedSession& session;
  DelayReservoir reservoir;
};

Matrix<float> to_mask(const py::array_t<float, py::array::c_style | py::array::forcecast>& array) {
  if (array.ndim() != 2) throw ShapeMismatch("mask", std::to_string(array.ndim()) + " axes", "(nodes, inputs)");
  Matrix<float> mask(array.shape(0), array.shape(1));
  std::copy_n(array.data(), array.size(), mask.data());
  return mask;
}

MaskSettings mask_settings(const std::string& kind, Index hold, Index levels, double first, double last,
                           std::uint64_t seed) {
  return {kind, hold, levels, first, last, seed};
}

}  // namespace

void register_reservoir(py::module_& m) {
  m.def(
      "make_mask",
      [](Index nodes, Index inputs, const std::string& kind, Index hold, Index levels, double first_cycles,
         double last_cycles, std::uint64_t seed) {
        return to_array(make_mask(nodes, inputs, mask_settings(kind, hold, levels, first_cycles, last_cycles, seed)));
      },
      py::arg("nodes"), py::arg("inputs") = 1, py::arg("kind") = "random", py::kw_only(), py::arg("hold") = 1,
      py::arg("levels") = 6, py::arg("first_cycles") = 1.0, py::arg("last_cycles") = 0.0, py::arg("seed") = 1,
      "Input mask (nodes, inputs), float32 in [-1, 1]: random, binary, piecewise or chirp.");
  py::class_<BoundReservoir>(m, "DelayReservoir", "A device of kind reservoir, driven through a mask.")
      .def(
          py::init([](SharedSession& session, const py::array_t<float, py::array::c_style | py::array::forcecast>& mask,
                      Index samples_per_node, Index read_sample, double gain, double bias, Index delay_samples) {
            return std::make_unique<BoundReservoir>(
                session, to_mask(mask),
                DelayReservoirSettings{samples_per_node, read_sample, gain, bias, delay_samples});
          }),
          py::arg("session"), py::arg("mask"), py::kw_only(), py::arg("samples_per_node") = 1,
          py::arg("read_sample") = -1, py::arg("gain") = 1.0, py::arg("bias") = 0.0, py::arg("delay_samples") = 0,
          py::keep_alive<1, 2>())
      .def_property_readonly("inputs", [](const BoundReservoir& r) { return r.reservoir.inputs(); })
      .def_property_readonly("nodes", [](const BoundReservoir& r) { return r.reservoir.nodes(); })
      .def_property_readonly("mask", [](const BoundReservoir& r) { return to_array(r.reservoir.mask()); })
      .def_property_readonly(
          "counts",
          [](const BoundReservoir& r) {
            const ConverterCounts& c = r.reservoir.counts();
            py::dict counts;
            counts["drive"] = c.drive;
            counts["drive_clipped"] = c.drive_clipped;
            counts["detected"] = c.detected;
            counts["detected_clipped"] = c.detected_clipped;
            return counts;
          },
          "Codes shown and detected, and how many of each were clipped.")
      .def(
          "reset", [](BoundReservoir& r) { without_interpreter(r.session, [&](Session&) { r.reservoir.reset(); }); },
          "The device back to the state after opening; noise goes on.")
      .def(
          "run",
          [](BoundReservoir& r, const Numbers& u) {
            const View<const double> rows = number_rows(u, "u");
            py::array_t<float> states({rows.rows(), r.reservoir.nodes()});
            const View<float> out(states.mutable_data(), rows.rows(), r.reservoir.nodes());
            without_interpreter(r.session, [&](Session&) { r.reservoir.run(rows, out); });
            return states;
          },
          py::arg("u"), "(T, inputs) -> states (T, nodes), float32 in [0, 1]; goes on from the last call.");
  py::class_<EchoState>(m, "EchoState", "x' = (1 - a) x + a tanh(W x + W_in u + b), in float32.")
      .def(py::init([](Index nodes, Index inputs, double spectral_radius, double input_scaling, double bias_scaling,
                       double leak, double connectivity, std::uint64_t seed) {
             return std::make_unique<EchoState>(EchoStateSettings{nodes, inputs, spectral_radius, input_scaling,
                                                                  bias_scaling, leak, connectivity, seed});
           }),
           py::arg("nodes") = 100, py::arg("inputs") = 1, py::kw_only(), py::arg("spectral_radius") = 0.9,
           py::arg("input_scaling") = 1.0, py::arg("bias_scaling") = 0.0, py::arg("leak") = 1.0,
           py::arg("connectivity") = 0.1, py::arg("seed") = 1)
      .def_property_readonly("inputs", &EchoState::inputs)
      .def_property_readonly("nodes", &EchoState::nodes)
      .def_property_readonly("W", [](const EchoState& e) { return to_array(e.recurrent()); })
      .def_property_readonly("Win", [](const EchoState& e) { return to_array(e.input()); })
      .def("reset", &EchoState::reset, "The state back to 0.")
      .def(
          "run",
          [](EchoState& e, const Numbers& u) {
            const View<const double> rows = number_rows(u, "u");
            py::array_t<float> states({rows.rows(), e.nodes()});
            const View<float> out(states.mutable_data(), rows.rows(), e.nodes());
            py::gil_scoped_release release;
            e.run(rows, out);
            return states;
          },
          py::arg("u"), "(T, inputs) -> states (T, nodes), float32; goes on from the last call.");
}

}  // namespace lightloop::python
