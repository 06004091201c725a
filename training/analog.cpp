#include "training/analog.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/layers/model.hpp"

namespace lightloop {
namespace {

// Samples at a time. A device that is written anew for every tile sees many, so that writing is paid for; assumed: 8192
// rows of a few thousand numbers fit into memory beside the data.
constexpr Index kBatch = 512, kLargeBatch = 8192;

/// Of a network of fully connected layers, or of a model.
std::vector<WeightMatrix> matrices_of(const Network& net) {
  if (net.model()) return net.model()->products();
  std::vector<WeightMatrix> all;
  for (Index l = 0; l < net.layers(); ++l)
    all.push_back({l, net.offset(l), net.weights(l).rows(), net.weights(l).cols()});
  return all;
}

/// What is the same for networks that the same devices can hold.
std::string shape_of(const Network& net) { return net.model() ? net.text() : to_string(net.widths()); }

/// Takes "layer2.adc.bits" = 6 out of `settings` and puts it into the settings of layer 2.
std::vector<Settings> take_own_settings(Settings& settings, Index layers) {
  std::vector<Settings> own(static_cast<std::size_t>(layers));
  for (auto one = settings.begin(); one != settings.end();) {
    const std::string& key = one->first;
    constexpr std::string_view kWord = "layer";
    const std::size_t dot = key.find('.');
    Index number = 0;
    bool of_layer = key.starts_with(kWord) && dot != std::string::npos;
    if (of_layer) {
      const auto [end, error] = std::from_chars(key.data() + kWord.size(), key.data() + dot, number);
      of_layer = error == std::errc{} && end == key.data() + dot;
    }
    if (!of_layer) {
      ++one;
      continue;
    }
    if (number < 1 || number > layers)
      throw OutOfRange("setting " + key, "layer " + std::to_string(number),
                       "the net has " + std::to_string(layers) + " layers");
    own[static_cast<std::size_t>(number) - 1][key.substr(dot + 1)] = one->second;
    one = settings.erase(one);
  }
  return own;
}

void copy(View<const float> from, Matrix<float>& to) {
  to.resize(from.rows(), from.cols());
  for (Index r = 0; r < from.rows(); ++r) std::ranges::copy(from.row(r), to.row(r).begin());
}

}  // namespace

AnalogPlace analog_place(const std::string& device, const Settings& all, Index layers) {
  for (const auto& [key, value] : all)
    if (!key.starts_with("device.") && !key.starts_with("layer.") && !key.starts_with("session."))
      throw UnknownName("setting", key, "", "settings of analog layers begin with device., layer. or session.");
  AnalogPlace place{.device = device, .settings = below(all, "device"), .layer = below(all, "layer")};
  place.own = take_own_settings(place.settings, layers);
  for (const auto& [key, value] : below(all, "session")) place.settings["session." + key] = value;
  return place;
}

Index analog_layers(const Network& net) { return static_cast<Index>(matrices_of(net).size()); }

AnalogNetwork::AnalogNetwork(const Registry& registry, const AnalogPlace& place, const Network& net)
    : shape_(shape_of(net)), matrices_(matrices_of(net)) {
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
  if (net.model() && (goes_back_ || learns_by_itself()))
    throw Unsupported(goes_back_          ? "layer.backward = " + layer.text("backward")
                      : learns_programme_ ? "layer.update = programme"
                      : learns_ranges_    ? "layer.noise_management = learned"
                                          : "layer.output_range = learned",
                      "net " + shape_, "for fully connected networks only",
                      "In PyTorch, ll.torch.convert takes convolutions too.");
  if ((pulses_ || learns_programme_) && layer.real("weight_limit") == 0)
    throw InvalidParameter("layer.weight_limit", "0 with layer.update = " + layer.text("update"),
                           "the weight (meshes: singular value) at full range, which stays while the device learns",
                           "Give layer.weight_limit=0.5, for example.");
  const auto largest = [this](Index WeightMatrix::*side) {
    Index most = 0;
    for (const WeightMatrix& one : matrices_) most = std::max(most, one.*side);
    return most;
  };
  devices_ = std::make_unique<TileDevices>(registry, place.device, place.settings, place.layer,
                                           largest(&WeightMatrix::inputs), largest(&WeightMatrix::outputs));
  layers_.reserve(matrices_.size());
  ranges_.resize(matrices_.size() * (learns_outputs_ ? 2 : 1));
  for (std::size_t l = 0; l < matrices_.size(); ++l)
    layers_.emplace_back(*devices_, matrices_[l].inputs, matrices_[l].outputs, place.layer,
                         l < place.own.size() ? place.own[l] : Settings{});
}

View<const float> AnalogNetwork::weights(const Network& net, std::size_t l) const {
  const WeightMatrix& one = matrices_[l];
  return {net.parameters().data() + one.offset, one.outputs, one.inputs};
}

void AnalogNetwork::program(const Network& net, bool keep_calibration) {
  if (shape_of(net) != shape_)
    throw ShapeMismatch("analog network", shape_of(net), "its devices were opened for " + shape_);
  const bool keep = keep_calibration && programmed_;
  if (pulses_ && keep) return pulse(net);
  if (learns_programme_ && keep) return resume_programme();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    layers_[l].program(weights(net, l), keep);
    if (!keep && calibrates_) layers_[l].calibrate();
  }
  programmed_ = true;
  if (pulses_) {
    sent_.resize(layers_.size());
    for (std::size_t l = 0; l < layers_.size(); ++l) copy(weights(net, l), sent_[l]);
  }
}

