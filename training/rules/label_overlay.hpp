#pragma once
// How a label enters the data of forward-only rules: in place of the first C features.
#include <cstdint>
#include <span>

#include "training/network.hpp"

namespace lightloop {

/// Throws Unsupported where the net has fewer inputs than classes.
void check_overlay(const std::string& rule, const Network& net);

/// One sample with label `label`: the first C features become 0 but for `strength` at the label. (d) each.
void overlay(std::span<const float> x, Index classes, std::uint8_t label, float strength, std::span<float> out);
/// The same without a label: the first C features become strength / C.
void overlay_neutral(std::span<const float> x, Index classes, float strength, std::span<float> out);

/// A wrong label by chance: uniform when `score` is empty, else with probability ~ exp(score), the right one left out.
/// `u` is uniform on (0, 1).
std::uint8_t wrong_label(std::span<const float> score, Index classes, std::uint8_t right, double u);

}  // namespace lightloop
