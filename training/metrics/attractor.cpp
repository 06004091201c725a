#include "training/metrics/attractor.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <map>

#include "core/fft.hpp"

namespace lightloop {
namespace {

void same_width(const char* who, View<const double> a, View<const double> b) {
  check_states(who, a);
  if (b.rows() < 2 || b.cols() != a.cols())
    throw ShapeMismatch(std::string(who) + ": series", std::to_string(b.cols()) + " columns",
                        std::to_string(a.cols()) + " of the truth, and at least 2 rows");
}

double mean_of(View<const double> x, Index column, Index rows) {
  double sum = 0;
  for (Index t = 0; t < rows; ++t) sum += x(t, column);
  return sum / static_cast<double>(rows);
}

/// Normalised, smoothed power of one column; frequencies 1 to T/2.
std::vector<double> spectrum(View<const double> x, Index column, Index rows, double smoothing) {
  RealFft fft(rows);
  std::vector<double> series(static_cast<std::size_t>(rows));
  const double mean = mean_of(x, column, rows);
  for (Index t = 0; t < rows; ++t) series[static_cast<std::size_t>(t)] = x(t, column) - mean;
  std::vector<std::complex<double>> half(static_cast<std::size_t>(rows / 2 + 1));
  fft.forward(series, half);
  const Index count = rows / 2, reach = static_cast<Index>(std::ceil(4 * smoothing));
  std::vector<double> smooth(static_cast<std::size_t>(count));
  double total = 0;
  for (Index k = 0; k < count; ++k) {
    double sum = 0, weight = 0;
    for (Index j = std::max<Index>(0, k - reach); j <= std::min(count - 1, k + reach); ++j) {
      const double z = smoothing > 0 ? static_cast<double>(j - k) / smoothing : 0, w = std::exp(-z * z / 2);
      sum += w * std::norm(half[static_cast<std::size_t>(j + 1)]);
      weight += w;
    }
    total += smooth[static_cast<std::size_t>(k)] = sum / weight;
  }
  if (!(total > 0)) throw InvalidParameter("power_spectrum_distance: series", "constant", "a series that moves");
  for (double& p : smooth) p /= total;
  return smooth;
}

}  // namespace

Metric valid_prediction_time(View<const double> truth, View<const double> prediction, double step, double exponent,
                             double threshold) {
  same_width("valid_prediction_time", truth, prediction);
  if (!(step > 0) || !(threshold > 0) || !(exponent >= 0))
    throw OutOfRange("valid_prediction_time", shown(step) + ", " + shown(threshold) + ", " + shown(exponent),
                     "step and threshold above 0, exponent at least 0");
  double variance = 0;
  for (Index c = 0; c < truth.cols(); ++c) {
    const double mean = mean_of(truth, c, truth.rows());
    for (Index t = 0; t < truth.rows(); ++t) variance += (truth(t, c) - mean) * (truth(t, c) - mean);
  }
  const double limit = threshold * std::sqrt(variance / static_cast<double>(truth.rows()));
  const Index rows = std::min(truth.rows(), prediction.rows());
  Index valid = 0;
  for (; valid < rows; ++valid) {
    double square = 0;
    for (Index c = 0; c < truth.cols(); ++c) square += std::pow(truth(valid, c) - prediction(valid, c), 2);
    if (!(std::sqrt(square) <= limit)) break;
  }
  const double time = static_cast<double>(valid) * step;
  return {"valid_prediction_time",
          exponent > 0 ? time * exponent : time,
          "time until the error exceeds " + shown(threshold) + " of the spread of the truth, in " +
              (exponent > 0 ? "Lyapunov times of 1/" + shown(exponent) : std::string("time units")),
          {{"rows", {static_cast<double>(valid)}}}};
}

Metric state_space_divergence(View<const double> truth, View<const double> generated, Index bins) {
  same_width("state_space_divergence", truth, generated);
  check_states("state_space_divergence", generated);
  if (bins < 2 || bins > 1000) throw OutOfRange("state_space_divergence: bins", std::to_string(bins), "2 to 1000");
  constexpr double kFloor = 1e-6;
  const Index dims = std::min<Index>(3, truth.cols());
  std::vector<double> low(3), width(3);
  for (Index c = 0; c < dims; ++c) {
    double least = truth(0, c), most = truth(0, c);
    for (Index t = 0; t < truth.rows(); ++t) least = std::min(least, truth(t, c)), most = std::max(most, truth(t, c));
    if (!(most > least)) throw InvalidParameter("state_space_divergence: truth", "constant", "a series that moves");
    low[static_cast<std::size_t>(c)] = least - 0.1 * (most - least);
    width[static_cast<std::size_t>(c)] = 1.2 * (most - least) / static_cast<double>(bins);
  }
  std::map<Index, std::pair<double, double>> visited;  // bin -> share of truth, of generated
  const auto count = [&](View<const double> x, double std::pair<double, double>::*share) {
    for (Index t = 0; t < x.rows(); ++t) {
      Index bin = 0;
      for (Index c = 0; c < dims; ++c) {
        const double place = (x(t, c) - low[static_cast<std::size_t>(c)]) / width[static_cast<std::size_t>(c)];
        bin = bin * bins + static_cast<Index>(std::clamp(place, 0.0, static_cast<double>(bins) - 1));
      }
      visited[bin].*share += 1.0 / static_cast<double>(x.rows());
    }
  };
  count(truth, &std::pair<double, double>::first);
  count(generated, &std::pair<double, double>::second);
  const double norm = 1 + kFloor * static_cast<double>(visited.size());
  double divergence = 0;
  for (const auto& [bin, share] : visited)
    divergence += (share.first + kFloor) / norm * std::log((share.first + kFloor) / (share.second + kFloor));
  return {"state_space_divergence", divergence,
          "KL divergence in nats of histograms with " + std::to_string(bins) + " bins in each of the first " +
              std::to_string(dims) + " of " + std::to_string(truth.cols()) + " dimensions, floor 1e-6"};
}

Metric power_spectrum_distance(View<const double> truth, View<const double> generated, double smoothing) {
  same_width("power_spectrum_distance", truth, generated);
  check_states("power_spectrum_distance", generated);
  if (!(smoothing >= 0)) throw OutOfRange("power_spectrum_distance: smoothing", shown(smoothing), "at least 0");
  const Index rows = std::min(truth.rows(), generated.rows());
  std::vector<double> each;
  double sum = 0;
  for (Index c = 0; c < truth.cols(); ++c) {
    const auto f = spectrum(truth, c, rows, smoothing), g = spectrum(generated, c, rows, smoothing);
    double overlap = 0;
    for (std::size_t k = 0; k < f.size(); ++k) overlap += std::sqrt(f[k] * g[k]);
    each.push_back(std::sqrt(std::max(0.0, 1 - overlap)));
    sum += each.back();
  }
  return {"power_spectrum_distance",
          sum / static_cast<double>(truth.cols()),
          "Hellinger distance of spectra of " + std::to_string(rows) + " rows smoothed over " + shown(smoothing) +
              " bins, mean over dimensions",
          {{"dimensions", each}}};
}

}  // namespace lightloop
