#pragma once
// Private to mesh.
#include <algorithm>

#include "core/mesh.hpp"

namespace lightloop {

/// Columns (x, y) = first[0], first[1] of each row become (a x + b y, c x + d y).
void rotate_columns(const Complex2x2& m, Complex* first, Index stride, Index rows);

}  // namespace lightloop
