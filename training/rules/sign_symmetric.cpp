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
        path_(std::make_shared<ReturnPath>(context.net)),
        chain_(chain_rule(info, path_)) {
    for (const auto& [number, layer, weights] : path_->places()) {
      streams_.emplace_back(context.seed, number, size_ == Size::fixed ? kRuleFixed : kRulePerturbation);
      sizes_.emplace_back(weights.rows, weights.cols);
      draw(sizes_.size() - 1, 0);
    }
  }
  const RuleInfo& info() const override { return chain_->info(); }
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    for (std::size_t k = 0; size_ == Size::redrawn && k < sizes_.size(); ++k) draw(k, batch.step);
    take_signs(net);
    chain_->gradient(net, batch, gradient);
  }
  View<const float> teaching_signal(Index layer) const override { return chain_->teaching_signal(layer); }
  std::span<const Index> active_rows() const override { return chain_->active_rows(); }
  std::span<const Index> shown_rows() const override { return chain_->shown_rows(); }
  std::vector<double> weight_alignment(const Network& net, View<const float> matrix) override {
    take_signs(net);
    return chain_->weight_alignment(net, matrix);
  }

 private:
  /// Sizes of matrix k in step `step`; fixed ones are those of step 0.
  void draw(std::size_t k, std::uint64_t step) {
    Matrix<float>& size = sizes_[k];
    const auto gain = static_cast<float>(std::sqrt(path_->places()[k].weights.gain));
    const float factor = gain * scale_ / std::sqrt(static_cast<float>(size.cols()));
    const auto rows = static_cast<std::uint64_t>(size.rows());
    for_rows(size.rows(), size.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const auto row = size.row(r);
        if (size_ == Size::uniform) {
          std::ranges::fill(row, factor);
          continue;
        }
        streams_[k].normal(step * rows + static_cast<std::uint64_t>(r), 0, row);
        for (float& v : row) v = factor * std::fabs(v);
      }
    });
  }
  void take_signs(const Network& net) {
    for (std::size_t k = 0; k < sizes_.size(); ++k) {
      const float* const size = sizes_[k].data();
      const float* const w = net.parameters().data() + path_->places()[k].weights.offset;
      float* const path = path_->matrix(k).data();
      for_chunks(sizes_[k].size(), kChunk, [&](Index first, Index n) {
        for (Index i = first; i < first + n; ++i) path[i] = w[i] == 0 ? 0.0f : std::copysign(size[i], w[i]);
      });
    }
  }

  Size size_;
  float scale_;
  std::vector<Stream> streams_;
  std::vector<Matrix<float>> sizes_;
  std::shared_ptr<ReturnPath> path_;
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
                 {"scale", "1", 1.0, 1e-6, 1e6, "factor on S; 1 gives it the size of the initial weights"}},
      .masks = true,
      .by_error = true,
      .maps = true,
      .crosses_maps = true};
  return {info, [info](const RuleContext& context) { return std::make_unique<SignSymmetric>(info, context); }};
}

}  // namespace lightloop
