// Multi-head self-attention.
#include <cmath>

#include "core/linalg.hpp"
#include "core/vector_math.hpp"
#include "training/layers/initial.hpp"
#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

/// memory: kept[0] Q, K, V side by side (m tokens, 3 features), kept[1] the shares (m heads tokens, tokens), kept[2]
/// the heads' outputs side by side (m tokens, features).
class Attention : public NetLayer {
 public:
  Attention(const Shape& input, Index heads, bool causal)
      : NetLayer(input, input), tokens_(input[0]), n_(input[1]), heads_(heads), each_(n_ / heads), causal_(causal) {}
  std::string text() const override { return "attention " + std::to_string(heads_) + (causal_ ? " causal" : ""); }
  Index parameters() const override { return 4 * n_ * (n_ + 1); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    NetLayer::initialise(seed, instance, parameters);
    normal_weights(seed, instance, 1.0, {parameters.data(), 3 * n_, n_});
    normal_weights(seed, instance, 1.0, {parameters.data() + out_at(), n_, n_}, static_cast<std::uint64_t>(3 * n_));
  }

  /// Q, K and V by one matrix, and what joins the heads. Products of activations with each other stay in memory.
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override {
    all.push_back({product_number(instance, 0), offset, 3 * n_, n_, tokens_});
    all.push_back({product_number(instance, 1), offset + out_at(), n_, n_, tokens_});
  }
  void add_return_weights(Index offset, std::vector<ReturnWeights>& all) const override {
    all.push_back({offset, 3 * n_, n_, 1.0});
    all.push_back({offset + out_at(), n_, n_, 1.0});
  }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.kept.resize(3);
    Matrix<float>&qkv = memory.kept[0], &share = memory.kept[1], &mixed = memory.kept[2];
    const View<const float> x = last_axis(in.x, n_);
    qkv.resize(x.rows(), 3 * n_);
    share.resize(in.x.rows() * heads_ * tokens_, tokens_);
    mixed.resize(x.rows(), n_);
    layer_product(pass, x, View<const float>(in.parameters.data(), 3 * n_, n_), qkv, memory);
    add_bias(bias(in, 3 * n_ * n_, 3 * n_), qkv);
    auto one = [&](Index k) {
      const View<float> p = share.view().rows(k * tokens_, tokens_);
      gemm(Transpose::no, Transpose::yes, scale(), part(qkv.view(), 0, k), part(qkv.view(), 1, k), 0.0f, p);
      for (Index t = 0; t < tokens_; ++t) softmax(p.row(t), causal_ ? t + 1 : tokens_);
      gemm(Transpose::no, Transpose::no, 1.0f, p, part(qkv.view(), 2, k), 0.0f, part(mixed.view(), 0, k));
    };
    parallel_for(in.x.rows() * heads_, one);
    const View<float> out = last_axis(y, n_);
    layer_product(pass, mixed, View<const float>(in.parameters.data() + out_at(), n_, n_), out, memory, 1);
    add_bias(bias(in, out_at() + n_ * n_, n_), out);
  }

  /// Per head with P the shares and O = P V: dV = P^T dO, dS = P * (dO V^T - rowsum(P * dO V^T)), dQ = dS K / sqrt(d),
  /// dK = dS^T Q / sqrt(d).
  void vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    const Matrix<float>&qkv = memory.kept[0], &share = memory.kept[1], &mixed = memory.kept[2];
    work.kept.resize(3);
    Matrix<float>&dqkv = work.kept[0], &dshare = work.kept[1], &dmixed = work.kept[2];
    dqkv.resize(qkv.rows(), qkv.cols());
    dshare.resize(share.rows(), share.cols());
    dmixed.resize(mixed.rows(), mixed.cols());
    const View<const float> delta = last_axis(dy, n_);
    product_back(memory, mixed, delta, View<const float>(in.parameters.data() + out_at(), n_, n_), dmixed, 1);
    auto one = [&](Index k) {
      const View<const float> p = share.view().rows(k * tokens_, tokens_);
      const View<float> dp = dshare.view().rows(k * tokens_, tokens_);
      const View<const float> dout = part(std::as_const(dmixed).view(), 0, k);
      gemm(Transpose::no, Transpose::yes, 1.0f, dout, part(qkv.view(), 2, k), 0.0f, dp);
      times_softmax(p, dp);
      gemm(Transpose::no, Transpose::no, scale(), dp, part(qkv.view(), 1, k), 0.0f, part(dqkv.view(), 0, k));
      gemm(Transpose::yes, Transpose::no, scale(), dp, part(qkv.view(), 0, k), 0.0f, part(dqkv.view(), 1, k));
      gemm(Transpose::yes, Transpose::no, 1.0f, p, dout, 0.0f, part(dqkv.view(), 2, k));
    };
    parallel_for(dy.rows() * heads_, one);
    if (!dparameters.empty()) {
      float* const at = dparameters.data();
      const auto span = [](std::span<float> all, Index first, Index count) {
        return all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
      };
      gemm(Transpose::yes, Transpose::no, 1.0f, dqkv, last_axis(in.x, n_), 0.0f, View<float>(at, 3 * n_, n_));
      sum_of_rows(dqkv, work, span(dparameters, 3 * n_ * n_, 3 * n_));
      gemm(Transpose::yes, Transpose::no, 1.0f, delta, mixed, 0.0f, View<float>(at + out_at(), n_, n_));
      sum_of_rows(delta, work, span(dparameters, out_at() + n_ * n_, n_));
    }
    product_back(memory, last_axis(in.x, n_), dqkv, View<const float>(in.parameters.data(), 3 * n_, n_),
                 dx.empty() ? dx : last_axis(dx, n_));
  }
  /// Per head: dS = (dQ K^T + Q dK^T) / sqrt(d), dP = P * (dS - rowsum(P * dS)), dO = dP V + P dV.
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float>, const LayerMemory& memory,
           View<const float> dx, View<float> dy, LayerMemory& work) const override {
    const Matrix<float>&qkv = memory.kept[0], &share = memory.kept[1];
    work.kept.resize(3);
    Matrix<float>&dqkv = work.kept[0], &dshare = work.kept[1], &dmixed = work.kept[2];
    dqkv.resize(qkv.rows(), qkv.cols());
    dshare.resize(share.rows(), share.cols());
    dmixed.resize(qkv.rows(), n_);
    layer_product(pass, last_axis(dx, n_), View<const float>(in.parameters.data(), 3 * n_, n_), dqkv, work);
    auto one = [&](Index k) {
      const View<const float> p = share.view().rows(k * tokens_, tokens_);
      const View<float> dp = dshare.view().rows(k * tokens_, tokens_);
      gemm(Transpose::no, Transpose::yes, scale(), part(dqkv.view(), 0, k), part(qkv.view(), 1, k), 0.0f, dp);
      gemm(Transpose::no, Transpose::yes, scale(), part(qkv.view(), 0, k), part(dqkv.view(), 1, k), 1.0f, dp);
      times_softmax(p, dp);
      const View<float> out = part(dmixed.view(), 0, k);
      gemm(Transpose::no, Transpose::no, 1.0f, dp, part(qkv.view(), 2, k), 0.0f, out);
      gemm(Transpose::no, Transpose::no, 1.0f, p, part(dqkv.view(), 2, k), 1.0f, out);
    };
    parallel_for(dx.rows() * heads_, one);
    layer_product(pass, dmixed, View<const float>(in.parameters.data() + out_at(), n_, n_), last_axis(dy, n_), work, 1);
  }

 private:
  Index out_at() const { return 3 * n_ * (n_ + 1); }
  static std::span<const float> bias(const LayerInput& in, Index at, Index count) {
    return in.parameters.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count));
  }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(each_)); }
  /// Tokens of sample k / heads, columns of head k % heads in part `which` (Q, K or V).
  template <class T>
  View<T> part(View<T> all, Index which, Index k) const {
    return all.rows(k / heads_ * tokens_, tokens_).cols(which * n_ + k % heads_ * each_, each_);
  }
  /// d <- P * (d - rowsum(P * d)): through the softmax whose shares are p, either way.
  static void times_softmax(View<const float> p, View<float> d) {
    for (Index t = 0; t < p.rows(); ++t) {
      float along = 0;
      for (Index s = 0; s < p.cols(); ++s) along += p(t, s) * d(t, s);
      for (Index s = 0; s < p.cols(); ++s) d(t, s) = p(t, s) * (d(t, s) - along);
    }
  }
  /// Softmax over the first `count` values; the others become 0.
  static void softmax(std::span<float> row, Index count) {
    const std::span<float> seen = row.first(static_cast<std::size_t>(count));
    const float top = *std::ranges::max_element(seen);
    for (float& v : seen) v -= top;
    vector_exp(seen, seen);
    float sum = 0;
    for (const float v : seen) sum += v;
    for (float& v : seen) v /= sum;
    std::fill(row.begin() + count, row.end(), 0.0f);
  }

  Index tokens_, n_, heads_, each_;
  bool causal_;
};

}  // namespace

LayerPointer attention(Shape input, Index heads, bool causal) {
  if (input.size() != 2) throw ShapeMismatch("attention", shape_text(input), "tokens x features");
  check_at_least_one("heads of attention", heads);
  if (input[1] % heads != 0)
    throw ShapeMismatch("heads of attention", std::to_string(heads),
                        "must divide the " + std::to_string(input[1]) + " features");
  return std::make_unique<Attention>(input, heads, causal);
}

}  // namespace lightloop
