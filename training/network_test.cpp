#include "training/network.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "training/loss.hpp"

using namespace lightloop;

namespace {

Matrix<float> random_matrix(Index rows, Index cols, std::uint64_t seed) {
  Matrix<float> m(rows, cols);
  const Stream stream(seed, 0, Purpose::user);
  for (Index r = 0; r < rows; ++r) stream.normal(static_cast<std::uint64_t>(r), 0, m.row(r));
  return m;
}

double reference_activation(Activation f, double a) {
  switch (f) {
    case Activation::identity:
      return a;
    case Activation::tanh:
      return std::tanh(a);
    case Activation::relu:
      return std::max(a, 0.0);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-a));
    case Activation::elu:
      return a > 0 ? a : std::expm1(a);
  }
  return 0;
}

}  // namespace

TEST_CASE("net text is widths joined by dashes, anything else is refused") {
  CHECK(parse_net("784-1024-10") == std::vector<Index>{784, 1024, 10});
  CHECK(to_string(std::vector<Index>{784, 1024, 10}) == "784-1024-10");
  for (const char* bad :
       {"", "784", "784-", "-10", "784-0-10", "784--10", "784-a-10", "784 10", "784-1e3-10", "5-99999999999999999999"})
    CHECK_THROWS_AS(parse_net(bad), InvalidParameter);
}

TEST_CASE("activation and loss names: a near miss is answered with the right one") {
  for (const char* name : {"identity", "tanh", "relu", "sigmoid", "elu"})
    CHECK(to_string(activation_from(name)) == name);
  CHECK_THROWS_WITH(activation_from("tahn"), Catch::Contains("did you mean tanh"));
  CHECK_THROWS_AS(loss_from("hinge"), UnknownName);
}

TEST_CASE("forward pass equals its definition in double precision") {
  for (const Activation f :
       {Activation::identity, Activation::tanh, Activation::relu, Activation::sigmoid, Activation::elu}) {
    Network net({7, 33, 5}, f);
    net.initialise(3);
    for (float& b : net.bias(0)) b = 0.25f;
    for (float& b : net.bias(1)) b = -0.5f;
    const Matrix<float> x = random_matrix(6, 7, 11);
    Activations out;
    forward(net, x, out);
    for (Index r = 0; r < 6; ++r) {
      std::vector<double> h(33);
      for (Index j = 0; j < 33; ++j) {
        double a = 0.25;
        for (Index i = 0; i < 7; ++i) a += double(net.weights(0)(j, i)) * double(x(r, i));
        h[std::size_t(j)] = reference_activation(f, a);
        CHECK(double(out.h[1](r, j)) == Approx(h[std::size_t(j)]).margin(2e-6));
      }
      for (Index k = 0; k < 5; ++k) {
        double a = -0.5;
        for (Index j = 0; j < 33; ++j) a += double(net.weights(1)(k, j)) * h[std::size_t(j)];
        CHECK(double(out.h[2](r, k)) == Approx(a).margin(5e-6));
      }
    }
  }
}

TEST_CASE("a forward pass gives the same bits with 1 and 2 threads and whatever the batch") {
  Network net({20, 300, 10}, Activation::tanh);
  net.initialise(1);
  const Matrix<float> x = random_matrix(70, 20, 5);
  Activations one, two, part;
  set_threads(1);
  forward(net, x, one);
  set_threads(2);
  forward(net, x, two);
  forward(net, x.view().rows(13, 9), part);
  CHECK(std::ranges::equal(one.h[2].flat(), two.h[2].flat()));
  CHECK(std::ranges::equal(one.h[2].view().rows(13, 9).row(8), part.h[2].row(8)));
}

TEST_CASE("initial weights are N(0, 1/fan_in), biases 0") {
  Network net({400, 500, 10}, Activation::tanh);
  net.initialise(7);
  double sum = 0, squares = 0;
  const View<const float> w = std::as_const(net).weights(0);
  for (Index r = 0; r < w.rows(); ++r)
    for (const float v : w.row(r)) {
      sum += double(v);
      squares += double(v) * double(v);
    }
  const double n = double(w.size());
  // n = 200 000, seed 7, alpha = 1e-4 two-sided: |z| < 3.9 for the mean and for the variance (sd of s^2: sqrt(2/n))
  CHECK(std::fabs(sum / std::sqrt(n / 400.0)) < 3.9);
  CHECK(std::fabs((squares / n * 400.0 - 1) / std::sqrt(2 / n)) < 3.9);
  for (const float b : net.bias(0)) CHECK(b == 0.0f);
  CHECK(net.offset(1) == 400 * 500 + 500);
}

TEST_CASE("output error is the derivative of the loss (central differences)") {
  const Matrix<float> a = random_matrix(4, 6, 2);
  const std::vector<std::uint8_t> labels = {0, 5, 2, 2};
  for (const Loss loss : {Loss::cross_entropy, Loss::mse}) {
    Matrix<float> e(4, 6), scratch(4, 6);
    output_error(loss, a, labels, e);
    for (Index r = 0; r < 4; ++r)
      for (Index c = 0; c < 6; ++c) {
        const float step = 1e-2f;
        Matrix<float> up = a, down = a;
        up(r, c) += step;
        down(r, c) -= step;
        const double slope = (output_error(loss, up, labels, scratch) - output_error(loss, down, labels, scratch)) /
                             (double(up(r, c)) - double(down(r, c)));
        CHECK(double(e(r, c)) == Approx(slope).margin(1e-4));
      }
  }
}

TEST_CASE("cross entropy of huge logits is finite, labels without an output are refused") {
  Matrix<float> a(1, 3), e(1, 3);
  a(0, 0) = 1000;
  a(0, 1) = -1000;
  CHECK(output_error(Loss::cross_entropy, a, std::vector<std::uint8_t>{1}, e) == Approx(2000));
  CHECK(e(0, 0) == Approx(1));
  CHECK(e(0, 1) == Approx(-1));
  CHECK_THROWS_AS(output_error(Loss::cross_entropy, a, std::vector<std::uint8_t>{3}, e), OutOfRange);
  CHECK_THROWS_AS(output_error(Loss::cross_entropy, a, std::vector<std::uint8_t>{1, 1}, e), ShapeMismatch);
  softmax(a, e);
  CHECK(std::ranges::equal(e.flat(), std::vector<float>{1, 0, 0}));
  softmax(e, e);  // in place
  const double sum = std::exp(1.0) + 2;
  CHECK(double(e(0, 0)) == Approx(std::exp(1.0) / sum));
  CHECK(double(e(0, 2)) == Approx(1 / sum));
  Matrix<float> other(1, 2);
  CHECK_THROWS_AS(softmax(a, other), ShapeMismatch);
}
