#include "training/metrics/eigen.hpp"

#include <algorithm>

namespace lightloop::eigen {

Columns centred(View<const double> x) {
  Columns c = map(x);
  c.rowwise() -= c.colwise().mean().eval();
  return c;
}

Columns covariance(const Columns& a, const Columns& b) { return a.transpose() * b / static_cast<double>(a.rows()); }

Basis basis(const Columns& x, double tolerance) {
  const Eigen::Index few = std::min(x.rows(), x.cols());
  const Eigen::HouseholderQR<Columns> qr(x);
  const Columns r = qr.matrixQR().topRows(few).triangularView<Eigen::Upper>();
  const Eigen::BDCSVD<Columns> svd(r, Eigen::ComputeThinU);
  Basis found;
  found.singular = svd.singularValues();
  Eigen::Index rank = 0;
  while (rank < few && found.singular[rank] > tolerance * found.singular[0]) ++rank;
  found.q = Columns::Zero(x.rows(), rank);
  found.q.topRows(few) = svd.matrixU().leftCols(rank);
  found.q.applyOnTheLeft(qr.householderQ());
  return found;
}

}  // namespace lightloop::eigen
