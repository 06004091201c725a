#pragma once
// Training images moved by whole pixels: what a network should not mind.
#include <cstdint>

#include "core/array.hpp"
#include "training/datasets/dataset.hpp"

namespace lightloop {

/// Throws Unsupported unless the samples are images, (height, width) or (height, width, channels), of numbers.
void check_shift(const Dataset& data);

/// out (m, features) = images `in`, each moved by (dy, dx) drawn alike from [-most, most]^2; what comes in over an edge
/// is 0. Neither may be part of the other. Randomness: of row r, Stream(seed, 2, Purpose::batch_order), row
/// first_sample + r, columns 0 and 1.
void shift_images(const Dataset& data, View<const float> in, Index most, std::uint64_t seed, std::uint64_t first_sample,
                  View<float> out);

}  // namespace lightloop