void AnalogNetwork::resume_programme() {
  if (to_restore_.empty()) return;
  const std::vector<std::byte> state = std::move(to_restore_);
  to_restore_.clear();
  for (TiledLayer& layer : layers_) layer.program(Matrix<float>(layer.outputs(), layer.inputs()), true);
  restore(state);
  to_restore_.clear();
}

void AnalogNetwork::read_weights(Network& net) {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Matrix<float> held = layers_[l].programmed();
    std::ranges::copy(held.flat(), net.parameters().data() + matrices_[l].offset);
  }
}

void AnalogNetwork::pulse(const Network& net) {
  if (!to_restore_.empty()) {
    // A restored run: the layers learn their scale from weights, then the cells get back what they held.
    const std::vector<std::byte> state = std::move(to_restore_);
    to_restore_.clear();
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const double limit = layers_[l].settings().real("weight_limit");
      copy(sent_[l], change_);
      for (float& w : change_.flat()) w = std::clamp(w, static_cast<float>(-limit), static_cast<float>(limit));
      layers_[l].program(change_, true);
    }
    restore(state);
    to_restore_.clear();
  }
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const View<const float> now = weights(net, l);
    change_.resize(now.rows(), now.cols());
    for (Index i = 0; i < now.size(); ++i) change_.data()[i] = now.data()[i] - sent_[l].data()[i];
    layers_[l].update(change_);
    copy(now, sent_[l]);
  }
}

void AnalogNetwork::backward(Index layer, View<const float> h, View<const float> delta, View<float> below) {
  layers_[static_cast<std::size_t>(layer)].backward(h, delta, below);
}

double AnalogNetwork::moved(Range& memory, double slope, double lr) {
  // of RMSProp (Tieleman, Hinton, lecture 6.5, 2012), its start corrected as in Adam (Kingma, Ba, ICLR 2015)
  constexpr double kMemory = 0.9;
  constexpr double kLeast = 1e-30;  // assumed: far below any slope, so that 0 / 0 is 0
  ++memory.steps;
  memory.mean_square = kMemory * memory.mean_square + (1 - kMemory) * slope * slope;
  const double rms = std::sqrt(memory.mean_square / (1 - std::pow(kMemory, static_cast<double>(memory.steps))));
  return std::exp(-lr * slope / (rms + kLeast));
}

void AnalogNetwork::learn(Index layer, View<const float> h, View<const float> delta, double lr) {
  if (h.rows() == 0) return;
  const auto l = static_cast<std::size_t>(layer);
  TiledLayer& product = layers_[l];
  const auto rows = static_cast<double>(h.rows());
  // All gradients are of the pass that was made: taken before anything moves.
  const double range = learns_ranges_ ? product.input_range() : 0,
               factor = learns_outputs_ ? product.output_factor() : 0;
  const double of_range = learns_ranges_ ? range * product.range_gradient(h, delta) / rows : 0;
  const double of_factor = learns_outputs_ ? factor * product.output_factor_gradient(h, delta) / rows : 0;
  if (learns_programme_) product.learn_programme(h, delta, lr);
  if (learns_ranges_) product.set_input_range(range * moved(ranges_[l], of_range, lr));
  if (learns_outputs_) product.set_output_factor(factor * moved(ranges_[layers_.size() + l], of_factor, lr));
}

void AnalogNetwork::multiply(Index layer, View<const float> x, View<float> y) {
  if (!programmed_) throw Error("analog network", "nothing was programmed", "", "Call program(net) first.");
  const auto found = std::ranges::find(matrices_, layer, &WeightMatrix::number);
  LIGHTLOOP_ASSERT(found != matrices_.end());
  layers_[static_cast<std::size_t>(found - matrices_.begin())].forward(x, y);
}

