#include "training/rules/gradient.hpp"

#include <algorithm>

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
  LIGHTLOOP_ASSERT(delta.rows() == input.rows() && delta.cols() == outputs && input.cols() == inputs);
  float* const begin = gradient.data() + net.offset(layer);
  if (delta.rows() == 0) {
    for_chunks((inputs + 1) * outputs, kChunk, [&](Index first, Index n) { std::fill_n(begin + first, n, 0.0f); });
    return;
  }
  const float alpha = 1.0f / static_cast<float>(samples);
  gemm(Transpose::yes, Transpose::no, alpha, delta, input, 0.0f, View<float>(begin, outputs, inputs));
  column_sums(delta, alpha, {begin + inputs * outputs, static_cast<std::size_t>(outputs)});
}

}  // namespace lightloop
