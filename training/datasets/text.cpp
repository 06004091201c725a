// Text as codes, and the character that follows each as its target.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "core/file.hpp"
#include "training/datasets/readers.hpp"

namespace lightloop {
namespace {

/// Windows of `tokens` codes of [first, last), each with the codes one place further as targets. What is left is short.
Dataset windows(const Dataset& like, const std::vector<std::uint8_t>& codes, std::size_t first, std::size_t last) {
  Dataset set = like;
  const auto tokens = static_cast<std::size_t>(like.targets);
  const std::size_t count = (last - first - 1) / tokens;
  set.bytes.resize(static_cast<Index>(count), like.targets);
  set.labels.resize(count * tokens);
  std::copy_n(codes.begin() + static_cast<std::ptrdiff_t>(first), count * tokens, set.bytes.data());
  std::copy_n(codes.begin() + static_cast<std::ptrdiff_t>(first) + 1, count * tokens, set.labels.begin());
  return set;
}

double unigram_bits(const Dataset& train, const Dataset& test) {
  std::vector<double> counts(static_cast<std::size_t>(train.classes), 1.0);
  const double total = static_cast<double>(train.labels.size() + counts.size());
  for (const std::uint8_t label : train.labels) ++counts[label];
  double bits = 0;
  for (const std::uint8_t label : test.labels) bits -= std::log2(counts[label] / total);
  return bits / static_cast<double>(test.labels.size());
}

}  // namespace

TrainTest read_text(const std::string& path, Index tokens) {
  const std::string text = read_file(path);
  constexpr std::size_t kParts = 10;
  const std::size_t first_test = text.size() - text.size() / kParts;
  if (text.size() - first_test < static_cast<std::size_t>(tokens) + 1)
    throw FileError(path, std::to_string(text.size()) + " characters",
                    "too few for windows of " + std::to_string(tokens) + " in a tenth of them",
                    "Give a longer text, or shorter windows: " + path + ":8");
  std::array<bool, 256> there{};
  for (const char c : text) there[static_cast<unsigned char>(c)] = true;
  if (std::ranges::count(there, true) < 2)
    throw FileError(path, "one character only, repeated", "at least 2 characters that differ",
                    "Give a text to learn from.");
  std::array<std::uint8_t, 256> code{};
  Dataset all;
  all.source = path;
  all.sample_shape = {tokens};
  all.targets = tokens;
  all.codes = true;
  for (std::size_t c = 0; c < there.size(); ++c) {
    code[c] = static_cast<std::uint8_t>(all.alphabet.size());
    if (there[c]) all.alphabet += static_cast<char>(c);
  }
  all.classes = static_cast<Index>(all.alphabet.size());
  std::vector<std::uint8_t> codes;
  codes.reserve(text.size());
  for (const char c : text) codes.push_back(code[static_cast<unsigned char>(c)]);
  TrainTest both{windows(all, codes, 0, first_test), windows(all, codes, first_test, codes.size())};
  both.test.yardstick = {"bits per character of a guess by frequency", unigram_bits(both.train, both.test)};
  return both;
}

void recode(Dataset& text, const std::string& alphabet) {
  if (text.alphabet == alphabet) return;
  std::vector<std::uint8_t> code;
  for (const char c : text.alphabet) {
    const std::size_t at = alphabet.find(c);
    if (at == std::string::npos)
      throw InvalidParameter(
          "data set " + text.name, "character " + std::to_string(static_cast<unsigned char>(c)) + " (" + c + ")",
          "not among the " + std::to_string(alphabet.size()) + " the network has learned", "Replace it in the text.");
    code.push_back(static_cast<std::uint8_t>(at));
  }
  for (std::uint8_t& byte : text.bytes.flat()) byte = code[byte];
  for (std::uint8_t& label : text.labels) label = code[label];
  text.alphabet = alphabet;
  text.classes = static_cast<Index>(alphabet.size());
}

}  // namespace lightloop
