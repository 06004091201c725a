#include "training/analog.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/layers/model.hpp"
#include "training/physical_maps.hpp"

namespace lightloop {
namespace {

// Samples at a time. A device that is written anew for every tile sees many, so that writing is paid for; assumed: 8192
// rows of a few thousand numbers fit into memory beside the data.
constexpr Index kBatch = 512, kLargeBatch = 8192;

/// Running ranges stay where training left them.
class RangesHeld {
 public:
  explicit RangesHeld(std::vector<TiledLayer>& layers) : layers_(layers) { hold(true); }
  ~RangesHeld() { hold(false); }
  RangesHeld(const RangesHeld&) = delete;
  RangesHeld& operator=(const RangesHeld&) = delete;

 private:
  void hold(bool on) const {
    for (TiledLayer& layer : layers_) layer.hold_ranges(on);
  }
  std::vector<TiledLayer>& layers_;
};

}  // namespace

std::string AnalogNetwork::shape_of(const Network& net) { return net.model() ? net.text() : to_string(net.widths()); }

std::vector<WeightMatrix> matrices_of(const Network& net) {
  if (net.model()) return net.model()->products();
  std::vector<WeightMatrix> all;
  for (Index l = 0; l < net.layers(); ++l)
    all.push_back({l, net.offset(l), net.weights(l).rows(), net.weights(l).cols()});
  return all;
}

View<const float> matrix_of(const Network& net, const WeightMatrix& of, Matrix<float>& made) {
  if (!of.made) return {net.parameters().data() + of.offset, of.outputs, of.inputs};
  made.resize(of.outputs, of.inputs);
  of.made(net.parameters(), made);
  return made;
}

std::vector<Index> layers_of(const std::vector<WeightMatrix>& matrices) {
  std::vector<Index> numbers;
  for (const WeightMatrix& one : matrices)
    numbers.push_back(numbers.empty() ? 0 : numbers.back() + (one.part == 0 ? 1 : 0));
  return numbers;
}

Index analog_layers(const Network& net) {
  const std::vector<Index> numbers = layers_of(matrices_of(net));
  return numbers.empty() ? 0 : numbers.back() + 1;
}

AnalogNetwork::AnalogNetwork(const Registry& registry, const AnalogPlace& place, const Network& net)
    : shape_(shape_of(net)), matrices_(matrices_of(net)), layers_of_(layers_of(matrices_)) {
  if (matrices_.empty())
    throw Unsupported("net " + shape_ + " on " + place.device, "no layer has weights that a device could hold");
  ParamSet layer("layer", layer_params());
  layer.set(place.layer);
  calibrates_ = layer.boolean("calibrate");
  goes_back_ = layer.text("backward") != "weights";
  learns_ranges_ = layer.text("noise_management") == "learned";
  learns_outputs_ = layer.text("output_range") == "learned";
  pulses_ = layer.text("update") == "pulses";
  learns_programme_ = layer.text("update") == "programme";
  leaves_out_noise_ = layer.text("noise_words") == "leave_out";
  fixed_ = place.fixed;
  if (learns_programme_ && std::ranges::any_of(matrices_, [](const WeightMatrix& one) { return bool(one.made); }))
    throw Unsupported("layer.update = programme", "net " + shape_, "weights of two values or levels are no phases",
                      "Leave layer.update at write, or take dense and conv layers without weights(...).");
  if (const Model* model = net.model())
    first_is_last_back_ = matrices_.front().offset == 0 && model->block(0).parameters() > 0;
  std::vector<MatrixSize> sizes;
  for (const WeightMatrix& one : matrices_) sizes.push_back({one.inputs, one.outputs});
  devices_ = std::make_unique<TileDevices>(registry, place.device, place.settings, place.layer, sizes);
  layers_.reserve(matrices_.size());
  ranges_.resize(matrices_.size() * (learns_outputs_ ? 2 : 1));
  for (std::size_t l = 0; l < matrices_.size(); ++l)
    layers_.emplace_back(*devices_, matrices_[l].inputs, matrices_[l].outputs, place.layer,
                         layer_of(l) < place.own.size() ? place.own[layer_of(l)] : Settings{}, !place.trials);
  if ((pulses_ || learns_programme_) && layer.real("weight_limit") == 0 && !layers_.front().is_train())
    throw InvalidParameter("layer.weight_limit", "0 with layer.update = " + layer.text("update"),
                           "the weight (meshes: singular value) at full range, which stays while the device learns",
                           "Give layer.weight_limit=0.5, for example.");
  if (!place.trials || !learns_programme_) return;
  std::vector<bool> held(net.parameters().size());
  for (const WeightMatrix& one : matrices_) std::fill_n(held.begin() + one.offset, one.inputs * one.outputs, true);
  for (std::size_t i = 0; i < held.size(); ++i)
    if (!held[i]) rest_.push_back(static_cast<Index>(i));
}

std::size_t AnalogNetwork::index(Index number) const {
  const auto found = std::ranges::find(matrices_, number, &WeightMatrix::number);
  LIGHTLOOP_ASSERT(found != matrices_.end());
  return static_cast<std::size_t>(found - matrices_.begin());
}

void AnalogNetwork::multiply(Index layer, View<const float> x, View<float> y) {
  if (!programmed_) throw Error("analog network", "nothing was programmed", "", "Call program(net) first.");
  const std::size_t l = index(layer);
  if (learns_ranges_ && !ranges_[l].known) {
    float most = 0;
    for (Index r = 0; r < x.rows(); ++r)
      for (const float v : x.row(r)) most = std::max(most, std::abs(v));
    if (most > 0) layers_[l].set_input_range(static_cast<double>(most));
    ranges_[l].known = most > 0;
  }
  if (!taught_.empty() && layers_[l].settings().text("noise_management") == "running")
    taught_[l].began.push_back(layers_[l].input_ranges());
  layers_[l].forward(x, y);
}

bool AnalogNetwork::clips(Index layer, View<const float> x, Matrix<float>& seen) {
  const TiledLayer& of = layers_[index(layer)];
  if (!of.clips()) return false;
  seen.resize(x.rows(), x.cols());
  of.clip(x, seen);
  return true;
}

void AnalogNetwork::show(Index layer, View<const float> x, View<float> y) {
  maps_ ? maps_->show(layer, x, y) : LayerProducts::show(layer, x, y);
}

bool AnalogNetwork::shows_back() const { return maps_ && maps_->shows_back(); }

void AnalogNetwork::show_back(Index layer, View<const float> x, View<const float> dy, View<float> dx) {
  maps_ ? maps_->show_back(layer, x, dy, dx) : LayerProducts::show_back(layer, x, dy, dx);
}

void AnalogNetwork::forward(const Network& net, View<const float> x, Activations& out, LayerPass pass) {
  if (net.model()) {
    if (goes_back_ || learns_by_itself()) taught_.resize(layers_.size());
    for (Taught& one : taught_) one.began.clear();
    pass.products = this;
    return lightloop::forward(net, x, out, pass);
  }
  out.h.resize(layers_.size() + 1);
  if (x.data() != out.h[0].data()) {
    out.h[0].resize(x.rows(), x.cols());
    for (Index r = 0; r < x.rows(); ++r) std::ranges::copy(x.row(r), out.h[0].row(r).begin());
  }
  out.mapped.resize(maps_ ? layers_.size() : 0);
  out.clipped = layers_.front().clips();
  out.seen.resize(out.clipped ? layers_.size() : 0);
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    Matrix<float>& output = out.h[l + 1];
    output.resize(x.rows(), matrices_[l].outputs);
    const auto layer = static_cast<Index>(l);
    if (maps_) {
      out.mapped[l].resize(x.rows(), out.h[l].cols());
      maps_->map(layer, out.h[l], out.mapped[l]);
    }
    const Matrix<float>& came = out.came(layer);
    multiply(layer, came, output);
    if (out.clipped) clips(layer, came, out.seen[l]);
    for_rows(output.rows(), output.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        bias_and_activate(net.activation(layer), net.bias(layer), output.row(r));
    });
  }
}

