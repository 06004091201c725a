#pragma once
// Text from a network that has learned to predict the next character.
#include <cstdint>
#include <string>

#include "training/network.hpp"

namespace lightloop {

/// `length` characters, each drawn from the network's probabilities for what follows those before it. The network sees
/// as many of them as its window holds, and a line break before the first. `alphabet` is that of the run.
/// Throws Unsupported for a network that does not answer per token, ShapeMismatch for an alphabet of another size.
/// Randomness: Purpose::task_data of `seed`, row = number of the character.
std::string sample_text(const Network& net, const std::string& alphabet, Index length, std::uint64_t seed);

}  // namespace lightloop
