#include "training/layers/architecture.hpp"

#include <algorithm>
#include <cctype>

#include "core/error.hpp"
#include "core/param.hpp"
#include "training/layers/architecture_words.hpp"
#include "training/layers/noisy.hpp"
#include "training/layers/quantised.hpp"

namespace lightloop {
namespace {

/// A window that moves by one and sees half of itself around the image, unless words say otherwise.
Window padded(LayerWords& words) {
  Window window = words.window();
  window.stride = words.per_axis("stride", 1);
  window.padding = words.per_axis("pad", {window.height / 2, window.width / 2});
  return window;
}

/// A window that moves by itself, unless words say otherwise.
Window side_by_side(LayerWords& words) {
  Window window = words.window();
  window.stride = words.per_axis("stride", {window.height, window.width});
  return window;
}

constexpr Index kPeriods = 20;  // BiPer's angular frequency (Vargas et al., CVPR 2024)

LayerPointer binary_dense(const Shape& in, LayerWords& w, BinaryWeights law) {
  const Index outputs = w.integer("the number of outputs");
  const bool periodic = law == BinaryWeights::periodic;
  const Index frequency = periodic ? w.named("frequency", kPeriods) : 0;
  const std::string text = (periodic ? "biper_dense " : "binary_dense ") + std::to_string(outputs) +
                           (periodic ? " frequency=" + std::to_string(frequency) : "");
  return binary_weights(dense(in, outputs), outputs, in.back(), text, law, static_cast<double>(frequency));
}

LayerPointer binary_conv(const Shape& in, LayerWords& w, BinaryWeights law) {
  const Index outputs = w.integer("the number of output channels");
  const Window window = padded(w);
  const bool periodic = law == BinaryWeights::periodic;
  const Index frequency = periodic ? w.named("frequency", kPeriods) : 0;
  LayerPointer inner = convolution(in, outputs, window, 1, false);
  const std::string text = (periodic ? "biper_" : "binary_") + inner->text().substr(0, inner->text().rfind(" bias=")) +
                           (periodic ? " frequency=" + std::to_string(frequency) : "");
  const Index fan_in = inner->parameters() / outputs;
  return binary_weights(std::move(inner), outputs, fan_in, text, law, static_cast<double>(frequency));
}

LayerPointer norm(const Shape& in, LayerWords& w) {
  if (w.word("inf")) return largest_norm(in);
  const bool by_batch = w.word("max");
  const double p = w.real("the p of the norm");
  return by_batch ? batch_norm_to_one(in, p) : row_norm(in, p);
}

LayerPointer noisy(const Shape& in, LayerWords& w) {
  constexpr std::pair<const char*, SignalNoise::Law> kLaws[] = {{"gaussian", SignalNoise::Law::gaussian},
                                                                {"laplacian", SignalNoise::Law::laplacian},
                                                                {"uniform", SignalNoise::Law::uniform},
                                                                {"poisson", SignalNoise::Law::poisson},
                                                                {"binomial", SignalNoise::Law::binomial}};
  SignalNoise law;
  bool known = false;
  for (const auto& [name, kind] : kLaws)
    if (!known && w.word(name)) {
      law.law = kind;
      known = true;
    }
  if (!known) throw InvalidParameter("net", "noise", "a law: gaussian, laplacian, uniform, poisson or binomial");
  law.std = w.named_real("std");
  law.leakage = w.named_real("leakage");
  law.precision = w.named_real("precision");
  law.scale = w.named_real("scale");
  law.carriers = w.named("carriers", 0);
  return noise(in, law);
}

struct Named {
  const char* name;
  LayerPointer (*make)(const Shape& input, LayerWords& words);
};
constexpr Named kLayers[] = {
    {"dense", [](const Shape& in, LayerWords& w) { return dense(in, w.integer("the number of outputs")); }},
    {"conv",
     [](const Shape& in, LayerWords& w) {
       const Index outputs = w.integer("the number of output channels");
       const Window window = padded(w);
       const Index groups = w.named("groups", 1);
       return convolution(in, outputs, window, groups, w.flag("bias", true));
     }},
    {"depthwise",
     [](const Shape& in, LayerWords& w) {
       const Window window = padded(w);
       return convolution(in, in.back(), window, in.back(), w.flag("bias", true));
     }},
    {"max_pool",
[](const Shape& in, LayerWords& w) { return max_pool(in, side_by_side(w)); }},
    {"avg_pool",
[](const Shape& in, LayerWords& w) { return average_pool(in, side_by_side(w)); }},
    {"global_pool", [](const Shape& in, LayerWords&) { return global_pool(in); }},
    {"batch_norm", [](const Shape& in, LayerWords&) { return batch_norm(in); }},
    {"layer_norm", [](const Shape& in, LayerWords&) { return layer_norm(in); }},
    {"dropout", [](const Shape& in, LayerWords& w) { return dropout(in, w.real("a probability")); }},
    {"flatten", [](const Shape& in, LayerWords&) { return flatten(in); }},
    {"last_token", [](const Shape& in, LayerWords&) { return last_token(in); }},
    {"gelu", [](const Shape& in, LayerWords& w) { return gelu(in, w.word("exact")); }},
    {"physical", [](const Shape& in, LayerWords& w) { return physical(in, w.integer_or(elements(in))); }},
    {"clamp", [](const Shape& in, LayerWords&) { return clamp_layer(in); }},
    {"norm", [](const Shape& in, LayerWords& w) { return norm(in, w); }},
    {"noise", [](const Shape& in, LayerWords& w) { return noisy(in, w); }},
    {"precision",
     [](const Shape& in, LayerWords& w) {
       const bool randomly = w.word("stochastic");
       return precision(in, w.real("levels per unit"), randomly);
     }},
    {"sign", [](const Shape& in, LayerWords&) { return sign_layer(in); }},
    {"binarise", [](const Shape& in, LayerWords&) { return binarise(in); }},
    {"biper", [](const Shape& in,
                 LayerWords& w) { return periodic_sign(in, static_cast<double>(w.named("frequency", kPeriods))); }},
    {"quantise", [](const Shape& in, LayerWords& w) { return quantise(in, w.integer("the number of bits")); }},
    {"stochastic", [](const Shape& in,
                      LayerWords& w) { return stochastic(in, w.word("smooth") ? Neuron::smooth : Neuron::straight); }},
    {"binary_dense", [](const Shape& in, LayerWords& w) { return binary_dense(in, w, BinaryWeights::scaled_sign); }},
    {"binary_conv", [](const Shape& in, LayerWords& w) { return binary_conv(in, w, BinaryWeights::scaled_sign); }},
    {"biper_dense", [](const Shape& in, LayerWords& w) { return binary_dense(in, w, BinaryWeights::periodic); }},
    {"biper_conv", [](const Shape& in, LayerWords& w) { return binary_conv(in, w, BinaryWeights::periodic); }},
    {"embedding",
     [](const Shape& in, LayerWords& w) {
       const Index vocabulary = w.integer("the size of the vocabulary");
       return embedding(in, vocabulary, w.integer("the number of features"));
     }},
    {"factorisation", [](const Shape& in, LayerWords&) { return factorisation(in); }},
    {"attention",
     [](const Shape& in, LayerWords& w) {
       const bool causal = w.word("causal");
       return attention(in, w.integer("the number of heads"), causal);
     }},
    {"gcn",
     [](const Shape& in, LayerWords& w) {
       const auto smooth = std::make_shared<const Graph>(normalised(*w.graph()));
       return graph_convolution(smooth, in, w.integer("the number of outputs"));
     }},
    {"sage",
     [](const Shape& in, LayerWords& w) { return graph_sage(w.graph(), in, w.integer("the number of outputs")); }},
    {"gat", [](const Shape& in, LayerWords& w) {
       const Index outputs = w.integer("the number of outputs");
       const auto looped = std::make_shared<const Graph>(with_self_loops(*w.graph()));
       return graph_attention(looped, in, outputs, w.integer("the number of heads"));
     }}};
constexpr const char* kActivations[] = {"identity", "tanh", "relu", "sigmoid", "elu"};

bool is_activation(const std::string& word) { return std::ranges::find(kActivations, word) != std::end(kActivations); }

LayerPointer make_layer(const Shape& input, LayerWords& words) {
  if (is_activation(words.name())) {
    words.done();
    return elementwise(input, activation_from(words.name()));
  }
  std::vector<std::string> known(std::begin(kActivations), std::end(kActivations));
  known.emplace_back("residual");
  known.emplace_back("weights");
  for (const Named& named : kLayers) {
    known.emplace_back(named.name);
    if (words.name() != named.name) continue;
    LayerPointer layer = named.make(input, words);
    words.done();
    return layer;
  }
  const auto near = nearest(words.name(), known);
  throw UnknownName("layer of net", words.name(), "", near ? "did you mean " + *near + "?" : "see docs/networks.md");
}

class Parser {
 public:
  Parser(const std::string& text, const ModelContext& context) : text_(text), context_(context) {}

