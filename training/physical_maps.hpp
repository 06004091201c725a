#pragma once
// A network with a device in front of every layer, whatever it does to the signal: h_l = f_l(W_l P(h_{l-1}) + b_l). The
// matrices are trained and digital, P is physics and stays as it is.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "driver/layer/device_map.hpp"
#include "training/evaluate.hpp"
#include "training/network.hpp"
#include "training/rules/rule.hpp"

namespace lightloop {

/// One device, asked anew for every layer with a calibration (DeviceMap) of that layer's own. Calibrated by the first
/// batch that goes through it, unless keep_calibration() was called.
///
/// Randomness: what the device draws; its frames are numbered on through training and scoring.
class PhysicalMaps {
 public:
  /// `settings` are laid over the device string; "session." keys are the session's.
  /// Opens the device and, `with_twin`, its twin; shows nothing. Throws as Registry::open, Registry::twin and
  /// DeviceMap::check_twin, and Unsupported for a net of other layers than dense ones.
  PhysicalMaps(const Registry& registry, const std::string& device, const Settings& settings, const Network& net,
               double range, Index part, bool with_twin);

  /// P in front of layer `layer` (from 0): x, y (m, d_layer).
  void map(Index layer, View<const float> x, View<float> y);
  PhysicalMap as_map();  ///< map() for a rule that makes passes of its own; must not outlive this
  /// As forward() of network.hpp; what the matrices saw is left in out.seen.
  void forward(const Network& net, View<const float> x, Activations& out);
  /// forward() by the twin: shows nothing, draws nothing. Throws Error for a map that is not calibrated.
  void model_forward(const Network& net, View<const float> x, Activations& out) const;
  bool has_twin() const { return twin_ != nullptr; }
  /// below = (da/dh)^T delta for layer `layer` and what came in, h: through the weights, then through the twin
  /// (physics-aware training: the device's answers forwards, its model's derivatives backwards).
  void backward(const Network& net, Index layer, View<const float> h, View<const float> delta, View<float> below);
  Evaluation evaluate(const Network& net, const Dataset& data, Loss loss);

  /// Whether every map is.
  bool calibrated() const {
    return std::ranges::all_of(maps_, [](const DeviceMap& map) { return map.calibrated(); });
  }
  const Session& session() const { return *session_; }
  Session& session() { return *session_; }
  MapReport report() const;
  /// Adds what so many rows through the map of layer `layer` will cost.
  void add_expected(Index layer, Index rows, std::int64_t& frames, double& seconds, double& joules) const;
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
  template <class Map>
  static void run(const Network& net, View<const float> x, Activations& out, const Map& map);
  std::vector<DeviceMap> calibrated_as(const std::vector<std::byte>& state) const;
  std::vector<std::vector<std::byte>> parts_of(const std::vector<std::byte>& state) const;

  std::unique_ptr<Session> session_;
  std::unique_ptr<Twin> twin_;
  std::vector<DeviceMap> maps_;
  bool calibrates_ = true;
  Matrix<float> behind_;
};

}  // namespace lightloop
