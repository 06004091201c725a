#include "training/rules/gradient.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/elementwise.hpp"

namespace lightloop {
namespace {

constexpr Index kColumns = 256;  // columns per piece: 1 KiB of running sums

/// out = alpha * column sums of x, rows added in order.
void column_sums(View<const float> x, float alpha, std::span<float> out) {
  for_chunks(x.cols(), kColumns, [&](Index first, Index count) {
    float* __restrict sum = out.data() + first;
    std::fill_n(sum, count, 0.0f);
    for (Index r = 0; r < x.rows(); ++r) {
      const float* __restrict row = x.data() + r * x.stride() + first;
      for (Index c = 0; c < count; ++c) sum[c] += row[c];
    }
    for (Index c = 0; c < count; ++c) sum[c] *= alpha;
  });
}

}  // namespace

void layer_gradient(const Network& net, Index layer, View<const float> delta, View<const float> input, Index samples,
                    std::span<float> gradient) {
  const Index outputs = net.weights(layer).rows(), inputs = net.weights(layer).cols();
  float* const begin = gradient.data() + net.offset(layer);
  dense_gradient(delta, input, samples, {begin, outputs, inputs},
                 {begin + inputs * outputs, static_cast<std::size_t>(outputs)});
}

void dense_gradient(View<const float> delta, View<const float> input, Index samples, View<float> weights,
                    std::span<float> bias) {
  LIGHTLOOP_ASSERT(delta.rows() == input.rows() && delta.cols() == weights.rows() && input.cols() == weights.cols());
  if (delta.rows() == 0) {
    for_chunks(weights.size(), kChunk, [&](Index first, Index n) { std::fill_n(weights.data() + first, n, 0.0f); });
    std::ranges::fill(bias, 0.0f);
    return;
  }
  const float alpha = 1.0f / static_cast<float>(samples);
  gemm(Transpose::yes, Transpose::no, alpha, delta, input, 0.0f, weights);
  column_sums(delta, alpha, bias);
}

void add_decay(const Network& net, Index layer, float decay, std::span<float> gradient) {
  if (decay == 0) return;
  const View<const float> w = net.weights(layer);
  float* const to = gradient.data() + net.offset(layer);
  for_chunks(w.size(), kChunk, [&](Index first, Index n) {
    for (Index i = first; i < first + n; ++i) to[i] += decay * w.data()[i];
  });
}

void dense(Activation f, View<const float> w, std::span<const float> b, View<const float> in, Matrix<float>& out) {
  out.resize(in.rows(), w.rows());
  gemm(Transpose::no, Transpose::yes, 1.0f, in, w, 0.0f, out);
  for_rows(out.rows(), out.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) bias_and_activate(f, b, out.row(r));
  });
}

void layer_product(const Network& net, Index layer, View<const float> in, Matrix<float>& out, LayerProducts* products) {
  const View<const float> w = net.weights(layer);
  out.resize(in.rows(), w.rows());
  if (products)
    products->multiply(layer, in, out);
  else
    gemm(Transpose::no, Transpose::yes, 1.0f, in, w, 0.0f, out);
}

void layer_forward(const Network& net, Index layer, View<const float> in, Matrix<float>& out, LayerProducts* products) {
  layer_product(net, layer, in, out, products);
  for_rows(out.rows(), out.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) bias_and_activate(net.activation(layer), net.bias(layer), out.row(r));
  });
}

void back_through(View<const float> delta, View<const float> w, Matrix<float>& out) {
  out.resize(delta.rows(), w.cols());
  gemm(Transpose::no, Transpose::no, 1.0f, delta, w, 0.0f, out);
}

void times_derivative(Activation f, View<const float> h, View<float> delta, float scale) {
  for_rows(delta.rows(), delta.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) times_derivative(f, h.row(r), delta.row(r), scale, delta.row(r));
  });
}

void column_means(View<const float> x, std::span<float> out) {
  column_sums(x, 1.0f / static_cast<float>(x.rows()), out);
}

void add_rows(View<const float> in, View<float> out) {
  for_rows(in.rows(), in.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      const float* from = in.row(r).data();
      float* to = out.row(r).data();
      for (Index i = 0; i < in.cols(); ++i) to[i] += from[i];
    }
  });
}

void normalise_rows(View<const float> in, Matrix<float>& out) {
  out.resize(in.rows(), in.cols());
  for_rows(in.rows(), in.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      const auto row = in.row(r);
      const double rms = std::sqrt(dot(row, row) / static_cast<double>(row.size()));
      const auto scale = static_cast<float>(1 / (rms + 1e-8));
      float* to = out.row(r).data();
      for (std::size_t i = 0; i < row.size(); ++i) to[i] = scale * row[i];
    }
  });
}

}  // namespace lightloop
