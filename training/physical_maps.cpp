#include "training/physical_maps.hpp"

#include <algorithm>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "driver/api/opening.hpp"
#include "driver/api/registry.hpp"
#include "driver/layer/snapshot_parts.hpp"
#include "training/rules/gradient.hpp"

namespace lightloop {

PhysicalMaps::PhysicalMaps(const Registry& registry, const std::string& device, const Settings& settings,
                           const Network& net, double range, Index part, bool with_twin) {
  if (net.model())
    throw Unsupported("net " + net.text() + " behind " + device, "layers that are not dense", "widths such as 19-60-7");
  session_ = open_session(registry, device, settings);
  if (holds_weights(*session_))
    throw Unsupported("train.map " + device, "the device holds weights, and behind a map nobody writes them",
                      "physics that stays as it is: sim:wave, sim:pendula", "give it as --layers (train.layers)");
  if (with_twin) twin_ = registry.twin(without_session(device), without_session(settings));
  maps_.reserve(static_cast<std::size_t>(net.layers()));
  for (Index l = 0; l < net.layers(); ++l)
    maps_.emplace_back(*session_, net.widths()[static_cast<std::size_t>(l)], range, part);
  if (twin_) maps_.front().check_twin(*twin_);
}

void PhysicalMaps::map(Index layer, View<const float> x, View<float> y) {
  DeviceMap& map = maps_[static_cast<std::size_t>(layer)];
  if (calibrates_ && !map.calibrated()) map.calibrate(x);
  map.forward(x, y);
}

PhysicalMap PhysicalMaps::as_map() {
  return [this](Index layer, View<const float> x, View<float> y) { map(layer, x, y); };
}

template <class Map>
void PhysicalMaps::run(const Network& net, View<const float> x, Activations& out, const Map& map) {
  const auto layers = static_cast<std::size_t>(net.layers());
  out.h.resize(layers + 1);
  out.seen.resize(layers);
  if (x.data() != out.h[0].data()) {
    out.h[0].resize(x.rows(), x.cols());
    for (Index r = 0; r < x.rows(); ++r) std::ranges::copy(x.row(r), out.h[0].row(r).begin());
  }
  for (std::size_t l = 0; l < layers; ++l) {
    out.seen[l].resize(x.rows(), out.h[l].cols());
    map(static_cast<Index>(l), out.h[l], out.seen[l]);
    layer_forward(net, static_cast<Index>(l), out.seen[l], out.h[l + 1]);
  }
}

void PhysicalMaps::forward(const Network& net, View<const float> x, Activations& out) {
  run(net, x, out, [this](Index layer, View<const float> in, View<float> seen) { map(layer, in, seen); });
}

void PhysicalMaps::model_forward(const Network& net, View<const float> x, Activations& out) const {
  run(net, x, out, [this](Index layer, View<const float> in, View<float> seen) {
    maps_[static_cast<std::size_t>(layer)].model_forward(*twin_, in, seen);
  });
}

void PhysicalMaps::backward(const Network& net, Index layer, View<const float> h, View<const float> delta,
                            View<float> below) {
  back_through(delta, net.weights(layer), behind_);
  maps_[static_cast<std::size_t>(layer)].backward(*twin_, h, behind_, below);
}

Evaluation PhysicalMaps::evaluate(const Network& net, const Dataset& data, Loss loss) {
  return lightloop::evaluate(
      net, data, loss, [&](View<const float> x, std::uint64_t, Activations& out) { forward(net, x, out); },
      samples_at_once(net, data.size()));
}

MapReport PhysicalMaps::report() const {
  MapReport all;
  for (const DeviceMap& map : maps_) {
    all.frames += map.report().frames;
    all.clipped_inputs += map.report().clipped_inputs;
    all.saturated += map.report().saturated;
  }
  return all;
}

void PhysicalMaps::add_expected(Index layer, Index rows, std::int64_t& frames, double& seconds, double& joules) const {
  const Index shown = rows * maps_[static_cast<std::size_t>(layer)].frames_per_row();
  frames += shown;
  seconds += session_->info().cost.seconds(shown);
  joules += session_->info().cost.joules(shown);
}

std::vector<std::byte> PhysicalMaps::snapshot() const {
  ByteWriter bytes;
  put_part(bytes, session_->snapshot());
  for (const DeviceMap& map : maps_) put_part(bytes, map.snapshot());
  return bytes.take();
}

/// The session's, then one for each layer.
std::vector<std::vector<std::byte>> PhysicalMaps::parts_of(const std::vector<std::byte>& state) const {
  ByteReader bytes(state, "snapshot of the maps of a network");
  std::vector<PartState> parts = take_parts(bytes, maps_.size() + 1);
  bytes.done();
  return parts;
}

void PhysicalMaps::restore(const std::vector<std::byte>& state) {
  std::vector<DeviceMap> maps = calibrated_as(state);  // all are looked at before anything changes
  restore_session(state);
  maps_.swap(maps);
}

void PhysicalMaps::restore_session(const std::vector<std::byte>& state) { session_->restore(parts_of(state)[0]); }

void PhysicalMaps::restore_calibration(const std::vector<std::byte>& state) {
  std::vector<DeviceMap> maps = calibrated_as(state);
  maps_.swap(maps);
}

void PhysicalMaps::recalibrate() {
  for (DeviceMap& map : maps_) map.recalibrate();
}

std::vector<DeviceMap> PhysicalMaps::calibrated_as(const std::vector<std::byte>& state) const {
  const std::vector<std::vector<std::byte>> parts = parts_of(state);
  std::vector<DeviceMap> maps = maps_;
  for (std::size_t i = 0; i < maps.size(); ++i) maps[i].restore(parts[i + 1]);
  return maps;
}

}  // namespace lightloop
