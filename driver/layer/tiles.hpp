#pragma once
// A matrix product on as many devices as it takes, or on one that is written anew for every part.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "driver/api/latency.hpp"
#include "driver/layer/layer.hpp"
#include "driver/layer/tile_devices.hpp"

namespace lightloop {

/// y = x W^T, W (n_out, n_in) cut into tiles that fit on one device each: a Layer per tile, with its own scale and
/// calibration. Products of tiles beside each other are added up in memory.
///
/// Where one device serves all tiles, every pass writes those tiles that the device does not hold: forward() with many
/// rows at once writes less often. Writing is counted in report().
class TiledLayer {
 public:
  /// Opens what is needed; `devices` must outlive the layer. `extra` are device settings of this layer alone. Throws as
  /// Layer and Registry::open. With layer.update = programme and without `by_twin` no twin is opened: programmes learn
  /// by losses alone.
  TiledLayer(TileDevices& devices, Index n_in, Index n_out, const Settings& layer = {}, const Settings& extra = {},
             bool by_twin = true);
  ~TiledLayer();
  TiledLayer(TiledLayer&&) noexcept;
  TiledLayer& operator=(TiledLayer&&) = delete;

  Index inputs() const { return n_in_; }
  Index outputs() const { return n_out_; }
  Index tiles() const { return static_cast<Index>(tiles_.size()); }

  /// As Layer::program. With `keep_calibration` gains and offsets found before stay in use: for weights that change a
  /// little, as in training.
  void program(View<const float> w, bool keep_calibration = false);
  /// The weights as the codes can hold them (n_out, n_in).
  Matrix<float> programmed();
  void calibrate();
  void forward(View<const float> x, View<float> y);
  void transposed(View<const float> x, View<float> y);
  /// As those of Layer; twins of layer.backward = twin are opened with the devices. update() throws Unsupported where
  /// tiles share a device, because it is written anew for each.
  void backward(View<const float> x, View<const float> grad_y, View<float> grad_x);
  double range_gradient(View<const float> x, View<const float> grad_y);
  /// Whether inputs have another range than their row's largest size, beyond which they are cut off.
  bool clips() const { return settings().text("noise_management") != "abs_max"; }
  void clip(View<const float> x, View<float> seen) const;
  void set_input_range(double range);
  double input_range() const { return front().input_range(); }
  /// Layer::input_state() of one tile after the other: running ranges are of its own inputs. Throws ShapeMismatch.
  void set_input_ranges(std::span<const double> ranges);
  std::vector<double> input_ranges() const;
  void hold_ranges(bool hold);
  void set_output_factor(double factor);  ///< of every tile
  double output_factor() const { return front().output_factor(); }
  double output_factor_gradient(View<const float> x, View<const float> grad_y);
  void update(View<const float> dw);
  void learn_programme(View<const float> x, View<const float> grad_y, double lr);
  LayerReport expected_gradient(Index rows) const;  ///< of all tiles
  /// Those of Layer for the programmes of all tiles, one behind the other in the order of opening. Where a device fails
  /// between two tiles the layer is unprogrammed.
  Index programme_size() const;
  void try_programme(std::span<const float> direction, double step);
  void learn_programme(std::span<const float> gradient, double lr);
  void measure(View<float> w);  ///< w (n_out, n_in)
  LayerReport expected_measure(bool repeats) const;
  const ParamSet& settings() const { return front().settings(); }
  /// Whether its devices hold trains of meshes: layer.weight_limit does not fix their scale.
  bool is_train() const;
  LayerReport report() const;  ///< of all tiles
  /// Of one row, by component: tiles work at the same time, or one after the other where one device serves them all
  /// (writing not counted).
  std::vector<LatencyPart> latency() const;
  /// Frames, writes, seconds and joules, at most, of writing the weights so often and showing so many rows in so many
  /// calls; with `repeats` every row as often as bound management may show it.
  LayerReport expected(Index rows, Index calls, Index writes, bool repeats) const;
  /// The same of the calibration that follows the first writing.
  LayerReport expected_calibration(bool repeats) const;

  /// Calibrations; restore() after the same weights were programmed. Throws InvalidParameter, and then changes nothing.
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);
  /// The same with the devices: weights as they were programmed, what the cells hold by now, frame counts, meters and
  /// clocks, so that a layer made alike goes on with the same bits, whatever it held before. Reports are not in it.
  /// Throws Unsupported where a device keeps no snapshot; Error while a shared device waits for weights.
  std::vector<std::byte> snapshot_with_devices() const;
  /// Writes the weights, then takes the state. Throws InvalidParameter for bytes that are no such snapshot, or of
  /// another shape or device, naming both. Nothing has changed then, unless the device fails.
  void restore_with_devices(const std::vector<std::byte>& state);

 private:
  struct Whole;
  Whole read_whole(const std::vector<std::byte>& state) const;
  void take_whole(const Whole& whole);
  std::string made_as() const;
  struct Tile;
  /// The tile's layer, its weights in the device.
  Layer& ready(Tile& tile);
  void check_programmed() const;
  /// Whether a device is written anew whenever it may hold another tile, of this layer or another. One that learns and
  /// serves one tile alone is not.
  bool shared() const;
  void check_keeps(const char* what, const char* kept) const;
  template <class Move>
  void move_programmes(std::span<const float> codes, const Move& move);
  template <class Gradient>
  double sum_of_tiles(const char* what, View<const float> x, View<const float> grad_y, const Gradient& gradient);
  const Layer& front() const;

  Index n_in_, n_out_;
  bool shareable_ = false;  ///< other tiles may be given the layer's device, later too
  bool programmed_ = false;
  std::vector<std::unique_ptr<Tile>> tiles_;
  Matrix<float> part_;  // workspace
};

}  // namespace lightloop
