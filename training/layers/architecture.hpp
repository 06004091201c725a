#pragma once
// Networks as text.
#include <memory>
#include <string>
#include <vector>

#include "training/layers/model.hpp"

namespace lightloop {

/// What the words of an architecture refer to.
struct ModelContext {
  Shape input;                                   ///< of a sample, where the text does not begin with one
  Index classes = 0;                             ///< what the word `classes` stands for
  std::shared_ptr<const Graph> graph = nullptr;  ///< as it is: gcn normalises it, gat adds self-loops
  Index targets = 1;  ///< answers per sample: where there are several, char-transformer gives one per token
};

/// A model from text:
///   net = [shape "|"] block { "|" block }; block = layer { "," layer }; shape = number { "x" number }
///   layer = word { argument } | "residual(" block [";" block] ")"; argument = number | "classes" | key "=" value
/// Line breaks are spaces. Layers (K a window, 3 or 3x5; sizes in the order of layers.hpp):
///   dense N; conv N K [stride=1] [pad: K / 2] [groups=1] [bias=true]; depthwise K [stride] [pad] [bias];
///   max_pool K [stride: K]; avg_pool K [stride: K]; global_pool; batch_norm; layer_norm; dropout P; flatten;
///   last_token; relu, elu, tanh, sigmoid, identity, gelu; embedding VOCABULARY N; attention HEADS [causal];
///   physical [N]; factorisation; gcn N; sage N; gat N HEADS
/// Throws UnknownName for a layer that is not there, with the nearest that is; InvalidParameter naming the word that
/// makes no sense; ShapeMismatch from the layers.
std::shared_ptr<const Model> parse_model(const std::string& text, const ModelContext& context);

/// True for text that parse_net() is meant to read (784-1024-10), false for a preset or an architecture.
bool is_widths(const std::string& net);

/// A named architecture, with an optional size behind a colon.
struct Preset {
  std::string name, summary;
  std::string (*text)(const std::string& size, const ModelContext& context);
};
const std::vector<Preset>& presets();
/// The text of a preset ("vgg8", "vgg8:32", "28x28x1 | vgg8"; widths for "mlp:1024x2"), or `net` itself if it is an
/// architecture. Throws UnknownName with the nearest preset, InvalidParameter for a size that makes no sense.
std::string expand_preset(const std::string& net, const ModelContext& context);
/// As far as text can be checked without data: throws as expand_preset() does.
void check_net_text(const std::string& net);

}  // namespace lightloop
