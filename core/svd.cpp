#include "core/svd.hpp"

#include <Eigen/QR>
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

/// The Q of a Gaussian matrix, its columns with the phases of R's diagonal: F. Mezzadri, Notices AMS 54, 592 (2007).
Dense haar(Index n, const Stream& stream, std::uint64_t first_row) {
  Dense gaussian(n, n);
  for (Index r = 0; r < n; ++r)
    for (Index c = 0; c < n; ++c) {
      const auto row = first_row + static_cast<std::uint64_t>(r), column = 2 * static_cast<std::uint64_t>(c);
      gaussian(r, c) = {stream.normal(row, column), stream.normal(row, column + 1)};
    }
  const Eigen::HouseholderQR<Dense> done(gaussian);
  Dense q = done.householderQ();
  for (Index c = 0; c < n; ++c) q.col(c) *= std::polar(1.0, std::arg(done.matrixQR()(c, c)));
  return q;
}

void turn_columns(Matrix<Complex>& m, Index first, const Dense& by) {
  Eigen::Map<Dense> all(m.data(), m.rows(), m.cols());
  all.middleCols(first, by.cols()) = (all.middleCols(first, by.cols()) * by).eval();
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

void turn_free_vectors(Svd& parts, const Stream& stream) {
  const auto count = static_cast<Index>(parts.s.size());
  const auto value = [&](Index k) { return parts.s[static_cast<std::size_t>(k)]; };
  const double near = 1e-9 * value(0);
  Index from = 0;
  while (from < count && value(from) > near) {
    Index to = from + 1;
    while (to < count && value(to) > value(from) - near) ++to;
    if (to - from > 1) {
      const Dense by = haar(to - from, stream, static_cast<std::uint64_t>(from));
      turn_columns(parts.u, from, by);
      turn_columns(parts.v, from, by);
    }
    from = to;
  }
  constexpr std::uint64_t kBeside = std::uint64_t{1} << 32;
  const auto row = static_cast<std::uint64_t>(from);
  if (from < parts.u.cols()) turn_columns(parts.u, from, haar(parts.u.cols() - from, stream, row));
  if (from < parts.v.cols()) turn_columns(parts.v, from, haar(parts.v.cols() - from, stream, row + kBeside));
}

}  // namespace lightloop
