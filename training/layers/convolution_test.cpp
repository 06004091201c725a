#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/layer_checks_for_tests.hpp"

using namespace lightloop;
using test::Bench;

namespace {

/// The definition, in double precision.
double direct(const Bench& b, const Shape& in, Window w, Index groups, bool bias, Index row, Index i, Index j,
              Index o) {
  const Index outputs = b.layer->output_shape()[2], per_group = in[2] / groups,
              first = o / (outputs / groups) * per_group;
  const Index fan_in = w.height * w.width * per_group;
  double sum = bias ? double(b.parameters(0, outputs * fan_in + o)) : 0;
  for (Index u = 0; u < w.height; ++u)
    for (Index v = 0; v < w.width; ++v)
      for (Index c = 0; c < per_group; ++c) {
        const Index r = i * w.stride.rows + u - w.padding.rows, q = j * w.stride.columns + v - w.padding.columns;
        if (r < 0 || r >= in[0] || q < 0 || q >= in[1]) continue;
        sum += double(b.parameters(0, o * fan_in + (u * w.width + v) * per_group + c)) *
               double(b.x(row, (r * in[1] + q) * in[2] + first + c));
      }
  return sum;
}

}  // namespace

TEST_CASE("dense equals its definition, its derivative finite differences, on vectors and on tokens") {
  for (const Activation f : {Activation::identity, Activation::tanh, Activation::sigmoid, Activation::elu}) {
    Bench flat(dense({7}, 5, f), 4);
    test::check_derivative(flat);
    test::check_bits(flat);
    Bench tokens(dense({3, 4}, 6, f), 2);
    CHECK(tokens.layer->output_shape() == Shape{3, 6});
    test::check_derivative(tokens);
    tokens.forward();
    double a = double(tokens.parameters(0, 24 + 5));
    for (Index i = 0; i < 4; ++i) a += double(tokens.parameters(0, 5 * 4 + i)) * double(tokens.x(1, 2 * 4 + i));
    const double y = f == Activation::identity ? a
                     : f == Activation::tanh   ? std::tanh(a)
                     : f == Activation::elu    ? (a > 0 ? a : std::expm1(a))
                                               : 1 / (1 + std::exp(-a));
    CHECK(double(tokens.y(1, 2 * 6 + 5)) == Approx(y).margin(2e-6));
  }
}

TEST_CASE(
    "convolution equals its definition for every stride, padding and grouping, its derivative finite differences") {
  struct Case {
    Shape in;
    Index outputs;
    Window window;
    Index groups;
    bool bias;
  };
  for (const Case& c :
       {Case{{5, 6, 2}, 3, {3, 3, 1, 1}, 1, true}, Case{{6, 5, 4}, 4, {3, 2, 2, 0}, 2, true},
        Case{{7, 7, 1}, 2, {5, 5, 2, 2}, 1, false}, Case{{4, 4, 3}, 5, {1, 1, 1, 0}, 1, true},
        Case{{4, 5, 3}, 4, {1, 1, 2, 0}, 1, false}, Case{{5, 4, 3}, 3, {3, 3, 1, 1}, 3, true},
        Case{{6, 6, 2}, 2, {3, 3, 2, 1}, 2, false}, Case{{5, 5, 2}, 6, {2, 2, 1, 0}, 2, true},
        Case{{6, 4, 2}, 3, {5, 1, 1, {2, 0}}, 1, true}, Case{{1, 9, 2}, 3, {1, 5, 1, {0, 2}}, 1, true},
        Case{{5, 8, 2}, 4, {3, 5, {1, 2}, {1, 2}}, 2, true}, Case{{6, 5, 3}, 3, {1, 3, {2, 1}, {0, 1}}, 3, false},
        Case{{4, 5, 3}, 4, {1, 1, {1, 2}, 0}, 1, false}}) {
    Bench bench(convolution(c.in, c.outputs, c.window, c.groups, c.bias), 3);
    const Shape& out = bench.layer->output_shape();
    INFO(bench.layer->text() << " on " << shape_text(c.in));
    CHECK(out[0] == (c.in[0] + 2 * c.window.padding.rows - c.window.height) / c.window.stride.rows + 1);
    CHECK(out[1] == (c.in[1] + 2 * c.window.padding.columns - c.window.width) / c.window.stride.columns + 1);
    bench.forward();
    double worst = 0;
    for (Index r = 0; r < 3; ++r)
      for (Index i = 0; i < out[0]; ++i)
        for (Index j = 0; j < out[1]; ++j)
          for (Index o = 0; o < out[2]; ++o)
            worst = std::max(worst, std::fabs(double(bench.y(r, (i * out[1] + j) * out[2] + o)) -
                                              direct(bench, c.in, c.window, c.groups, c.bias, r, i, j, o)));
    CHECK(worst < 1e-5);
    test::check_derivative(bench);
    test::check_bits(bench);
  }
}

