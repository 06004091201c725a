// What moves behind a layer when its input does: the adjoint of what goes back, for every kind of layer.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/layers/layer_checks_for_tests.hpp"
#include "training/layers/noisy.hpp"
#include "training/layers/quantised.hpp"

using namespace lightloop;
using test::Bench;

namespace {

enum class Law { smooth, kinked, surrogate };  ///< kinked: steps of a difference may cross; surrogate: not y's slope

struct Kind {
  LayerPointer layer;
  Law law = Law::smooth;
};

LayerPointer in_a_row(LayerPointer a, LayerPointer b) {
  Shape input = a->input_shape();
  std::vector<LayerPointer> layers;
  layers.push_back(std::move(a));
  layers.push_back(std::move(b));
  return chain(std::move(input), std::move(layers));
}

std::shared_ptr<const Graph> directed() {
  const std::pair<std::int32_t, std::int32_t> pairs[] = {{0, 1}, {1, 2}, {4, 1}};
  Graph graph = with_self_loops(undirected_graph(5, pairs));
  for (std::size_t k = 0; k < graph.weight.size(); ++k) graph.weight[k] = 0.3f + 0.2f * float(k);  // A is not A^T
  return std::make_shared<const Graph>(graph);
}

LayerPointer two_valued(BinaryWeights law) {
  return binary_weights(dense({4}, 3), 3, 4, "two-valued", law, law == BinaryWeights::periodic ? 20 : 0);
}

std::vector<Kind> catalogue() {
  std::vector<Kind> all;
  const auto add = [&](LayerPointer layer, Law law = Law::smooth) { all.push_back({std::move(layer), law}); };
  add(dense({3, 4}, 5));
  add(dense({4}, 5, Activation::tanh));
  for (const Activation f : {Activation::identity, Activation::tanh, Activation::sigmoid, Activation::elu})
    add(elementwise({4, 3}, f));
  add(elementwise({7}, Activation::relu), Law::kinked);
  for (const bool exact : {false, true}) add(gelu({7}, exact));
  add(convolution({5, 4, 2}, 3, {3, 3, 2, 1}));
  add(convolution({4, 4, 4}, 6, {3, 2, 1, 1}, 2));
  add(convolution({4, 3, 2}, 3, {}));  // sees images as they are
  add(convolution({5, 4, 3}, 3, {3, 3, 2, 1}, 3));
  add(max_pool({5, 6, 3}, {3, 2, 1, 0}), Law::kinked);
  add(average_pool({5, 6, 3}, {3, 2, 2, 0}));
  add(global_pool({3, 2, 4}));
  add(flatten({2, 3}));
  add(last_token({3, 2}));
  add(batch_norm({3, 2}));
  add(layer_norm({2, 5}));
  add(dropout({6}, 0.4));
  for (const double p : {1.5, 2.0, 4.0}) add(row_norm({6}, p));
  add(largest_norm({6}), Law::kinked);
  add(batch_norm_to_one({6}, 3));
  add(clamp_layer({8}), Law::kinked);
  add(sign_layer({8}), Law::surrogate);
  add(binarise({8}), Law::surrogate);
  add(periodic_sign({8}, 3), Law::surrogate);
  add(quantise({8}, 4), Law::surrogate);
  add(precision({8}, 4, false), Law::surrogate);
  add(noise({8}, {.std = 0.3}));
  add(noise({8}, {.law = SignalNoise::Law::poisson, .precision = 8, .scale = 2}), Law::surrogate);
  for (const Neuron kind : {Neuron::straight, Neuron::smooth}) add(stochastic({8}, kind), Law::surrogate);
  for (const BinaryWeights law : {BinaryWeights::scaled_sign, BinaryWeights::periodic}) add(two_valued(law));
  add(weights_through(dense({4}, 3), in_a_row(clamp_layer({12}), precision({12}, 8, false))));
  for (const bool causal : {false, true}) add(attention({4, 6}, 2, causal));
  add(factorisation({4, 3}));
  add(graph_convolution(directed(), {3}, 4));
  add(graph_sage(directed(), {3}, 4));
  add(graph_attention(directed(), {3}, 4, 2));
  add(residual(in_a_row(dense({4}, 5, Activation::tanh), dense({5}, 4))));
  add(residual(in_a_row(batch_norm({4}), dense({4}, 3)), dense({4}, 3)));
  return all;
}

double product(const Matrix<float>& a, const Matrix<float>& b, double* size = nullptr) {
  double sum = 0;
  for (std::size_t i = 0; i < a.flat().size(); ++i) {
    const double each = double(a.flat()[i]) * double(b.flat()[i]);
    sum += each;
    if (size) *size += std::fabs(each);
  }
  return sum;
}

/// <u, J dx> = <J^T u, dx>, the same bits with one and two threads; returns J dx for `dx`.
Matrix<float> check_adjoint(Bench& bench, const Matrix<float>& dx) {
  const Matrix<float> u = test::normal_matrix(bench.y.rows(), bench.y.cols(), 77);
  Matrix<float> back(dx.rows(), dx.cols()), dy = test::normal_matrix(u.rows(), u.cols(), 79);  // must be overwritten
  LayerMemory work;
  bench.forward();
  bench.layer->vjp(bench.in(), bench.y, bench.memory, u, back, {}, bench.work);
  set_threads(1);
  bench.layer->jvp(bench.pass, bench.in(), bench.y, bench.memory, dx, dy, work);
  const Matrix<float> once = dy;
  set_threads(2);
  bench.layer->jvp(bench.pass, bench.in(), bench.y, bench.memory, dx, dy, work);
  CHECK(std::ranges::equal(once.flat(), dy.flat()));
  double size = 0;
  const double onward = product(u, dy, &size), backward = product(back, dx, &size);
  CHECK(std::fabs(onward - backward) <= 2e-6 * size);
  return dy;
}

/// Against a central difference of y; the margin is relative to the largest entry.
void check_difference(Bench& bench, const Matrix<float>& dx, const Matrix<float>& dy) {
  constexpr float kStep = 4e-3f;
  const Matrix<float> x = bench.x;
  const auto moved = [&](float step) {
    for (std::size_t i = 0; i < x.flat().size(); ++i) bench.x.flat()[i] = x.flat()[i] + step * dx.flat()[i];
    bench.forward();
    return bench.y;
  };
  const Matrix<float> up = moved(kStep), down = moved(-kStep);
  bench.x = x;
  double worst = 0, largest = 1e-3;
  for (std::size_t i = 0; i < dy.flat().size(); ++i) {
    const double slope = (double(up.flat()[i]) - double(down.flat()[i])) / (2 * double(kStep));
    worst = std::max(worst, std::fabs(slope - double(dy.flat()[i])));
    largest = std::max(largest, std::fabs(double(dy.flat()[i])));
  }
  CHECK(worst < 2e-3 * largest);
}

}  // namespace

