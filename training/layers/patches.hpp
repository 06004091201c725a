#pragma once
// Images as rows of patches: what turns a convolution into one product.
#include "training/layers/layers.hpp"

namespace lightloop {

/// An image (height, width, channels) and the window that slides over it.
struct Patches {
  Index height = 0, width = 0, channels = 0;
  Window window;
  Index out_height = 0, out_width = 0;
  Index positions() const { return out_height * out_width; }
  Index pixels() const { return height * width * channels; }
  Index taps() const { return window.height * window.width; }
  /// Input row of output row i under tap u (may lie outside); the same of columns.
  Index row(Index i, Index u) const { return i * window.stride.rows + u - window.padding.rows; }
  Index column(Index j, Index v) const { return j * window.stride.columns + v - window.padding.columns; }
  bool inside(Index r, Index c) const { return r >= 0 && r < height && c >= 0 && c < width; }
};

/// Throws ShapeMismatch where the input is no image or the window does not fit in it, OutOfRange for sizes below 1.
Patches patches(const std::string& layer, const Shape& input, Window window);
std::string axes_text(PerAxis each);            ///< "2" where both are equal, "2x1"
std::string window_text(const Window& window);  ///< "3x3 stride=2 pad=1", defaults left out

/// Channels [first, first + count) of images x (m, pixels) -> columns (m * positions, taps * count), zero outside.
void gather_patches(const Patches& p, View<const float> x, Index first, Index count, View<float> columns);
/// The transpose: adds columns to those channels of x, which are set to 0 before. Images in parallel, taps in order.
void scatter_patches(const Patches& p, View<const float> columns, Index first, Index count, View<float> x);

/// convolution() of checked sizes, each group a product of its patches.
LayerPointer convolution_of_patches(const Shape& input, const Patches& p, Index outputs, Index groups, bool bias);
/// The same with groups = channels = outputs, whose products are made only where a pass has a place for them.
LayerPointer depthwise(const Shape& input, const Patches& p, bool bias);

}  // namespace lightloop
