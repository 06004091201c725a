#pragma once
// NoProp: a chain of blocks, each taught alone to tell the clean label from a noisy one and the sample; together they
// denoise.
#include <memory>

#include "core/random.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {

/// What the blocks have in common whatever a block is: noisy labels, losses, the chain that answers. The net is the
/// last of the blocks; the rule owns the others and what brings z into each. In continuous time and with flow matching
/// the net is the only block: it sees z and the time t in [0, 1], as z and its sines and cosines side by side.
///
/// continuous: z_t = sqrt(s) y + sqrt(1 - s) noise with s(t) = sin^2(pi t / 2); loss w(t) times that of the estimate
/// u = softmax(net), w = SNR'(t) up to rule.weight_max, SNR = s / (1 - s). Answer: the logits at t = 1 after dz/dt =
/// s' / (2 (1 - s)) (u / sqrt(s) - z), which keeps the law of z_t where u is exact.
/// flow: z_t = (1 - t) z_0 + t y, z_0 noise; loss |net - (y - z_0)|^2 / 2. Answer: z_1 after dz/dt = net.
/// Both from z_0 as rule.path says, in rule.steps steps of rule.solver.
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
  /// On devices every block is written before it runs, the last one, which is the net, too; the only one never.
  LayerTouch layer_touch(const Network&, Index samples) const override { return {blocks_ * samples, writes()}; }
  Index shown_to_layer(const Network&, Index layer, Index samples) const override {
    return layer < shown_once_ ? samples : blocks_ * samples;
  }
  Index answers_shown_to_layer(const Network&, Index layer) const override {
    return layer < shown_once_ ? 1 : evaluations_;
  }
  Index answer_passes(const Network& net) const override { return evaluations_ * net.layers(); }
  LayerTouch answer_touch(const Network&) const override { return {evaluations_, writes()}; }

 protected:
  enum class Time { discrete, continuous, flow };
  /// Output of block t for x and seen(); x has gone through the first layers before where `again_` is set.
  virtual View<const float> run(const Network& net, Index t, View<const float> x) = 0;
  /// Back-propagation of error_ inside block t, which ran last.
  virtual void teach(const Network& net, Index t, View<const float> x, std::span<float> gradient) = 0;
  virtual void begin_training(const Network&, std::uint64_t /*first_sample*/) {}
  virtual void begin_answer(std::uint64_t /*first_sample*/) {}
  bool last(Index t) const { return t + 1 == blocks_; }
  bool one_block() const { return time_ != Time::discrete; }
  View<const float> seen() const {
    return one_block() ? timed_ : z_;
  }  ///< what a block sees beside x, (m, seen_width())
  Index seen_width() const { return classes_ + (one_block() ? kTimeFeatures : 0); }

  static constexpr Index kTimeFeatures = 8;  ///< sin and cos of pi t, 2 pi t, 4 pi t, 8 pi t (assumed)
  Time time_;
  Index blocks_, classes_;
  bool again_ = false;
  Index shown_once_ = 0;               ///< first layers whose physics sees the same in every block
  const MapBack* map_back_ = nullptr;  ///< of the batch
  Matrix<float> z_, error_;

 private:
  static Time time_from(const std::string& name);
  std::int64_t writes() const { return one_block() ? 0 : blocks_; }

  /// Share of signal in z_t, from 0 at t = 0 to 1 at t = blocks: cosine schedule.
  double signal(Index t) const;
  /// z_{t-1} ~ N(sqrt(signal) one-hot(y), (1 - signal) I); block t counts from 0 here.
  void draw_noisy_labels(const RuleBatch& batch, Index t);
  /// z_t at a time of each row's own, drawn from (kRuleNoise, instance 2); timed_ and the weights w of the losses.
  void draw_times(const RuleBatch& batch);
  /// Lays z_ and the time of row r side by side in timed_.
  void set_time(Index r, double t);
  /// z_ += spread N(0, I), numbers t of each sample.
  void add_noise(double spread, Index t, std::uint64_t first_sample);
  /// error_ = derivative of the block's loss with respect to its output; returns the summed loss.
  double block_error(View<const float> logits, std::span<const std::uint8_t> labels);
  /// |u - one-hot|^2 / 2 with u = softmax(logits) of row r, the estimate of the clean label.
  double square_error(View<const float> logits, std::uint8_t label, Index r);
  double flow_error(View<const float> velocity, std::span<const std::uint8_t> labels);
  /// Output of the net at time t, for z_.
  View<const float> output_at(const Network& net, View<const float> x, double t);
  /// slope_ = dz/dt there.
  void find_slope(const Network& net, View<const float> x, double t);
  void solve(const Network& net, View<const float> x);

  bool square_, samples_path_, midpoint_;
  Index steps_, evaluations_;
  double weight_max_;
  Stream noise_, path_noise_, times_;
  std::vector<double> weight_;  ///< of the rows' losses; empty: 1
  Matrix<float> u_, drawn_, timed_, start_, slope_;
};

/// For a network with a model.
std::unique_ptr<Rule> model_noprop(RuleInfo info, const RuleContext& context);

}  // namespace lightloop
