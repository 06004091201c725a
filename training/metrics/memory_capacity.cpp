#include <algorithm>
#include <cmath>

#include "training/metrics/capacity.hpp"
#include "training/metrics/eigen.hpp"

namespace lightloop {

Metric memory_capacity(View<const double> states, std::span<const double> input, const MemorySettings& s) {
  check_states("memory_capacity", states);
  const Index total = states.rows();
  if (static_cast<Index>(input.size()) != total)
    throw ShapeMismatch("memory_capacity: input", std::to_string(input.size()),
                        std::to_string(total) + " of the states");
  const Index last = s.last_delay > 0 ? s.last_delay : std::min(2 * states.cols(), total / 4);
  if (s.first_delay < 0 || s.first_delay > last || last > total / 2)
    throw OutOfRange("memory_capacity: delays", std::to_string(s.first_delay) + " to " + std::to_string(last),
                     "0 to " + std::to_string(total / 2), "Give a longer series.");
  if (!(s.train_fraction > 0 && s.train_fraction < 1))
    throw OutOfRange("memory_capacity: train_fraction", shown(s.train_fraction), "between 0 and 1");
  const Index usable = total - last, train = static_cast<Index>(static_cast<double>(usable) * s.train_fraction);
  const Index test = usable - train, count = last - s.first_delay + 1;
  if (train < 2 || test < 3)
    throw OutOfRange("memory_capacity: times", std::to_string(usable), "at least 5 beyond the longest delay");

  eigen::Columns targets(usable, count);
  for (Index k = 0; k < count; ++k)
    for (Index t = 0; t < usable; ++t) targets(t, k) = input[static_cast<std::size_t>(t + last - s.first_delay - k)];
  eigen::Columns x = eigen::map(states.rows(last, usable));
  const Eigen::RowVectorXd mean = x.topRows(train).colwise().mean(), mean_y = targets.topRows(train).colwise().mean();
  x.rowwise() -= mean;
  targets.rowwise() -= mean_y;
  const eigen::Thin svd = eigen::thin_svd(x.topRows(train));
  const Eigen::ArrayXd sigma = svd.singular.array();
  const double lambda = s.ridge * sigma(0) * sigma(0);
  const Eigen::VectorXd gain =
      (sigma > 1e-13 * sigma(0)).select(sigma / (sigma.square() + lambda), Eigen::ArrayXd::Zero(sigma.size())).matrix();
  const eigen::Columns weights = svd.v * (gain.asDiagonal() * (svd.u.transpose() * targets.topRows(train)));
  eigen::Columns answer = x.bottomRows(test) * weights, wanted = targets.bottomRows(test);
  answer.rowwise() -= answer.colwise().mean().eval();
  wanted.rowwise() -= wanted.colwise().mean().eval();

  std::vector<double> profile(static_cast<std::size_t>(count));
  double sum = 0;
  for (Index k = 0; k < count; ++k) {
    const double yy = answer.col(k).squaredNorm(), zz = wanted.col(k).squaredNorm();
    const double dot = answer.col(k).dot(wanted.col(k));
    const double square = yy > 0 && zz > 0 ? dot * dot / (yy * zz) : 0;
    const double n = static_cast<double>(test);
    profile[static_cast<std::size_t>(k)] = 1 - (1 - square) * (n - 1) / (n - 2);
    sum += profile[static_cast<std::size_t>(k)];
  }
  return {"memory_capacity",
          sum,
          "MC = sum of r^2(u(t-k), y_k(t)) for k = " + std::to_string(s.first_delay) + " to " + std::to_string(last) +
              ", adjusted for chance, scored on " + std::to_string(test) + " times after training on " +
              std::to_string(train) + ", relative ridge " + shown(s.ridge),
          {{"profile", std::move(profile)}}};
}

}  // namespace lightloop
