#include "training/physical_maps.hpp"

#include <algorithm>
#include <charconv>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "driver/api/opening.hpp"
#include "driver/api/registry.hpp"
#include "driver/layer/named_twin.hpp"
#include "driver/layer/snapshot_parts.hpp"
#include "training/layers/model.hpp"
#include "training/rules/gradient.hpp"

namespace lightloop {

std::vector<PhysicalPlace> physical_places(const Network& net, const std::string& at) {
  if (const Model* model = net.model()) {
    if (!at.empty())
      throw InvalidParameter("train.map_at", at, "net " + net.text() + " says itself which layers are physics",
                             "leave it out");
    std::vector<PhysicalPlace> all = model->physics();
    if (all.empty())
      throw Unsupported("net " + net.text() + " with train.map", "no layer of it is physical", "",
                        "write one where the device stands (physical 512), or give widths such as 19-60-7");
    return all;
  }
  std::vector<bool> named(static_cast<std::size_t>(net.layers()), at.empty());
  for (std::size_t begin = 0; !at.empty() && begin <= at.size();) {
    const std::size_t end = std::min(at.find(',', begin), at.size());
    Index layer = 0;
    const auto [next, error] = std::from_chars(at.data() + begin, at.data() + end, layer);
    if (error != std::errc{} || next != at.data() + end)
      throw InvalidParameter("train.map_at", at, "numbers of layers, counted from 1", "write them like 1,3");
    if (layer < 1 || layer > net.layers())
      throw OutOfRange("train.map_at", std::to_string(layer), "1 to " + std::to_string(net.layers()),
                       "name layers of net " + net.text());
    named[static_cast<std::size_t>(layer) - 1] = true;
    begin = end + 1;
  }
  std::vector<PhysicalPlace> all;
  for (Index l = 0; l < net.layers(); ++l)
    if (const Index n = net.widths()[static_cast<std::size_t>(l)]; named[static_cast<std::size_t>(l)])
      all.push_back({.number = l, .inputs = n, .outputs = n, .block = l});
  return all;
}

MapOptions map_options(const ParamSet& train) {
  const auto text = [&](const char* key) { return train.has(key) ? train.text(key) : std::string(); };
  return {.range = train.real("map_range"),
          .part = train.integer("map_part"),
          .levels = train.has("map_levels") ? train.integer("map_levels") : 1,
          .at = text("map_at"),
          .twin = text("map_twin")};
}

PhysicalMaps::PhysicalMaps(const Registry& registry, const std::string& device, const Settings& settings,
                           const Network& net, const MapOptions& options)
    : places_(physical_places(net, options.at)) {
  session_ = open_session(registry, device, settings);
  if (holds_weights(*session_))
    throw Unsupported("train.map " + device, "the device holds weights, and behind a map nobody writes them",
                      "physics that stays as it is: sim:wave, sim:pendula", "give it as --layers (train.layers)");
  maps_.reserve(places_.size());
  for (const PhysicalPlace& place : places_)
    maps_.emplace_back(*session_, place.inputs, options.range, options.part, place.outputs, options.levels);
  if (!options.with_twin) return;
  twin_ = options.twin.empty() ? registry.twin(without_session(device), without_session(settings))
                               : named_twin(registry, "train.map_twin", options.twin, *session_);
  maps_.front().check_twin(*twin_);
}

std::optional<std::size_t> PhysicalMaps::index(Index number) const {
  const auto found = std::ranges::find(places_, number, &PhysicalPlace::number);
  if (found == places_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - places_.begin());
}

void PhysicalMaps::through(std::size_t place, View<const float> x, View<float> y) {
  DeviceMap& map = maps_[place];
  if (by_twin_) return map.model_forward(*twin_, x, y);
  if (calibrates_ && !map.calibrated()) map.calibrate(x);
  map.forward(x, y);
}

void PhysicalMaps::map(Index layer, View<const float> x, View<float> y) {
  if (const auto place = index(layer)) return through(*place, x, y);
  for (Index r = 0; r < x.rows(); ++r) std::ranges::copy(x.row(r), y.row(r).begin());
}

PhysicalMap PhysicalMaps::as_map() {
  return [this](Index layer, View<const float> x, View<float> y) { map(layer, x, y); };
}

void PhysicalMaps::map_back(Index layer, View<const float> h, View<const float> dy, View<float> dx) const {
  if (const auto place = index(layer)) return maps_[*place].backward(*twin_, h, dy, dx);
  for (Index r = 0; dy.data() != dx.data() && r < dy.rows(); ++r) std::ranges::copy(dy.row(r), dx.row(r).begin());
}

void PhysicalMaps::multiply(Index, View<const float>, View<float>) { LIGHTLOOP_ASSERT(false); }

void PhysicalMaps::show(Index layer, View<const float> x, View<float> y) {
  const auto place = index(layer);
  if (!place) return LayerProducts::show(layer, x, y);
  through(*place, x, y);
}

void PhysicalMaps::show_back(Index layer, View<const float> x, View<const float> dy, View<float> dx) {
  if (!twin_)
    throw Unsupported("derivative of a physical layer on " + session_->info().model, "the device has no twin", "",
                      "put it before all that learns in the first block, or use a rule that asks for none");
  map_back(layer, x, dy, dx);
}

void PhysicalMaps::forward(const Network& net, View<const float> x, Activations& out, LayerPass pass) {
  if (net.model()) {
    pass.products = this;
    return lightloop::forward(net, x, out, pass);
  }
  const auto layers = static_cast<std::size_t>(net.layers());
  out.h.resize(layers + 1);
  out.mapped.resize(layers);
  if (x.data() != out.h[0].data()) {
    out.h[0].resize(x.rows(), x.cols());
    for (Index r = 0; r < x.rows(); ++r) std::ranges::copy(x.row(r), out.h[0].row(r).begin());
  }
  for (std::size_t l = 0; l < layers; ++l) {
    out.mapped[l].resize(x.rows(), out.h[l].cols());
    map(static_cast<Index>(l), out.h[l], out.mapped[l]);
    layer_forward(net, static_cast<Index>(l), out.mapped[l], out.h[l + 1]);
  }
}

void PhysicalMaps::model_forward(const Network& net, View<const float> x, Activations& out, const LayerPass& pass) {
  by_twin_ = true;
  try {
    forward(net, x, out, pass);
  } catch (...) {
    by_twin_ = false;
    throw;
  }
  by_twin_ = false;
}

Evaluation PhysicalMaps::evaluate(const Network& net, const Dataset& data, Loss loss) {
  return lightloop::evaluate(
      net, data, loss,
      [&](View<const float> x, std::uint64_t first_sample, Activations& out) {
        forward(net, x, out, {.first_sample = first_sample});
      },
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

void PhysicalMaps::add_expected(std::size_t place, Index rows, std::int64_t& frames, double& seconds,
                                double& joules) const {
  const Index shown = rows * maps_[place].frames_per_row();
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

/// The session's, then one for each place.
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
