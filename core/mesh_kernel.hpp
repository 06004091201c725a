#pragma once
// Private to mesh.
#include <algorithm>

#include "core/mesh.hpp"

namespace lightloop {

/// An element by sin and cos of theta / 2 and e^{i phi}, without the phase i e^{i theta / 2} that both its outputs
/// share: (x, y) -> (sin e^{i phi} x + cos y, cos e^{i phi} x - sin y).
struct Turn {
  Index channel;
  double sin, cos;
  Complex phase;
};

/// The element on n columns of two rows, n a multiple of 4.
void turn_rows(const Turn& t, Complex* x, Complex* y, Index n);
/// Its inverse from the right, on columns (x, y) = first[0], first[1] of each row.
void turn_columns(const Turn& t, Complex* first, Index stride, Index rows);

/// out_k = atan2(y_k, x_k), about 1 ulp, for points that are not the origin; signed zeros and points on the axes exact.
/// out_k + rest_k is the angle without what pi / 4 and its multiples lose as doubles: on the axes the true one to 32
/// digits.
void angles(const double* y, const double* x, double* out, double* rest, Index n);

}  // namespace lightloop
