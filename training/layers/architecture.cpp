#include "training/layers/architecture.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "core/error.hpp"
#include "core/param.hpp"

namespace lightloop {
namespace {

std::optional<Index> whole_number(std::string_view text) {
  Index value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value > (Index{1} << 24))
    return std::nullopt;
  return value;
}

/// "28x28x1" -> {28, 28, 1}.
std::optional<std::vector<Index>> sizes(std::string_view text) {
  std::vector<Index> all;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('x', begin), text.size());
    const auto one = whole_number(text.substr(begin, end - begin));
    if (!one || *one < 1) return std::nullopt;
    all.push_back(*one);
    begin = end + 1;
  }
  return all;
}

/// One layer as it was written: its name and arguments. Every argument must be asked for before done().
class Words {
 public:
  Words(std::string word, std::vector<std::string> arguments, const ModelContext& context)
      : name(std::move(word)), arguments_(std::move(arguments)), context_(context) {}

  Index integer(const std::string& what) {
    const std::string word = next(what);
    if (word == "classes") return context_.classes;
    if (const auto value = whole_number(word)) return *value;
    throw InvalidParameter("net", name + " " + word, what + " is a whole number or the word classes");
  }
  double real(const std::string& what) {
    const std::string word = next(what);
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size())
      throw InvalidParameter("net", name + " " + word, what + " is a number");
    return value;
  }
  Window window() {
    const std::string word = next("a window such as 3 or 3x5");
    const auto size = sizes(word);
    if (!size || size->size() > 2) throw InvalidParameter("net", name + " " + word, "a window is written 3 or 3x5");
    return {size->front(), size->back(), 1, 0};
  }
  Index named(const std::string& key, Index otherwise) {
    const auto text = value_of(key);
    if (!text) return otherwise;
    if (const auto value = whole_number(*text)) return *value;
    throw InvalidParameter("net", name + " " + key + "=" + *text, key + " is a whole number");
  }
  bool flag(const std::string& key, bool otherwise) {
    const auto text = value_of(key);
    if (!text) return otherwise;
    if (*text != "true" && *text != "false")
      throw InvalidParameter("net", name + " " + key + "=" + *text, key + " is true or false");
    return *text == "true";
  }
  bool word(const std::string& text) {
    const auto found = std::ranges::find(arguments_, text);
    if (found == arguments_.end()) return false;
    arguments_.erase(found);
    return true;
  }
  void done() const {
    if (!arguments_.empty())
      throw InvalidParameter("net", name + " ... " + arguments_.front(),
                             "the layer takes no \"" + arguments_.front() + '"',
                             "separate layers by commas and blocks by |");
  }
  std::shared_ptr<const Graph> graph() const {
    if (!context_.graph) throw InvalidParameter("net", name, "needs a graph", "the data have none");
    return context_.graph;
  }
  std::string name;

 private:
  std::string next(const std::string& what) {
    const auto found = std::ranges::find_if(arguments_, [](const std::string& a) { return a.find('=') == a.npos; });
    if (found == arguments_.end()) throw InvalidParameter("net", name, "lacks " + what);
    std::string word = *found;
    arguments_.erase(found);
    return word;
  }
  std::optional<std::string> value_of(const std::string& key) {
    const auto found = std::ranges::find_if(arguments_, [&](const std::string& a) { return a.starts_with(key + "="); });
    if (found == arguments_.end()) return std::nullopt;
    std::string value = found->substr(key.size() + 1);
    arguments_.erase(found);
    return value;
  }
  std::vector<std::string> arguments_;
  const ModelContext& context_;
};

Window sliding(Words& words, Window window, Index stride, bool padded) {
  window.stride = words.named("stride", stride);
  if (padded) window.padding = words.named("pad", window.height / 2);
  return window;
}

