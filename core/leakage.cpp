#include "core/leakage.hpp"

#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <vector>

#include "core/error.hpp"

namespace lightloop {
namespace {

void check(double leakage_or_scale, double precision, const char* what, double least, double most) {
  if (!(precision > 0) || !std::isfinite(precision))
    throw OutOfRange("noise: precision", std::to_string(precision), "above 0");
  if (!(leakage_or_scale >= least) || !(leakage_or_scale <= most) || !std::isfinite(leakage_or_scale))
    throw OutOfRange(std::string("noise: ") + what, std::to_string(leakage_or_scale),
                     std::string("above 0") + (most <= 1 ? " and below 1" : ""));
}

}  // namespace

double scale_for_leakage(NoiseLaw law, double leakage, double precision) {
  check(leakage, precision, "leakage", 1e-300, 1 - 1e-16);
  switch (law) {
    case NoiseLaw::gaussian:
      return 1 / (2 * std::sqrt(2.0) * precision * boost::math::erfc_inv(leakage));
    case NoiseLaw::laplacian:
      return -1 / (2 * precision * std::log(leakage));
    default:
      return 1 / (precision * (1 - leakage));
  }
}

double leakage_of(NoiseLaw law, double scale, double precision) {
  check(scale, precision, "scale", 0, 1e300);
  if (scale == 0) return 0;
  switch (law) {
    case NoiseLaw::gaussian:
      return std::erfc(1 / (2 * std::sqrt(2.0) * scale * precision));
    case NoiseLaw::laplacian:
      return std::exp(-1 / (2 * scale * precision));
    default:
      return 1 - std::min(1.0, 1 / (precision * scale));
  }
}

double standard_deviation(NoiseLaw law, double scale) {
  return law == NoiseLaw::gaussian    ? scale
         : law == NoiseLaw::laplacian ? std::sqrt(2.0) * scale
                                      : scale / std::sqrt(12);
}

double poisson_leakage(double s, double precision) {
  check(s, precision, "scale", 0, 1e300);
  const double mean = s * precision, level = std::ceil(precision - 0.5);
  if (!(mean >= 1)) throw OutOfRange("noise: scale x precision", std::to_string(mean), "at least 1");
  const auto at_most = [&](double count) { return count < 0 ? 0 : boost::math::gamma_q(count + 1, mean); };
  return 1 - (at_most(std::floor((level + 0.5) * s)) - at_most(std::floor((level - 0.5) * s)));
}

double poisson_scale_for_leakage(double leakage, double precision) {
  check(leakage, precision, "leakage", 1e-300, 1 - 1e-16);
  // down from where a normal law of that many carriers leaks much less, to the last scale that leaks more
  const double normal = boost::math::erfc_inv(leakage);
  double high = std::max(2 / precision, 32 * precision * normal * normal + 4), low = high;
  while (poisson_leakage(low, precision) <= leakage) {
    high = low;
    low /= 1.01;
    if (low * precision < 1)
      throw OutOfRange("noise: leakage", std::to_string(leakage),
                       "what the noise of carriers can be at this precision");
  }
  for (int i = 0; i < 60; ++i) {  // to the rounding of a double
    const double middle = low + (high - low) / 2;
    (poisson_leakage(middle, precision) > leakage ? low : high) = middle;
  }
  return high;
}

void add_noise(NoiseLaw law, double scale, const Stream& stream, std::uint64_t row, std::span<float> x) {
  std::vector<float> draw(x.size());
  if (law == NoiseLaw::gaussian) {
    stream.normal(row, 0, draw);
  } else {
    stream.uniform(row, 0, draw);
    for (float& u : draw) {
      u -= 0.5f;
      if (law == NoiseLaw::laplacian) u = std::copysign(std::log1p(-2 * std::min(std::abs(u), 0.49999997f)), -u);
    }
  }
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += static_cast<float>(scale) * draw[i];
}

void poisson_noise(double s, double precision, const Stream& stream, std::uint64_t row, std::span<float> x) {
  if (!(s * precision >= 1)) throw OutOfRange("noise: scale x precision", std::to_string(s * precision), "at least 1");
  std::vector<float> counts(x.size());
  const auto per_unit = static_cast<float>(s * precision);
  for (std::size_t i = 0; i < x.size(); ++i) counts[i] = std::abs(x[i]) * per_unit;
  std::vector<float> drawn(x.size());
  stream.poisson(row, 0, counts, drawn);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::copysign(drawn[i] / per_unit, x[i]);
}

void binomial_noise(std::int64_t carriers, const Stream& stream, std::uint64_t row, std::span<float> x) {
  if (carriers < 1) throw OutOfRange("binomial noise: carriers", std::to_string(carriers), "at least 1");
  for (const float value : x)
    if (!(std::abs(value) <= 1)) throw OutOfRange("binomial noise: value", std::to_string(value), "-1 to 1");
  const auto n = static_cast<float>(carriers);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::uint64_t arrived =
        stream.binomial(row, i, static_cast<std::uint64_t>(carriers), static_cast<double>(std::abs(x[i])));
    x[i] = std::copysign(static_cast<float>(arrived) / n, x[i]);
  }
}

void reduce_precision(double precision, std::span<float> x) {
  const auto p = static_cast<float>(precision);
  for (float& value : x) value = std::copysign(std::ceil(std::abs(value) * p - 0.5f) / p, value);
}

void reduce_precision_randomly(double precision, const Stream& stream, std::uint64_t row, std::span<float> x) {
  const auto p = static_cast<float>(precision);
  std::vector<float> u(x.size());
  stream.uniform(row, 0, u);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float size = std::abs(x[i]) * p, below = std::floor(size);
    x[i] = std::copysign((below + (u[i] < size - below ? 1.0f : 0.0f)) / p, x[i]);
  }
}

}  // namespace lightloop
