#include "training/rules/head_view.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "training/layers/layers.hpp"
#include "training/rules/block_runner.hpp"

namespace lightloop {

ParamInfo pool_param() {
  return {"pool",
          "1",
          std::int64_t{4},
          0,
          1e4,
          "of a block that gives out images: averaged to at most this many positions a side for its local loss "
          "(assumed); 0: as they are"};
}

void check_tokens(const Shape& block, Index tokens) {
  if (tokens == 1 || (block.size() == 2 && block[0] == tokens)) return;
  throw Unsupported("a local loss for a block that gives out " + shape_text(block),
                    "the net answers for " + std::to_string(tokens) + " tokens one by one", "",
                    "keep (tokens, features) up to the output");
}

HeadView::HeadView(const Shape& block, Index side, Index tokens, std::shared_ptr<Work> work)
    : shape_(block), work_(std::move(work)) {
  check_tokens(block, tokens);
  if (tokens > 1) {
    shape_ = {block[1]};
    return;
  }
  if (block.size() == 2) {
    pool_ = global_pool(block);
  } else if (block.size() == 3 && side > 0) {
    // side positions an axis, windows that cover all pixels and overlap where the size is no multiple of side
    const auto stride = [side](Index n) { return std::max<Index>(1, n / side); };
    const auto size = [&](Index n) { return n - (std::min(side, n) - 1) * stride(n); };
    const Window window{size(block[0]), size(block[1]), {stride(block[0]), stride(block[1])}};
    if (std::max(window.height, window.width) > 1) pool_ = average_pool(block, window);
  }
  if (pool_) shape_ = pool_->output_shape();
}

View<const float> HeadView::see(View<const float> h) {
  if (!pool_) return {h.data(), h.size() / width(), width()};
  work_->seen.resize(h.rows(), width());
  pool_->forward({}, {{}, {}, h}, work_->seen, work_->memory);
  return work_->seen;
}

void HeadView::back(View<const float> h, Matrix<float>& delta) {
  if (!pool_) return delta.resize(h.rows(), h.cols());  // tokens side by side again
  work_->delta.resize(delta.rows(), delta.cols());
  std::ranges::copy(delta.flat(), work_->delta.data());
  delta.resize(h.rows(), h.cols());
  pool_->vjp({{}, {}, h}, work_->seen, work_->memory, work_->delta, delta, {}, work_->back);
}

std::vector<HeadView> head_views(const Network& net, Index side) {
  const auto work = std::make_shared<HeadView::Work>();
  std::vector<HeadView> views;
  for (Index b = 0; b < net.hidden_layers(); ++b) views.emplace_back(block_shape(net, b), side, net.tokens(), work);
  return views;
}

}  // namespace lightloop
