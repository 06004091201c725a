#include "training/metrics/lyapunov.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lightloop {
namespace {

double norm(std::span<const double> x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum);
}

double distance(std::span<const double> x, std::span<const double> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return std::sqrt(sum);
}

/// Least-squares slope of y over 0, 1, 2, ...
double slope(std::span<const double> y) {
  const double n = static_cast<double>(y.size()), middle = (n - 1) / 2;
  double xy = 0, xx = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double x = static_cast<double>(i) - middle;
    xy += x * y[i];
    xx += x * x;
  }
  return xy / xx;
}

}  // namespace

Metric largest_lyapunov(const Flow& flow, std::vector<double> state, const LyapunovSettings& s) {
  constexpr Index kBlocks = 20;
  const Index rounds = s.every > 0 ? s.steps / s.every : 0;
  if (state.empty() || !(s.step > 0) || s.transient < 0 || rounds < kBlocks || !(s.distance > 0 && s.distance < 1e-2))
    throw InvalidParameter("largest_lyapunov: settings", std::to_string(rounds) + " renormalisations",
                           "step > 0, a state, a distance between 0 and 0.01, at least 20 renormalisations");
  Index now = 0;
  for (; now < s.transient; ++now) flow(state, now);
  const double scale = std::max(norm(state), 1e-300);
  const double apart = s.distance * scale;
  std::vector<double> other = state;
  for (double& v : other) v += apart / std::sqrt(static_cast<double>(state.size()));
  std::vector<double> blocks(kBlocks, 0.0);
  for (Index round = 0; round < rounds; ++round) {
    const double before = distance(state, other);
    for (Index i = 0; i < s.every; ++i, ++now) {
      flow(state, now);
      flow(other, now);
    }
    const double after = distance(state, other);
    if (!std::isfinite(after)) throw InvalidParameter("largest_lyapunov: state", "not finite", "a bounded flow");
    if (after == 0)
      throw InvalidParameter("largest_lyapunov: distance", "0", "copies that stay apart", "Renormalise more often.");
    blocks[static_cast<std::size_t>(round * kBlocks / rounds)] += std::log(after / before);
    for (std::size_t i = 0; i < state.size(); ++i) other[i] = state[i] + (other[i] - state[i]) * apart / after;
  }
  // Blocks differ by at most one round; each is weighted by its own length.
  double sum = 0, squares = 0;
  for (Index b = 0; b < kBlocks; ++b) {
    const Index first = (b * rounds + kBlocks - 1) / kBlocks, last = ((b + 1) * rounds + kBlocks - 1) / kBlocks;
    const double rate = blocks[static_cast<std::size_t>(b)] / (static_cast<double>((last - first) * s.every) * s.step);
    squares += rate * rate;
    sum += blocks[static_cast<std::size_t>(b)];
  }
  const double mean = sum / (static_cast<double>(rounds * s.every) * s.step);
  const double error = std::sqrt(std::max(squares / kBlocks - mean * mean, 0.0) / (kBlocks - 1));
  return {
      "largest_lyapunov",
      mean,
      "mean log growth of two copies per unit time, " + std::to_string(rounds) + " renormalisations of the whole state",
      {{"error", {error}}}};
}

Metric conditional_lyapunov(View<const double> first, View<const double> second, double step, double floor) {
  const View<const double> both[] = {first, second};
  check_repeats("conditional_lyapunov", both, 2);
  if (!(step > 0) || !(floor > 0 && floor < 1))
    throw OutOfRange("conditional_lyapunov: step, floor", shown(step) + ", " + shown(floor),
                     "above 0; between 0 and 1");
  std::vector<double> logs;
  const double start = distance(first.row(0), second.row(0));
  if (start == 0)
    throw InvalidParameter("conditional_lyapunov: responses", "equal from the start", "two initial states");
  for (Index t = 0; t < first.rows(); ++t) {
    const double apart = distance(first.row(t), second.row(t));
    if (apart <= floor * start) break;
    logs.push_back(std::log(apart));
  }
  if (logs.size() < 4)
    throw InvalidParameter("conditional_lyapunov: rows above the floor", std::to_string(logs.size()), "at least 4",
                           "Sample more often, or lower the floor.");
  return {"conditional_lyapunov",
          slope(logs) / step,
          "slope of the log distance of two responses to one drive, from the start to " + shown(floor) + " of it",
          {{"used", {static_cast<double>(logs.size())}}}};
}

Metric series_lyapunov(View<const double> series, double step, Index theiler, Index fit) {
  check_states("series_lyapunov", series);
  const Index usable = series.rows() - fit;
  if (!(step > 0) || theiler < 1 || fit < 3 || usable < 2 * theiler + 10)
    throw OutOfRange("series_lyapunov: times", std::to_string(series.rows()),
                     "at least 2 theiler + fit + 10 with fit >= 3 and theiler >= 1", "Give a longer series.");
  std::vector<double> sum(static_cast<std::size_t>(fit)), count(static_cast<std::size_t>(fit));
  for (Index t = 0; t < usable; ++t) {
    double best = std::numeric_limits<double>::infinity();
    Index near = -1;
    for (Index r = 0; r < usable; ++r) {
      if (std::abs(r - t) <= theiler) continue;
      double square = 0;
      for (Index c = 0; c < series.cols() && square < best; ++c)
        square += (series(t, c) - series(r, c)) * (series(t, c) - series(r, c));
      if (square < best && square > 0) best = square, near = r;
    }
    if (near < 0) continue;
    for (Index k = 0; k < fit; ++k) {
      const double apart = distance(series.row(t + k), series.row(near + k));
      if (!(apart > 0)) continue;
      sum[static_cast<std::size_t>(k)] += std::log(apart);
      count[static_cast<std::size_t>(k)] += 1;
    }
  }
  if (*std::ranges::min_element(count) == 0)
    throw InvalidParameter("series_lyapunov: series", "repeats itself", "neighbours that part");
  for (std::size_t k = 0; k < sum.size(); ++k) sum[k] /= count[k];
  return {"series_lyapunov",
          slope(sum) / step,
          "Rosenstein: slope of the mean log distance of nearest neighbours over " + std::to_string(fit) +
              " steps, neighbours at least " + std::to_string(theiler) + " steps apart",
          {{"curve", sum}}};
}

}  // namespace lightloop
