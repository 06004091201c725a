// CKA and linear probes against closed forms and slow definitions.
#include "training/metrics/layers.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/datasets/digits.hpp"
#include "training/layers/architecture.hpp"
#include "training/run_file.hpp"

using namespace lightloop;

namespace {

Matrix<float> normal(Index rows, Index cols, std::uint64_t seed) {
  Matrix<float> x(rows, cols);
  const Stream stream(seed, 0, Purpose::user);
  for (Index r = 0; r < rows; ++r) stream.normal(std::uint64_t(r), 0, x.row(r));
  return x;
}

/// |X^T Y|^2 / (|X^T X| |Y^T Y|) of centred columns: the other form of linear CKA.
double by_features(const Matrix<float>& x, const Matrix<float>& y) {
  const auto cross = [](const Matrix<float>& a, const Matrix<float>& b) {
    double total = 0;
    for (Index i = 0; i < a.cols(); ++i)
      for (Index j = 0; j < b.cols(); ++j) {
        double ab = 0, sa = 0, sb = 0;
        for (Index r = 0; r < a.rows(); ++r) {
          ab += double(a(r, i)) * double(b(r, j));
          sa += double(a(r, i));
          sb += double(b(r, j));
        }
        total += std::pow(ab - sa * sb / double(a.rows()), 2);
      }
    return total;
  };
  return cross(x, y) / std::sqrt(cross(x, x) * cross(y, y));
}

}  // namespace

TEST_CASE("CKA is the form over features, 1 for a rotation, a factor and a shift, and small for strangers") {
  const Matrix<float> x = normal(40, 3, 1), y = normal(40, 5, 2);
  CHECK(linear_cka(x, y) == Approx(by_features(x, y)).epsilon(1e-5));
  Matrix<float> turned(40, 3);
  for (Index r = 0; r < 40; ++r) {
    turned(r, 0) = 3 * (0.6f * x(r, 0) - 0.8f * x(r, 1)) + 7;
    turned(r, 1) = 3 * (0.8f * x(r, 0) + 0.6f * x(r, 1));
    turned(r, 2) = -3 * x(r, 2) - 1;
  }
  CHECK(linear_cka(x, turned) == Approx(1).margin(1e-5));
  CHECK(linear_cka(x, normal(40, 3, 3)) < 0.3);
  CHECK_THROWS_AS(linear_cka(x, normal(39, 3, 3)), ShapeMismatch);
}

TEST_CASE("a linear probe is ridge regression of the labels") {
  Matrix<float> x = normal(60, 2, 4), z = normal(200, 2, 5);
  std::vector<std::uint8_t> labels, test;
  for (Index r = 0; r < 60; ++r) labels.push_back(x(r, 0) + 0.5f * x(r, 1) > 0.3f);
  for (Index r = 0; r < 200; ++r) test.push_back(z(r, 0) + 0.5f * z(r, 1) > 0.3f);
  const double ridge = 0.1;
  // two features: (X^T X + lambda) w = X^T y by hand, score of class 1 above that of class 0
  double mean[2] = {}, share = 0, trace = 0;
  for (Index r = 0; r < 60; ++r) {
    for (Index c = 0; c < 2; ++c) mean[c] += double(x(r, c)) / 60;
    share += labels[std::size_t(r)] / 60.0;
  }
  double a = 0, b = 0, d = 0, u = 0, v = 0;
  for (Index r = 0; r < 60; ++r) {
    const double p = double(x(r, 0)) - mean[0], q = double(x(r, 1)) - mean[1], y = labels[std::size_t(r)] - share;
    a += p * p, b += p * q, d += q * q, u += p * y, v += q * y;
    trace += p * p + q * q;
  }
  const double penalty = ridge * trace / 60;
  a += penalty, d += penalty;
  const double w0 = (d * u - b * v) / (a * d - b * b), w1 = (a * v - b * u) / (a * d - b * b);
  double right = 0;
  for (Index r = 0; r < 200; ++r) {
    const double score = share + w0 * (double(z(r, 0)) - mean[0]) + w1 * (double(z(r, 1)) - mean[1]);
    right += (score > 1 - score) == (test[std::size_t(r)] == 1);
  }
  CHECK(linear_probe(x, labels, z, test, 2, ridge) == Approx(right / 200));
  CHECK(right / 200 > 0.85);
  // what stands still says nothing: the commonest class
  const Matrix<float> still(60, 2), same(200, 2);
  const bool most = share > 0.5;
  CHECK(linear_probe(still, labels, same, test, 2, ridge) ==
        Approx(double(std::ranges::count(test, std::uint8_t(most))) / 200));
}

TEST_CASE("layer metrics of a run change nothing, are of its layers, and come back from its file") {
  const TemporaryFolder folder;
  const TrainTest data = make_digits(1, 300, 200);
  TrainSettings s{{"train.net", "conv 4 3 stride=2, tanh | flatten, dense 20, tanh | dense classes"},
                  {"train.rule", "bp"},
                  {"train.epochs", std::int64_t{2}},
                  {"train.lr", 3e-3}};
  const TrainResult plain = train(s, make_digits(1, 300, 200), Registry());
  s["train.layer_metrics"] = std::int64_t{150};
  s["train.out"] = folder / "run.h5";
  const TrainResult run = train(s, make_digits(1, 300, 200), Registry());
  CHECK(run.weights_sha256 == plain.weights_sha256);
  CHECK(plain.epochs[1].probe.empty());
  REQUIRE(run.epochs[1].probe.size() == 2);
  REQUIRE(run.epochs[1].cka.size() == 4);
  const LayerMetrics last = measure_layers(run.net, data, 150);
  CHECK(last.probe == run.epochs[1].probe);
  CHECK(last.probe[0] > 0.3);  // chance is 0.1
  CHECK(last.cka[0] == Approx(1).margin(1e-5));
  CHECK(last.cka[1] == last.cka[2]);
  CHECK((last.cka[1] > 0.1 && last.cka[1] < 0.999));
  RunFile file = load_run(folder / "run.h5");
  CHECK(file.epochs[0].probe == run.epochs[0].probe);
  CHECK(file.epochs[1].cka == run.epochs[1].cka);
  file.epochs[0].probe.clear();  // as of a run that was resumed with them
  file.epochs[0].cka.clear();
  save_run(file, folder / "late.h5");
  CHECK(load_run(folder / "late.h5").epochs[1].probe == run.epochs[1].probe);
  CHECK_THROWS_AS(measure_layers(run.net, data, 1), OutOfRange);
}
