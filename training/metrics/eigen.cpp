#include "training/metrics/eigen.hpp"

namespace lightloop::eigen {

Columns centred(View<const double> x) {
  Columns c = map(x);
  c.rowwise() -= c.colwise().mean().eval();
  return c;
}

Columns covariance(const Columns& a, const Columns& b) { return a.transpose() * b / static_cast<double>(a.rows()); }

}  // namespace lightloop::eigen
