#pragma once
// Data sets made by the program beside the digits: a click log, a picture.
#include "training/datasets/dataset.hpp"

namespace lightloop {

/// Clicks on combinations of six fields of 40 values each, codes 40 f + v: P(click) = 1 / (1 + exp(-o)),
/// o = -1.3 + sum b_fv + sum over pairs f < g of u_fv . u_gw, b ~ N(0, 0.5^2), u (4) ~ N(0, 0.4^2), values uniform:
/// what a factorisation machine can learn, and no linear model. The yardstick is the area under the ROC curve of o
/// itself on these samples. Randomness: law, training and test samples are instances of Purpose::task_data; a sample
/// does not depend on how many are made.
TrainTest make_clicks(std::uint64_t seed, Index train = 30000, Index test = 20000);

/// A picture of side x side pixels, three colours in 0 ... 1 as real targets, for a neural field. Features are sin and
/// cos of 32 waves k . (x, y), k ~ N(0, 4^2), coordinates -1 ... 1 (Tancik et al., NeurIPS 2020). Trained on one half
/// of the pixels and tested on the other, as on a chess board. Randomness: Purpose::task_data; the picture is always
/// the same.
TrainTest make_picture(std::uint64_t seed, Index side = 64);

}  // namespace lightloop