  std::shared_ptr<const Model> model() {
    Shape input = context_.input;
    const std::size_t start = at_;
    const std::string first = word();
    if (const auto given = sizes(first); given && peek() == '|') {
      input = *given;
      ++at_;
    } else {
      at_ = start;
    }
    check_size(input, "a sample");
    if (input.empty())
      throw InvalidParameter("net", "shape of a sample", "is not known", "begin with it: 28x28x1 | conv 8 3, ...");
    const Shape whole = input;
    std::vector<std::unique_ptr<const LayerChain>> blocks;
    for (;;) {
      blocks.push_back(block(input));
      input = blocks.back()->output_shape();
      if (peek() == '\0') break;
      expect('|');
    }
    return std::make_shared<const Model>(whole, std::move(blocks), uses_graph_ ? context_.graph : nullptr);
  }

 private:
  char peek() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  void expect(char wanted) {
    if (peek() != wanted)
      throw InvalidParameter("net", '"' + text_.substr(at_, 20) + '"',
                             std::string("a ") + wanted + " was expected here");
    ++at_;
  }
  std::string word() {
    peek();
    const std::size_t start = at_;
    while (at_ < text_.size() && !std::isspace(static_cast<unsigned char>(text_[at_])) &&
           std::string_view("|,;()").find(text_[at_]) == std::string_view::npos)
      ++at_;
    return text_.substr(start, at_ - start);
  }
  LayerWords words() {
    const std::string name = word();
    if (name.empty())
      throw InvalidParameter("net", at_ < text_.size() ? '"' + text_.substr(at_, 20) + '"' : "its end",
                             "a layer was expected here");
    std::vector<std::string> arguments;
    for (char c = peek(); c != '\0' && std::string_view("|,;()").find(c) == std::string_view::npos; c = peek())
      arguments.push_back(word());
    return {name, std::move(arguments), context_};
  }
  std::unique_ptr<const LayerChain> block(const Shape& input) {
    std::vector<LayerPointer> layers;
    Shape shape = input;
    do {
      layers.push_back(layer(shape));
      shape = layers.back()->output_shape();
      check_size(shape, "what " + layers.back()->text() + " gives out");
      if (layers.back()->parameters() > (Index{1} << 40))
        throw OutOfRange("net", layers.back()->text(), "at most 2^40 parameters in a layer");
    } while (comma());
    return std::make_unique<LayerChain>(input, std::move(layers));
  }
  /// Keeps products of sizes far from overflow, whatever a file claims.
  static void check_size(const Shape& shape, const std::string& what) {
    double product = 1;
    for (const Index n : shape) product *= static_cast<double>(n);
    if (product > 0x1p31) throw OutOfRange("net", what + " of " + shape_text(shape), "at most 2^31 values");
  }
  bool comma() {
    if (peek() != ',') return false;
    ++at_;
    return true;
  }
  LayerPointer layer(const Shape& input) {
    constexpr int kDeepest = 64;  // a residual in a residual ...: text from a file must not use up the stack
    LayerWords now = words();
    if (now.name() == "residual" || now.name() == "weights") {
      now.done();
      if (++depth_ > kDeepest) throw InvalidParameter("net", now.name(), "nested more than 64 deep");
      expect('(');
      LayerPointer made = now.name() == "residual" ? branches(input) : noisy_weights(input);
      expect(')');
      --depth_;
      return made;
    }
    if (now.name() == "dense") {
      // a dense layer and what bends its outputs are one layer
      const Index outputs = now.integer("the number of outputs");
      now.done();
      const std::size_t here = at_;
      if (comma()) {
        const std::string next = word();
        if (is_activation(next)) return dense(input, outputs, activation_from(next));
      }
      at_ = here;
      return dense(input, outputs);
    }
    LayerPointer layer = make_layer(input, now);
    uses_graph_ = uses_graph_ || now.took_graph();
    return layer;
  }

  LayerPointer branches(const Shape& input) {
    LayerPointer branch = block(input), shortcut;
    if (peek() == ';') {
      ++at_;
      shortcut = block(input);
    }
    return residual(std::move(branch), std::move(shortcut));
  }
  LayerPointer noisy_weights(const Shape& input) {
    LayerPointer inner = layer(input);
    expect(';');
    const Shape weights{weights_of(*inner)};
    check_size(weights, "the weights of " + inner->text());
    return weights_through(std::move(inner), block(weights));
  }

  std::string text_;
  const ModelContext& context_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool uses_graph_ = false;
};

}  // namespace

std::shared_ptr<const Model> parse_model(const std::string& text, const ModelContext& context) {
  return Parser(text, context).model();
}

bool is_widths(const std::string& net) {
  return !net.empty() && net.find('|') == std::string::npos &&
         (std::isdigit(static_cast<unsigned char>(net[0])) || net[0] == '-');
}

}  // namespace lightloop
