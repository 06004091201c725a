#pragma once
// Linear equations with a symmetric positive matrix.
#include <string>

#include "core/array.hpp"

namespace lightloop {

/// Solves (k + penalty) a = y by Cholesky's decomposition; y and a hold one right-hand side per row. Only the lower
/// half of k is read. Throws InvalidParameter where k + penalty is not positive definite; `name` is what its hint calls
/// the penalty.
Matrix<double> solve_positive(const Matrix<double>& k, double penalty, const Matrix<double>& y,
                              const std::string& name = "penalty");

/// Sum of products, in a fixed order.
double inner_product(const double* a, const double* b, Index n);

}  // namespace lightloop
