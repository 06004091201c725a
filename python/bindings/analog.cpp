#include <pybind11/stl.h>

#include <cmath>
#include <optional>
#include <tuple>

#include "core/error.hpp"
#include "python/bindings/answer.hpp"
#include "python/bindings/tiles.hpp"
#include "training/layers/architecture.hpp"
#include "training/network.hpp"
#include "training/report/sensitivity.hpp"
#include "training/report/spec.hpp"

namespace lightloop::python {
namespace {

py::array_t<float> apply(BoundTiles& bound, const py::object& x, bool transposed) {
  TiledLayer& layer = *bound.layer;
  const View<const float> in = float_rows(x, transposed ? layer.outputs() : layer.inputs(), "x");
  py::array_t<float> y({in.rows(), transposed ? layer.inputs() : layer.outputs()});
  const View<float> out(y.mutable_data(), in.rows(), y.shape(1));
  alone(*bound.busy, [&] { transposed ? layer.transposed(in, out) : layer.forward(in, out); });
  return y;
}

/// Runs `work` with the input ranges of the tiles that a pass began with, where `ranges` says so, and puts back those
/// of now.
template <class Work>
void at_ranges(BoundTiles& bound, const std::optional<std::vector<double>>& ranges, const Work& work) {
  alone(*bound.busy, [&] {
    TiledLayer& layer = *bound.layer;
    if (!ranges) return work(layer);
    const std::vector<double> now = layer.input_ranges();
    layer.set_input_ranges(*ranges);
    try {
      work(layer);
    } catch (...) {
      layer.set_input_ranges(now);
      throw;
    }
    layer.set_input_ranges(now);
  });
}
using Ranges = std::optional<std::vector<double>>;

py::array_t<float> backward(BoundTiles& bound, const py::object& x, const py::object& grad_y, const Ranges& ranges) {
  const Index inputs = bound.layer->inputs();
  const View<const float> at = float_rows(x, inputs, "x"), from = float_rows(grad_y, bound.layer->outputs(), "grad_y");
  py::array_t<float> grad({at.rows(), inputs});
  const View<float> out(grad.mutable_data(), at.rows(), inputs);
  at_ranges(bound, ranges, [&](TiledLayer& layer) { layer.backward(at, from, out); });
  return grad;
}

py::array_t<float> clip(BoundTiles& bound, const py::object& x, const Ranges& ranges) {
  const View<const float> in = float_rows(x, bound.layer->inputs(), "x");
  py::array_t<float> seen({in.rows(), in.cols()});
  const View<float> out(seen.mutable_data(), in.rows(), in.cols());
  at_ranges(bound, ranges, [&](TiledLayer& layer) { layer.clip(in, out); });
  return seen;
}

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

/// The architecture `text` with these parameters and running statistics. Throws as parse_model(), and ShapeMismatch.
Network make_model(const std::string& text, const Floats& parameters, const Floats& state) {
  Network net(parse_model(text, {}));
  for (const auto& [name, to, from] :
       {std::tuple{"parameters", net.parameters(), &parameters}, std::tuple{"state", net.state(), &state}}) {
    if (from->size() != static_cast<py::ssize_t>(to.size()))
      throw ShapeMismatch(name + (" of " + net.text()), std::to_string(from->size()), std::to_string(to.size()));
    std::copy_n(from->data(), from->size(), to.begin());
  }
  return net;
}

/// [(W, b), ...] as a network. Throws ShapeMismatch, and InvalidParameter for numbers that are not finite.
Network make_network(const py::list& layers, const std::string& activation) {
  std::vector<Index> widths;
  std::vector<std::pair<Floats, Floats>> all;
  for (const auto& one : layers) {
    const auto pair = one.cast<std::pair<Floats, Floats>>();
    const auto& [w, b] = pair;
    if (w.ndim() != 2 || b.ndim() != 1 || b.shape(0) != w.shape(0) || (!widths.empty() && widths.back() != w.shape(1)))
      throw ShapeMismatch("layer " + std::to_string(all.size() + 1), py::cast<std::string>(py::str(w.attr("shape"))),
                          "W (outputs, inputs) that fits the layer before, b (outputs,)");
    for (const auto& [name, values] : {std::pair{"W", w}, std::pair{"b", b}})
      for (py::ssize_t i = 0; i < values.size(); ++i)
        if (!std::isfinite(values.data()[i]))
          throw InvalidParameter(
              "layer " + std::to_string(all.size() + 1) + ": " + name + "[" + std::to_string(i) + "]",
              std::to_string(values.data()[i]), "finite numbers");
    if (widths.empty()) widths.push_back(w.shape(1));
    widths.push_back(w.shape(0));
    all.push_back(pair);
  }
  if (all.empty()) throw ShapeMismatch("network", "no layer", "at least one (W, b)");
  Network net(widths, activation_from(activation));
  for (std::size_t l = 0; l < all.size(); ++l) {
    std::copy_n(all[l].first.data(), all[l].first.size(), net.weights(static_cast<Index>(l)).data());
    std::copy_n(all[l].second.data(), all[l].second.size(), net.bias(static_cast<Index>(l)).data());
  }
  return net;
}

Trial make_trial(const Network& net, const Dataset& data, const std::string& device, const py::dict& settings,
                 const BoundAnswer& answer, Index repeats, Index samples, double age_s) {
  AnalogPlace place = analog_place(device, to_settings(settings), analog_layers(net));
  const py::gil_scoped_release release;  // a device in Python is opened by the session's own thread
  return Trial(registry(), std::move(place), net, data, Loss::cross_entropy, {repeats, samples, age_s},
               [&net, answer](LayerProducts* layers) { return answer.on(net, layers); });
}

/// Ctrl-C reaches Python between two deployments.
bool goes_on() {
  py::gil_scoped_acquire acquire;
  return PyErr_CheckSignals() == 0;
}

py::dict spread_dict(const Spread& spread) {
  return py::dict(py::arg("mean") = spread.mean, py::arg("sd") = spread.sd, py::arg("n") = spread.n);
}

py::list energy_list(const EnergyAccount& account) {
  py::list parts;
  for (const EnergyPart& part : account.parts())
    parts.append(
        py::dict(py::arg("component") = part.name, py::arg("events") = part.events, py::arg("joules") = part.joules));
  return parts;
}

py::list energy_list(const std::vector<LayerReport>& layers) {
  EnergyAccount all;
  for (const LayerReport& layer : layers) all.add(layer.energy);
  return energy_list(all);
}

/// Runs `work` without the interpreter; a signal that stopped it is raised as Python's own.
template <class Work>
auto uninterrupted(Work&& work) {
  try {
    py::gil_scoped_release release;
    return work();
  } catch (...) {
    if (PyErr_Occurred()) throw py::error_already_set();
    throw;
  }
}

py::dict run_sensitivity(const Network& net, const Dataset& data, const std::string& device, const py::dict& settings,
                         const BoundAnswer& answer, Index repeats, Index samples, double age_s,
                         const std::string& out) {
  const Trial trial = make_trial(net, data, device, settings, answer, repeats, samples, age_s);
  const Sensitivity report = uninterrupted([&] {
    const Sensitivity found = sensitivity(trial, device, [](Index, Index) { return goes_on(); });
    if (!out.empty()) save(found, out);
    return found;
  });
  py::list rows;
  for (const SensitivityRow& row : report.rows) {
    py::list layers;
    for (const Value& value : row.layers) layers.append(from_value(value));
    rows.append(py::dict(
        py::arg("source") = row.name, py::arg("unit") = row.unit, py::arg("value") = from_value(row.value),
        py::arg("layers") = layers, py::arg("off") = from_value(row.off), py::arg("beside") = row.beside,
        py::arg("accuracy_before") = spread_dict(row.before), py::arg("accuracy_alone") = spread_dict(row.alone),
        py::arg("accuracy_without") = spread_dict(row.without), py::arg("lost_alone") = row.lost_alone,
        py::arg("won_without") = row.won_without, py::arg("error_before") = row.error_before,
        py::arg("error_alone") = row.error_alone, py::arg("enob_alone") = row.enob_alone,
        py::arg("enob_without") = row.enob_without, py::arg("enob_without_predicted") = row.enob_without_predicted));
  }
  return py::dict(py::arg("device") = report.device, py::arg("repeats") = report.repeats,
                  py::arg("samples") = report.samples, py::arg("deployments") = report.deployments,
                  py::arg("refused") = report.refused, py::arg("refusal") = report.refusal,
                  py::arg("digital_accuracy") = report.digital_accuracy,
                  py::arg("accuracy_none") = spread_dict(report.none),
                  py::arg("accuracy_all") = spread_dict(report.all), py::arg("enob_measured") = report.enob_measured,
                  py::arg("enob_predicted") = report.enob_predicted, py::arg("joules_per_sample") = report.sample_j,
                  py::arg("energy") = energy_list(report.cost), py::arg("sources") = rows);
}

py::dict run_spec(const Network& net, const Dataset& data, const std::string& device, const py::dict& settings,
                  const BoundAnswer& answer, const std::vector<std::string>& over, double drop, double confidence,
                  bool per_layer, Index repeats, Index samples, double age_s) {
  const Trial trial = make_trial(net, data, device, settings, answer, repeats, samples, age_s);
  const SpecOptions options{.drop = drop, .confidence = confidence, .over = over, .per_layer = per_layer};
  const Spec spec =
      uninterrupted([&] { return find_spec(trial, device, options, [](const std::string&) { return goes_on(); }); });
  py::dict parameters;
  for (const SpecAxis& axis : spec.axes) {
    py::list layers;
    for (const Value& value : axis.layers) layers.append(from_value(value));
    parameters[py::str(axis.name)] =
        py::dict(py::arg("asked") = from_value(axis.asked), py::arg("best") = from_value(axis.best),
                 py::arg("alone") = from_value(axis.alone), py::arg("value") = from_value(axis.value),
                 py::arg("layers") = layers, py::arg("priced") = axis.priced, py::arg("timed") = axis.timed,
                 py::arg("at_end") = axis.at_end);
  }
  return py::dict(py::arg("device") = spec.device, py::arg("digital_accuracy") = spec.digital_accuracy,
                  py::arg("accuracy") = spread_dict(spec.accuracy), py::arg("lost_bound") = spec.lost_bound,
                  py::arg("reached") = spec.reached, py::arg("repeats_needed") = spec.repeats_needed,
                  py::arg("joules_per_sample") = spec.sample_j, py::arg("joules_per_sample_asked") = spec.asked_j,
                  py::arg("deployments") = spec.deployments, py::arg("age_s") = spec.age_s,
                  py::arg("parameters") = parameters, py::arg("energy") = energy_list(spec.layers));
}

}  // namespace

void register_analog(py::module_& m) {
  py::class_<BoundDevices, std::shared_ptr<BoundDevices>>(m, "TileDevices",
                                                          "Devices for layers of (inputs, outputs) each.")
      .def(py::init([](const std::string& address, const py::dict& device, const py::dict& layer,
                       const std::vector<std::pair<Index, Index>>& sizes) {
             const Settings of_device = to_settings(device), of_layer = to_settings(layer);
             std::vector<MatrixSize> matrices;
             for (const auto& [in, out] : sizes) matrices.push_back({in, out});
             py::gil_scoped_release release;
             return std::make_shared<BoundDevices>(address, of_device, of_layer, matrices);
           }),
           py::arg("address"), py::arg("device"), py::arg("layer"), py::arg("sizes"))
      .def_property_readonly("shared", [](const BoundDevices& b) { return b.devices.shared(); })
      .def(
          "age", [](BoundDevices& b, double seconds) { alone(b.busy, [&] { b.devices.age(seconds); }); },
          py::arg("seconds"), "Sets every clock to so many seconds after the device was opened.")
      .def("__len__", [](const BoundDevices& b) { return b.devices.opened().size(); });
  py::class_<BoundTiles>(m, "TiledLayer", "A matrix product on as many devices as it takes.")
      .def(py::init([](const std::shared_ptr<BoundDevices>& devices, Index in, Index out, const py::dict& layer,
                       const py::dict& own) {
             const Settings of_layer = to_settings(layer), of_device = to_settings(own);
             py::gil_scoped_release release;
             return std::make_unique<BoundTiles>(devices, in, out, of_layer, of_device);
           }),
           py::arg("devices"), py::arg("n_in"), py::arg("n_out"), py::arg("layer"), py::arg("own"))
      .def_property_readonly("n_in", [](const BoundTiles& b) { return b.layer->inputs(); })
      .def_property_readonly("n_out", [](const BoundTiles& b) { return b.layer->outputs(); })
      .def_property_readonly("tiles", [](const BoundTiles& b) { return b.layer->tiles(); })
      .def(
          "program",
          [](BoundTiles& b, const py::object& w, bool keep_calibration) {
            const View<const float> weights = float_rows(w, b.layer->inputs(), "weights");
            alone(*b.busy, [&] { b.layer->program(weights, keep_calibration); });
          },
          py::arg("weights"), py::arg("keep_calibration") = false)
      .def("calibrate", [](BoundTiles& b) { alone(*b.busy, [&] { b.layer->calibrate(); }); })
      .def(
          "forward", [](BoundTiles& b, const py::object& x) { return apply(b, x, false); }, py::arg("x"))
      .def(
          "transposed", [](BoundTiles& b, const py::object& x) { return apply(b, x, true); }, py::arg("x"))
      .def("backward", &backward, py::arg("x"), py::arg("grad_y"), py::arg("ranges") = py::none(),
           "As Layer.backward; `ranges`: the input_ranges with which the pass of x began, if not the last one.")
      .def("clip", &clip, py::arg("x"), py::arg("ranges") = py::none(),
           "x as far as the ranges of its rows reach: what the weights were multiplied with.")
      .def_property_readonly("clips", [](const BoundTiles& b) { return b.layer->clips(); })
      .def_property(
          "input_ranges",
          [](const BoundTiles& b) {
            std::vector<double> ranges;
            alone(*b.busy, [&] { ranges = b.layer->input_ranges(); });
            return ranges;
          },
          [](BoundTiles& b, const std::vector<double>& ranges) {
            alone(*b.busy, [&] { b.layer->set_input_ranges(ranges); });
          },
          "What the next row's range comes from, tile by tile; with layer.range_rows three numbers each: range, rows "
          "of the open window, the largest of their sizes.")
      .def(
          "hold_ranges", [](BoundTiles& b, bool hold) { alone(*b.busy, [&] { b.layer->hold_ranges(hold); }); },
          py::arg("hold") = true, "Evaluation: ranges with windows (layer.range_rows) stay as they are from now on.")
      .def(
          "range_gradient",
          [](BoundTiles& b, const py::object& x, const py::object& grad_y, const Ranges& ranges) {
            const View<const float> at = float_rows(x, b.layer->inputs(), "x"),
                                    from = float_rows(grad_y, b.layer->outputs(), "grad_y");
            double gradient = 0;
            at_ranges(b, ranges, [&](TiledLayer& layer) { gradient = layer.range_gradient(at, from); });
            return gradient;
          },
          py::arg("x"), py::arg("grad_y"), py::arg("ranges") = py::none())
      .def_property(
          "input_range",
          [](const BoundTiles& b) {
            double range = 0;
            alone(*b.busy, [&] { range = b.layer->input_range(); });
            return range;
          },
          [](BoundTiles& b, double range) { alone(*b.busy, [&] { b.layer->set_input_range(range); }); })
      .def(
          "output_factor_gradient",
          [](BoundTiles& b, const py::object& x, const py::object& grad_y, const Ranges& ranges) {
            const View<const float> at = float_rows(x, b.layer->inputs(), "x"),
                                    from = float_rows(grad_y, b.layer->outputs(), "grad_y");
            double gradient = 0;
            at_ranges(b, ranges, [&](TiledLayer& layer) { gradient = layer.output_factor_gradient(at, from); });
            return gradient;
          },
          py::arg("x"), py::arg("grad_y"), py::arg("ranges") = py::none())
      .def_property(
          "output_factor",
          [](const BoundTiles& b) {
            double factor = 0;
            alone(*b.busy, [&] { factor = b.layer->output_factor(); });
            return factor;
          },
          [](BoundTiles& b, double factor) { alone(*b.busy, [&] { b.layer->set_output_factor(factor); }); })
      .def(
          "update",
          [](BoundTiles& b, const py::object& dw) {
            const View<const float> change = float_rows(dw, b.layer->inputs(), "dw");
            alone(*b.busy, [&] { b.layer->update(change); });
          },
          py::arg("dw"))
      .def(
          "snapshot",
          [](const BoundTiles& b) {
            std::vector<std::byte> state;
            alone(*b.busy, [&] { state = b.layer->snapshot_with_devices(); });
            return to_bytes(state);
          },
          "Weights as they were programmed, what the cells hold by now, calibrations, frame counts, meters and clocks. "
          "Raises Unsupported where a device keeps no snapshot.")
      .def(
          "restore",
          [](BoundTiles& b, const py::bytes& state) {
            const std::vector<std::byte> bytes = from_bytes(state);
            alone(*b.busy, [&] { b.layer->restore_with_devices(bytes); });
          },
          py::arg("state"),
          "Writes the weights of a snapshot and goes on with its bits. Raises InvalidParameter for another shape or "
          "device, and changes nothing then.")
      .def_property_readonly(
          "latency",
          [](const BoundTiles& b) {
            std::vector<LatencyPart> parts;
            alone(*b.busy, [&] { parts = b.layer->latency(); });
            return latency_dict(parts);
          },
          "Seconds by component between one row's way in and its answer.")
      .def_property_readonly("report", [](const BoundTiles& b) {
        LayerReport report;
        alone(*b.busy, [&] { report = b.layer->report(); });
        return report;
      });
  register_analog_network(m);
  m.def("make_network", &make_network, py::arg("layers"), py::arg("activation"), "A Network of [(W, b), ...].");
  m.def("make_model", &make_model, py::arg("text"), py::arg("parameters"), py::arg("state"),
        "A Network of an architecture in words, its parameters and running statistics layer by layer.");
  m.def("sensitivity", &run_sensitivity, py::arg("net"), py::arg("data"), py::arg("device"), py::arg("settings"),
        py::arg("answer"), py::arg("repeats"), py::arg("samples"), py::arg("age"), py::arg("out"));
  m.def("spec", &run_spec, py::arg("net"), py::arg("data"), py::arg("device"), py::arg("settings"), py::arg("answer"),
        py::arg("over"), py::arg("drop"), py::arg("confidence"), py::arg("per_layer"), py::arg("repeats"),
        py::arg("samples"), py::arg("age"));
  m.def(
      "energy_parts", [](const LayerReport& report) { return energy_list(report.energy); }, py::arg("report"));
}

}  // namespace lightloop::python