TEST_CASE("convolution of a single bright pixel shows the mirrored weights around it") {
  Bench bench(convolution({5, 5, 1}, 1, {3, 3, 1, 1}, 1, false), 1);
  std::ranges::fill(bench.x.flat(), 0.0f);
  bench.x(0, 2 * 5 + 3) = 1;
  bench.forward();
  for (Index i = 0; i < 5; ++i)
    for (Index j = 0; j < 5; ++j) {
      const Index u = 2 - i + 1, v = 3 - j + 1;
      const bool near = u >= 0 && u < 3 && v >= 0 && v < 3;
      CHECK(bench.y(0, i * 5 + j) == (near ? bench.parameters(0, u * 3 + v) : 0.0f));
    }
}

TEST_CASE("a batch larger than the workspace is convolved piece by piece with the same result") {
  // 24 x 24 positions of 9 x 32 patches: 6 images fill the workspace of 2^20 floats
  Bench many(convolution({24, 24, 32}, 2, {3, 3, 1, 1}), 8);
  test::check_bits(many);
  const Matrix<float> weight = test::normal_matrix(8, many.y.cols(), 3);
  Matrix<float> dx(8, many.x.cols()), all(1, many.parameters.cols()), sum(1, many.parameters.cols());
  many.layer->vjp(many.in(), many.y, many.memory, weight, dx, all.flat(), many.work);
  Matrix<float> part(1, many.parameters.cols());
  for (Index r = 0; r < 8; ++r) {
    Matrix<float> one(1, many.x.cols());
    LayerInput in = many.in();
    in.x = many.x.view().rows(r, 1);
    many.layer->vjp(in, many.y.view().rows(r, 1), many.memory, weight.view().rows(r, 1), one, part.flat(), many.work);
    CHECK(std::ranges::equal(one.row(0), dx.row(r)));
    for (std::size_t i = 0; i < sum.flat().size(); ++i) sum.flat()[i] += part.flat()[i];
  }
  for (std::size_t i = 0; i < sum.flat().size(); ++i) CHECK(sum.flat()[i] == Approx(all.flat()[i]).margin(2e-2));
}

TEST_CASE("windows that see half of themselves around the image keep its size, along one axis or both") {
  const auto shape = [](const std::string& words) {
    return parse_model("9x7x2 | " + words + " | flatten, dense 3", {})->block(0).output_shape();
  };
  for (const char* window : {"5x1", "1x5", "3x5", "5x3", "3", "1"}) {
    INFO(window);
    CHECK(shape(std::string("conv 4 ") + window) == Shape{9, 7, 4});
    CHECK(shape(std::string("depthwise ") + window) == Shape{9, 7, 2});
    CHECK(shape(std::string("binary_conv 4 ") + window) == Shape{9, 7, 4});
  }
  CHECK(shape("conv 4 5x1 pad=0") == Shape{5, 7, 4});
  CHECK(shape("conv 4 3x5 pad=0x2 stride=1x2") == Shape{7, 4, 4});
  CHECK(shape("max_pool 3x1") == Shape{3, 7, 2});  // side by side
  CHECK(shape("avg_pool 1x2 stride=2x1") == Shape{5, 6, 2});
}

TEST_CASE("a convolution that cannot be is refused with what is wrong") {
  CHECK_THROWS_WITH(convolution({784}, 3, {3, 3, 1, 1}), Catch::Contains("height x width x channels"));
  CHECK_THROWS_WITH(convolution({4, 4, 1}, 3, {7, 7, 1, 0}), Catch::Contains("does not fit"));
  CHECK_THROWS_WITH(convolution({4, 4, 3}, 4, {3, 3, 1, 1}, 2), Catch::Contains("must divide"));
  CHECK_THROWS_AS(convolution({4, 4, 3}, 0, {3, 3, 1, 1}), OutOfRange);
  CHECK_THROWS_AS(convolution({4, 4, 3}, 4, {3, 3, 0, 1}), OutOfRange);
  CHECK_THROWS_AS(convolution({4, 4, 3}, 4, {3, 3, {1, 0}, 1}), OutOfRange);
  CHECK_THROWS_AS(convolution({4, 4, 3}, 4, {3, 1, 1, {-1, 0}}), OutOfRange);
  CHECK_THROWS_WITH(convolution({4, 4, 3}, 4, {1, 5, 1, 2}), Catch::Contains("1x5") && Catch::Contains("pad=0x2"));
}
