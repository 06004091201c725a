#pragma once
// The words of an architecture: numbers, sizes, a layer's arguments. Private to the parser and the presets.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "training/layers/architecture.hpp"

namespace lightloop {

constexpr Index kLargestNumber = Index{1} << 24;  ///< of an architecture
/// Whole numbers up to kLargestNumber; nothing for other text.
std::optional<Index> whole_number(std::string_view text);
/// "28x28x1" -> {28, 28, 1}; nothing for other text.
std::optional<std::vector<Index>> sizes(std::string_view text);

/// One layer as it was written: its name and arguments. Whoever makes the layer asks for every argument, then says
/// done(). All throw InvalidParameter naming the word that makes no sense; `what` and `key` say what was wanted.
class LayerWords {
 public:
  LayerWords(std::string name, std::vector<std::string> arguments, const ModelContext& context)
      : name_(std::move(name)), arguments_(std::move(arguments)), context_(context) {}

  const std::string& name() const { return name_; }
  Index integer(const std::string& what);  ///< the next argument, or the number of classes
  Index integer_or(Index otherwise);       ///< the next argument, if there is one
  double real(const std::string& what);
  Window window();  ///< "3" or "3x5", stride 1, no padding
  Index named(const std::string& key, Index otherwise);
  PerAxis per_axis(const std::string& key, PerAxis otherwise);  ///< "key=2" or "key=2x0"
  std::optional<double> named_real(const std::string& key);     ///< "key=0.5"
  bool flag(const std::string& key, bool otherwise);
  bool word(const std::string& text);  ///< whether it stands among the arguments
  std::shared_ptr<const Graph> graph();
  bool took_graph() const { return took_graph_; }
  void done() const;

 private:
  std::string next(const std::string& what);
  std::optional<std::string> value_of(const std::string& key);

  std::string name_;
  std::vector<std::string> arguments_;
  const ModelContext& context_;
  bool took_graph_ = false;
};

}  // namespace lightloop
