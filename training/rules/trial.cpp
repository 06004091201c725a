#include "training/rules/trial.hpp"

#include "training/elementwise.hpp"

namespace lightloop {

double Trial::mean_loss(const Network& net, const RuleBatch& batch, std::span<const float> direction, float step) {
  if (!net_) net_ = net;
  const float *from = net.parameters().data(), *along = direction.data();
  float* const to = net_->parameters().data();
  for_chunks(static_cast<Index>(direction.size()), kChunk, [&](Index first, Index n) {
    for (Index i = first; i < first + n; ++i) to[i] = from[i] + step * along[i];
  });
  forward(*net_, batch.activations.h[0], activations_);
  const Matrix<float>& logits = activations_.h.back();
  error_.resize(logits.rows(), logits.cols());
  return output_error(batch.loss, logits, batch.labels, error_) / static_cast<double>(logits.rows());
}

}  // namespace lightloop
