#include "core/tensor_train.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/svd.hpp"

namespace lightloop {
namespace {

using Dense = Matrix<double>;

Index product(const std::vector<Index>& factors) {
  return std::accumulate(factors.begin(), factors.end(), Index{1}, std::multiplies<>());
}

template <class T>
Matrix<T> times(const Matrix<T>& a, const Matrix<T>& b) {
  Matrix<T> c(a.rows(), b.cols());
  for (Index i = 0; i < a.rows(); ++i)
    for (Index k = 0; k < a.cols(); ++k) {
      const T factor = a(i, k);
      const T* row = b.data() + k * b.cols();
      for (Index j = 0; j < b.cols(); ++j) c(i, j) += factor * row[j];
    }
  return c;
}

template <class T>
Matrix<T> transposed(const Matrix<T>& a) {
  Matrix<T> t(a.cols(), a.rows());
  for (Index i = 0; i < a.rows(); ++i)
    for (Index j = 0; j < a.cols(); ++j) t(j, i) = a(i, j);
  return t;
}

template <class T>
Matrix<T> reshaped(Matrix<T> a, Index rows, Index cols) {
  LIGHTLOOP_ASSERT(rows * cols == a.size());
  a.resize(rows, cols);
  return a;
}

double square(const Dense& a) { return std::inner_product(a.data(), a.data() + a.size(), a.data(), 0.0); }

struct RealSvd {
  Dense u, v;
  std::vector<double> s;
};

/// Of a square matrix; each pair of vectors is real up to a phase that both share.
RealSvd real_svd(const Dense& a) {
  Matrix<Complex> complex(a.rows(), a.cols());
  std::copy_n(a.data(), a.size(), complex.data());
  const Svd parts = svd(complex);
  RealSvd real{Dense(a.rows(), a.rows()), Dense(a.rows(), a.rows()), parts.s};
  for (Index j = 0; j < a.rows(); ++j) {
    Index largest = 0;
    for (Index i = 1; i < a.rows(); ++i)
      if (std::abs(parts.u(i, j)) > std::abs(parts.u(largest, j))) largest = i;
    const Complex turn = std::conj(parts.u(largest, j)) / std::abs(parts.u(largest, j));
    for (Index i = 0; i < a.rows(); ++i) {
      real.u(i, j) = (parts.u(i, j) * turn).real();
      real.v(i, j) = (parts.v(i, j) * turn).real();
    }
  }
  return real;
}

/// The tensor of w with its modes in pairs, (i_1 j_1), (i_2 j_2), ..: one row of m_1 n_1 .. m_d n_d numbers. And back.
template <class Visit>
void in_pairs(const std::vector<Index>& rows, const std::vector<Index>& cols, Visit visit) {
  const std::size_t d = rows.size();
  const Index size = product(rows) * product(cols);
  for (Index at = 0; at < size; ++at) {
    Index rest = at, i = 0, j = 0, i_step = 1, j_step = 1;
    for (std::size_t k = d; k-- > 0;) {
      j += rest % cols[k] * j_step;
      rest /= cols[k];
      i += rest % rows[k] * i_step;
      rest /= rows[k];
      i_step *= rows[k];
      j_step *= cols[k];
    }
    visit(at, i, j);
  }
}

/// A core as (r_(k-1), m n r_k), elements (a, (i, j, b)); as (r_(k-1) m n, r_k) it has the same memory.
Dense wide(const TensorTrain& t, std::size_t k) {
  return reshaped(t.cores[k], t.ranks[k], t.rows[k] * t.cols[k] * t.ranks[k + 1]);
}
void set(TensorTrain& t, std::size_t k, Dense core) {
  t.cores[k] = reshaped(std::move(core), t.ranks[k] * t.rows[k], t.cols[k] * t.ranks[k + 1]);
}

template <class T>
Matrix<T> one() {
  Matrix<T> m(1, 1);
  m(0, 0) = 1;
  return m;
}

/// G_1 .. G_(k-1) as (m_1 n_1 .. , r_(k-1)), and G_(k+1) .. G_d as (r_k, ..).
template <class T>
Matrix<T> left_of(const std::vector<Matrix<T>>& cores, const std::vector<Index>& rows, std::size_t k) {
  Matrix<T> left = one<T>();
  for (std::size_t q = 0; q < k; ++q) {
    const Index r0 = cores[q].rows() / rows[q], width = cores[q].size() / r0, height = left.rows();
    const Matrix<T> next = times(left, reshaped(cores[q], r0, width));
    const Index mn = q + 1 < cores.size() ? width * rows[q + 1] / cores[q + 1].rows() : width;
    left = reshaped(next, height * mn, width / mn);
  }
  return left;
}
template <class T>
Matrix<T> right_of(const std::vector<Matrix<T>>& cores, const std::vector<Index>& rows, std::size_t k) {
  Matrix<T> right = one<T>();
  for (std::size_t q = cores.size(); q-- > k + 1;) {
    const Index r1 = right.rows(), far = right.cols(), r0 = cores[q].rows() / rows[q];
    right = reshaped(times(reshaped(cores[q], cores[q].size() / r1, r1), right), r0, cores[q].size() / (r0 * r1) * far);
  }
  return right;
}
Dense left_of(const TensorTrain& t, std::size_t k) { return left_of(t.cores, t.rows, k); }
Dense right_of(const TensorTrain& t, std::size_t k) { return right_of(t.cores, t.rows, k); }

template <class T>
Matrix<T> assembled(const std::vector<Matrix<T>>& cores, const std::vector<Index>& rows,
                    const std::vector<Index>& cols) {
  const Matrix<T> all = left_of(cores, rows, cores.size());
  Matrix<T> w(product(rows), product(cols));
  in_pairs(rows, cols, [&](Index at, Index i, Index j) { w(i, j) = all.data()[at]; });
  return w;
}

Dense paired(View<const double> w, const std::vector<Index>& rows, const std::vector<Index>& cols) {
  Dense tensor(1, w.rows() * w.cols());
  in_pairs(rows, cols, [&](Index at, Index i, Index j) { tensor(0, at) = w(i, j); });
  return tensor;
}

}  // namespace

Index TensorTrain::parameters() const {
  Index sum = 0;
  for (const Dense& core : cores) sum += core.size();
  return sum;
}

Matrix<double> TensorTrain::matrix() const { return assembled(cores, rows, cols); }

Matrix<Complex> train_matrix(const std::vector<Index>& rows, const std::vector<Index>& cols,
                             const std::vector<Matrix<Complex>>& cores) {
  return assembled(cores, rows, cols);
}

std::vector<Matrix<Complex>> train_gradient(const std::vector<Index>& rows, const std::vector<Index>& cols,
                                            const std::vector<Matrix<Complex>>& cores, View<const double> g) {
  const Dense tensor = paired(g, rows, cols);
  Matrix<Complex> complex(1, tensor.size());
  std::copy_n(tensor.data(), tensor.size(), complex.data());
  std::vector<Matrix<Complex>> gradient;
  for (std::size_t k = 0; k < cores.size(); ++k) {
    const Matrix<Complex> left = left_of(cores, rows, k), right = right_of(cores, rows, k);
    const Index r0 = left.cols(), mn = rows[k] * cols[k];
    const Matrix<Complex> seen =
        reshaped(times(transposed(left), reshaped(complex, left.rows(), mn * right.cols())), r0 * mn, right.cols());
    gradient.push_back(reshaped(times(seen, transposed(right)), cores[k].rows(), cores[k].cols()));
  }
  return gradient;
}

std::vector<Index> balanced_factors(Index size, Index count) {
  std::vector<Index> factors(static_cast<std::size_t>(count), 1), primes;
  for (Index p = 2; size > 1; ++p) {
    if (p * p > size) p = size;
    for (; size % p == 0; size /= p) primes.push_back(p);
  }
  for (std::size_t i = primes.size(); i-- > 0;) *std::ranges::min_element(factors) *= primes[i];
  std::ranges::sort(factors, std::greater<>());
  return factors;
}

std::vector<Index> train_ranks(const std::vector<Index>& rows, const std::vector<Index>& cols, Index rank) {
  const std::size_t d = rows.size();
  std::vector<Index> ranks(d + 1, rank);
  ranks[0] = ranks[d] = 1;
  for (std::size_t k = 1; k < d; ++k) ranks[k] = std::min(ranks[k], ranks[k - 1] * rows[k - 1] * cols[k - 1]);
  for (std::size_t k = d; k-- > 1;) ranks[k] = std::min(ranks[k], ranks[k + 1] * rows[k] * cols[k]);
  return ranks;
}

TensorTrain tensor_train(View<const double> w, const std::vector<Index>& rows, const std::vector<Index>& cols,
                         Index rank) {
  if (rows.empty() || rows.size() != cols.size() || product(rows) != w.rows() || product(cols) != w.cols())
    throw ShapeMismatch(
        "tensor train", std::to_string(w.rows()) + " x " + std::to_string(w.cols()),
        "the products of " + std::to_string(rows.size()) + " and " + std::to_string(cols.size()) + " factors");
  TensorTrain t{rows, cols, train_ranks(rows, cols, rank), std::vector<Dense>(rows.size())};
  Dense rest = paired(w, rows, cols);
  for (std::size_t k = 0; k + 1 < rows.size(); ++k) {
    const Index height = t.ranks[k] * rows[k] * cols[k], r = t.ranks[k + 1];
    rest = reshaped(std::move(rest), height, rest.size() / height);
    Dense gram(height, height);
    for (Index a = 0; a < height; ++a)
      for (Index b = 0; b <= a; ++b)
        gram(a, b) = gram(b, a) = std::inner_product(rest.row(a).begin(), rest.row(a).end(), rest.row(b).begin(), 0.0);
    const Dense vectors = real_svd(gram).u;
    Dense kept(height, r);
    for (Index a = 0; a < height; ++a)
      for (Index b = 0; b < r; ++b) kept(a, b) = vectors(a, b);
    rest = times(transposed(kept), rest);
    set(t, k, std::move(kept));
  }
  set(t, rows.size() - 1, std::move(rest));
  return t;
}

void balance(TensorTrain& t) {
  for (std::size_t k = 0; k + 1 < t.cores.size(); ++k) {
    // Left part L, right part R of bond k + 1, Gram matrices F^T F and H^T H, F H^T = u s v^T: with X = F^-1 u s^1/2
    // and X^-1 = s^1/2 v^T H^-T both L X and X^-1 R have the Gram matrix s. Roots below 1e-7 are noise of the squaring.
    const Dense left = left_of(t, k + 1), right = right_of(t, k);
    const RealSvd gl = real_svd(times(transposed(left), left)), gr = real_svd(times(right, transposed(right)));
    const Index r = t.ranks[k + 1];
    const auto root = [](const std::vector<double>& s, Index q) {
      return std::sqrt(std::max({s[static_cast<std::size_t>(q)], 1e-14 * s.front(), 1e-300}));
    };
    Dense product_of_roots = times(transposed(gl.u), gr.u);
    for (Index a = 0; a < r; ++a)
      for (Index b = 0; b < r; ++b) product_of_roots(a, b) *= root(gl.s, a) * root(gr.s, b);
    const RealSvd bond = real_svd(product_of_roots);
    Dense x(r, r), inverse(r, r);
    for (Index a = 0; a < r; ++a)
      for (Index b = 0; b < r; ++b)
        for (Index q = 0; q < r; ++q) {
          x(a, b) += gl.u(a, q) / root(gl.s, q) * bond.u(q, b) * std::sqrt(bond.s[static_cast<std::size_t>(b)]);
          inverse(a, b) += std::sqrt(bond.s[static_cast<std::size_t>(a)]) * bond.v(q, a) / root(gr.s, q) * gr.u(b, q);
        }
    set(t, k, times(reshaped(t.cores[k], t.ranks[k] * t.rows[k] * t.cols[k], r), x));
    set(t, k + 1, times(inverse, wide(t, k + 1)));
  }
  double logarithm = 0;
  for (const Dense& core : t.cores) logarithm += std::log(std::max(square(core), 1e-300)) / 2;
  const double norm = std::exp(logarithm / static_cast<double>(t.cores.size()));
  for (Dense& core : t.cores) {
    const double own = std::sqrt(square(core));
    if (own > 0)
      for (double& value : core.flat()) value *= norm / own;
  }
}

void harden(TensorTrain& t, View<const double> w, double error, int sweeps) {
  if (product(t.rows) != w.rows() || product(t.cols) != w.cols())
    throw ShapeMismatch("tensor train: matrix", std::to_string(w.rows()) + " x " + std::to_string(w.cols()),
                        std::to_string(product(t.rows)) + " x " + std::to_string(product(t.cols)));
  const Dense tensor = paired(w, t.rows, t.cols);
  const std::size_t d = t.cores.size();
  const auto fit = [&](std::size_t k) {
    const Dense left = left_of(t, k), right = right_of(t, k);
    const Index r0 = t.ranks[k], r1 = t.ranks[k + 1], mn = t.rows[k] * t.cols[k];
    const double ridge =
        error * error * static_cast<double>(d - 1) * square(left) * square(right) / static_cast<double>(r0 * r1);
    const RealSvd gl = real_svd(times(transposed(left), left)), gr = real_svd(times(right, transposed(right)));
    const Dense seen =
        reshaped(times(transposed(left), reshaped(tensor, left.rows(), mn * right.cols())), r0 * mn, right.cols());
    const Dense turned = reshaped(times(times(seen, transposed(right)), gr.u), r0, mn * r1);
    Dense inner = times(transposed(gl.u), turned);
    for (Index a = 0; a < r0; ++a)
      for (Index at = 0; at < mn * r1; ++at) {
        const double strength = gl.s[static_cast<std::size_t>(a)] * gr.s[static_cast<std::size_t>(at % r1)];
        const double whole = strength + ridge;
        inner(a, at) = whole > 1e-14 * gl.s.front() * gr.s.front() ? inner(a, at) / whole : 0.0;
      }
    set(t, k, times(reshaped(times(gl.u, inner), r0 * mn, r1), transposed(gr.u)));
  };
  balance(t);
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    for (std::size_t k = 0; k < d; ++k) fit(k);
    for (std::size_t k = d; k-- > 0;) fit(k);
    balance(t);
  }
}

}  // namespace lightloop
