#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>
#include <numeric>

#include "core/threads.hpp"
#include "training/metrics/capacity.hpp"
#include "training/metrics/eigen.hpp"

namespace lightloop {
namespace {

/// One target: a product of factors (delay, degree), delays ascending.
struct Target {
  std::vector<std::pair<Index, int>> factors;
  int degree() const {
    return std::accumulate(factors.begin(), factors.end(), 0, [](int sum, auto& f) { return sum + f.second; });
  }
};

/// Every way to share `left` degrees among delays from `from` to window - 1.
void enumerate(int left, Index from, Index window, Target& begun, std::vector<Target>& all) {
  if (left == 0) {
    all.push_back(begun);
    return;
  }
  for (Index delay = from; delay < window; ++delay)
    for (int degree = 1; degree <= left; ++degree) {
      begun.factors.emplace_back(delay, degree);
      enumerate(left - degree, delay + 1, window, begun, all);
      begun.factors.pop_back();
    }
}

/// Orthonormal Legendre polynomials of degree 1..highest at each input, one after the other: (highest, T).
eigen::Rows legendre(std::span<const double> u, int highest) {
  eigen::Rows p(highest, static_cast<Index>(u.size()));
  for (std::size_t t = 0; t < u.size(); ++t) {
    double before = 1, now = u[t];
    for (int d = 1; d <= highest; ++d) {
      p(d - 1, static_cast<Index>(t)) = now * std::sqrt(2.0 * d + 1);
      const double next = ((2.0 * d + 1) * u[t] * now - d * before) / (d + 1);
      before = now;
      now = next;
    }
  }
  return p;
}

std::vector<Target> all_targets(const std::vector<Index>& delays) {
  std::vector<Target> all;
  for (std::size_t d = 0; d < delays.size(); ++d) {
    Target begun;
    enumerate(static_cast<int>(d) + 1, 0, delays[d], begun, all);
  }
  return all;
}

void check(View<const double> states, std::span<const double> input, const CapacitySettings& s, Index longest) {
  check_states("information_processing_capacity", states);
  if (static_cast<Index>(input.size()) != states.rows())
    throw ShapeMismatch("information_processing_capacity: input", std::to_string(input.size()),
                        std::to_string(states.rows()) + " of the states");
  if (s.delays.empty() || s.delays.size() > 12 || *std::ranges::min_element(s.delays) < 0)
    throw OutOfRange("information_processing_capacity: delays", std::to_string(s.delays.size()) + " degrees",
                     "1 to 12");
  for (const double u : input)
    if (!(std::abs(u) <= 1))
      throw OutOfRange("information_processing_capacity: input", shown(u), "-1 to 1, uniformly distributed");
  if (states.rows() - longest < 2 * states.cols() + 2)
    throw OutOfRange("information_processing_capacity: times", std::to_string(states.rows()),
                     "at least " + std::to_string(2 * states.cols() + 2 + longest), "Give a longer series.");
  if (!(s.significance > 0 && s.significance < 1))
    throw OutOfRange("information_processing_capacity: significance", shown(s.significance), "between 0 and 1");
}

}  // namespace

Metric information_processing_capacity(View<const double> states, std::span<const double> input,
                                       const CapacitySettings& s) {
  const Index longest = s.delays.empty() ? 0 : std::max<Index>(1, *std::ranges::max_element(s.delays));
  check(states, input, s, longest);
  const Index skip = longest - 1, times = states.rows() - skip;
  const eigen::Basis basis = eigen::basis(eigen::centred(states.rows(skip, times)), s.tolerance);
  const Index rank = basis.q.cols();
  const double n = static_cast<double>(times);
  const double threshold =
      rank == 0 ? 1
                : boost::math::quantile(boost::math::chi_squared(static_cast<double>(rank)), 1 - s.significance) / n;

  const eigen::Rows p = legendre(input, static_cast<int>(s.delays.size()));
  const std::vector<Target> targets = all_targets(s.delays);
  std::vector<double> capacity(targets.size());
  constexpr Index kBatch = 32;  // targets per product; fixed, so that bits do not depend on threads
  const Index count = static_cast<Index>(targets.size());
  parallel_for((count + kBatch - 1) / kBatch, [&](Index batch) {
    const Index first = batch * kBatch, many = std::min(kBatch, count - first);
    eigen::Columns z(times, many);
    for (Index j = 0; j < many; ++j) {
      z.col(j).setOnes();
      for (const auto& [delay, degree] : targets[static_cast<std::size_t>(first + j)].factors)
        z.col(j).array() *= p.row(degree - 1).segment(skip - delay, times).transpose().array();
      z.col(j).array() -= z.col(j).mean();
    }
    const eigen::Columns seen = basis.q.transpose() * z;
    for (Index j = 0; j < many; ++j) {
      const double all = z.col(j).squaredNorm();
      capacity[static_cast<std::size_t>(first + j)] = all > 0 ? seen.col(j).squaredNorm() / all : 0;
    }
  });

  std::vector<double> by_degree(s.delays.size()), by_delay(static_cast<std::size_t>(longest));
  double kept = 0, raw = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    raw += capacity[i];
    if (capacity[i] <= threshold) continue;
    ++kept;
    by_degree[static_cast<std::size_t>(targets[i].degree() - 1)] += capacity[i];
    by_delay[static_cast<std::size_t>(targets[i].factors.back().first)] += capacity[i];
  }
  const double total = std::accumulate(by_degree.begin(), by_degree.end(), 0.0);
  const double functions = static_cast<double>(count), r = static_cast<double>(rank);
  std::string windows;
  for (const Index d : s.delays) windows += (windows.empty() ? "" : ", ") + std::to_string(d);
  return {"information_processing_capacity",
          total,
          "sum of C = z'XX^+z / z'z above chi2inv(1 - " + shown(s.significance) +
              ", rank) / T, T = " + std::to_string(times) + ", " + std::to_string(count) +
              " products of Legendre polynomials, delays per degree " + windows + ", X and z centred, rank at " +
              shown(s.tolerance) + " of the largest singular value",
          {{"degree", by_degree},
           {"delay", by_delay},
           {"rank", {r}},
           {"threshold", {threshold}},
           {"unthresholded", {raw}},
           {"bias", {functions * r / n}},
           {"targets", {functions}},
           {"kept", {kept}}}};
}

}  // namespace lightloop
