#pragma once
// What the layers of a network hold, measured on fixed samples: linear probes and similarity of layers.
#include <vector>

#include "training/datasets/dataset.hpp"
#include "training/network.hpp"

namespace lightloop {

/// Linear centred kernel alignment (Kornblith et al., ICML 2019, equation 1 with the linear kernel): <K, L> / (|K| |L|)
/// (Frobenius) of the Gram matrices of the same samples, columns centred before. From 0 to 1; 1 where x and y differ by
/// a rotation and a factor. NaN where one of them stands still. Throws ShapeMismatch for other numbers of rows.
double linear_cka(View<const float> x, View<const float> y);

/// Fraction of `test` rows that a linear read-out of `train` rows answers right: ridge regression of one-hot labels on
/// centred features, with `ridge` times the mean square length of a centred row as penalty. Memory: rows squared,
/// whatever the number of features. Throws ShapeMismatch.
double linear_probe(View<const float> train, std::span<const std::uint8_t> train_labels, View<const float> test,
                    std::span<const std::uint8_t> test_labels, Index classes, double ridge);

struct LayerMetrics {
  std::vector<double> probe;  ///< per hidden layer (block): test accuracy of a linear probe on it
  std::vector<double> cka;    ///< (hidden layers, hidden layers) row by row, on the test samples
};

/// Probes every hidden layer with the first `samples` training samples, in stored order, on the first `samples` test
/// samples. An image is averaged to at most 4 x 4 positions, tokens to one, before it is looked at. Draws nothing and
/// changes nothing. Throws OutOfRange below two samples.
LayerMetrics measure_layers(const Network& net, const TrainTest& data, Index samples);

}  // namespace lightloop
