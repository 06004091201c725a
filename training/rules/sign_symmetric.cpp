// Sign symmetry: back-propagation through matrices that share the signs of the weights, not their sizes.
#include <cmath>

#include "training/elementwise.hpp"
#include "training/rules/chain.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {
namespace {

enum class Size { uniform, fixed, redrawn };

class SignSymmetric : public Rule {
 public:
  SignSymmetric(const RuleInfo& info, const RuleContext& context)
      : size_(context.params.text("size") == "uniform" ? Size::uniform
              : context.params.text("size") == "fixed" ? Size::fixed
                                                       : Size::redrawn),
        scale_(static_cast<float>(context.params.real("scale"))),
        chain_(chain_rule(info, [this](const Network&, Index layer) {
          return std::as_const(paths_[static_cast<std::size_t>(layer)]).view();
        })) {
    for (Index l = 0; l < context.net.layers(); ++l) {
      streams_.emplace_back(context.seed, l, size_ == Size::fixed ? kRuleFixed : kRulePerturbation);
      const View<const float> w = context.net.weights(l);
      sizes_.emplace_back(w.rows(), w.cols());
      paths_.emplace_back(w.rows(), w.cols());
      draw(l, 0);
    }
  }
  const RuleInfo& info() const override { return chain_->info(); }
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    for (Index l = 1; l < net.layers(); ++l) {
      if (size_ == Size::redrawn) draw(l, batch.step);
      const Matrix<float>& size = sizes_[static_cast<std::size_t>(l)];
      Matrix<float>& path = paths_[static_cast<std::size_t>(l)];
      const View<const float> w = net.weights(l);
      for_chunks(w.size(), kChunk, [&](Index first, Index n) {
        for (Index i = first; i < first + n; ++i)
          path.data()[i] = w.data()[i] == 0 ? 0.0f : std::copysign(size.data()[i], w.data()[i]);
      });
    }
    chain_->gradient(net, batch, gradient);
  }
  View<const float> teaching_signal(Index layer) const override { return chain_->teaching_signal(layer); }
  std::span<const Index> active_rows() const override { return chain_->active_rows(); }

 private:
  /// Sizes of layer `layer` in step `step`; fixed ones are those of step 0.
  void draw(Index layer, std::uint64_t step) {
    Matrix<float>& size = sizes_[static_cast<std::size_t>(layer)];
    const float factor = scale_ / std::sqrt(static_cast<float>(size.cols()));
    const auto rows = static_cast<std::uint64_t>(size.rows());
    for_rows(size.rows(), size.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const auto row = size.row(r);
        if (size_ == Size::uniform) {
          std::ranges::fill(row, factor);
          continue;
        }
        streams_[static_cast<std::size_t>(layer)].normal(step * rows + static_cast<std::uint64_t>(r), 0, row);
        for (float& v : row) v = factor * std::fabs(v);
      }
    });
  }

  Size size_;
  float scale_;
  std::vector<Stream> streams_;
  std::vector<Matrix<float>> sizes_, paths_;
  std::unique_ptr<Rule> chain_;
};

}  // namespace

RuleModel sign_symmetric_rule() {
  const RuleInfo info{
      .name = "sign_symmetric",
      .summary = "back-propagation through the signs of the weights: one bit per weight goes back",
      .equation = "delta_l = (B_{l+1}^T delta_{l+1}) * f'(a_l), B = S * sign(W), S >= 0; delta_L = e",
      .needs = Needs::nothing,
      .cost = "none: runs on the host, reads one bit per weight",
      .source = "Liao, Leibo, Poggio, AAAI 2016, arXiv 1510.05067; Xiao et al., arXiv 1811.03567",
      .params = {{"size",
                  "",
                  std::string("uniform"),
                  0,
                  0,
                  "S: the same everywhere (uSF), |N(0, 1)| drawn once (frSF) or in every step (brSF)",
                  {"uniform", "fixed", "redrawn"}},
                 {"scale", "1", 1.0, 1e-6, 1e6, "factor on S; 1 gives it the size of the initial weights"}}};
  return {info, [info](const RuleContext& context) { return std::make_unique<SignSymmetric>(info, context); }};
}

}  // namespace lightloop
