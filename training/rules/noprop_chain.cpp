#include "training/rules/noprop_chain.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "training/rules/gradient.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {
NoProp::NoProp(RuleInfo info, const RuleContext& context)
    : WholeBatch(std::move(info)),
      blocks_(context.params.integer("blocks")),
      classes_(context.net.widths().back()),
      square_(context.params.text("block_loss") == "square"),
      samples_path_(context.params.text("path") == "sampled"),
      noise_(context.seed, 0, kRuleNoise),
      path_noise_(context.seed, 1, kRuleNoise) {}

void NoProp::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const View<const float> x = batch.activations.h[0];
  begin(x.rows(), static_cast<std::size_t>(blocks_));
  begin_training(net, batch.first_sample);
  map_back_ = batch.map_back;
  for (Index t = 0; t < blocks_; ++t) {
    draw_noisy_labels(batch, t);
    const double loss = block_error(run(net, t, x), batch.labels);
    touched_.passes += net.layers() * x.rows();
    if (!last(t)) touched_.writes += net.layers();  // its update
    layer_loss_[static_cast<std::size_t>(t)] = loss / static_cast<double>(x.rows());
    loss_ += loss / static_cast<double>(blocks_);
    teach(net, t, x, gradient);
  }
}

void NoProp::scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) {
  begin_answer(first_sample);
  z_.resize(x.rows(), classes_);
  std::ranges::fill(z_.flat(), 0.0f);
  if (samples_path_) add_noise(1, 0, first_sample);
  for (Index t = 0; t < blocks_; ++t) {
    const View<const float> logits = run(net, t, x);
    if (last(t)) {
      for (Index r = 0; r < out.rows(); ++r) std::ranges::copy(logits.row(r), out.row(r).begin());
      break;
    }
    // q(z_t | z_{t-1}, u): mean a u + b z, variance c
    const double before = signal(t), after = signal(t + 1), ratio = before / after;
    const auto a = static_cast<float>(std::sqrt(after) * (1 - ratio) / (1 - before)),
               b = static_cast<float>(std::sqrt(ratio) * (1 - after) / (1 - before));
    u_.resize(logits.rows(), classes_);
    softmax(logits, u_);
    for (Index i = 0; i < z_.size(); ++i) z_.data()[i] = a * u_.data()[i] + b * z_.data()[i];
    if (samples_path_) add_noise(std::sqrt((1 - after) * (1 - ratio) / (1 - before)), t + 1, first_sample);
  }
}

void NoProp::add_noise(double spread, Index t, std::uint64_t first_sample) {
  drawn_.resize(1, classes_);
  for (Index r = 0; r < z_.rows(); ++r) {
    path_noise_.normal(first_sample + static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(t * classes_),
                       drawn_.row(0));
    for (Index c = 0; c < classes_; ++c) z_(r, c) += static_cast<float>(spread) * drawn_(0, c);
  }
}

double NoProp::signal(Index t) const {
  const double s = std::sin(0.5 * std::numbers::pi * static_cast<double>(t) / static_cast<double>(blocks_));
  return s * s;
}

void NoProp::draw_noisy_labels(const RuleBatch& batch, Index t) {
  const auto samples = static_cast<Index>(batch.labels.size());
  z_.resize(samples, classes_);
  const double s = signal(t);
  const auto mean = static_cast<float>(std::sqrt(s)), spread = static_cast<float>(std::sqrt(1 - s));
  for (Index r = 0; r < samples; ++r) {
    const auto row = z_.row(r);
    noise_.normal(batch.first_sample + static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(t * classes_), row);
    for (float& v : row) v *= spread;
    row[batch.labels[static_cast<std::size_t>(r)]] += mean;
  }
}

double NoProp::block_error(View<const float> logits, std::span<const std::uint8_t> labels) {
  error_.resize(logits.rows(), classes_);
  if (!square_) return output_error(Loss::cross_entropy, logits, labels, error_);
  u_.resize(logits.rows(), classes_);
  softmax(logits, u_);  // u: the estimate of the clean label; loss = |u - one-hot|^2 / 2
  double total = 0;
  for (Index r = 0; r < u_.rows(); ++r) {
    const auto u = std::as_const(u_).row(r);
    double inner = 0;
    for (Index c = 0; c < classes_; ++c) {
      const double wrong = static_cast<double>(u_(r, c)) - (labels[static_cast<std::size_t>(r)] == c ? 1 : 0);
      total += 0.5 * wrong * wrong;
      error_(r, c) = static_cast<float>(wrong);
    }
    inner = dot(std::as_const(error_).row(r), u);
    for (Index c = 0; c < classes_; ++c)
      error_(r, c) = static_cast<float>(static_cast<double>(u_(r, c)) * (static_cast<double>(error_(r, c)) - inner));
  }
  return total;
}

}  // namespace lightloop
