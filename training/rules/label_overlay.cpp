#include "training/rules/label_overlay.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace lightloop {

void check_overlay(const std::string& rule, const Network& net) {
  const Index features = net.widths().front(), classes = net.widths().back();
  if (features < classes)
    throw Unsupported("rule " + rule + " on net " + to_string(net.widths()),
                      "the label takes the place of the first " + std::to_string(classes) + " features",
                      "there are " + std::to_string(features), "add features, constant ones will do");
}

void overlay(std::span<const float> x, Index classes, std::uint8_t label, float strength, std::span<float> out) {
  std::ranges::copy(x, out.begin());
  std::fill_n(out.begin(), classes, 0.0f);
  out[label] = strength;
}

void overlay_neutral(std::span<const float> x, Index classes, float strength, std::span<float> out) {
  std::ranges::copy(x, out.begin());
  std::fill_n(out.begin(), classes, strength / static_cast<float>(classes));
}

std::uint8_t wrong_label(std::span<const float> score, Index classes, std::uint8_t right, double u) {
  double top = -INFINITY, total = 0, seen = 0;
  for (const float s : score) top = std::max(top, static_cast<double>(s));
  const auto weight = [&](Index c) {
    if (c == right) return 0.0;
    return score.empty() ? 1.0 : std::exp(static_cast<double>(score[static_cast<std::size_t>(c)]) - top);
  };
  for (Index c = 0; c < classes; ++c) total += weight(c);
  Index last = right == 0 && classes > 1 ? 1 : 0;
  // with one class left in all probability the sum may be 0: then the first wrong one
  for (Index c = 0; c < classes && total > 0; ++c) {
    if (weight(c) == 0) continue;
    last = c;
    seen += weight(c);
    if (u * total < seen) break;
  }
  return static_cast<std::uint8_t>(last);
}

}  // namespace lightloop
