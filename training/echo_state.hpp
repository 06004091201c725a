#pragma once
// A plain echo-state network: the digital baseline that every optical reservoir is compared with.
#include <cstdint>
#include <span>
#include <vector>

#include "driver/reservoir/reservoir.hpp"

namespace lightloop {

struct EchoStateSettings {
  Index nodes = 100, inputs = 1;
  double spectral_radius = 0.9;
  double input_scaling = 1;   ///< input weights are uniform on [-input_scaling, input_scaling]
  double bias_scaling = 0;    ///< biases likewise
  double leak = 1;            ///< a below, in (0, 1]
  double connectivity = 0.1;  ///< share of the nodes that feed a node: every node has the same number, at least one
  std::uint64_t seed = 1;
};

/// x' = (1 - a) x + a tanh(W x + W_in u + b)   (Jaeger, GMD report 148, 2001; Lukosevicius, LNCS 7700 (2012)).
///
/// W: uniform weights on [-1, 1] from distinct random nodes, the same number for each node, scaled to the spectral
/// radius that an Arnoldi iteration finds (exact up to 200 nodes, within about a percent beyond). The sources of a node
/// are spread evenly over windows of 32 neighbouring nodes, and 16 neighbours take theirs from the same windows, each
/// its own: so x is read by shuffles of registers instead of gathers, which some processors have made slow. Float32
/// states and weights. Randomness: stream echo_state; instance 0 row g: windows of the 16 nodes from 16 g; 1, row
/// (node, window): sources within a window; 2 row i: weights of node i; 3: input weights; 4: biases; 5: start of the
/// Arnoldi iteration (fabrication).
class EchoState : public Reservoir {
 public:
  /// Throws OutOfRange.
  explicit EchoState(const EchoStateSettings& settings);
  Index inputs() const override { return settings_.inputs; }
  Index nodes() const override { return settings_.nodes; }
  void reset() override;
  void run(View<const double> u, View<float> states) override;

  const EchoStateSettings& settings() const { return settings_; }
  std::span<const float> state() const { return {x_.data(), static_cast<std::size_t>(settings_.nodes)}; }
  /// Goes on from a state of one's own. Throws ShapeMismatch.
  void set_state(std::span<const float> state);
  /// W and W_in as dense matrices, (nodes, nodes) and (nodes, inputs).
  Matrix<float> recurrent() const;
  Matrix<float> input() const;

 private:
  void choose_sources();
  void product(const float* x, float* sum) const;
  double radius() const;

  EchoStateSettings settings_;
  Index sources_ = 1, groups_ = 0;           // of kLanes nodes, the last one filled up
  std::vector<std::uint32_t> window_;        // [group][source]: first node of the window
  std::vector<std::uint8_t> pick_;           // [group][source][lane]: place in the window
  std::vector<float> weights_;               // likewise
  std::vector<float> input_, bias_;          // [input][node], [node]
  std::vector<float> x_, sum_, activation_;  // filled up to whole windows
};

}  // namespace lightloop