Evaluation AnalogNetwork::evaluate(const Network& net, const Dataset& data, Loss loss, Rule* rule) {
  return lightloop::evaluate(
      net, data, loss,
      [&](View<const float> x, std::uint64_t first, Activations& out) { answer(net, x, first, rule, out); },
      samples_shown_at_once(net, data.size()));
}

void AnalogNetwork::scores(const Network& net, View<const float> x, std::uint64_t first_sample, Rule* rule,
                           View<float> out) {
  const Index batch = samples_shown_at_once(net, x.rows());
  Activations passed;
  for (Index first = 0; first < x.rows(); first += batch) {
    const Index count = std::min(batch, x.rows() - first);
    answer(net, x.rows(first, count), first_sample + static_cast<std::uint64_t>(first), rule, passed);
    const Matrix<float>& scored = passed.h.back();
    for (Index r = 0; r < count; ++r) std::ranges::copy(scored.row(r), out.row(first + r).begin());
  }
}

void AnalogNetwork::answer(const Network& net, View<const float> x, std::uint64_t first_sample, Rule* rule,
                           Activations& out) {
  const RangesHeld held(layers_);
  rule ? answer_by_rule(*rule, net, x, first_sample, out) : forward(net, x, out, {.first_sample = first_sample});
}

Index AnalogNetwork::samples_shown_at_once(const Network& net, Index all) const {
  if (net.model()) return samples_at_once(net, all);
  return rewritten() ? kLargeBatch : kBatch;
}

