#include <cmath>

#include "training/metrics/consistency.hpp"
#include "training/metrics/eigen.hpp"

namespace lightloop {
namespace {

/// Directions, largest first, that together hold `share` of the variance.
double principal_directions(const eigen::Columns& x, double share) {
  const Eigen::VectorXd values = eigen::mode_values(eigen::covariance(x, x)).reverse();
  double sum = 0;
  Index count = 0;
  while (count < values.size() && sum < share * values.sum()) sum += values(count++);
  return static_cast<double>(count);
}

}  // namespace

Metric dimensionality(Repeats repeats, double ratio) {
  check_repeats("dimensionality", repeats, 2);
  if (!(ratio > 0)) throw OutOfRange("dimensionality: ratio", shown(ratio), "above 0");
  const double count = static_cast<double>(repeats.size());
  std::vector<eigen::Columns> x;
  for (const auto& one : repeats) x.push_back(eigen::centred(one));
  eigen::Columns mean = eigen::Columns::Zero(x[0].rows(), x[0].cols());
  for (const auto& one : x) mean += one / count;
  const eigen::Modes modes = eigen::modes(eigen::covariance(mean, mean));
  const Eigen::ArrayXd signal = modes.values.array().reverse();
  const eigen::Columns v = modes.vectors.rowwise().reverse();
  Eigen::ArrayXd noise = Eigen::ArrayXd::Zero(signal.size());
  for (const auto& one : x)
    noise += ((one - mean) * v).array().square().colwise().mean().transpose() / (count * (count - 1));
  const Eigen::ArrayXd floor = Eigen::ArrayXd::Constant(signal.size(), 1e-12 * signal(0));
  const double dim = static_cast<double>((signal > ratio * noise && signal > floor).count());
  return {"dimensionality",
          dim,
          "principal directions of the mean of " + shown(count) + " repeats whose variance exceeds " + shown(ratio) +
              " times the noise of that mean",
          {{"signal", {signal.data(), signal.data() + signal.size()}},
           {"noise", {noise.data(), noise.data() + noise.size()}},
           {"pca99", {principal_directions(x[0], 0.99)}}}};
}

}  // namespace lightloop
