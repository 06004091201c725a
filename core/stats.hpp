#pragma once
// Moments and tests of goodness of fit, for the statistical tests of every room. All p-values are of the null "the data
// follow the stated law"; two-sided where a deviation can have two signs.
#include <functional>
#include <span>

namespace lightloop {

/// Sample moments: variance with n - 1, skewness and excess kurtosis as plain ratios of central moments.
struct Moments {
  double mean = 0, variance = 0, skewness = 0, kurtosis = 0;
};
/// Throws InvalidParameter for fewer than two values.
Moments moments(std::span<const float> x);
Moments moments(std::span<const double> x);

/// Pearson's correlation coefficient; NaN where one side is constant. Throws ShapeMismatch.
double correlation(std::span<const float> x, std::span<const float> y);

double normal_cdf(double z);
/// P(|Z| >= |z|) of a standard normal Z.
double normal_p_value(double z);

/// Largest distance between the empirical distribution function of `x` (sorted here, in place) and `cdf`.
double ks_statistic(std::span<float> x, const std::function<double(double)>& cdf);
/// Largest distance between two empirical distribution functions; both spans are sorted in place. Ties are allowed.
double ks_statistic(std::span<float> x, std::span<float> y);
/// P(D >= statistic) for n values: Kolmogorov's limit law with Stephens' correction for finite n (Stephens 1970; good
/// for n >= 5). For two samples n = n1 n2 / (n1 + n2). Conservative for discrete laws.
double ks_p_value(double statistic, double n);

/// Pearson's sum of (observed - expected)^2 / expected. Throws ShapeMismatch, and OutOfRange where expected <= 0.
double chi_square(std::span<const double> observed, std::span<const double> expected);
/// P(X >= statistic) for a chi-square law of `freedom` degrees.
double chi_square_p_value(double statistic, double freedom);

}  // namespace lightloop
