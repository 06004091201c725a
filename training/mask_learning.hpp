#pragma once
// Masks of mirrors as trained weights: what a device with a Boolean or ternary read-out can be taught by measuring
// alone.
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

struct MaskLearning {
  bool ternary = false;  ///< values -1, 0, 1 (two masks whose signals are subtracted); otherwise 0, 1
  Index flips = 1;       ///< values changed at once in the first trial
  Index trials = 0;      ///< changes tried; 0: ten for every value (assumed: a few visits each)
  double bias = 1;  ///< memory: how strongly values that were not tried for long are preferred; 0: all alike; up to 16
};

struct LearnedMask {
  std::vector<std::int8_t> mask;
  double loss = 0;               ///< as measured for it
  std::vector<double> losses;    ///< of the mask kept, after every trial
  std::int64_t writes = 0;       ///< masks shown
  std::int64_t evaluations = 0;  ///< losses measured, one per mask shown
};

/// Minimises loss(mask) by trial: changes some values to others drawn evenly, measures, keeps the change if the loss
/// fell, takes it back otherwise.
///
/// With flips = 1 this is the greedy Boolean learning of Bueno et al., Optica 5, 756 (2018): the value to change is
/// drawn with a weight that grows by 1 / n per trial and is 0 after its own (to the power `bias`). With more, the
/// number of values changed at once falls in a straight line to 1 over the first half of the trials (annealing-inspired
/// training, arXiv 2409.01042; the straight line is assumed). A loss that is measured with noise keeps a lucky mask:
/// the kept loss is measured again after every n trials. Starts from a mask drawn evenly. Randomness: Stream(seed, 0,
/// kRulePerturbation), row = trial + 1 (row 0: the start). Throws OutOfRange for fewer than one value or flip, more
/// flips than half of the values, fewer than 0 trials or a bias beyond 0 ... 16, InvalidParameter for a loss that is
/// not finite.
LearnedMask learn_mask(Index values, const std::function<double(std::span<const std::int8_t>)>& loss,
                       const MaskLearning& settings, std::uint64_t seed);

}  // namespace lightloop
