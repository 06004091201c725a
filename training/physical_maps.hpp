#pragma once
// A network with a device in front of its layers, whatever it does to the signal: h_l = f_l(W_l P(h_{l-1}) + b_l), or
// in the place of the physical layers of a model. The matrices are trained, P is physics and stays as it is.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/layer/device_map.hpp"
#include "training/evaluate.hpp"
#include "training/layer_products.hpp"
#include "training/network.hpp"
#include "training/rules/rule.hpp"

namespace lightloop {

/// Where physics stands in `net`: its physical layers, or of a network of widths in front of the layers that `at` names
/// ("1,3", counted from 1; empty: all). Throws Unsupported for a model without physical layers, InvalidParameter for
/// layers of a model or that make no sense, OutOfRange for those that are not there.
std::vector<PhysicalPlace> physical_places(const Network& net, const std::string& at);

/// How the device is asked: settings train.map_* of the run.
struct MapOptions {
  double range = 3;
  Index part = 0, levels = 1;
  bool with_twin = false;  ///< opens a twin: the device's own, or of the device string `twin`
  std::string at = {}, twin = {};
};
/// What a run says, also one that an earlier version made.
MapOptions map_options(const ParamSet& train);

/// One device, asked anew at every place with a calibration (DeviceMap) of that place's own. Calibrated by the first
/// batch that goes through it, unless keep_calibration() was called. Products of a model are made in memory.
///
/// Randomness: what the device draws; its frames are numbered on through training and scoring.
class PhysicalMaps : public LayerProducts {
 public:
  /// `settings` are laid over the device string; "session." keys are the session's.
  /// Opens the device and, if asked for, a twin (named_twin); shows nothing.
  /// Throws as physical_places(), Registry::open, DeviceMap, Registry::twin, named_twin and DeviceMap::check_twin;
  /// Unsupported for a device that holds weights.
  PhysicalMaps(const Registry& registry, const std::string& device, const Settings& settings, const Network& net,
               const MapOptions& options = {});

  /// P in front of layer `layer` (from 0) of a network of widths: x, y (m, d_layer). Where there is none y is x.
  void map(Index layer, View<const float> x, View<float> y);
  PhysicalMap as_map();  ///< map() for a rule that makes passes of its own; must not outlive this
  /// dx = (dP/dh)^T dy at h, what came to layer `layer`; dy and dx may be one (physics-aware training: the device's
  /// answers forwards, its model's derivatives backwards).
  void map_back(Index layer, View<const float> h, View<const float> dy, View<float> dx) const;

  bool multiplies() const override { return false; }
  void hold(const Network&) override {}
  void multiply(Index layer, View<const float> x, View<float> y) override;
  bool repeats() const override { return false; }
  void show(Index layer, View<const float> x, View<float> y) override;
  bool shows_back() const override { return twin_ != nullptr; }
  void show_back(Index layer, View<const float> x, View<const float> dy, View<float> dx) override;

  /// As forward() of network.hpp; what came out of P is left in out.mapped.
  void forward(const Network& net, View<const float> x, Activations& out, LayerPass pass = {});
  /// forward() by the twin: shows nothing, draws nothing. Throws Error for a map that is not calibrated.
  void model_forward(const Network& net, View<const float> x, Activations& out, const LayerPass& pass = {});
  Evaluation evaluate(const Network& net, const Dataset& data, Loss loss);

  /// Whether every map is.
  bool calibrated() const {
    return std::ranges::all_of(maps_, [](const DeviceMap& map) { return map.calibrated(); });
  }
  const std::vector<PhysicalPlace>& places() const { return places_; }
  const Session& session() const { return *session_; }
  Session& session() { return *session_; }
  MapReport report() const;
  /// Adds what so many rows through the map at places()[place] will cost.
  void add_expected(std::size_t place, Index rows, std::int64_t& frames, double& seconds, double& joules) const;
  /// Calibrations, reports and the session. restore() into one of the same device and net. Throws InvalidParameter.
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);
  /// Takes calibrations and reports, but not the session, of a snapshot of any device with as many inputs and outputs
  /// of as many bits. Throws InvalidParameter.
  void restore_calibration(const std::vector<std::byte>& state);
  /// DeviceMap::recalibrate() of every layer, from the first to the last.
  void recalibrate();
  /// Lets the session go on where that of a snapshot was, and leaves the maps to be calibrated.
  void restore_session(const std::vector<std::byte>& state);
  /// From now on nothing is calibrated: what goes through a map without a calibration is an Error.
  void keep_calibration() { calibrates_ = false; }

 private:
  std::optional<std::size_t> index(Index number) const;
  void through(std::size_t place, View<const float> x, View<float> y);
  std::vector<DeviceMap> calibrated_as(const std::vector<std::byte>& state) const;
  std::vector<std::vector<std::byte>> parts_of(const std::vector<std::byte>& state) const;

  std::unique_ptr<Session> session_;
  std::unique_ptr<Twin> twin_;
  std::vector<PhysicalPlace> places_;
  std::vector<DeviceMap> maps_;  ///< one for each of them
  bool calibrates_ = true;
  bool by_twin_ = false;  ///< answers are the twin's
};

}  // namespace lightloop
