#include "training/layers/architecture_words.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.hpp"

namespace lightloop {

std::optional<Index> whole_number(std::string_view text) {
  Index value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value > kLargestNumber)
    return std::nullopt;
  return value;
}

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

Index LayerWords::integer(const std::string& what) {
  const std::string word = next(what);
  if (word == "classes") return context_.classes;
  if (const auto value = whole_number(word)) return *value;
  throw InvalidParameter(
      "net", name_ + " " + word,
      what + " is a whole number of at most " + std::to_string(kLargestNumber) + " or the word classes");
}

Index LayerWords::integer_or(Index otherwise) { return arguments_.empty() ? otherwise : integer("a number"); }

double LayerWords::real(const std::string& what) {
  const std::string word = next(what);
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size())
    throw InvalidParameter("net", name_ + " " + word, what + " is a number");
  return value;
}

Window LayerWords::window() {
  const std::string word = next("a window such as 3 or 3x5");
  const auto size = sizes(word);
  if (!size || size->size() > 2)
    throw InvalidParameter("net", name_ + " " + word,
                           "a window is written 3 or 3x5, from 1 to " + std::to_string(kLargestNumber));
  return {size->front(), size->back(), 1, 0};
}

Index LayerWords::named(const std::string& key, Index otherwise) {
  const auto text = value_of(key);
  if (!text) return otherwise;
  if (const auto value = whole_number(*text)) return *value;
  throw InvalidParameter("net", name_ + " " + key + "=" + *text,
                         key + " is a whole number of at most " + std::to_string(kLargestNumber));
}

PerAxis LayerWords::per_axis(const std::string& key, PerAxis otherwise) {
  const auto text = value_of(key);
  if (!text) return otherwise;
  const std::size_t cross = text->find('x');
  const auto rows = whole_number(text->substr(0, cross));
  const auto columns = cross == text->npos ? rows : whole_number(text->substr(cross + 1));
  if (rows && columns) return {*rows, *columns};
  throw InvalidParameter("net", name_ + " " + key + "=" + *text,
                         key + " is written 2, or 2x0 for each axis, of at most " + std::to_string(kLargestNumber));
}

std::optional<double> LayerWords::named_real(const std::string& key) {
  const auto text = value_of(key);
  if (!text) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || end != text->data() + text->size() || !std::isfinite(value))
    throw InvalidParameter("net", name_ + " " + key + "=" + *text, key + " is a number");
  return value;
}

bool LayerWords::flag(const std::string& key, bool otherwise) {
  const auto text = value_of(key);
  if (!text) return otherwise;
  if (*text != "true" && *text != "false")
    throw InvalidParameter("net", name_ + " " + key + "=" + *text, key + " is true or false");
  return *text == "true";
}

bool LayerWords::word(const std::string& text) {
  const auto found = std::ranges::find(arguments_, text);
  if (found == arguments_.end()) return false;
  arguments_.erase(found);
  return true;
}

std::shared_ptr<const Graph> LayerWords::graph() {
  if (!context_.graph) throw InvalidParameter("net", name_, "needs a graph", "the data have none");
  took_graph_ = true;
  return context_.graph;
}

void LayerWords::done() const {
  if (!arguments_.empty())
    throw InvalidParameter("net", name_ + " ... " + arguments_.front(),
                           "the layer takes no \"" + arguments_.front() + '"',
                           "separate layers by commas and blocks by |");
}

std::string LayerWords::next(const std::string& what) {
  const auto found = std::ranges::find_if(arguments_, [](const std::string& a) { return a.find('=') == a.npos; });
  if (found == arguments_.end()) throw InvalidParameter("net", name_, "lacks " + what);
  std::string word = *found;
  arguments_.erase(found);
  return word;
}

std::optional<std::string> LayerWords::value_of(const std::string& key) {
  const auto found = std::ranges::find_if(arguments_, [&](const std::string& a) { return a.starts_with(key + "="); });
  if (found == arguments_.end()) return std::nullopt;
  std::string value = found->substr(key.size() + 1);
  arguments_.erase(found);
  return value;
}

}  // namespace lightloop
