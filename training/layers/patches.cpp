#include "training/layers/patches.hpp"

#include <algorithm>

#include "training/layers/rows.hpp"

namespace lightloop {

Patches patches(const std::string& layer, const Shape& input, Window window) {
  if (input.size() != 3)
    throw ShapeMismatch(layer, shape_text(input), "an image: height x width x channels",
                        "give the shape of a sample first: 28x28x1 | ...");
  check_at_least_one(layer + " window", std::min(window.height, window.width));
  check_at_least_one(layer + " stride", std::min(window.stride.rows, window.stride.columns));
  const PerAxis pad = window.padding;
  if (std::min(pad.rows, pad.columns) < 0 || pad.rows >= window.height || pad.columns >= window.width)
    throw OutOfRange(layer + " padding", axes_text(pad),
                     "0 to below the window, " + axes_text({window.height, window.width}),
                     "name both axes: pad=" + axes_text({window.height / 2, window.width / 2}));
  constexpr double kLargest = 0x1p31;  // values in one patch: keeps every product of sizes far from overflow
  const double patch =
      static_cast<double>(window.height) * static_cast<double>(window.width) * static_cast<double>(input[2]);
  if (patch > kLargest) throw OutOfRange(layer, "window " + window_text(window), "at most 2^31 values in a patch");
  Patches p{input[0], input[1], input[2], window};
  const Index rest_h = p.height + 2 * pad.rows - window.height, rest_w = p.width + 2 * pad.columns - window.width;
  if (rest_h < 0 || rest_w < 0)
    throw ShapeMismatch(layer, "window " + window_text(window), "does not fit in the image " + shape_text(input),
                        "pool less, or begin with a larger image");
  p.out_height = rest_h / window.stride.rows + 1;
  p.out_width = rest_w / window.stride.columns + 1;
  return p;
}

std::string axes_text(PerAxis each) {
  const std::string rows = std::to_string(each.rows);
  return each.rows == each.columns ? rows : rows + "x" + std::to_string(each.columns);
}

std::string window_text(const Window& w) {
  std::string text = std::to_string(w.height) + "x" + std::to_string(w.width);
  if (w.stride != 1) text += " stride=" + axes_text(w.stride);
  return text + " pad=" + axes_text(w.padding);
}

void gather_patches(const Patches& p, View<const float> x, Index first, Index count, View<float> columns) {
  const Index lines = x.rows() * p.out_height;
  for_rows(lines, p.out_width * columns.cols(), [&](Index begin, Index n) {
    for (Index line = begin; line < begin + n; ++line) {
      const float* image = x.data() + line / p.out_height * x.stride() + first;
      const Index i = line % p.out_height;
      for (Index j = 0; j < p.out_width; ++j) {
        float* out = columns.data() + (line * p.out_width + j) * columns.stride();
        for (Index u = 0; u < p.window.height; ++u)
          for (Index v = 0; v < p.window.width; ++v, out += count) {
            const Index r = p.row(i, u), c = p.column(j, v);
            if (p.inside(r, c))
              std::copy_n(image + (r * p.width + c) * p.channels, count, out);
            else
              std::fill_n(out, count, 0.0f);
          }
      }
    }
  });
}

void scatter_patches(const Patches& p, View<const float> columns, Index first, Index count, View<float> x) {
  auto one = [&](Index sample) {
    float* image = x.data() + sample * x.stride() + first;
    for (Index k = 0; k < p.height * p.width; ++k) std::fill_n(image + k * p.channels, count, 0.0f);
    for (Index k = 0; k < p.positions(); ++k) {
      const float* in = columns.data() + (sample * p.positions() + k) * columns.stride();
      for (Index u = 0; u < p.window.height; ++u)
        for (Index v = 0; v < p.window.width; ++v, in += count) {
          const Index r = p.row(k / p.out_width, u), c = p.column(k % p.out_width, v);
          if (!p.inside(r, c)) continue;
          float* out = image + (r * p.width + c) * p.channels;
          for (Index q = 0; q < count; ++q) out[q] += in[q];
        }
    }
  };
  parallel_for(x.rows(), one);
}

}  // namespace lightloop
