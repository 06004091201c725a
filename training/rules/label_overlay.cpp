#include "training/rules/label_overlay.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "training/layers/model.hpp"
#include "training/rules/block_runner.hpp"

namespace lightloop {

ParamInfo label_features_param() {
  return {"label_features",
          "1",
          std::int64_t{1},
          1,
          1 << 20,
          "features that stand for each class, the first of all; more where a device shows one of them by so little "
          "that it is lost among the others, as mirrors do that are on or off"};
}

LabelPlace label_place(const std::string& rule, const RuleContext& context) {
  const Network& net = context.net;
  check_rows_alone(rule, net);
  if (net.model() && net.model()->block(0).takes_codes())
    throw Unsupported("rule " + rule + " on net " + net.text(),
                      "its first block looks codes up, and a label is none of them", "",
                      "use a rule that leaves the input alone, such as local");
  if (net.tokens() > 1)
    throw Unsupported(
        "rule " + rule + " on net " + net.text(),
        "it answers for " + std::to_string(net.tokens()) + " tokens one by one, and a sample shows one label", "",
        "use local or sff");
  const LabelPlace place{.classes = net.widths().back(),
                         .wide = context.params.integer("label_features"),
                         .strength = static_cast<float>(context.params.real("label_strength"))};
  if (const Index features = net.widths().front(); features < place.features())
    throw Unsupported("rule " + rule + " on net " + to_string(net.widths()),
                      "the label takes the place of the first " + std::to_string(place.features()) + " features",
                      "there are " + std::to_string(features), "add features, constant ones will do");
  return place;
}

std::string overlay_warning(const std::string& rule, const Dataset& data, Index classes, Index wide) {
  constexpr Index kSamples = 2000;
  constexpr double kShare = 0.5;
  const Index rows = std::min(data.size(), kSamples), features = data.features();
  std::vector<std::uint32_t> which(static_cast<std::size_t>(rows));
  for (Index r = 0; r < rows; ++r)
    which[static_cast<std::size_t>(r)] = static_cast<std::uint32_t>(r * data.size() / rows);
  Matrix<float> x(rows, features);
  data.gather(which, x);
  std::vector<double> variance(static_cast<std::size_t>(features));
  for (Index j = 0; j < features; ++j) {
    double mean = 0, square = 0;
    for (Index r = 0; r < rows; ++r) mean += static_cast<double>(x(r, j)) / static_cast<double>(rows);
    for (Index r = 0; r < rows; ++r) square += std::pow(static_cast<double>(x(r, j)) - mean, 2);
    variance[static_cast<std::size_t>(j)] = square / static_cast<double>(rows);
  }
  std::vector<double> varying = variance;
  const double rounding = 1e-12 * *std::ranges::max_element(variance);  // of means of what is constant
  std::erase_if(varying, [rounding](double v) { return v <= rounding; });
  if (varying.empty()) return {};
  std::ranges::nth_element(varying, varying.begin() + std::ssize(varying) / 2);
  const double least = kShare * varying[varying.size() / 2];
  const auto lost =
      std::count_if(variance.begin(), variance.begin() + classes * wide, [least](double v) { return v > least; });
  if (lost == 0) return {};
  return "rule " + rule + " shows the label in place of the first " + std::to_string(classes * wide) + " features of " +
         data.name + ", and " + std::to_string(lost) + " of these vary from sample to sample: what they say is lost. " +
         "Put " + (wide == 1 ? "one column" : std::to_string(wide) + " columns") +
         " of zeros per class before the features.";
}

void overlay(std::span<const float> x, const LabelPlace& place, Index label, std::span<float> out) {
  std::ranges::copy(x, out.begin());
  std::fill_n(out.begin(), place.features(), 0.0f);
  std::fill_n(out.begin() + label * place.wide, place.wide, place.strength);
}

void overlay_neutral(std::span<const float> x, const LabelPlace& place, std::span<float> out) {
  std::ranges::copy(x, out.begin());
  std::fill_n(out.begin(), place.features(), place.strength / static_cast<float>(place.classes));
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
