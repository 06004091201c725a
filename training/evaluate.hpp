#pragma once
// Scores a trained network on labelled data.
#include <string>

#include "training/datasets/dataset.hpp"
#include "training/loss.hpp"
#include "training/network.hpp"

namespace lightloop {

struct Evaluation {
  double accuracy = 0;  ///< fraction of samples whose largest logit is that of the label
  double loss = 0;      ///< mean per sample
  Index samples = 0;
};

/// Throws ShapeMismatch where features or classes of the data do not fit the net, InvalidParameter for no data.
Evaluation evaluate(const Network& net, const Dataset& data, Loss loss = Loss::cross_entropy);
/// Checks data that came from a caller: one label per row, below `classes`; every value finite. Throws ShapeMismatch,
/// OutOfRange, InvalidParameter.
void check_data(const Dataset& data);
/// Throws ShapeMismatch as `evaluate` does, before any work.
void check_fit(const Network& net, const Dataset& data);

}  // namespace lightloop
