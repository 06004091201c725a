#pragma once
// A network's parameters and what they belong to: fully connected layers a_l = W_l h_{l-1} + b_l, h_l = f_l(a_l), h_0 =
// x, or a Model of any layers. All parameters lie in one contiguous vector.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "training/activation.hpp"
#include "training/layers/layer.hpp"

namespace lightloop {

class Model;

/// "784-1024-10" -> {784, 1024, 10}. Throws InvalidParameter.
std::vector<Index> parse_net(const std::string& text);
std::string to_string(const std::vector<Index>& widths);

/// Weights W_l (d_l, d_{l-1}) row-major and biases b_l, stored one after the other; the last layer is linear (logits).
/// With a model the "layers" are its blocks: widths, offset and parameters are theirs; what names weights, biases and
/// activations is for fully connected networks only (InternalError otherwise).
class Network {
 public:
  Network() = default;
  Network(std::vector<Index> widths, Activation hidden);
  explicit Network(std::shared_ptr<const Model> model);
  /// W ~ N(0, 1/fan_in) from Purpose::weights_init (instance = layer), b = 0; a model's layers each by their own law.
  void initialise(std::uint64_t seed);

  /// Null for a fully connected network.
  const Model* model() const { return model_.get(); }
  /// "784-1024-10", or the text of the model.
  std::string text() const;
  const std::vector<Index>& widths() const { return widths_; }
  /// Answers per sample (Model::tokens), and classes of each.
  Index tokens() const;
  Index classes() const { return widths_.back() / tokens(); }
  Index layers() const { return static_cast<Index>(widths_.size()) - 1; }
  Index hidden_layers() const { return layers() - 1; }
  Activation hidden_activation() const { return hidden_; }
  Activation activation(Index layer) const { return layer + 1 == layers() ? Activation::identity : hidden_; }

  View<float> weights(Index layer);
  View<const float> weights(Index layer) const;
  std::span<float> bias(Index layer);
  std::span<const float> bias(Index layer) const;
  std::span<float> parameters() { return parameters_.flat(); }
  std::span<const float> parameters() const { return parameters_.flat(); }
  /// What a model learns without a gradient (batch norm's running statistics); empty otherwise.
  std::span<float> state() { return state_.flat(); }
  std::span<const float> state() const { return state_.flat(); }
  /// Where layer `layer`'s weights begin in parameters(); its bias follows them. Gradients use the same layout.
  Index offset(Index layer) const { return offsets_[static_cast<std::size_t>(layer)]; }

 private:
  std::vector<Index> widths_;
  std::vector<Index> offsets_;
  Activation hidden_ = Activation::tanh;
  Matrix<float> parameters_, state_;
  std::shared_ptr<const Model> model_;
};

/// What a forward pass leaves behind for a rule: h[0] is the input batch, h[l+1] the output of layer l (the last:
/// logits). For the activations offered here f'(a) is a function of h, so a is not kept. What a model's blocks keep
/// inside lies in memory, one per block.
struct Activations {
  std::vector<Matrix<float>> h;
  std::vector<LayerMemory> memory;
  /// What physics in front of layer l made of h[l] (physical_maps.hpp); empty: h[l] itself.
  std::vector<Matrix<float>> mapped = {};
  /// That cut off at the ends of the ranges that its place has (`clipped`); empty: all of it.
  std::vector<Matrix<float>> seen = {};
  bool clipped = false;  ///< nothing goes back through what is cut off
  /// What came to the matrix of a layer, and what it was multiplied with.
  const Matrix<float>& came(Index layer) const {
    return (mapped.empty() ? h : mapped)[static_cast<std::size_t>(layer)];
  }
  const Matrix<float>& input(Index layer) const {
    return seen.empty() ? came(layer) : seen[static_cast<std::size_t>(layer)];
  }
};

/// Forward pass of a batch x (m, d_0), copied to out.h[0] unless it lies there already. Throws ShapeMismatch.
/// `pass` is for models: training or not, and what random layers draw from.
void forward(const Network& net, View<const float> x, Activations& out, const LayerPass& pass = {});
/// Takes what a training pass saw into the state of the net; nothing where a rule made its passes itself.
void learn_state(Network& net, const Activations& seen);

}  // namespace lightloop
