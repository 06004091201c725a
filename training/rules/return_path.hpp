#pragma once
// What errors go back through in place of the weights: a matrix for each of them, of its shape.
#include <cstdint>
#include <span>
#include <vector>

#include "training/network.hpp"

namespace lightloop {

/// One of the matrices among a network's parameters.
struct ReturnPlace {
  std::uint64_t number = 0;  ///< counts all of them
  Index layer = 0;           ///< counts fully connected layers, or blocks of a model
  ReturnWeights weights;
};

/// Parameters of a network with other matrices in place of the weights of its dense and convolutional layers; the rest
/// (gains of norms) stays as it is, because layers that have no weights send errors back by their own derivatives.
class ReturnPath {
 public:
  /// All matrices are 0. Throws Unsupported for a layer that cannot go back through others (binary weights, for
  /// one).
  explicit ReturnPath(const Network& net);
  /// Without a matrix that stands in front of all others: nothing learns from what it sends back.
  const std::vector<ReturnPlace>& places() const { return places_; }
  View<float> matrix(std::size_t place);
  /// All of it, laid out as Network::parameters(), with the rest as `net` has it now.
  std::span<const float> parameters(const Network& net);
  /// Per hidden layer (block): cosine of all matrices between it and the next and the weights that they stand for; NaN
  /// where there are none. Of B = c W, c > 0, it is 1. With B and W independent and Gaussian it is N(0, 1/n), n their
  /// entries together. Lillicrap et al., Nat. Commun. 7, 13276 (2016), figure 2.
  std::vector<double> alignment(const Network& net) const;

 private:
  std::vector<ReturnPlace> places_;
  Matrix<float> parameters_;
  bool rest_;  ///< there is one
};

/// Per hidden layer l: cosine of B_l, the first d_l rows of `matrix` (outputs, C), and (W_L ... W_{l+1})^T: what direct
/// feedback sends and what back-propagation would in the linear part of the network. Derivatives of activations, which
/// differ from sample to sample, are left out. Empty for a model, and where nobody knows the matrix (it is empty).
/// Lillicrap et al. (2016); Refinetti, d'Ascoli, Ohana, Goldt, ICML 2021 ("Align, then memorise"), section 3.
std::vector<double> broadcast_alignment(const Network& net, View<const float> matrix);

}  // namespace lightloop
