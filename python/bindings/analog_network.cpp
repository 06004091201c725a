// A trained network on devices, as `lightloop eval --device` has it.
#include <pybind11/stl.h>

#include <optional>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/sealed.hpp"
#include "driver/api/opening.hpp"
#include "driver/layer/snapshot_parts.hpp"
#include "python/bindings/answer.hpp"
#include "python/bindings/tiles.hpp"
#include "training/analog.hpp"

namespace lightloop::python {
namespace {

AnalogPlace place_of(const Network& net, const std::string& device, const Settings& settings,
                     std::optional<std::int64_t> seed) {
  AnalogPlace place = analog_place(device, settings, analog_layers(net));
  if (seed && takes_seed(registry(), device)) place.settings.try_emplace("seed", *seed);
  return place;
}

/// Opened, written and calibrated. Used by one thread at a time.
struct BoundNetwork {
  std::mutex busy;
  Network net;
  AnalogNetwork analog;
  std::unique_ptr<Rule> rule;  ///< null: the logits answer
  BoundNetwork(const Network& trained, const std::string& device, const Settings& settings, const BoundAnswer& answer,
               std::optional<std::int64_t> seed)
      : net(trained), analog(registry(), place_of(net, device, settings, seed), net), rule(answer.on(net, &analog)) {
    analog.program(net);
  }
};

py::array_t<float> device_scores(BoundNetwork& bound, const py::object& x, std::uint64_t first_sample) {
  const View<const float> in = float_rows(x, bound.net.widths().front(), "x");
  py::array_t<float> out({in.rows(), bound.net.widths().back()});
  const View<float> to(out.mutable_data(), in.rows(), bound.net.widths().back());
  alone(bound.busy, [&] { bound.analog.scores(bound.net, in, first_sample, bound.rule.get(), to); });
  return out;
}

constexpr const char* kSnapshot = "snapshot of a network on devices";

/// The architecture, and digests of what was trained.
PartState identity(const Network& net) {
  const std::string text =
      net.text() + "; " + sha256(std::as_bytes(net.parameters())) + sha256(std::as_bytes(net.state()));
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> snapshot(BoundNetwork& bound) {
  ByteWriter bytes;
  put_part(bytes, identity(bound.net));
  for (std::size_t l = 0; l < bound.analog.products(); ++l)
    put_part(bytes, bound.analog.product(l).snapshot_with_devices());
  return sealed(bytes.take());
}

void restore(BoundNetwork& bound, const std::vector<std::byte>& state) {
  ByteReader bytes(state, kSnapshot);
  bytes = ByteReader(unsealed(state, bytes), kSnapshot);
  if (take_part(bytes) != identity(bound.net))
    throw InvalidParameter(kSnapshot, "of other weights or another architecture", "this one is " + bound.net.text(),
                           "Restore it into a deployment of the same network.");
  const std::vector<PartState> states = take_parts(bytes, bound.analog.products());
  bytes.done();
  std::vector<SnapshotPart> parts;
  for (std::size_t l = 0; l < bound.analog.products(); ++l) {
    TiledLayer& layer = bound.analog.product(l);
    parts.push_back({[&layer] { return layer.snapshot_with_devices(); },
                     [&layer](const PartState& part) { layer.restore_with_devices(part); }});
  }
  restore_parts(parts, states);
}

}  // namespace

void register_analog_network(py::module_& m) {
  py::class_<BoundNetwork, std::shared_ptr<BoundNetwork>>(m, "AnalogNetwork", "A network on devices.")
      .def(py::init([](const Network& net, const std::string& device, const py::dict& settings,
                       const BoundAnswer& answer, std::optional<std::int64_t> seed) {
             const Settings all = to_settings(settings);
             py::gil_scoped_release release;
             return std::make_shared<BoundNetwork>(net, device, all, answer, seed);
           }),
           py::arg("net"), py::arg("device"), py::arg("settings"), py::arg("answer"), py::arg("seed"))
      .def(
          "age", [](BoundNetwork& b, double seconds) { alone(b.busy, [&] { b.analog.devices().age(seconds); }); },
          py::arg("seconds"))
      .def("calibrate", [](BoundNetwork& b) { alone(b.busy, [&] { b.analog.calibrate(); }); })
      .def("scores", &device_scores, py::arg("x"), py::arg("first_sample") = 0)
      .def(
          "snapshot",
          [](BoundNetwork& b) {
            std::vector<std::byte> state;
            alone(b.busy, [&] { state = snapshot(b); });
            return to_bytes(state);
          },
          "What all layers and their devices hold, with weights, calibrations, frame counts, meters and clocks.")
      .def(
          "restore",
          [](BoundNetwork& b, const py::bytes& state) {
            const std::vector<std::byte> bytes = from_bytes(state);
            alone(b.busy, [&] { restore(b, bytes); });
          },
          py::arg("state"), "All layers or none. Raises InvalidParameter for the snapshot of another network.")
      .def_property_readonly("shared", [](const BoundNetwork& b) { return b.analog.devices().shared(); })
      .def_property_readonly("exclusive", [](const BoundNetwork& b) { return b.analog.devices().exclusive(); })
      .def_property_readonly("layers",
                             [](const std::shared_ptr<BoundNetwork>& b) {
                               py::list all;
                               const std::shared_ptr<std::mutex> busy(b, &b->busy);
                               for (std::size_t l = 0; l < b->analog.products(); ++l)
                                 all.append(BoundTiles(busy, std::shared_ptr<TiledLayer>(b, &b->analog.product(l))));
                               return all;
                             })
      .def_property_readonly("latency",
                             [](BoundNetwork& b) {
                               std::vector<LatencyPart> parts;
                               alone(b.busy, [&] { parts = b.analog.latency(); });
                               return latency_dict(parts);
                             })
      .def_property_readonly("reports", [](BoundNetwork& b) {
        std::vector<LayerReport> reports;
        alone(b.busy, [&] { reports = b.analog.reports(); });
        return reports;
      });
}

}  // namespace lightloop::python
