// Architectures by name.
#include <algorithm>

#include "core/error.hpp"
#include "core/param.hpp"
#include "core/text.hpp"
#include "training/layers/architecture_words.hpp"

namespace lightloop {
namespace {

std::string number(Index n) { return std::to_string(n); }

/// "1024x2" -> {1024, 2}; missing ones are taken from `otherwise`.
std::vector<Index> size_words(const std::string& preset, const std::string& size, std::vector<Index> otherwise) {
  constexpr Index kLargest = Index{1} << 20, kMost = 1000;  // assumed: wider or deeper is a slip of the pen
  if (size.empty()) return otherwise;
  const auto given = sizes(size);
  if (!given || given->size() > otherwise.size() || given->front() > kLargest ||
      given->back() > (given->size() > 1 ? kMost : kLargest))
    throw InvalidParameter(
        "net", preset + ":" + size,
        "a whole number from 1 to " + std::to_string(kLargest) + " behind the colon" +
            (otherwise.size() == 1 ? "" : ", and one from 1 to " + std::to_string(kMost) + " behind an x"),
        "as in " + preset + ":" + number(otherwise[0]) + (otherwise.size() == 1 ? "" : "x" + number(otherwise[1])));
  std::ranges::copy(*given, otherwise.begin());
  return otherwise;
}

std::string mlp(const std::string& size, const ModelContext& context) {
  const auto n = size_words("mlp", size, {256, 2});
  std::string text = number(elements(context.input));
  for (Index l = 0; l < n[1]; ++l) text += "-" + number(n[0]);
  return text + "-" + number(context.classes);
}

/// VGG8B of Nokland, Eidnes, ICML 2019: six convolutions and a hidden layer; 128 channels in the first.
std::string vgg8(const std::string& size, const ModelContext& context) {
  const Index c = size_words("vgg8", size, {128})[0];
  std::string text;
  const auto block = [&](Index channels, bool pool) {
    text += "conv " + number(channels) + " 3, batch_norm, relu" + (pool ? ", max_pool 2" : "") + " | ";
  };
  block(c, false);
  block(2 * c, true);
  block(2 * c, false);
  block(4 * c, true);
  block(4 * c, true);
  block(4 * c, true);
  return text + "flatten, dense " + number(8 * c) + ", relu | dense " + number(context.classes);
}

/// ResNet-18 of He et al., CVPR 2016, with the 3 x 3 stem for small images and 16 instead of 64 channels in the first.
std::string resnet18(const std::string& size, const ModelContext& context) {
  const Index first = size_words("resnet18-small", size, {16})[0];
  const auto conv = [](Index channels, const char* rest) {
    return "conv " + number(channels) + " " + rest + " bias=false, batch_norm";
  };
  std::string text = conv(first, "3") + ", relu";
  for (Index stage = 0, channels = first; stage < 4; ++stage, channels *= 2)
    for (Index unit = 0; unit < 2; ++unit) {
      const bool narrower = stage > 0 && unit == 0;
      text += " | residual(" + conv(channels, narrower ? "3 stride=2" : "3") + ", relu, " + conv(channels, "3") +
              (narrower ? "; " + conv(channels, "1 stride=2 pad=0") : "") + "), relu";
    }
  return text + " | global_pool, dense " + number(context.classes);
}

std::string gcn(const std::string& size, const ModelContext& context) {
  const Index hidden = size_words("gcn", size, {128})[0];
  return "gcn " + number(hidden) + ", relu, dropout 0.5 | gcn " + number(context.classes);
}

/// A decoder of pre-norm blocks (Radford et al., GPT-2) that predicts the code behind its context, or the next code at
/// every position.
std::string char_transformer(const std::string& size, const ModelContext& context) {
  const auto n = size_words("char-transformer", size, {128, 4});
  const Index heads = std::max<Index>(1, n[0] / 32);
  std::string text = "embedding " + number(context.classes) + " " + number(n[0]);
  for (Index l = 0; l < n[1]; ++l)
    text += " | residual(layer_norm, attention " + number(heads) + " causal), residual(layer_norm, dense " +
            number(4 * n[0]) + ", gelu, dense " + number(n[0]) + ")";
  const std::string each = context.targets > 1 ? "" : "last_token, ";
  return text + " | layer_norm, " + each + "dense " + number(context.classes);
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = {
      {"mlp", "mlp:WIDTHxLAYERS, hidden dense layers (256x2)", mlp},
      {"vgg8", "vgg8:CHANNELS, six convolutions and a hidden layer (128)", vgg8},
      {"resnet18-small", "resnet18-small:CHANNELS, eight residual blocks for small images (16)", resnet18},
      {"gcn", "gcn:WIDTH, two graph convolutions (128)", gcn},
      {"char-transformer", "char-transformer:FEATURESxBLOCKS, a causal transformer over codes (128x4)",
       char_transformer}};
  return all;
}

namespace {

/// Null: `net` is no preset but an architecture.
const Preset* preset_of(const std::string& net) {
  if (net.find_first_of("|, (\n\t") != std::string::npos) return nullptr;
  const std::string name = net.substr(0, net.find(':'));
  std::vector<std::string> known;
  for (const Preset& preset : presets()) {
    if (preset.name == name) return &preset;
    known.push_back(preset.name);
  }
  const auto near = nearest(name, known);
  throw UnknownName("net", net, "widths such as 784-1024-10, a preset or layers separated by commas and |",
                    near ? "did you mean " + *near + "?" : "presets: mlp, vgg8, resnet18-small, gcn, char-transformer");
}

}  // namespace

std::string expand_preset(const std::string& net, const ModelContext& context) {
  // "28x28x1 | vgg8": a preset for data that do not say their shape
  if (const std::size_t bar = net.find('|'); bar != std::string::npos && net.find('|', bar + 1) == std::string::npos) {
    const std::string_view all = net;
    const std::string head(trimmed(all.substr(0, bar))), rest(trimmed(all.substr(bar + 1)));
    const auto shape = sizes(head);
    const bool known = std::ranges::any_of(
        presets(), [&](const Preset& preset) { return preset.name == rest.substr(0, rest.find(':')); });
    if (shape && known) {
      ModelContext given = context;
      given.input = *shape;
      const std::string text = expand_preset(rest, given);
      return is_widths(text) ? text : head + " | " + text;
    }
  }
  const Preset* preset = preset_of(net);
  if (!preset) return net;
  const std::size_t colon = net.find(':');
  return preset->text(colon == std::string::npos ? "" : net.substr(colon + 1), context);
}

void check_net_text(const std::string& net) { expand_preset(net, {{1}, 1}); }

}  // namespace lightloop
