#pragma once
// The broadcast template: one fixed random projection of a signal of the output goes to every hidden layer at once.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "training/rules/rule.hpp"

namespace lightloop {

/// Fills `signal` (C) from one sample's error e (C) and label; false when all of it is zero. This is all that tells the
/// members of the family apart.
using Signal = std::function<bool(std::span<const float> error, std::uint8_t label, std::span<float> signal)>;

/// Parameters every broadcast rule has: scale, noise, skip_empty, centre, matrix_from, feedback, along_graph.
std::vector<ParamInfo> broadcast_params();

ParamInfo delay_param();
/// Both: of those that project an error.
std::vector<ParamInfo> error_broadcast_params();

/// Throws InvalidParameter when the net has hidden layers and the context no feedback of the right size.
void check_feedback(const RuleInfo& info, const RuleContext& context);

/// Outputs that the feedback of a broadcast rule needs: the widest place a signal goes to; 0 where there is none.
Index broadcast_width(const Network& net, const ParamSet& params);

/// delta_l = scale / sqrt(d_l) (B_l s) * f'(a_l) for hidden layers, delta_L = e.
///
/// B has unit variance; B_l is its first d_l rows, so one projection per batch serves every layer. 1 / sqrt(d_l) gives
/// delta_l the norm that back-propagation through weights N(0, 1/d_l) gives it, so that plain SGD learns at the same
/// rate (Adam does not care). Rows whose signal is empty have no hidden gradient: with `skip_empty` they are left out
/// of the projection and of every product, which changes nothing but the work.
/// Randomness: with noise > 0, Purpose::projection_noise, row = number of the error since the start of training.
/// With `centre` the mean of B s over the rows of the batch that have a signal is taken off them (B (s - mean s), since
/// B is linear; after the read-out, so that a device shows what it showed before): what all errors have in common then
/// reaches the output layer alone. A single such row keeps its own.
/// With delay = 1 the step of batch t begins the projection of e_t, teaches the output layer by e_t, and the hidden
/// layers by B e_(t-1), from the activities of batch t - 1 as its forward pass left them; the device works meanwhile,
/// and until the error of batch t + 1 is known. The first step teaches hidden layers nothing, the signal of the last
/// batch never arrives. A copy of the activities of one batch is held, and stored by snapshot().
/// Models of any layers: B_l s / sqrt(d_l) arrives as dL/dh at the output of every hidden block, which passes it on
/// inside by its own derivatives (Launay et al., NeurIPS 2020, "macro"), or with feedback = layers at every layer that
/// has weights, inside residuals too ("micro"); f' is part of what it arrives at. Layers may mix rows: those without a
/// signal then have one of 0. On a graph, with along_graph, A^T B s takes its place, A = normalised(graph): what
/// back-propagation does with the layer above (after the projection, so that a device shows labelled nodes only; the
/// two commute). With several tokens per sample each token's own error is projected, and arrives at that token. Throws
/// InvalidParameter when the net has hidden layers and the context no feedback of the right size, Unsupported for a
/// hidden place without those tokens.
std::unique_ptr<Rule> broadcast_rule(RuleInfo info, const RuleContext& context, Signal signal);

}  // namespace lightloop