std::vector<LayerReport> AnalogNetwork::reports() const {
  std::vector<LayerReport> all(static_cast<std::size_t>(layers_of_.back()) + 1);
  for (std::size_t l = 0; l < layers_.size(); ++l) all[layer_of(l)].add(layers_[l].report());
  return all;
}

LayerReport AnalogNetwork::report() const {
  LayerReport all;
  for (const TiledLayer& layer : layers_) all.add(layer.report());
  return all;
}

std::vector<LatencyPart> AnalogNetwork::latency() const {
  std::vector<LatencyPart> sum;
  for (std::size_t l = 0; l < layers_.size(); ++l)  // groups, equal all, work at the same time where each has devices
    if (matrices_[l].part == 0 || devices_->shared()) add(sum, layers_[l].latency());
  return sum;
}

LayerReport AnalogNetwork::expected(Index times, const LayerWork& work, bool repeats) const {
  LayerReport all;
  const bool through_devices = goes_back_ && layers_.front().settings().text("backward") == "device";
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Index back = through_devices && (layer_of(l) > 0 || !first_is_last_back_) ? work.back : 0;
    const Index at_once = matrices_[l].at_once;
    const Index calls = work.calls + (at_once > 0 ? (work.samples + back) / at_once : 0) + (back > 0);
    // a device that serves several tiles is written anew for each
    const Index writes = rewritten() ? std::max(work.writes, calls) : work.writes;
    all.add(layers_[l].expected(times * (work.samples + back) * matrices_[l].positions, times * calls, times * writes,
                                repeats));
    if (learns_programme_) all.add(layers_[l].expected_gradient(times * work.taught * matrices_[l].positions));
  }
  return all;
}

LayerReport AnalogNetwork::expected_calibration(bool repeats) const {
  LayerReport all;
  if (programmed_) return all;
  for (const TiledLayer& layer : layers_) all.add(layer.expected_calibration(repeats));
  return all;
}

void AnalogNetwork::add_meters(Meter& sum) const {
  for (const auto& device : devices_->opened()) {
    sum += device->session->meter();
  }
}

}  // namespace lightloop
