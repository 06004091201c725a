#include "core/stats.hpp"

#include <algorithm>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>

#include "core/error.hpp"

namespace lightloop {
namespace {

template <class T>
Moments moments_of(std::span<const T> x) {
  if (x.size() < 2) throw InvalidParameter("moments", std::to_string(x.size()) + " values", "at least 2");
  const auto n = static_cast<double>(x.size());
  double mean = 0, m2 = 0, m3 = 0, m4 = 0;
  for (const T v : x) mean += static_cast<double>(v);
  mean /= n;
  for (const T v : x) {
    const double d = static_cast<double>(v) - mean, d2 = d * d;
    m2 += d2;
    m3 += d2 * d;
    m4 += d2 * d2;
  }
  const double var = m2 / n;
  return {mean, m2 / (n - 1), m3 / n / (var * std::sqrt(var)), m4 / n / (var * var) - 3};
}

void same_length(const char* name, std::size_t a, std::size_t b) {
  if (a != b) throw ShapeMismatch(name, std::to_string(a) + " and " + std::to_string(b) + " values", "equal lengths");
}

}  // namespace

Moments moments(std::span<const float> x) { return moments_of(x); }
Moments moments(std::span<const double> x) { return moments_of(x); }

double correlation(std::span<const float> x, std::span<const float> y) {
  same_length("correlation", x.size(), y.size());
  const double mx = moments(x).mean, my = moments(y).mean;
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double dx = static_cast<double>(x[i]) - mx, dy = static_cast<double>(y[i]) - my;
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  return xy / std::sqrt(xx * yy);
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }
double normal_p_value(double z) { return std::erfc(std::abs(z) / std::numbers::sqrt2); }

double ks_statistic(std::span<float> x, const std::function<double(double)>& cdf) {
  std::sort(x.begin(), x.end());
  const auto n = static_cast<double>(x.size());
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double f = cdf(static_cast<double>(x[i]));
    worst = std::max({worst, static_cast<double>(i + 1) / n - f, f - static_cast<double>(i) / n});
  }
  return worst;
}

double ks_statistic(std::span<float> x, std::span<float> y) {
  std::sort(x.begin(), x.end());
  std::sort(y.begin(), y.end());
  double worst = 0;
  for (std::size_t i = 0, j = 0; i < x.size() && j < y.size();) {
    const float at = std::min(x[i], y[j]);
    while (i < x.size() && x[i] <= at) ++i;
    while (j < y.size() && y[j] <= at) ++j;
    worst = std::max(worst, std::abs(static_cast<double>(i) / static_cast<double>(x.size()) -
                                     static_cast<double>(j) / static_cast<double>(y.size())));
  }
  return worst;
}

double ks_p_value(double statistic, double n) {
  const double root = std::sqrt(n), t = (root + 0.12 + 0.11 / root) * statistic;
  double sum = 0;
  if (t < 1) {  // the theta function's other form converges where the alternating one does not
    if (t < 0.05) return 1;
    constexpr double kPi = std::numbers::pi;
    for (int k = 1; k < 20; k += 2) sum += std::exp(-k * k * kPi * kPi / (8 * t * t));
    return 1 - std::sqrt(2 * kPi) / t * sum;
  }
  for (int k = 1; k < 20; ++k) sum += (k % 2 == 1 ? 2 : -2) * std::exp(-2 * k * k * t * t);
  return std::min(1., sum);
}

double chi_square(std::span<const double> observed, std::span<const double> expected) {
  same_length("chi_square", observed.size(), expected.size());
  double sum = 0;
  for (std::size_t i = 0; i < observed.size(); ++i) {
    if (!(expected[i] > 0)) throw OutOfRange("chi_square", "expected " + std::to_string(expected[i]), "> 0");
    sum += (observed[i] - expected[i]) * (observed[i] - expected[i]) / expected[i];
  }
  return sum;
}

double chi_square_p_value(double statistic, double freedom) { return boost::math::gamma_q(freedom / 2, statistic / 2); }

}  // namespace lightloop