TEST_CASE("what moves behind a layer is the adjoint of what goes back, and the slope of its output where it has one") {
  for (Kind& kind : catalogue())
    for (const bool training : {true, false}) {
      Bench bench(std::move(kind.layer), 5);
      bench.pass.training = training;
      INFO(bench.layer->text() << (training ? ", training" : ", answering"));
      const Matrix<float> dx = test::normal_matrix(bench.x.rows(), bench.x.cols(), 78);
      const Matrix<float> dy = check_adjoint(bench, dx);
      if (kind.law == Law::smooth) check_difference(bench, dx, dy);
      kind.layer = std::move(bench.layer);
    }
}

TEST_CASE("codes are names: nothing moves behind an embedding") {
  Bench bench(embedding({3}, 5, 4), 2);
  std::ranges::fill(bench.x.flat(), 2.0f);
  bench.forward();
  Matrix<float> dy = test::normal_matrix(2, 12, 79);
  bench.layer->jvp(bench.pass, bench.in(), bench.y, bench.memory, test::normal_matrix(2, 3, 78), dy, bench.work);
  CHECK(std::ranges::all_of(dy.flat(), [](float v) { return v == 0; }));
}

TEST_CASE("nothing moves behind inputs that a place cut off at the ends of its ranges") {
  /// Products with the bench's weights of inputs cut off at 0.8; what moves is small, and passes.
  class Narrow : public LayerProducts {
   public:
    Narrow(View<const float> weights) : weights_(weights) {}
    void hold(const Network&) override {}
    void multiply(Index number, View<const float> x, View<float> y) override {
      Matrix<float> seen;
      clips(number, x, seen);
      const Index group = number >> 32;
      gemm(Transpose::no, Transpose::yes, 1.0f, seen, weights_.rows(group * y.cols(), y.cols()), 0.0f, y);
    }
    bool clips(Index, View<const float> x, Matrix<float>& seen) override {
      seen.resize(x.rows(), x.cols());
      for (Index r = 0; r < x.rows(); ++r)
        for (Index j = 0; j < x.cols(); ++j) seen(r, j) = std::clamp(x(r, j), -0.8f, 0.8f);
      return true;
    }

   private:
    View<const float> weights_;
  };
  const auto check = [](LayerPointer layer, Index outputs, Index inputs) {
    Bench bench(std::move(layer), 3);
    Narrow narrow({bench.parameters.data(), outputs, inputs});
    bench.pass.products = &narrow;
    Matrix<float> dx = test::normal_matrix(bench.x.rows(), bench.x.cols(), 78);
    for (float& v : dx.flat()) v *= 0.1f;
    INFO(bench.layer->text());
    const Matrix<float> some = check_adjoint(bench, dx);
    for (float& v : bench.x.flat()) v = v < 0 ? -2.0f : 2.0f;
    const Matrix<float> none = check_adjoint(bench, dx);
    CHECK(product(some, some) > 0);
    CHECK(product(none, none) == 0);
  };
  check(dense({3, 4}, 5, Activation::tanh), 5, 4);
  check(convolution({4, 4, 2}, 3, {3, 3, 1, 0}), 3, 18);
  check(convolution({4, 4, 2}, 3, {}), 3, 2);
  check(convolution({4, 4, 4}, 6, {3, 3, 1, 0}, 2), 6, 18);
  check(convolution({4, 4, 3}, 3, {3, 3, 2, 1}, 3), 3, 9);
}

TEST_CASE("a layer without a forward derivative says so") {
  class Opaque : public NetLayer {
   public:
    Opaque() : NetLayer({2}, {2}) {}
    std::string text() const override { return "opaque"; }
    void forward(const LayerPass&, const LayerInput&, View<float>, LayerMemory&) const override {}
    void vjp(const LayerInput&, View<const float>, const LayerMemory&, View<const float>, View<float>, std::span<float>,
             LayerMemory&) const override {}
  };
  LayerMemory memory, work;
  CHECK_THROWS_WITH(Opaque().jvp({}, {}, {}, memory, {}, {}, work), Catch::Contains("opaque"));
}