struct Named {
  const char* name;
  LayerPointer (*make)(const Shape& input, Words& words);
};
constexpr Named kLayers[] = {
    {"dense", [](const Shape& in, Words& w) { return dense(in, w.integer("the number of outputs")); }},
    {"conv",
     [](const Shape& in, Words& w) {
       const Index outputs = w.integer("the number of output channels");
       const Window window = sliding(w, w.window(), 1, true);
       const Index groups = w.named("groups", 1);
       return convolution(in, outputs, window, groups, w.flag("bias", true));
     }},
    {"depthwise",
     [](const Shape& in, Words& w) {
       const Window window = sliding(w, w.window(), 1, true);
       return convolution(in, in.back(), window, in.back(), w.flag("bias", true));
     }},
    {"max_pool",
     [](const Shape& in, Words& w) {
       const Window window = w.window();
       return max_pool(in, sliding(w, window, window.height, false));
     }},
    {"avg_pool",
     [](const Shape& in, Words& w) {
       const Window window = w.window();
       return average_pool(in, sliding(w, window, window.height, false));
     }},
    {"global_pool", [](const Shape& in, Words&) { return global_pool(in); }},
    {"batch_norm", [](const Shape& in, Words&) { return batch_norm(in); }},
    {"layer_norm", [](const Shape& in, Words&) { return layer_norm(in); }},
    {"dropout", [](const Shape& in, Words& w) { return dropout(in, w.real("a probability")); }},
    {"flatten", [](const Shape& in, Words&) { return flatten(in); }},
    {"last_token", [](const Shape& in, Words&) { return last_token(in); }},
    {"gelu", [](const Shape& in, Words&) { return gelu(in); }},
    {"embedding",
     [](const Shape& in, Words& w) {
       const Index vocabulary = w.integer("the size of the vocabulary");
       return embedding(in, vocabulary, w.integer("the number of features"));
     }},
    {"attention",
     [](const Shape& in, Words& w) {
       const bool causal = w.word("causal");
       return attention(in, w.integer("the number of heads"), causal);
     }},
    {"gcn",
     [](const Shape& in, Words& w) { return graph_convolution(w.graph(), in, w.integer("the number of outputs")); }},
    {"sage", [](const Shape& in, Words& w) { return graph_sage(w.graph(), in, w.integer("the number of outputs")); }},
    {"gat", [](const Shape& in, Words& w) {
       const Index outputs = w.integer("the number of outputs");
       return graph_attention(w.graph(), in, outputs, w.integer("the number of heads"));
     }}};
constexpr const char* kActivations[] = {"identity", "tanh", "relu", "sigmoid"};

bool is_activation(const std::string& word) { return std::ranges::find(kActivations, word) != std::end(kActivations); }

LayerPointer make_layer(const Shape& input, Words& words) {
  if (is_activation(words.name)) {
    words.done();
    return elementwise(input, activation_from(words.name));
  }
  std::vector<std::string> known(std::begin(kActivations), std::end(kActivations));
  known.emplace_back("residual");
  for (const Named& named : kLayers) {
    known.emplace_back(named.name);
    if (words.name != named.name) continue;
    LayerPointer layer = named.make(input, words);
    words.done();
    return layer;
  }
  const auto near = nearest(words.name, known);
  throw UnknownName("layer of net", words.name, "", near ? "did you mean " + *near + "?" : "see docs/networks.md");
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
    return std::make_shared<const Model>(whole, std::move(blocks));
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
  Words words() {
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
    Words now = words();
    if (now.name == "residual") {
      now.done();
      if (++depth_ > kDeepest) throw InvalidParameter("net", "residual", "nested more than 64 deep");
      expect('(');
      LayerPointer branch = block(input), shortcut;
      if (peek() == ';') {
        ++at_;
        shortcut = block(input);
      }
      expect(')');
      --depth_;
      return residual(std::move(branch), std::move(shortcut));
    }
    if (now.name == "dense") {
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
    return make_layer(input, now);
  }

  std::string text_;
  const ModelContext& context_;
  std::size_t at_ = 0;
  int depth_ = 0;
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
