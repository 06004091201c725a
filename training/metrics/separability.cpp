#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "training/metrics/consistency.hpp"
#include "training/metrics/eigen.hpp"

namespace lightloop {
namespace {

/// Share of right decisions of a ridge classifier learnt on all repeats but the last, scored on the last.
double held_out_accuracy(Repeats states, const std::vector<Index>& classes, Index count) {
  if (states.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  const Index n = states[0].cols(), samples = states[0].rows();
  Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(n);  // taken off: the penalty is for what varies
  for (std::size_t r = 0; r + 1 < states.size(); ++r)
    mean += eigen::map(states[r]).colwise().mean() / static_cast<double>(states.size() - 1);
  const auto about_mean = [&](View<const double> one) -> eigen::Columns { return eigen::map(one).rowwise() - mean; };
  eigen::Columns gram = eigen::Columns::Zero(n, n), cross = eigen::Columns::Zero(n, count);
  eigen::Columns wanted = eigen::Columns::Zero(samples, count);
  for (Index s = 0; s < samples; ++s) wanted(s, classes[static_cast<std::size_t>(s)]) = 1;
  for (std::size_t r = 0; r + 1 < states.size(); ++r) {
    const eigen::Columns x = about_mean(states[r]);
    gram += x.transpose() * x;
    cross += x.transpose() * wanted;
  }
  gram.diagonal().array() += 1e-6 * gram.diagonal().mean();
  const eigen::Columns answer =
      (about_mean(states.back()) * gram.ldlt().solve(cross)).rowwise() + wanted.colwise().mean();
  double right = 0;
  for (Index s = 0; s < samples; ++s) {
    Index best = 0;
    answer.row(s).maxCoeff(&best);
    right += best == classes[static_cast<std::size_t>(s)];
  }
  return right / static_cast<double>(samples);
}

}  // namespace

Metric separability(Repeats states, std::span<const std::int64_t> labels) {
  check_repeats("separability", states, 1);
  const Index samples = states[0].rows(), n = states[0].cols();
  if (static_cast<Index>(labels.size()) != samples)
    throw ShapeMismatch("separability: labels", std::to_string(labels.size()), std::to_string(samples) + " samples");
  std::map<std::int64_t, Index> known;
  for (const auto label : labels) known.emplace(label, 0);
  Index next = 0;
  for (auto& [label, place] : known) place = next++;
  const Index count = next;
  std::vector<Index> classes;
  for (const auto label : labels) classes.push_back(known[label]);
  const double total = static_cast<double>(samples) * static_cast<double>(states.size());
  if (count < 2 || total <= static_cast<double>(count))
    throw InvalidParameter("separability: labels", std::to_string(count) + " classes in " + shown(total) + " states",
                           "at least 2 classes and more states than classes");

  eigen::Columns means = eigen::Columns::Zero(count, n);
  Eigen::VectorXd many = Eigen::VectorXd::Zero(count);
  for (const auto& one : states)
    for (Index s = 0; s < samples; ++s) {
      means.row(classes[static_cast<std::size_t>(s)]) += eigen::map(one).row(s);
      many(classes[static_cast<std::size_t>(s)]) += 1;
    }
  means.array().colwise() /= many.array();
  double within = 0, between = 0;
  for (const auto& one : states)
    for (Index s = 0; s < samples; ++s)
      within += (eigen::map(one).row(s) - means.row(classes[static_cast<std::size_t>(s)])).squaredNorm();
  within /= total - static_cast<double>(count);
  for (Index a = 0; a < count; ++a)
    for (Index b = a + 1; b < count; ++b) between += (means.row(a) - means.row(b)).squaredNorm();
  between /= static_cast<double>(count * (count - 1)) / 2;
  return {"separability",
          std::sqrt(between / (2 * within)),
          "d = sqrt(mean |m_a - m_b|^2 / (2 s^2)) over " + std::to_string(count) +
              " classes, s^2 the variance within classes summed over nodes",
          {{"accuracy", {held_out_accuracy(states, classes, count)}}}};
}

}  // namespace lightloop
