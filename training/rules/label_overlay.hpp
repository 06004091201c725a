#pragma once
// How a label enters the data of forward-only rules: in place of the first features, as many for each class.
#include <cstdint>
#include <span>

#include "training/datasets/dataset.hpp"
#include "training/rules/rule.hpp"

namespace lightloop {

/// Where labels stand: the first `wide` features are those of class 0, the next of class 1.
struct LabelPlace {
  Index classes, wide;
  float strength;  ///< of each feature of the label; the other classes' are 0

  Index features() const { return classes * wide; }
};

/// LabelPlace::wide: rule.label_features.
ParamInfo label_features_param();
/// What rule.label_features and rule.label_strength say. Throws Unsupported where the net has fewer inputs than that
/// takes, looks codes up, answers token by token or is on a graph.
LabelPlace label_place(const std::string& rule, const RuleContext& context);

/// What to say of a rule that shows labels in place of features where that takes something from the data; empty
/// where each of the first `classes * wide` features has at most half the variance that the middle one of those that
/// vary has (assumed: far above the margins of images, far below a feature that tells anything). Of 2000 samples at
/// most.
std::string overlay_warning(const std::string& rule, const Dataset& data, Index classes, Index wide);

/// One sample with label `label`: its features become the strength, those of the other classes 0. (d) each.
void overlay(std::span<const float> x, const LabelPlace& place, Index label, std::span<float> out);
/// The same without a label: all of them become strength / classes.
void overlay_neutral(std::span<const float> x, const LabelPlace& place, std::span<float> out);

/// A wrong label by chance: uniform when `score` is empty, else with probability ~ exp(score), the right one left out.
/// `u` is uniform on (0, 1).
std::uint8_t wrong_label(std::span<const float> score, Index classes, std::uint8_t right, double u);

}  // namespace lightloop
