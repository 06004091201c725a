#include "training/sample_text.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"

namespace lightloop {
namespace {

constexpr std::uint64_t kInstance = 0x73616d706c65;  // of these draws alone

/// A class by its probability softmax(a), from one uniform number.
std::size_t draw(std::span<const float> a, double uniform) {
  const float top = *std::ranges::max_element(a);
  double sum = 0;
  for (const float v : a) sum += std::exp(static_cast<double>(v - top));
  double left = uniform * sum;
  for (std::size_t c = 0; c + 1 < a.size(); ++c) {
    left -= std::exp(static_cast<double>(a[c] - top));
    if (left < 0) return c;
  }
  return a.size() - 1;
}

}  // namespace

std::string sample_text(const Network& net, const std::string& alphabet, Index length, std::uint64_t seed) {
  const Index tokens = net.tokens();
  if (tokens == 1)
    throw Unsupported("a sample of text from net " + net.text(), "it gives one answer per sample", "one per character",
                      "train it on a text: --dataset shakespeare --net char-transformer");
  if (static_cast<Index>(alphabet.size()) != net.classes())
    throw ShapeMismatch("alphabet", std::to_string(alphabet.size()) + " characters",
                        "the net answers with " + std::to_string(net.classes()));
  const Stream stream(seed, kInstance, Purpose::task_data);
  const std::size_t line = alphabet.find('\n');
  std::vector<std::size_t> codes = {line == std::string::npos ? 0 : line};
  std::string text;
  Matrix<float> x(1, tokens);
  Activations activations;
  for (Index i = 0; i < length; ++i) {
    const std::size_t seen = std::min(codes.size(), static_cast<std::size_t>(tokens));
    for (std::size_t t = 0; t < seen; ++t) x.data()[t] = static_cast<float>(codes[codes.size() - seen + t]);
    const auto number = static_cast<std::uint64_t>(i);  // every character is a sample of its own to layers with noise
    forward(net, x, activations, {.first_sample = number});  // what stands behind the last character seen has no say
    const View<const float> answers(activations.h.back().data(), tokens, net.classes());
    codes.push_back(draw(answers.row(static_cast<Index>(seen) - 1), stream.uniform(number, 0)));
    text += alphabet[codes.back()];
  }
  return text;
}

}  // namespace lightloop
