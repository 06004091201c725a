#include "training/metrics/consistency.hpp"

#include <cmath>

#include "training/metrics/eigen.hpp"

namespace lightloop {

Metric consistency(Repeats repeats) {
  check_repeats("consistency", repeats, 2);
  const Index nodes = repeats[0].cols(), count = static_cast<Index>(repeats.size());
  std::vector<eigen::Columns> z;
  Eigen::ArrayXd moves = Eigen::ArrayXd::Ones(nodes);
  for (const auto& one : repeats) {
    z.push_back(eigen::centred(one));
    for (Index i = 0; i < nodes; ++i) {
      const double norm = z.back().col(i).norm();
      const double size = eigen::map(one).col(i).norm();
      if (norm > 1e-13 * size)
        z.back().col(i) /= norm;
      else
        moves(i) = 0;
    }
  }
  Eigen::ArrayXd sum = Eigen::ArrayXd::Zero(nodes);
  for (Index a = 0; a < count; ++a)
    for (Index b = a + 1; b < count; ++b)
      sum += z[static_cast<std::size_t>(a)]
                 .cwiseProduct(z[static_cast<std::size_t>(b)])
                 .colwise()
                 .sum()
                 .transpose()
                 .array();
  const double pairs = static_cast<double>(count * (count - 1)) / 2, moving = moves.sum();
  if (moving == 0) throw InvalidParameter("consistency: states", "constant", "at least one node that moves");
  const Eigen::ArrayXd per_node = (moves > 0).select(sum / pairs, std::nan(""));
  return {"consistency",
          (moves > 0).select(sum / pairs, 0.0).sum() / moving,
          "correlation of the responses to one drive, mean over " + std::to_string(count) + " repeats in pairs and " +
              shown(moving) + " nodes that move",
          {{"nodes", {per_node.data(), per_node.data() + nodes}}, {"still", {static_cast<double>(nodes) - moving}}}};
}

Metric consistency_capacity(Repeats repeats, double noise_variance) {
  check_repeats("consistency_capacity", repeats, 2);
  if (!(noise_variance >= 0))
    throw OutOfRange("consistency_capacity: noise_variance", shown(noise_variance), "at least 0");
  const Index nodes = repeats[0].cols();
  const double count = static_cast<double>(repeats.size());
  // The sum over pairs follows from the covariance of the sum of all: sum_{a != b} Cab = C(sum) - sum_a Caa.
  eigen::Columns own = eigen::Columns::Zero(nodes, nodes);
  eigen::Columns together = eigen::Columns::Zero(repeats[0].rows(), nodes);
  for (const auto& one : repeats) {
    const eigen::Columns x = eigen::centred(one);
    own += eigen::covariance(x, x);
    together += x;
  }
  const eigen::Columns cross = (eigen::covariance(together, together) - own) / (count * (count - 1));
  own /= count;
  own.diagonal().array() += noise_variance;
  const eigen::Modes modes = eigen::modes(own);
  const Eigen::ArrayXd values = modes.values.array();
  const Eigen::VectorXd root =
      (values > 1e-12 * values(nodes - 1)).select(values.max(1e-300).rsqrt(), Eigen::ArrayXd::Zero(nodes)).matrix();
  const eigen::Columns whitening = modes.vectors * root.asDiagonal();
  const eigen::Columns c = whitening.transpose() * cross * whitening;
  const Eigen::VectorXd spectrum = eigen::mode_values((c + c.transpose()) / 2).reverse();
  return {"consistency_capacity",
          c.trace(),
          "Theta = tr(T Cxy T), T = (C + lambda)^(-1/2), own means, lambda = " + shown(noise_variance) +
              ", mean over " + shown(count) + " repeats in pairs, directions above 1e-12 of the largest, T = " +
              std::to_string(repeats[0].rows()) + " times",
          {{"spectrum", {spectrum.data(), spectrum.data() + spectrum.size()}}}};
}

}  // namespace lightloop
