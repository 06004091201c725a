#pragma once
// Back through the blocks of a model: what chain and broadcast rules share with the measurement of alignment.
#include <span>
#include <vector>

#include "training/network.hpp"

namespace lightloop {

/// delta[b] = dL/dh_{b+1} (m, d_b) for every hidden block, from error e (m, C) at the last; L is the sum over rows.
/// With `path` (layout of Network::parameters()) these parameters stand for the network's on the way back.
/// Into `gradient` (layout of Network::parameters()), unless it is empty, go the sums over rows of dL/dparameters.
void back_through_blocks(const Network& net, const Activations& activations, View<const float> error,
                         std::vector<Matrix<float>>& delta, std::span<float> gradient, std::vector<LayerMemory>& work,
                         std::span<const float> path = {});

/// gradient / samples: from sums to means.
void divide(std::span<float> gradient, Index samples);

}  // namespace lightloop
