// Eigen's decompositions, instantiated here and nowhere else.
#include <algorithm>

#include "training/metrics/eigen.hpp"

namespace lightloop::eigen {

Modes modes(const Columns& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Columns> done(symmetric);
  return {done.eigenvalues(), done.eigenvectors()};
}

Eigen::VectorXd mode_values(const Columns& symmetric) {
  return Eigen::SelfAdjointEigenSolver<Columns>(symmetric, Eigen::EigenvaluesOnly).eigenvalues();
}

Thin thin_svd(const Columns& x) {
  const Eigen::BDCSVD<Columns> done(x, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return {done.matrixU(), done.matrixV(), done.singularValues()};
}

Eigen::VectorXd singular_values(const Columns& x) { return Eigen::BDCSVD<Columns>(x).singularValues(); }

double spectral_radius(const Columns& square) {
  return Eigen::EigenSolver<Columns>(square, false).eigenvalues().cwiseAbs().maxCoeff();
}

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
