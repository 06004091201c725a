#pragma once
// What a head, a pattern or a target sees of a block.
#include "core/param.hpp"
#include "training/network.hpp"

namespace lightloop {

/// The setting "pool".
ParamInfo pool_param();

/// A flat output as it is; an image (height, width, channels) averaged over windows that cover it, a side-th of either
/// side long, so that at most side x side positions are left (0: as it is); tokens (tokens, features) averaged to one,
/// or each for itself where the network answers for every token.
class HeadView {
 public:
  /// Buffers of the way there and back: views that are asked one after the other may share them.
  struct Work {
    LayerMemory memory, back;
    Matrix<float> seen, delta;
  };

  /// `tokens`: answers per sample; throws what check_tokens() does.
  HeadView(const Shape& block, Index side, Index tokens = 1, std::shared_ptr<Work> work = std::make_shared<Work>());
  /// Of one answer.
  const Shape& shape() const { return shape_; }
  Index width() const { return elements(shape_); }
  /// (m, block) -> (m tokens, width); `h` itself where nothing is averaged, and valid until the next call of this view
  /// or one that shares its buffers.
  View<const float> see(View<const float> h);
  /// Signal at what was seen last -> signal at the block, in place.
  void back(View<const float> h, Matrix<float>& delta);

 private:
  Shape shape_;
  std::shared_ptr<const NetLayer> pool_;  ///< null: nothing is averaged
  std::shared_ptr<Work> work_;
};

/// Throws Unsupported for blocks that give out something else than one row of features for every answer, where there
/// are several.
void check_tokens(const Shape& block, Index tokens);

/// One for each hidden block of a network, with common buffers.
std::vector<HeadView> head_views(const Network& net, Index side);

}  // namespace lightloop
