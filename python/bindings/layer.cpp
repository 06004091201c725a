#include "driver/layer/layer.hpp"

#include <pybind11/complex.h>
#include <pybind11/stl.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/mesh.hpp"
#include "core/units.hpp"
#include "driver/api/opening.hpp"
#include "driver/layer/named_twin.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/session.hpp"

namespace lightloop::python {
namespace {

/// A Layer together with the session it drives, so that neither outlives the other.
struct BoundLayer {
  SharedSession& shared;
  Layer layer;
  bool twin = false;  ///< it has one
  BoundLayer(SharedSession& s, Index n_in, Index n_out, const Settings& settings)
      : shared(s), layer(*s.session, n_in, n_out, settings) {
    for (const char* of_networks : {"devices", "noise_words"})
      if (settings.contains(of_networks))
        throw Unsupported(std::string("layer.") + of_networks, to_string(settings.at(of_networks)),
                          "of networks: a Layer is one matrix on one device",
                          "ll.deploy, ll.torch and lightloop train --layers take it.");
  }
};

py::array_t<float> apply(BoundLayer& bound, const py::object& x, bool transposed) {
  Layer& layer = bound.layer;
  const View<const float> in = float_rows(x, transposed ? layer.outputs() : layer.inputs(), "x");
  py::array_t<float> y({in.rows(), transposed ? layer.inputs() : layer.outputs()});
  const View<float> out(y.mutable_data(), in.rows(), y.shape(1));
  without_interpreter(bound.shared, [&](Session&) { transposed ? layer.transposed(in, out) : layer.forward(in, out); });
  return y;
}

/// Opens the twin that layer.twin names, or the device's own, where the layer has none yet.
void need_twin(BoundLayer& bound, Session& session) {
  if (bound.twin) return;
  const std::string& named = bound.layer.settings().text("twin");
  bound.layer.set_twin(named.empty() ? registry().twin(without_session(session.address()), session.settings().all())
                                     : named_twin(registry(), "layer.twin", named, session));
  bound.twin = true;
}

py::array_t<float> backward(BoundLayer& bound, const py::object& x, const py::object& grad_y) {
  Layer& layer = bound.layer;
  const View<const float> at = float_rows(x, layer.inputs(), "x"), from = float_rows(grad_y, layer.outputs(), "grad_y");
  py::array_t<float> grad({at.rows(), layer.inputs()});
  const View<float> out(grad.mutable_data(), at.rows(), layer.inputs());
  without_interpreter(bound.shared, [&](Session& session) {
    if (layer.settings().text("backward") == "twin") need_twin(bound, session);
    layer.backward(at, from, out);
  });
  return grad;
}

py::tuple sizes(const py::dict& layer, Index n_in, Index n_out) {
  const std::vector<ParamInfo> params = {{"input.size", "1", std::int64_t{1}, 0, 0, ""},
                                         {"output.size", "1", std::int64_t{1}, 0, 0, ""}};
  const Settings sizes = sizes_for_layer(params, {}, to_settings(layer), n_in, n_out);
  return py::make_tuple(from_value(sizes.at("input.size")), from_value(sizes.at("output.size")));
}

py::array_t<double> mesh_phases(const py::array_t<Complex, py::array::c_style | py::array::forcecast>& u,
                                const std::string& layout) {
  if (u.ndim() != 2) throw ShapeMismatch("mesh_phases: matrix", std::to_string(u.ndim()) + " axes", "2 are wanted");
  const View<const Complex> view(u.data(), u.shape(0), u.shape(1));
  Mesh mesh;
  {
    py::gil_scoped_release release;
    mesh = decompose(parse_mesh_layout(layout), view);
  }
  py::array_t<double> phases(static_cast<py::ssize_t>(2 * mesh.elements.size() + mesh.output_phase.size()));
  double* next = phases.mutable_data();
  for (const MeshElement& element : mesh.elements) {
    *next++ = element.theta;
    *next++ = element.phi;
  }
  std::ranges::copy(mesh.output_phase, next);
  return phases;
}

}  // namespace

void register_layer(py::module_& m) {
  m.def("layer_params", &layer_params, "The settings of a layer, without the prefix 'layer.'.");
  m.def("layer_sizes", &sizes, py::arg("settings"), py::arg("n_in"), py::arg("n_out"),
        "(inputs, outputs) a device needs for a layer n_in -> n_out.");
  m.def(
      "mesh_phases", &mesh_phases, py::arg("unitary"), py::arg("layout") = "clements",
      "Phases in rad of the mesh of interferometers that is this unitary matrix (n, n): theta and phi of every element "
      "in the order in which light meets them, then n output phases; a mesh's part of the programme of sim:mzi_mesh.");
  py::class_<LayerReport>(m, "LayerReport", "All that a layer has asked of its device.")
      .def_readonly("vectors", &LayerReport::vectors)
      .def_readonly("frames", &LayerReport::frames)
      .def_readonly("clipped_inputs", &LayerReport::clipped_inputs)
      .def_readonly("clipped_updates", &LayerReport::clipped_updates)
      .def_readonly("clipped_phases", &LayerReport::clipped_phases,
                    "Phases beyond what the device can set, put at the nearest end; the weights held are those of the "
                    "phases set.")
      .def_readonly("saturated", &LayerReport::saturated)
      .def_readonly("residual", &LayerReport::residual,
                    "What the calibration in use does not explain, rms over the rms of the response; of tiles the "
                    "largest. Above 0.5 "
                    "the answers are noise and errors of the device more than the product.")
      .def_readonly("input_range", &LayerReport::input_range,
                    "Of running ranges, where the last pass left them; of tiles the largest. 0: there is none yet.")
      .def_readonly("output_range", &LayerReport::output_range, "The same of the ADC, in device units.")
      .def_readonly("device_s", &LayerReport::device_s)
      .def_readonly("device_j", &LayerReport::device_j)
      .def_readonly("programs", &LayerReport::programs)
      .def_readonly("program_s", &LayerReport::program_s, "Of device_s, what writing took.")
      .def_readonly("program_j", &LayerReport::program_j, "Of device_j, what writing took.")
      .def_property_readonly(
          "energy",
          [](const LayerReport& r) {
            py::dict parts;
            for (const EnergyPart& part : r.energy.parts()) parts[py::str(part.name)] = part.joules;
            return parts;
          },
          "Joules by component; they add up to device_j.")
      .def_readonly("macs", &LayerReport::macs)
      .def(
          "__add__",
          [](LayerReport a, const LayerReport& b) {
            a.add(b);
            return a;
          },
          py::is_operator(), "Of both layers; the larger residual.")
      .def("__repr__", [](const LayerReport& r) {
        return "<lightloop.LayerReport: " + std::to_string(r.vectors) + " vectors, " + std::to_string(r.frames) +
               " frames, " + std::to_string(r.programs) + " programmes, " + format_quantity(r.device_s, "s") + ", " +
               format_quantity(r.device_j, "J") + ">";
      });
  py::class_<LayerCalibration>(m, "LayerCalibration", "What calibrate() found.")
      .def_readonly("done", &LayerCalibration::done)
      .def_readonly("gain", &LayerCalibration::gain)
      .def_readonly("residual", &LayerCalibration::residual);
  py::class_<BoundLayer>(m, "Layer", "A matrix product evaluated by a device.")
      .def(py::init([](SharedSession& session, Index n_in, Index n_out, const py::dict& settings) {
             const Settings wanted = to_settings(settings);
             py::gil_scoped_release release;  // the device may be Python, on a thread of its own
             return std::make_unique<BoundLayer>(session, n_in, n_out, wanted);
           }),
           py::arg("session"), py::arg("n_in"), py::arg("n_out"), py::arg("settings") = py::dict(),
           py::keep_alive<1, 2>())
      .def_property_readonly("n_in", [](const BoundLayer& b) { return b.layer.inputs(); })
      .def_property_readonly("n_out", [](const BoundLayer& b) { return b.layer.outputs(); })
      .def("get_settings", [](const BoundLayer& b) { return from_settings(b.layer.settings().all()); })
      .def(
          "program",
          [](BoundLayer& b, const py::object& w, bool keep_calibration) {
            const View<const float> weights = float_rows(w, b.layer.inputs(), "weights");
            without_interpreter(b.shared, [&](Session&) { b.layer.program(weights, keep_calibration); });
          },
          py::arg("weights"), py::arg("keep_calibration") = false,
          "Writes float32 (n_out, n_in) weights into the device. What calibrate() found is forgotten (calibration.done "
          "becomes False: calibrate again) unless it is kept, which is right where gains are the device's own (losses "
          "of a mesh) and wrong where cells had drifted: newly written ones have not.")
      .def_property_readonly(
          "programmed",
          [](const py::object& self) {
            const BoundLayer& b = self.cast<const BoundLayer&>();
            Matrix<float> copy(b.layer.outputs(), b.layer.inputs());
            without_interpreter(b.shared, [&](Session&) {
              const View<const float> w = b.layer.programmed();
              std::copy_n(w.data(), w.size(), copy.data());
            });
            return py::array_t<float>({copy.rows(), copy.cols()}, copy.data());
          },
          "The weights as the codes can hold them (a copy); for meshes before rounding of the phases, after it where "
          "phases were "
          "out of reach, for trains of meshes what their ranks leave of the weights.")
      .def(
          "calibrate", [](BoundLayer& b) { without_interpreter(b.shared, [&](Session&) { b.layer.calibrate(); }); },
          "Fits gain and offset of the answers to the programmed weights; done again later it takes drift out.")
      .def(
          "forward", [](BoundLayer& b, const py::object& x) { return apply(b, x, false); }, py::arg("x"),
          "y = x W^T: float32 (rows, n_in) -> (rows, n_out).")
      .def(
          "transposed", [](BoundLayer& b, const py::object& x) { return apply(b, x, true); }, py::arg("x"),
          "y = x W: float32 (rows, n_out) -> (rows, n_in), where the device works backwards.")
      .def("backward", &backward, py::arg("x"), py::arg("grad_y"),
           "Gradient of the inputs x for grad_y (rows, n_out), by the way that the setting backward names.")
      .def(
          "range_gradient",
          [](const BoundLayer& b, const py::object& x, const py::object& grad_y) {
            const View<const float> at = float_rows(x, b.layer.inputs(), "x"),
                                    from = float_rows(grad_y, b.layer.outputs(), "grad_y");
            return without_interpreter(b.shared, [&](Session&) { return b.layer.range_gradient(at, from); });
          },
          py::arg("x"), py::arg("grad_y"), "Gradient of the input range, summed over rows.")
      .def_property(
          "input_range",
          [](const BoundLayer& b) {
            return without_interpreter(b.shared, [&](Session&) { return b.layer.input_range(); });
          },
          [](BoundLayer& b, double range) {
            without_interpreter(b.shared, [&](Session&) { b.layer.set_input_range(range); });
          },
          "The input at full drive; can be set with noise_management='learned', and with 'running', which goes on from "
          "there.")
      .def(
          "hold_ranges",
          [](BoundLayer& b, bool hold) { without_interpreter(b.shared, [&](Session&) { b.layer.hold_ranges(hold); }); },
          py::arg("hold") = true, "Evaluation: ranges with windows (range_rows) stay as they are from now on.")
      .def(
          "update",
          [](BoundLayer& b, const py::object& dw) {
            const View<const float> change = float_rows(dw, b.layer.inputs(), "dw");
            without_interpreter(b.shared, [&](Session&) { b.layer.update(change); });
          },
          py::arg("dw"), "Adds float32 (n_out, n_in) to the weights in the device, in pulses.")
      .def(
          "learn_programme",
          [](BoundLayer& b, const py::object& x, const py::object& grad_y, double lr) {
            const View<const float> at = float_rows(x, b.layer.inputs(), "x"),
                                    from = float_rows(grad_y, b.layer.outputs(), "grad_y");
            without_interpreter(b.shared, [&](Session& session) {
              if (b.layer.settings().text("update") == "programme") need_twin(b, session);
              b.layer.learn_programme(at, from, lr);
            });
          },
          py::arg("x"), py::arg("grad_y"), py::arg("lr"),
          "Moves the device's programme (phases) one step of Adam against the gradient that its twin has at what x "
          "makes "
          "the device see; lr in units of a code's whole range. With update='programme'.")
      .def_property(
          "output_factor",
          [](const BoundLayer& b) {
            return without_interpreter(b.shared, [&](Session&) { return b.layer.output_factor(); });
          },
          [](BoundLayer& b, double factor) {
            without_interpreter(b.shared, [&](Session&) { b.layer.set_output_factor(factor); });
          },
          "Of the measured ADC range; can be set with output_range='learned'.")
      .def(
          "output_factor_gradient",
          [](const BoundLayer& b, const py::object& x, const py::object& grad_y) {
            const View<const float> at = float_rows(x, b.layer.inputs(), "x"),
                                    from = float_rows(grad_y, b.layer.outputs(), "grad_y");
            return without_interpreter(b.shared, [&](Session&) { return b.layer.output_factor_gradient(at, from); });
          },
          py::arg("x"), py::arg("grad_y"), "Gradient of the output factor, summed over rows.")
      .def_property_readonly(
          "output_range",
          [](const BoundLayer& b) {
            return without_interpreter(b.shared, [&](Session&) { return b.layer.output_range(); });
          },
          "Sum of products, in device units, at the ends of the ADC.")
      .def_property_readonly(
          "report",
          [](const BoundLayer& b) { return without_interpreter(b.shared, [&](Session&) { return b.layer.report(); }); })
      .def_property_readonly("calibration",
                             [](const BoundLayer& b) {
                               return without_interpreter(b.shared, [&](Session&) { return b.layer.calibration(); });
                             })
      .def(
          "snapshot",
          [](const BoundLayer& b) {
            return to_bytes(without_interpreter(b.shared, [&](Session&) { return b.layer.snapshot(); }));
          },
          "Calibration, ranges and what was learnt; restore() it after the same weights were programmed: others are "
          "refused. What the device holds is in the snapshot of its session.")
      .def(
          "restore",
          [](BoundLayer& b, const py::bytes& state) {
            const std::vector<std::byte> bytes = from_bytes(state);
            without_interpreter(b.shared, [&](Session& session) {
              if (b.layer.settings().text("update") == "programme") need_twin(b, session);
              b.layer.restore(bytes);
            });
          },
          py::arg("state"));
}

}  // namespace lightloop::python
