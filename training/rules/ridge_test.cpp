// The ridge read-out against its normal equations, solved in double precision by elimination.
#include "core/error.hpp"
#include "training/layers/architecture.hpp"
#include "training/rules/local_loss_for_tests.hpp"

using namespace lightloop;

namespace {

/// a x = b by Gauss's elimination with pivots.
Row eliminated(std::vector<Row> a, Row b) {
  const std::size_t n = b.size();
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < n; ++i)
      if (std::fabs(a[i][k]) > std::fabs(a[pivot][k])) pivot = i;
    std::swap(a[k], a[pivot]);
    std::swap(b[k], b[pivot]);
    for (std::size_t i = 0; i < n; ++i) {
      if (i == k) continue;
      const double f = a[i][k] / a[k][k];
      for (std::size_t j = k; j < n; ++j) a[i][j] -= f * a[k][j];
      b[i] -= f * b[k];
    }
  }
  for (std::size_t k = 0; k < n; ++k) b[k] /= a[k][k];
  return b;
}

}  // namespace

TEST_CASE("the ridge read-out solves the normal equations of all batches so far, and leaves the net alone") {
  Bench bench(Network({9, 6, 5}, Activation::tanh));
  const double ridge = 0.05;
  const auto rule = bench.make("ridge", nullptr, {{"ridge", ridge}});
  for (const float g : bench.gradient(*rule)) CHECK(g == 0);
  const Trainable own = rule->own();
  for (const float g : own.gradient) CHECK(g == 0);
  // a second batch: the first six samples again
  Activations half;
  half.h.emplace_back(6, 9);
  for (Index r = 0; r < 6; ++r) std::ranges::copy(bench.x.row(r), half.h[0].row(r).begin());
  std::vector<float> g(bench.net.parameters().size());
  rule->gradient(bench.net, {half, {}, std::span(bench.labels).first(6)}, g);

  std::vector<Row> h;
  std::vector<std::size_t> y;
  for (Index i = 0; i < 18; ++i) {
    h.push_back(tanh_of(layer(bench.net, 0, row_of(bench.x.row(i % 12)))));
    y.push_back(label(bench, i % 12));
  }
  Row mean(6);
  for (const Row& row : h)
    for (std::size_t j = 0; j < 6; ++j) mean[j] += row[j] / 18;
  std::vector<Row> covariance(6, Row(6));
  for (const Row& row : h)
    for (std::size_t i = 0; i < 6; ++i)
      for (std::size_t j = 0; j < 6; ++j) covariance[i][j] += (row[i] - mean[i]) * (row[j] - mean[j]) / 18;
  double variance = 0;
  for (std::size_t i = 0; i < 6; ++i) variance += covariance[i][i] / 6;
  for (std::size_t i = 0; i < 6; ++i) covariance[i][i] += ridge * variance;
  Matrix<float> out(12, 5);
  rule->scores(bench.net, bench.x, out);
  for (std::size_t c = 0; c < 5; ++c) {
    Row cross(6);
    double share = 0;
    for (std::size_t r = 0; r < 18; ++r) share += (y[r] == c) / 18.0;
    for (std::size_t r = 0; r < 18; ++r)
      for (std::size_t i = 0; i < 6; ++i) cross[i] += (h[r][i] - mean[i]) * ((y[r] == c) - share) / 18;
    const Row w = eliminated(covariance, cross);
    for (Index r = 0; r < 12; ++r) {
      double answer = share;
      for (std::size_t i = 0; i < 6; ++i) answer += w[i] * (h[std::size_t(r)][i] - mean[i]);
      CHECK(double(out(r, Index(c))) == Approx(answer).margin(1e-4));
    }
  }
  CHECK_THROWS_AS(rule->restore({}), InvalidParameter);
  // another rule that takes over its state answers alike
  const auto other = bench.make("ridge", nullptr, {{"ridge", ridge}});
  other->restore(rule->snapshot());
  Matrix<float> again(12, 5);
  other->scores(bench.net, bench.x, again);
  CHECK(std::ranges::equal(out.flat(), again.flat()));
}

TEST_CASE("a ridge read-out that is stored before it answered is solved for, and the losses go on as if it were not") {
  Bench bench(Network({9, 6, 5}, Activation::tanh));
  const auto whole = bench.make("ridge", nullptr), stored = bench.make("ridge", nullptr);
  const auto zero = [](float v) { return v == 0; };
  bench.gradient(*whole);
  bench.gradient(*stored);
  CHECK(std::ranges::all_of(stored->own().values, zero));
  stored->settle();
  CHECK(std::ranges::none_of(stored->own().values, zero));
  const auto resumed = bench.make("ridge", nullptr);
  std::ranges::copy(stored->own().values, resumed->own().values.begin());
  resumed->restore(stored->snapshot());
  for (Rule* rule : {whole.get(), stored.get(), resumed.get()}) bench.gradient(*rule, 1);
  CHECK(stored->loss() == whole->loss());
  CHECK(resumed->loss() == whole->loss());
}

TEST_CASE("a penalty that is too small for equations that depend on each other is named as the setting it is") {
  Bench bench(Network({9, 64, 5}, Activation::tanh));  // 12 samples for 64 features
  const auto rule = bench.make("ridge", nullptr, {{"ridge", 1e-12}});
  bench.gradient(*rule);
  Matrix<float> out(12, 5);
  CHECK_THROWS_WITH(rule->scores(bench.net, bench.x, out), Catch::Contains("larger rule.ridge"));
}
