#pragma once
// The network that a run asked for, once its data are known.
#include "training/datasets/dataset.hpp"
#include "training/network.hpp"

namespace lightloop {

/// Shape of one sample as layers see it: an image without a channel axis, (height, width), gets one channel.
Shape layer_shape(const Dataset& data);
/// The network that the text `net` names for these data, not initialised: widths, a preset or layers
/// (training/layers/architecture.hpp); empty: two hidden layers of 256. `hidden` is the activation where widths alone
/// are given. Throws as parse_net and parse_model do, and OutOfRange for a network that this machine cannot hold: the
/// system would end the program without a word.
Network network_for(const std::string& net, Activation hidden, const Dataset& data);

}  // namespace lightloop
