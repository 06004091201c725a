#pragma once
// What a head, a pattern or a target sees of a block.
#include "core/param.hpp"
#include "training/layers/layer.hpp"

namespace lightloop {

/// The setting "pool".
ParamInfo pool_param();

/// A flat output as it is; an image (height, width, channels) averaged over windows that cover it, so that at most side
/// x side positions are left (0: as it is); tokens (tokens, features) averaged to one.
class HeadView {
 public:
  HeadView(const Shape& block, Index side);
  const Shape& shape() const { return shape_; }
  Index width() const { return elements(shape_); }
  /// (m, block) -> (m, width); `h` itself where nothing is averaged, and valid until the next call.
  View<const float> see(View<const float> h);
  /// Signal at what was seen last -> signal at the block, in place.
  void back(View<const float> h, Matrix<float>& delta);

 private:
  Shape shape_;
  std::shared_ptr<const NetLayer> pool_;  ///< null: nothing is averaged
  LayerMemory memory_, work_;
  Matrix<float> seen_, wide_;
};

}  // namespace lightloop
