#include "training/metrics/rank.hpp"

#include "training/metrics/eigen.hpp"

namespace lightloop {
namespace {

Metric rank(const char* name, const char* streams, View<const double> states, double threshold) {
  check_states(name, states);
  if (!(threshold > 0 && threshold < 1))
    throw OutOfRange(std::string(name) + ": threshold", shown(threshold), "between 0 and 1");
  const Eigen::VectorXd sigma = eigen::singular_values(eigen::map(states));
  const double count = static_cast<double>((sigma.array() > threshold * sigma(0)).count());
  return {name,
          sigma(0) > 0 ? count : 0,
          std::string("singular values above ") + shown(threshold) + " of the largest, last states of " +
              std::to_string(states.rows()) + " streams " + streams + ", not centred",
          {{"singular", {sigma.data(), sigma.data() + sigma.size()}}}};
}

}  // namespace

Metric kernel_rank(View<const double> states, double threshold) {
  return rank("kernel_rank", "that differ everywhere", states, threshold);
}

Metric generalisation_rank(View<const double> states, double threshold) {
  return rank("generalisation_rank", "with one common end", states, threshold);
}

}  // namespace lightloop
