#pragma once
// NoProp: a chain of blocks, each taught alone to tell the clean label from a noisy one and the sample; together they
// denoise.
#include <memory>

#include "core/random.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {

/// What the blocks have in common whatever a block is: noisy labels, losses, the chain that answers. The net is the
/// last of the blocks; the rule owns the others and what brings z into each.
class NoProp : public WholeBatch {
 public:
  NoProp(RuleInfo info, const RuleContext& context);

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  /// Denoises along the mean path from z = 0, or along a sampled one (rule.path): z_0 ~ N(0, I), then z_t ~ q(z_t |
  /// z_{t-1}, u). The logits of the last block answer. Draws row first_sample + r of stream (kRuleNoise, instance 1).
  void scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) override;

  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = blocks_ * net.layers() * samples, .writes = (blocks_ - 1) * net.layers()};
  }
  /// On devices every block is written before it runs, the last one, which is the net, too.
  LayerTouch layer_touch(const Network&, Index samples) const override { return {blocks_ * samples, blocks_}; }
  Index shown_to_layer(const Network&, Index layer, Index samples) const override {
    return layer < shown_once_ ? samples : blocks_ * samples;
  }
  Index answers_shown_to_layer(const Network&, Index layer) const override { return layer < shown_once_ ? 1 : blocks_; }
  Index answer_passes(const Network& net) const override { return blocks_ * net.layers(); }
  LayerTouch answer_touch(const Network&) const override { return {blocks_, blocks_}; }

 protected:
  /// Logits of block t for x and z_.
  virtual View<const float> run(const Network& net, Index t, View<const float> x) = 0;
  /// Back-propagation of error_ inside block t, which ran last.
  virtual void teach(const Network& net, Index t, View<const float> x, std::span<float> gradient) = 0;
  virtual void begin_training(const Network&, std::uint64_t /*first_sample*/) {}
  virtual void begin_answer(std::uint64_t /*first_sample*/) {}
  bool last(Index t) const { return t + 1 == blocks_; }

  Index blocks_, classes_;
  Index shown_once_ = 0;               ///< first layers whose physics sees the same in every block
  const MapBack* map_back_ = nullptr;  ///< of the batch
  Matrix<float> z_, error_;

 private:
  /// Share of signal in z_t, from 0 at t = 0 to 1 at t = blocks: cosine schedule.
  double signal(Index t) const;
  /// z_{t-1} ~ N(sqrt(signal) one-hot(y), (1 - signal) I); block t counts from 0 here.
  void draw_noisy_labels(const RuleBatch& batch, Index t);
  /// z_ += spread N(0, I), numbers t of each sample.
  void add_noise(double spread, Index t, std::uint64_t first_sample);
  /// error_ = derivative of the block's loss with respect to its logits; returns the summed loss.
  double block_error(View<const float> logits, std::span<const std::uint8_t> labels);

  bool square_, samples_path_;
  Stream noise_, path_noise_;
  Matrix<float> u_, drawn_;
};

/// For a network with a model.
std::unique_ptr<Rule> model_noprop(RuleInfo info, const RuleContext& context);

}  // namespace lightloop
