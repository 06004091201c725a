// NoProp on networks of any layers.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/layers/model.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/noprop_chain.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {
namespace {

/// Of any layers: U_t z is added to what enters the last block but one of the net's (its only one: to x), so that a
/// non-linearity sees both; no codes may be looked up there. Copies of the net keep running statistics of their own,
/// among the parameters, where their gradient is 0. First blocks that learn nothing, such as fixed physical features,
/// are run once for all copies.
class ModelNoProp : public NoProp {
 public:
  ModelNoProp(RuleInfo info, const RuleContext& context)
      : NoProp(std::move(info), context),
        products_(context.layers),
        runner_(context.seed, static_cast<std::size_t>(context.net.layers()), products_),
        copy_(context.net),
        joins_(std::max<Index>(0, context.net.layers() - 2)),
        brings_(context.net.widths()[static_cast<std::size_t>(joins_)] * seen_width()),
        parameters_(static_cast<Index>(context.net.parameters().size())),
        state_(static_cast<Index>(context.net.state().size())),
        values_(1, blocks_ * brings_ + (blocks_ - 1) * (parameters_ + state_)),
        gradient_(1, values_.size()),
        learned_(1, state_) {
    const Model& model = *context.net.model();
    while (shown_once_ < joins_ && model.block(shown_once_).parameters() + model.block(shown_once_).state() == 0)
      ++shown_once_;
    const bool before_physics =
        std::ranges::any_of(model.physics(), [this](const PhysicalPlace& place) { return place.block >= joins_; });
    if (before_physics && !(products_ && products_->shows_back()))
      throw Unsupported(
          "rule noprop on net " + context.net.text(),
          "the noisy label is added to what enters the last block but one, and physics comes after it", "",
          "give the physics a block of its own, with two behind it: physical 512 | dense 256, relu | dense "
          "classes");
    if (model.block(joins_).takes_codes())
      throw Unsupported(
          "rule noprop on net " + context.net.text(),
          "the noisy label is added to what enters the last block but one, and that takes codes", "",
          "give the embedding a block of its own, with two behind it: embedding ... | ... | dense classes");
    std::ranges::fill(gradient_.flat(), 0.0f);
    for (Index t = 0; t < blocks_; ++t) {
      const Stream stream(context.seed, static_cast<std::uint64_t>(t), kRuleParameters);
      const View<float> u = brings(values_, t);
      for (Index r = 0; r < u.rows(); ++r) {
        stream.normal(static_cast<std::uint64_t>(r), 0, u.row(r));
        for (float& v : u.row(r)) v /= std::sqrt(static_cast<float>(seen_width()));
      }
      if (last(t)) break;
      copy_.model()->initialise(context.seed, own(values_, t), own_state(t), instance(t));
    }
  }
  Trainable own() override { return {values_.flat(), gradient_.flat()}; }
  std::span<const float> learned_state() const override { return learned_.flat(); }

 protected:
  void begin_training(const Network&, std::uint64_t first_sample) override {
    training_ = true;
    first_sample_ = first_sample;
  }
  void begin_answer(std::uint64_t first_sample) override {
    training_ = false;
    first_sample_ = first_sample;
  }

  View<const float> run(const Network& net, Index t, View<const float> x) override {
    const Network& block = take(net, t);
    training_ ? runner_.begin_training(block, first_sample_) : runner_.begin_answer(first_sample_);
    const Index first = again_ ? shown_once_ : 0;
    View<const float> in = first == 0 ? x : runner_.output(static_cast<std::size_t>(first) - 1);
    for (Index b = first; b < block.layers(); ++b) {
      if (b == joins_) {
        joined_.resize(in.rows(), in.cols());
        for (Index r = 0; r < in.rows(); ++r) std::ranges::copy(in.row(r), joined_.row(r).begin());
        gemm(Transpose::no, Transpose::yes, 1.0f, seen(), brings(values_, t), 1.0f, joined_);
        in = joined_;
      }
      in = runner_.forward(block, b, in, static_cast<std::size_t>(b));
    }
    if (training_) std::ranges::copy(runner_.state(), (last(t) ? learned_.flat() : own_state(t)).begin());
    return in;
  }

  void teach(const Network& net, Index t, View<const float> x, std::span<float> gradient) override {
    const Network& block = last(t) ? net : copy_;
    const std::span<float> to = last(t) ? gradient : own(gradient_, t);
    for (Index b = block.layers() - 1; b >= shown_once_; --b) {
      const auto slot = static_cast<std::size_t>(b);
      const View<const float> in = b == joins_ ? joined_.view() : b == 0 ? x : runner_.output(slot - 1);
      const bool on = b > shown_once_ || b == joins_;
      runner_.backward(block, b, in, slot, error_, to, on ? &below_ : nullptr);
      if (b == joins_)
        gemm(Transpose::yes, Transpose::no, 1.0f / static_cast<float>(x.rows()), below_, seen(), 0.0f,
             brings(gradient_, t));
      error_.swap(below_);
    }
  }

 private:
  View<float> brings(Matrix<float>& all, Index t) const {
    return {all.data() + t * brings_, brings_ / seen_width(), seen_width()};
  }
  std::span<float> own(Matrix<float>& all, Index t) const {
    return {all.data() + blocks_ * brings_ + t * (parameters_ + state_), static_cast<std::size_t>(parameters_)};
  }
  std::span<float> own_state(Index t) {
    return {own(values_, t).data() + parameters_, static_cast<std::size_t>(state_)};
  }
  /// Number of copy t's first layer among all layers that draw parameters: far above those of the net and of heads.
  static std::uint64_t instance(Index t) { return (static_cast<std::uint64_t>(t) + 1) << 40; }
  /// The network that is block t: the net itself, or a copy that holds its numbers until the next call.
  const Network& take(const Network& net, Index t) {
    if (!last(t)) {
      std::ranges::copy(own(values_, t), copy_.parameters().begin());
      std::ranges::copy(own_state(t), copy_.state().begin());
    }
    const Network& block = last(t) ? net : copy_;
    if (products_ && !one_block()) products_->hold(block);
    return block;
  }

  LayerProducts* products_;
  BlockRunner runner_;
  Network copy_;
  Index joins_, brings_, parameters_, state_;
  Matrix<float> values_, gradient_, learned_, joined_, below_;
  bool training_ = false;
  std::uint64_t first_sample_ = 0;
};

}  // namespace

std::unique_ptr<Rule> model_noprop(RuleInfo info, const RuleContext& context) {
  return std::make_unique<ModelNoProp>(std::move(info), context);
}

}  // namespace lightloop
