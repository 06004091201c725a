#pragma once
// Private to mesh.
#include <algorithm>

#include "core/mesh.hpp"

namespace lightloop {

/// Columns (x, y) = first[0], first[1] of each row become (a x + b y, c x + d y).
void rotate_columns(const Complex2x2& m, Complex* first, Index stride, Index rows);

/// out_k = atan2(y_k, x_k), about 1 ulp, for points that are not the origin; signed zeros and points on the axes exact.
void angles(const double* y, const double* x, double* out, Index n);

}  // namespace lightloop
