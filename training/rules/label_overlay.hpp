#pragma once
// How a label enters the data of forward-only rules: in place of the first C features.
#include <cstdint>
#include <span>

#include "training/datasets/dataset.hpp"
#include "training/network.hpp"

namespace lightloop {

/// Throws Unsupported where the net has fewer inputs than classes, looks codes up, answers token by token or is on a
/// graph.
void check_overlay(const std::string& rule, const Network& net);

/// What to say of a rule that shows labels in place of features where that takes something from the data; empty
/// where each of the first `classes` features has at most half the variance that the middle one of those that vary has
/// (assumed: far above the margins of images, far below a feature that tells anything). Of 2000 samples at most.
std::string overlay_warning(const std::string& rule, const Dataset& data, Index classes);

/// One sample with label `label`: the first C features become 0 but for `strength` at the label. (d) each.
void overlay(std::span<const float> x, Index classes, std::uint8_t label, float strength, std::span<float> out);
/// The same without a label: the first C features become strength / C.
void overlay_neutral(std::span<const float> x, Index classes, float strength, std::span<float> out);

/// A wrong label by chance: uniform when `score` is empty, else with probability ~ exp(score), the right one left out.
/// `u` is uniform on (0, 1).
std::uint8_t wrong_label(std::span<const float> score, Index classes, std::uint8_t right, double u);

}  // namespace lightloop