void AnalogNetwork::forward(const Network& net, View<const float> x, Activations& out, LayerPass pass) {
  if (net.model()) {
    pass.products = this;
    return lightloop::forward(net, x, out, pass);
  }
  out.h.resize(layers_.size() + 1);
  if (x.data() != out.h[0].data()) {
    out.h[0].resize(x.rows(), x.cols());
    for (Index r = 0; r < x.rows(); ++r) std::ranges::copy(x.row(r), out.h[0].row(r).begin());
  }
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    Matrix<float>& output = out.h[l + 1];
    output.resize(x.rows(), matrices_[l].outputs);
    if (learns_ranges_ && !ranges_[l].known) {
      float most = 0;
      for (const float v : out.h[l].flat()) most = std::max(most, std::abs(v));
      if (most > 0) layers_[l].set_input_range(static_cast<double>(most));
      ranges_[l].known = most > 0;
    }
    const auto layer = static_cast<Index>(l);
    multiply(layer, out.h[l], output);
    for_rows(output.rows(), output.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        bias_and_activate(net.activation(layer), net.bias(layer), output.row(r));
    });
  }
}

bool AnalogNetwork::rewritten() const {
  return devices_->shared() && (layers_.size() > 1 || layers_.front().tiles() > 1);
}

Evaluation AnalogNetwork::evaluate(const Network& net, const Dataset& data, Loss loss, Rule* rule) {
  return lightloop::evaluate(
      net, data, loss,
      [&](View<const float> x, std::uint64_t first_sample, Activations& out) {
        rule ? answer_by_rule(*rule, net, x, first_sample, out) : forward(net, x, out, {.first_sample = first_sample});
      },
      net.model()   ? samples_at_once(net, data)
      : rewritten() ? kLargeBatch
                    : kBatch);
}

std::vector<LayerReport> AnalogNetwork::reports() const {
  std::vector<LayerReport> all;
  for (const TiledLayer& layer : layers_) all.push_back(layer.report());
  return all;
}

LayerReport AnalogNetwork::report() const {
  LayerReport all;
  for (const TiledLayer& layer : layers_) all.add(layer.report());
  return all;
}

void AnalogNetwork::add_expected(Index steps, Index writes, Index rows, std::int64_t& frames, double& seconds,
                                 double& joules) const {
  const auto add = [&](const LayerReport& one, Index times) {
    frames += times * one.frames;
    seconds += static_cast<double>(times) * one.device_s;
    joules += static_cast<double>(times) * one.device_j;
  };
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    add(layers_[l].expected(rows * matrices_[l].positions), steps);
    add(layers_[l].expected(0), steps * (writes - 1));
  }
}

void AnalogNetwork::add_meters(Meter& sum) const {
  for (const auto& device : devices_->opened()) {
    sum += device->session->meter();
  }
}

std::vector<std::byte> AnalogNetwork::snapshot() const {
  if (!to_restore_.empty()) return to_restore_;  // its devices have not been written yet
  ByteWriter bytes;
  const auto put = [&bytes](const std::vector<std::byte>& part) {
    bytes.put(static_cast<std::uint64_t>(part.size()));
    bytes.put_all(std::span<const std::byte>(part));
  };
  bytes.put(programmed_);
  put(devices_->snapshot());
  for (const TiledLayer& layer : layers_) put(layer.snapshot());
  for (const Range& range : ranges_) {
    bytes.put(std::uint64_t{range.known});
    bytes.put(range.steps);
    bytes.put(range.mean_square);
  }
  for (const Matrix<float>& sent : sent_) bytes.put_all(sent.flat());
  return bytes.take();
}

void AnalogNetwork::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "snapshot of an analog network");
  const bool programmed = bytes.get<bool>();
  std::vector<std::vector<std::byte>> parts;
  for (std::size_t i = 0; i < layers_.size() + 1; ++i) {
    const auto part = bytes.take(static_cast<std::size_t>(bytes.get<std::uint64_t>()));
    parts.emplace_back(part.begin(), part.end());
  }
  std::vector<Range> ranges(ranges_.size());
  if (bytes.left() > 0)  // older runs end here
    for (Range& range : ranges) {
      range.known = (bytes.get<std::uint64_t>() & 0xFF) != 0;  // in older runs seven bytes of anything follow
      range.steps = bytes.get<std::int64_t>();
      range.mean_square = bytes.get<double>();
    }
  std::vector<Matrix<float>> sent;
  if (pulses_ && programmed)
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      sent.emplace_back(layers_[l].outputs(), layers_[l].inputs());
      bytes.get_all(sent.back().flat());
    }
  bytes.done();
  for (std::size_t l = 0; l < layers_.size(); ++l) layers_[l].restore(parts[l + 1]);
  devices_->restore(parts[0]);  // last: what layers may have written has the number of the write it was before
  ranges_ = std::move(ranges);
  sent_ = std::move(sent);
  programmed_ = programmed;
  if ((pulses_ || learns_programme_) && programmed) to_restore_ = state;
}

}  // namespace lightloop
