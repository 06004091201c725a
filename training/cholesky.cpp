#include "training/cholesky.hpp"

#include <cmath>

#include "core/error.hpp"

namespace lightloop {

double inner_product(const double* a, const double* b, Index n) {
  constexpr Index kLanes = 8;  // sums side by side, added in a fixed order
  double sums[kLanes] = {}, total = 0;
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (Index j = 0; j < kLanes; ++j) sums[j] += a[i + j] * b[i + j];
  for (const double sum : sums) total += sum;
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

Matrix<double> solve_positive(const Matrix<double>& k, double penalty, const Matrix<double>& y,
                              const std::string& name) {
  const Index n = k.rows();
  Matrix<double> low(n, n), a(y.rows(), n);
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j <= i; ++j) {
      const double rest = k(i, j) + (i == j ? penalty : 0) - inner_product(&low(i, 0), &low(j, 0), j);
      if (i == j && !(rest > 0))
        throw InvalidParameter("matrix of equations", "not positive definite", "", "a larger " + name + " makes it so");
      low(i, j) = i == j ? std::sqrt(rest) : rest / low(j, j);
    }
  for (Index c = 0; c < y.rows(); ++c) {
    for (Index i = 0; i < n; ++i) a(c, i) = (y(c, i) - inner_product(&low(i, 0), &a(c, 0), i)) / low(i, i);
    for (Index i = n - 1; i >= 0; --i) {
      a(c, i) /= low(i, i);
      for (Index j = 0; j < i; ++j) a(c, j) -= low(i, j) * a(c, i);
    }
  }
  return a;
}

}  // namespace lightloop
