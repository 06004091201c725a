#pragma once
// Digits drawn by the program: a data set that needs no download.
#include "training/datasets/dataset.hpp"

namespace lightloop {

/// Stroke glyphs 0-9 as 28 x 28 bytes, balanced classes (sample i shows digit i % 10).
///
/// Every sample is a glyph of polylines (some digits have two shapes) whose points are jittered, then sent through a
/// random affine map (shift, scale, rotation, shear) and drawn with a random stroke width, brightness and pixel noise.
/// Randomness: Stream(seed, sample, digits_data); test samples count from 2^32, so train and test never share a draw
/// and a sample does not depend on how many are made. A linear classifier reaches about 90 %, a 784-256-10 network
/// about 97 %.
TrainTest make_digits(std::uint64_t seed, Index train = 10000, Index test = 2000);

}  // namespace lightloop
