#include "training/rules/chain.hpp"

#include <numeric>

#include "core/linalg.hpp"
#include "training/elementwise.hpp"
#include "training/rules/blocks.hpp"
#include "training/rules/gradient.hpp"

namespace lightloop {
namespace {

class Chain : public Rule {
 public:
  Chain(RuleInfo info, std::shared_ptr<ReturnPath> path) : info_(std::move(info)), path_(std::move(path)) {}

  const RuleInfo& info() const override { return info_; }
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const Index samples = batch.error.rows();
    rows_.resize(static_cast<std::size_t>(samples));
    std::iota(rows_.begin(), rows_.end(), Index{0});
    shown_.resize(static_cast<std::size_t>(samples * net.tokens()));
    std::iota(shown_.begin(), shown_.end(), Index{0});
    const std::span<const float> path = path_ ? path_->parameters(net) : net.parameters();
    if (net.model()) {
      back_through_blocks(net, batch.activations, batch.error, delta_, gradient, work_, path);
      return divide(gradient, samples);
    }
    walk_back(net, batch.activations, batch.error, path, delta_, info_.goes_back ? batch.back : nullptr,
              batch.map_back);
    for (Index l = 0; l < net.layers(); ++l) {
      layer_gradient(net, l, l < net.hidden_layers() ? teaching_signal(l) : batch.error, batch.activations.input(l),
                     samples, gradient);
      batch.tell_done(l);
    }
  }
  View<const float> teaching_signal(Index layer) const override { return delta_[static_cast<std::size_t>(layer)]; }
  std::span<const Index> active_rows() const override { return rows_; }
  std::span<const Index> shown_rows() const override { return shown_; }
  std::vector<double> weight_alignment(const Network& net, View<const float>) override {
    return path_ ? path_->alignment(net) : std::vector<double>();
  }

 private:
  RuleInfo info_;
  std::shared_ptr<ReturnPath> path_;
  std::vector<Matrix<float>> delta_;
  std::vector<Index> rows_, shown_;
  std::vector<LayerMemory> work_;
};

}  // namespace

void walk_back(const Network& net, const Activations& activations, View<const float> error, std::span<const float> path,
               std::vector<Matrix<float>>& delta, const BackPass* back, const MapBack* map_back) {
  delta.resize(static_cast<std::size_t>(net.hidden_layers()));
  View<const float> above = error;
  for (Index l = net.hidden_layers() - 1; l >= 0; --l) {
    const Matrix<float>& h = activations.h[static_cast<std::size_t>(l) + 1];
    Matrix<float>& here = delta[static_cast<std::size_t>(l)];
    here.resize(error.rows(), h.cols());
    if (back)
      (*back)(l + 1, above, here);
    else
      gemm(Transpose::no, Transpose::no, 1.0f, above, {path.data() + net.offset(l + 1), above.cols(), here.cols()},
           0.0f, here);
    if (activations.clipped) stop_clipped(activations.came(l + 1), activations.input(l + 1), here);
    if (map_back) (*map_back)(l + 1, h, here, here);
    for_rows(here.rows(), here.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        times_derivative(net.activation(l), h.row(r), here.row(r), 1.0f, here.row(r));
    });
    above = here;
  }
}

std::unique_ptr<Rule> chain_rule(RuleInfo info, std::shared_ptr<ReturnPath> path) {
  return std::make_unique<Chain>(std::move(info), std::move(path));
}

}  // namespace lightloop
