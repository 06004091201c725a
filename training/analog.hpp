#pragma once
// A network whose matrix products are made by analog devices; biases and non-linearities stay digital.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/layer/tiles.hpp"
#include "training/evaluate.hpp"
#include "training/layer_products.hpp"
#include "training/network.hpp"

namespace lightloop {

class PhysicalMaps;

/// Where the layers of a network run.
struct AnalogPlace {
  std::string device;              ///< device string for all layers, or one that names several (device_list)
  Settings settings = {};          ///< laid over it; "session." keys are the session's
  Settings layer = {};             ///< the "layer." namespace, without that prefix
  std::vector<Settings> own = {};  ///< per layer, laid over `settings`; may be shorter than the net
  bool fixed = false;              ///< the weights never change: devices are written once
  bool trials = false;             ///< programmes learn by losses alone: no twin is opened for them
};

/// What is asked of every layer of a network.
struct LayerWork {
  Index samples = 0;  ///< shown forwards; a convolution is shown their patches
  Index back = 0;     ///< signals shown backwards, where these go through the devices; the first layer gets none
  Index calls = 0;    ///< in which samples are shown
  Index writes = 0;   ///< of the weights
  Index taught = 0;   ///< samples from whose signals programmes learn (layer.update = programme)
};

/// From settings of the namespaces "device.", "layer." and "session."; "device.layer2.adc.bits" goes to layer 2 alone
/// (counted from 1). Throws UnknownName for another namespace, OutOfRange for a layer that `layers` layers do not have.
AnalogPlace analog_place(const std::string& device, const Settings& all, Index layers);
/// The matrices of `net` that a device could hold. Throws Unsupported as AnalogNetwork.
std::vector<WeightMatrix> matrices_of(const Network& net);
/// Of each of them, the layer that it belongs to: 0, 1, ...; the groups of a convolution are one.
std::vector<Index> layers_of(const std::vector<WeightMatrix>& matrices);
/// What one of them holds; `made` takes it where it is not the parameters themselves.
View<const float> matrix_of(const Network& net, const WeightMatrix& of, Matrix<float>& made);
/// How many such layers: what settings of one layer and reports count.
Index analog_layers(const Network& net);

/// The layers of one network that are products with weights (dense ones; convolutions, which are shown patches), on
/// devices of one string: a TiledLayer each, or one for every group of a convolution. Products are these TiledLayers.
///
/// Randomness: what the devices draw; every tile has a device with a seed of its own (TileDevices), and read noise
/// belongs to the row's place among all rows that were shown, so that batches may be cut anywhere.
class AnalogNetwork : public LayerProducts {
 public:
  /// Opens the devices; shows nothing. `registry` must outlive it. Throws as TiledLayer, and Unsupported for a
  /// net with weights that are no such products, and for programmes that learn under weights that are made of the
  /// parameters (WeightMatrix::made).
  AnalogNetwork(const Registry& registry, const AnalogPlace& place, const Network& net);

  /// Writes the weights into the devices; with layer.update = pulses, from the second time on, what they have changed
  /// by since the last call goes into the devices as pulses, and what the devices hold is their own; with programme
  /// they keep what they have learnt. Without
  /// `keep_calibration` (or the first time) the layers are calibrated, unless layer.calibrate is off. Throws
  /// ShapeMismatch for another net.
  void program(const Network& net, bool keep_calibration = false);
  /// Calibrates every layer anew, as TiledLayer::calibrate(). Throws Error before program().
  void calibrate();
  /// As program() with `keep_calibration`.
  void hold(const Network& net) override { program(net, true); }
  /// Throws Error before program().
  void multiply(Index layer, View<const float> x, View<float> y) override;
  bool clips(Index layer, View<const float> x, Matrix<float>& seen) override;
  bool repeats() const override { return false; }
  bool leaves_out_noise() const override { return leaves_out_noise_; }
  /// From now on physics stands in front of the layers; `maps`, which must outlive this, are asked for it.
  void stand_behind(PhysicalMaps* maps) { maps_ = maps; }
  void show(Index layer, View<const float> x, View<float> y) override;
  bool shows_back() const override;
  void show_back(Index layer, View<const float> x, View<const float> dy, View<float> dx) override;
  bool back(Index layer, View<const float> x, View<const float> delta, View<float> dx) override;
  /// As forward() of network.hpp; where inputs have ranges, what was seen of them is left in out.seen. Throws Error
  /// before program().
  void forward(const Network& net, View<const float> x, Activations& out, LayerPass pass = {});
  /// Whether signals go back through a twin or the devices (layer.backward), and the way: as TiledLayer::backward().
  bool goes_back() const { return goes_back_; }
  /// Runs `gradient`, of which every vjp of a model's layers goes back so, and is kept for learn(). Elsewhere vjps are
  /// those of the weights in memory: exact gradients, to compare with.
  void teach(const std::function<void()>& gradient);
  /// Of a network of widths.
  void backward(Index layer, View<const float> h, View<const float> delta, View<float> below);
  /// Moves the input range of `layer` (layer.noise_management = learned) and the ADC's (layer.output_range = learned)
  /// against their gradients: log r changes by lr times the mean gradient over its running rms. `h` (m, d_l) came in,
  /// delta (m, d_{l+1}) is the signal at the output.
  /// With layer.update = programme the layer's phases learn by the same signal, at the rate lr.
  bool learns_by_itself() const { return learns_ranges_ || learns_outputs_ || learns_programme_; }
  bool programmed() const { return programmed_; }
  bool learns_ranges() const { return learns_ranges_ || learns_outputs_; }
  bool learns_programme() const { return learns_programme_; }
  void learn(Index layer, View<const float> h, View<const float> delta, double lr);
  /// The same of every product of a model, from what came back through it in the last teach().
  void learn(double lr);
  /// Takes the weights of `net` from what the devices' programmes hold.
  void read_weights(Network& net);
  /// Of programmes that learn by losses alone (RuleInfo::programmes): how many numbers a rule moves. These are the
  /// codes of all programmes, product by product, in units of their range, then the parameters of the net that no
  /// device holds (biases, norms).
  Index moved_parameters() const;
  /// Writes every programme moved by `step` along `direction`: a trial. Gives `net` with its other parameters moved so.
  const Network& move(const Network& net, std::span<const float> direction, float step);
  /// One step of every programme down its part of the gradient; the other parameters' part comes to `rest`, the
  /// gradient of the net, which is 0 elsewhere.
  void learn(std::span<const float> gradient, double lr, std::span<float> rest);
  /// Takes the weights of `net` from what the devices answer (Layer::measure).
  void measure_weights(Network& net);
  LayerReport expected_measure(bool repeats) const;
  /// Whether one device serves several layers or tiles, and every pass writes them anew.
  bool rewritten() const { return devices_->rewritten(); }
  /// The programmed network on labelled data, as many samples at a time as its devices like; ranges with windows
  /// (layer.range_rows) stay where training left them. With a rule, which makes
  /// its passes here, its scores stand in for the logits.
  Evaluation evaluate(const Network& net, const Dataset& data, Loss loss = Loss::cross_entropy, Rule* rule = nullptr);
  /// The logits, or the rule's scores, of x (m, d_0), cut as evaluate() does: out (m, outputs). Row r is sample
  /// first_sample + r.
  void scores(const Network& net, View<const float> x, std::uint64_t first_sample, Rule* rule, View<float> out);
  Index samples_shown_at_once(const Network& net, Index all) const;

