#pragma once
// A convolution in plain double precision, for the tests of rules that teach blocks.
#include "training/rules/local_loss_for_tests.hpp"

namespace lightloop {

/// (size, size, channels) in rows of channels.
struct Image {
  std::size_t size, channels;
  Row values;
  double at(std::ptrdiff_t i, std::ptrdiff_t j, std::size_t c) const {
    const auto n = std::ptrdiff_t(size);
    return i < 0 || j < 0 || i >= n || j >= n ? 0 : values[(std::size_t(i * n + j)) * channels + c];
  }
};

/// A 3 x 3 convolution with padding 1; a bias behind the weights if there is one.
inline Image convolved(const Image& x, std::span<const float> p, std::size_t outputs, std::size_t stride, bool bias) {
  Image y{(x.size - 1) / stride + 1, outputs, {}};
  for (std::size_t i = 0; i < y.size; ++i)
    for (std::size_t j = 0; j < y.size; ++j)
      for (std::size_t o = 0; o < outputs; ++o) {
        double sum = bias ? double(p[outputs * 9 * x.channels + o]) : 0;
        for (std::size_t u = 0; u < 3; ++u)
          for (std::size_t v = 0; v < 3; ++v)
            for (std::size_t c = 0; c < x.channels; ++c)
              sum += double(p[((o * 3 + u) * 3 + v) * x.channels + c]) *
                     x.at(std::ptrdiff_t(i * stride + u) - 1, std::ptrdiff_t(j * stride + v) - 1, c);
        y.values.push_back(sum);
      }
  return y;
}

/// Means over `window` x `window` pixels every `stride`.
inline Row pooled(const Image& x, std::size_t window, std::size_t stride) {
  Row y;
  for (std::size_t i = 0; i + window <= x.size; i += stride)
    for (std::size_t j = 0; j + window <= x.size; j += stride)
      for (std::size_t c = 0; c < x.channels; ++c) {
        double sum = 0;
        for (std::size_t u = 0; u < window; ++u)
          for (std::size_t v = 0; v < window; ++v) sum += x.at(std::ptrdiff_t(i + u), std::ptrdiff_t(j + v), c);
        y.push_back(sum / double(window * window));
      }
  return y;
}

}  // namespace lightloop
