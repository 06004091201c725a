#include "core/tensor_train.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <complex>

#include "core/error.hpp"
#include "core/random.hpp"

namespace lightloop {
namespace {

Matrix<double> gaussian(Index rows, Index cols, std::uint64_t set) {
  Matrix<double> m(rows, cols);
  const Stream stream(7, set, Purpose::user);
  for (Index i = 0; i < m.size(); ++i) m.data()[i] = stream.normal(0, static_cast<std::uint64_t>(i));
  return m;
}

double distance(const Matrix<double>& a, const Matrix<double>& b) {
  double sum = 0, norm = 0;
  for (Index i = 0; i < a.size(); ++i) {
    sum += (a.data()[i] - b.data()[i]) * (a.data()[i] - b.data()[i]);
    norm += b.data()[i] * b.data()[i];
  }
  return std::sqrt(sum / norm);
}

double frobenius(const Matrix<double>& a) {
  double sum = 0;
  for (const double value : a.flat()) sum += value * value;
  return std::sqrt(sum);
}

/// A matrix that is a train of rank 3 exactly.
Matrix<double> smooth() {
  TensorTrain t{{3, 2, 4}, {2, 5, 3}, train_ranks({3, 2, 4}, {2, 5, 3}, 3), {}};
  for (std::size_t k = 0; k < 3; ++k)
    t.cores.push_back(gaussian(t.ranks[k] * t.rows[k], t.cols[k] * t.ranks[k + 1], 10 + k));
  return t.matrix();
}

/// Mean squared relative error of the matrix when every core gets `error` of its norm, over draws.
double expected_error(const TensorTrain& t, const Matrix<double>& w, double error) {
  double sum = 0;
  for (std::uint64_t draw = 0; draw < 200; ++draw) {
    TensorTrain noisy = t;
    for (std::size_t k = 0; k < t.cores.size(); ++k) {
      const Matrix<double> xi = gaussian(t.cores[k].rows(), t.cores[k].cols(), 1000 + 10 * draw + k);
      double norm = 0;
      for (const double value : t.cores[k].flat()) norm += value * value;
      const double sd = error * std::sqrt(norm / static_cast<double>(xi.size()));
      for (Index i = 0; i < xi.size(); ++i) noisy.cores[k].data()[i] += sd * xi.data()[i];
    }
    sum += std::pow(distance(noisy.matrix(), w), 2) / 200;
  }
  return sum;
}

}  // namespace

TEST_CASE("factors multiply to what was asked, as evenly as primes allow") {
  CHECK(balanced_factors(784, 2) == std::vector<Index>{28, 28});
  CHECK(balanced_factors(1024, 5) == std::vector<Index>{4, 4, 4, 4, 4});
  CHECK(balanced_factors(13, 3) == std::vector<Index>{13, 1, 1});
  CHECK(balanced_factors(1, 2) == std::vector<Index>{1, 1});
  for (Index n = 1; n < 200; ++n) {
    Index all = 1;
    for (const Index f : balanced_factors(n, 3)) all *= f;
    CHECK(all == n);
  }
}

TEST_CASE("element by element a train is the product of its small matrices") {
  const Matrix<double> w = smooth();
  TensorTrain t{{3, 2, 4}, {2, 5, 3}, {1, 3, 3, 1}, {}};
  for (std::size_t k = 0; k < 3; ++k)
    t.cores.push_back(gaussian(t.ranks[k] * t.rows[k], t.cols[k] * t.ranks[k + 1], 10 + k));
  double worst = 0;
  for (Index i = 0; i < 24; ++i)
    for (Index j = 0; j < 30; ++j) {
      const Index is[3] = {i / 8, i / 4 % 2, i % 4}, js[3] = {j / 15, j / 3 % 5, j % 3};
      std::vector<double> row{1};
      for (std::size_t k = 0; k < 3; ++k) {
        std::vector<double> next(static_cast<std::size_t>(t.ranks[k + 1]));
        for (std::size_t a = 0; a < row.size(); ++a)
          for (std::size_t b = 0; b < next.size(); ++b)
            next[b] += row[a] * t.cores[k](static_cast<Index>(a) * t.rows[k] + is[k],
                                           js[k] * t.ranks[k + 1] + static_cast<Index>(b));
        row = next;
      }
      worst = std::max(worst, std::abs(row[0] - w(i, j)));
    }
  CHECK(worst < 1e-12);
}

TEST_CASE("full rank is exact, a train of low rank is found again, less rank costs what was cut off") {
  const Matrix<double> any = gaussian(24, 30, 1), low = smooth();
  CHECK(distance(tensor_train(any, {3, 2, 4}, {2, 5, 3}, 100).matrix(), any) < 1e-6);
  const TensorTrain found = tensor_train(low, {3, 2, 4}, {2, 5, 3}, 3);
  CHECK(distance(found.matrix(), low) < 1e-6);
  CHECK(found.parameters() == 3 * 2 * 3 + 3 * 2 * 5 * 3 + 3 * 4 * 3);
  double last = 1;
  for (const Index rank : {1, 2, 4, 8}) {
    const double error = distance(tensor_train(any, {3, 2, 4}, {2, 5, 3}, rank).matrix(), any);
    CHECK(error < last);
    last = error;
  }
  // 1024 x 1024 as five cores of 4 x 4 with rank 8: 3328 numbers for 1048576
  const auto ranks = train_ranks({4, 4, 4, 4, 4}, {4, 4, 4, 4, 4}, 8);
  CHECK(ranks == std::vector<Index>{1, 8, 8, 8, 8, 1});
  CHECK_THROWS_AS(tensor_train(any, {3, 2}, {2, 5, 3}, 3), ShapeMismatch);
  CHECK_THROWS_AS(tensor_train(any, {3, 2, 5}, {2, 5, 3}, 3), ShapeMismatch);
}

TEST_CASE("complex cores: the matrix is linear in each, with the gradient that says so") {
  const std::vector<Index> rows{3, 2, 4}, cols{2, 5, 3}, ranks{1, 3, 2, 1};
  std::vector<Matrix<std::complex<double>>> cores;
  for (std::size_t k = 0; k < 3; ++k) {
    const Matrix<double> re = gaussian(ranks[k] * rows[k], cols[k] * ranks[k + 1], 20 + k),
                         im = gaussian(re.rows(), re.cols(), 30 + k);
    Matrix<std::complex<double>> core(re.rows(), re.cols());
    for (Index i = 0; i < core.size(); ++i) core.data()[i] = {re.data()[i], im.data()[i]};
    cores.push_back(core);
  }
  const Matrix<double> g = gaussian(24, 30, 40);
  const auto value = [&](const std::vector<Matrix<std::complex<double>>>& with) {
    const auto w = train_matrix(rows, cols, with);
    double sum = 0;
    for (Index i = 0; i < w.size(); ++i) sum += g.data()[i] * w.data()[i].real();
    return sum;
  };
  const auto gradient = train_gradient(rows, cols, cores, g);
  for (std::size_t k = 0; k < 3; ++k) {
    auto moved = cores;
    const std::complex<double> step(0.3, -0.7);
    moved[k].data()[4] += step;
    CHECK(value(moved) - value(cores) == Approx((gradient[k].data()[4] * step).real()).epsilon(1e-9));
  }
}

TEST_CASE("balancing leaves the matrix and makes errors of all cores count alike") {
  for (const Matrix<double>& w : {gaussian(24, 30, 2), smooth()}) {
    TensorTrain t = tensor_train(w, {3, 2, 4}, {2, 5, 3}, 6);
    const Matrix<double> before = t.matrix();
    balance(t);
    CHECK(distance(t.matrix(), before) < 1e-6);
    CHECK(frobenius(t.cores[0]) == Approx(frobenius(t.cores[2])));
    CHECK(frobenius(t.cores[0]) == Approx(frobenius(t.cores[1])));
  }
  TensorTrain zero = tensor_train(Matrix<double>(4, 4), {2, 2}, {2, 2}, 2);
  balance(zero);
  CHECK(frobenius(zero.matrix()) == 0);
}

TEST_CASE("least squares over cores improve a train that was cut, hardened cores err less where cores err") {
  const Matrix<double> w = gaussian(24, 30, 3);
  TensorTrain cut = tensor_train(w, {3, 2, 4}, {2, 5, 3}, 4), refined = cut, hard = cut;
  harden(refined, w, 0, 20);
  CHECK(distance(refined.matrix(), w) < distance(cut.matrix(), w));
  harden(hard, w, 0.3, 20);
  const double plain = expected_error(cut, w, 0.3), fitted = expected_error(refined, w, 0.3),
               least = expected_error(hard, w, 0.3);
  INFO("cut " << plain << ", refined " << fitted << ", hardened " << least);
  CHECK(least < 0.97 * plain);
  CHECK(least < 0.98 * fitted);
}

}  // namespace lightloop