  std::size_t products() const { return layers_.size(); }
  TiledLayer& product(std::size_t i) { return layers_[i]; }
  /// The layer that a product belongs to.
  std::size_t layer_of(std::size_t product) const { return static_cast<std::size_t>(layers_of_[product]); }
  std::vector<LayerReport> reports() const;  ///< of each layer
  LayerReport report() const;                ///< of all layers together
  /// Of one row through one layer after the other, by component; what is done in memory takes none.
  std::vector<LatencyPart> latency() const;
  void add_meters(Meter& sum) const;  ///< of all devices
  /// What `times` times such work costs at most; with `repeats` every row as often as bound management may show it.
  LayerReport expected(Index times, const LayerWork& work, bool repeats) const;
  /// The same of the calibrations that are still to come.
  LayerReport expected_calibration(bool repeats) const;
  const TileDevices& devices() const { return *devices_; }

  /// Devices and calibrations. restore() into one made in the same way; the next thing to do is program() with
  /// keep_calibration. Throws InvalidParameter, and then changes nothing.
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);

 private:
  /// What is the same for networks that the same devices can hold.
  static std::string shape_of(const Network& net);
  void pulse(const Network& net);
  void answer(const Network& net, View<const float> x, std::uint64_t first_sample, Rule* rule, Activations& out);
  void resume_programme(const Network& net);

  View<const float> weights(const Network& net, std::size_t l);
  std::size_t index(Index number) const;  ///< of the matrix with that number

  std::string shape_;
  PhysicalMaps* maps_ = nullptr;  ///< in front of the layers; null: nothing
  std::vector<WeightMatrix> matrices_;
  std::vector<Index> layers_of_;
  Matrix<float> made_;  ///< a layer's matrix, where it is not the parameters themselves
  bool calibrates_ = true;
  bool goes_back_ = false, learns_ranges_ = false, learns_outputs_ = false, pulses_ = false, learns_programme_ = false;
  bool fixed_ = false, leaves_out_noise_ = false;
  bool first_is_last_back_ = true;  ///< nothing that learns lies below the first product
  bool programmed_ = false;         ///< and calibrated
  struct Range {
    bool known = false;
    std::int64_t steps = 0;
    double mean_square = 0;
  };
  /// The factor exp(-lr slope / rms) of a range; `slope` by its logarithm.
  static double moved(Range& memory, double slope, double lr);
  std::vector<Range> ranges_;          ///< of learned input ranges, then output ranges
  std::vector<Matrix<float>> sent_;    ///< pulses: weights at the last update
  std::vector<std::byte> to_restore_;  ///< what devices hold that learn in place, until they are written
  Matrix<float> change_;
  std::vector<Index> rest_;           ///< trials: places of the parameters that no device holds
  std::optional<Network> moved_net_;  ///< the net of the last trial
  /// Signals of one product of a model: those of a convolution come in pieces.
  struct Taught {
    std::vector<std::vector<double>> began;  ///< running ranges before each forward pass
    std::size_t returned = 0;                ///< how many of these have been gone back through
    Index rows = 0;
    std::vector<float> x, delta;
  };
  /// Takes the layer's running ranges to where its k-th pass began.
  void begin_again(std::size_t l, std::size_t k);
  std::vector<Taught> taught_;
  bool teaching_ = false;
  std::unique_ptr<TileDevices> devices_;
  std::vector<TiledLayer> layers_;
};

}  // namespace lightloop
