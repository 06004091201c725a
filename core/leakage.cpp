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

namespace {

/// P(lost < N <= last), N Poisson of that mean.
double poisson_kept(double lost, double last, double mean) {
  using namespace boost::math::policies;
  constexpr policy<promote_double<false>> kAsDouble;  // of large counts ten times as fast
  const auto at_most = [&](double n) { return n < 0 ? 0 : boost::math::gamma_q(n + 1, mean, kAsDouble); };
  return at_most(last) - at_most(lost);
}

/// Scales are searched piece by piece, downwards: where the counts that are read as the level stay the same, from
/// `lost` + 1 to `last`, their probability is smooth in the mean, s p, and has one maximum.
struct PoissonSearch {
  static constexpr double kClose = 1e-5;  ///< assumed: of the leakage, below what anybody measures
  static constexpr double kFew = 8;       ///< assumed: with more counts than that a step, the bound falls as s grows
  double leakage, precision;
  double below = std::ceil(precision - 0.5) - 0.5, above = below + 1;  ///< of the level, in steps
  double nearest = 0, distance = 2;  ///< scale of the nearest leakage so far, and how far that is
  double most = 0;                   ///< largest leakage so far

  double excess(double lost, double last, double s) const {
    return 1 - poisson_kept(lost, last, s * precision) - leakage;
  }
  /// Bound of the leakage at s, without jumps.
  double at_least(double s) const { return 1 - poisson_kept(below * s - 1, above * s, s * precision); }

  /// The root between two scales of one piece between which the leakage is monotone; 0: there is none.
  double root(double lost, double last, double low, double high) {
    const double at_low = excess(lost, last, low), at_high = excess(lost, last, high);
    for (const auto& [s, at] : {std::pair{low, at_low}, {high, at_high}}) {
      most = std::max(most, at + leakage);
      if (std::abs(at) < distance) {
        distance = std::abs(at);
        nearest = s;
      }
    }
    if ((at_low > 0) == (at_high > 0)) return 0;
    for (int i = 0; i < 100; ++i) {  // to the rounding of a double
      const double middle = low + (high - low) / 2;
      ((excess(lost, last, middle) > 0) == (at_low > 0) ? low : high) = middle;
    }
    return low;
  }

  /// The largest scale below s with that leakage; 0: there is none.
  double down_from(double s) {
    double last = std::floor(above * s), lost = below > 0 ? std::floor(below * s) : -1;
    while (s > 1 / precision && (s < kFew || at_least(s) < leakage + distance)) {
      const double of_last = last / above, of_lost = lost > 0 ? lost / below : 0;
      const double end = std::max({of_last, of_lost, 1 / precision});
      const double low = end * (1 + 1e-12), high = s * (1 - 1e-12);  // the ends' counts are those of this piece
      if (low < high) {
        const double turn =  // where kept counts are likeliest
            lost < 0 || lost == last
                ? low
                : std::exp((std::lgamma(last + 1) - std::lgamma(lost + 1)) / (last - lost)) / precision;
        const double between = std::clamp(turn, low, high);
        if (const double found = root(lost, last, between, high); found > 0) return found;
        if (const double found = root(lost, last, low, between); found > 0) return found;
      }
      if (distance < kClose * leakage) return nearest;
      if (end == of_last) --last;
      if (end == of_lost) --lost;
      s = end;
    }
    return 0;
  }
};

}  // namespace

double poisson_leakage(double s, double precision) {
  check(s, precision, "scale", 0, 1e300);
  const double mean = s * precision, level = std::ceil(precision - 0.5);
  if (!(mean >= 1)) throw OutOfRange("noise: scale x precision", std::to_string(mean), "at least 1");
  return 1 - poisson_kept(std::floor((level - 0.5) * s), std::floor((level + 0.5) * s), mean);
}

double poisson_scale_for_leakage(double leakage, double precision) {
  check(leakage, precision, "leakage", 1e-300, 1 - 1e-16);
  PoissonSearch search{leakage, precision};
  // down from where a normal law of that many carriers leaks much less, to where they leak more
  const double normal = boost::math::erfc_inv(leakage);
  double high = std::max(2 / precision, 32 * precision * normal * normal + 4), low = high;
  while (low * precision >= 1 && poisson_leakage(low, precision) <= leakage) {
    high = low;
    low /= 1.01;
  }
  for (int i = 0; i < 60 && low * precision >= 1; ++i) {
    const double middle = low + (high - low) / 2;
    (poisson_leakage(middle, precision) > leakage ? low : high) = middle;
  }
  constexpr double kPieces = 50;  // assumed: that many more, for a scale where it jumps back
  if (const double found = search.down_from(high + kPieces / search.above); found > 0) return found;
  if (search.most < leakage)
    throw OutOfRange(
        "noise: leakage", std::to_string(leakage),
        "at most " + std::to_string(search.most) + ", what the noise of carriers can be at this precision");
  return search.nearest;
}

void add_noise(NoiseLaw law, double scale, const Stream& stream, std::uint64_t row, std::span<float> x,
               std::uint64_t first) {
  float draws[256];
  const auto size = static_cast<float>(scale);
  for (std::size_t done = 0; done < x.size(); done += std::size(draws)) {
    const std::span<float> part(draws, std::min(std::size(draws), x.size() - done));
    if (law == NoiseLaw::gaussian) {
      stream.normal(row, first + done, part);
    } else {
      stream.uniform(row, first + done, part);
      for (float& u : part) {
        u -= 0.5f;
        if (law == NoiseLaw::laplacian) u = std::copysign(std::log1p(-2 * std::min(std::abs(u), 0.49999997f)), -u);
      }
    }
    for (std::size_t i = 0; i < part.size(); ++i) x[done + i] += size * part[i];
  }
}

void poisson_noise(double s, double precision, const Stream& stream, std::uint64_t row, std::span<float> x) {
  check(s, precision, "scale", 0, 1e300);
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
