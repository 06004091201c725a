#include "core/svd.hpp"

#include <Eigen/SVD>
#include <string>

#include "core/error.hpp"

namespace lightloop {
namespace {

using Dense = Eigen::Matrix<Complex, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix<Complex> copy(const Dense& from) {
  Matrix<Complex> to(from.rows(), from.cols());
  std::copy_n(from.data(), from.size(), to.data());
  return to;
}

}  // namespace

Svd svd(View<const Complex> a) {
  if (a.empty())
    throw ShapeMismatch("svd", std::to_string(a.rows()) + " x " + std::to_string(a.cols()), "a matrix with elements");
  const Eigen::Map<const Dense, 0, Eigen::OuterStride<>> matrix(a.data(), a.rows(), a.cols(),
                                                                Eigen::OuterStride<>(a.stride()));
  if (!matrix.allFinite()) throw InvalidParameter("svd", "the matrix is not finite");
  const Eigen::BDCSVD<Dense> done(matrix, Eigen::ComputeFullU | Eigen::ComputeFullV);
  const auto& values = done.singularValues();
  return {copy(done.matrixU()), copy(done.matrixV()), {values.data(), values.data() + values.size()}};
}

}  // namespace lightloop
