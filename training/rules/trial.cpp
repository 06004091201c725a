#include "training/rules/trial.hpp"

#include "training/elementwise.hpp"

namespace lightloop {

View<const float> TrialNetwork::logits(View<const float> x, std::uint64_t first_sample) {
  blocks_.begin_answer(first_sample);
  for (Index b = 0; b < net_->layers(); ++b) x = blocks_.forward(*net_, b, x, static_cast<std::size_t>(b % 2));
  return x;
}

double TrialNetwork::mean_loss(const Network& net, const RuleBatch& batch, std::span<const float> direction,
                               float step) {
  if (batch.moved) {
    (*batch.moved)(direction, step, batch.activations.h[0], activations_);
    return loss_of(batch, activations_.h.back());
  }
  if (!net_) net_ = net;
  const float *from = net.parameters().data(), *along = direction.data();
  float* const to = net_->parameters().data();
  for_chunks(static_cast<Index>(direction.size()), kChunk, [&](Index first, Index n) {
    for (Index i = first; i < first + n; ++i) to[i] = from[i] + step * along[i];
  });
  if (batch.pass) (*batch.pass)(*net_, batch.activations.h[0], activations_);
  return loss_of(batch, batch.pass ? View<const float>(activations_.h.back())
                                   : logits(batch.activations.h[0], batch.first_sample));
}

double TrialNetwork::loss_of(const RuleBatch& batch, View<const float> answers) {
  error_.resize(answers.rows(), answers.cols());
  const Targets targets = batch.targets();
  return answer_error(batch.loss, answers, targets, error_) / static_cast<double>(targets.counted());
}

}  // namespace lightloop
