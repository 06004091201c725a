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

/// Answers (rows of h) of the read-out of h on y (the targets of each row).
std::vector<Row> answers(const std::vector<Row>& h, const std::vector<Row>& y, double ridge) {
  const std::size_t rows = h.size(), width = h[0].size();
  const auto about_mean = [rows](std::vector<Row> x) {
    Row mean(x[0].size());
    for (const Row& row : x)
      for (std::size_t j = 0; j < mean.size(); ++j) mean[j] += row[j] / double(rows);
    for (Row& row : x)
      for (std::size_t j = 0; j < mean.size(); ++j) row[j] -= mean[j];
    return std::pair(x, mean);
  };
  const auto x = about_mean(h).first;
  const auto [z, mean] = about_mean(y);
  std::vector<Row> covariance(width, Row(width));
  double variance = 0;
  for (std::size_t i = 0; i < width; ++i) {
    for (std::size_t j = 0; j < width; ++j)
      for (const Row& row : x) covariance[i][j] += row[i] * row[j] / double(rows);
    variance += covariance[i][i] / double(width);
  }
  for (std::size_t i = 0; i < width; ++i) covariance[i][i] += ridge * variance;
  std::vector<Row> found(rows, mean);
  for (std::size_t c = 0; c < mean.size(); ++c) {
    Row cross(width);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t i = 0; i < width; ++i) cross[i] += x[r][i] * z[r][c] / double(rows);
    const Row w = eliminated(covariance, cross);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t i = 0; i < width; ++i) found[r][c] += w[i] * x[r][i];
  }
  return found;
}

Row one_hot(std::size_t label) {
  Row row(5);
  row[label] = 1;
  return row;
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

  std::vector<Row> h, y;
  for (Index i = 0; i < 18; ++i) {
    h.push_back(tanh_of(layer(bench.net, 0, row_of(bench.x.row(i % 12)))));
    y.push_back(one_hot(label(bench, i % 12)));
  }
  const std::vector<Row> wanted = answers(h, y, ridge);
  Matrix<float> out(12, 5);
  rule->scores(bench.net, bench.x, out);
  for (Index r = 0; r < 12; ++r)
    for (Index c = 0; c < 5; ++c)
      CHECK(double(out(r, c)) == Approx(wanted[std::size_t(r)][std::size_t(c)]).margin(1e-4));
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

TEST_CASE("means of features and targets far above what varies about them cost no more than rounding") {
  const double ratio = GENERATE(0.0, 1e3, 1e4), ridge = 0.05;
  const bool real = GENERATE(false, true);
  CAPTURE(ratio, real);
  Bench bench(Network({4, 5}, Activation::tanh));  // features are the input
  for (Index r = 0; r < 12; ++r) {
    for (Index i = 0; i < 3; ++i) bench.x(r, i) += float(ratio) * float(i - 1);
    bench.x(r, 3) = float(ratio) + 0.1f;  // stands still
  }
  forward(bench.net, bench.x, bench.activations);
  Matrix<float> values(12, 5);
  std::vector<Row> h, y;
  for (Index r = 0; r < 12; ++r) {
    for (Index c = 0; c < 5; ++c) values(r, c) = float(ratio) + float((r * (c + 2)) % 7);
    h.push_back(row_of(bench.x.row(r)));
    y.push_back(real ? row_of(values.row(r)) : one_hot(label(bench, r)));
  }
  const auto whole = bench.make("ridge", nullptr, {{"ridge", ridge}});
  std::vector<float> g(bench.net.parameters().size());
  const auto show = [&](Rule& rule, Index first) {  // two rows: their mean is not that of all
    Activations two;
    two.h.emplace_back(2, 4);
    for (Index r = 0; r < 2; ++r) std::ranges::copy(bench.x.row(first + r), two.h[0].row(r).begin());
    RuleBatch batch{two, {}, std::span(bench.labels).subspan(std::size_t(first), 2)};
    if (real) batch.loss = Loss::mse, batch.values = View<const float>(values).rows(first, 2);
    rule.gradient(bench.net, batch, g);
  };
  for (Index first = 0; first < 12; first += 2) show(*whole, first);
  const std::vector<Row> wanted = answers(h, y, ridge);
  Matrix<float> out(12, 5);
  whole->scores(bench.net, bench.x, out);
  // W x and b are rounded at the size of the means: a few of 2^-24 ratio
  for (Index r = 0; r < 12; ++r)
    for (Index c = 0; c < 5; ++c)
      CHECK(double(out(r, c)) == Approx(wanted[std::size_t(r)][std::size_t(c)]).margin(1e-5 + 1e-6 * ratio));
}

TEST_CASE("a ridge read-out goes on from its snapshot bit by bit, its shift with it") {
  Bench bench(Network({9, 6, 5}, Activation::tanh));
  for (float& v : bench.x.flat()) v += 300;
  const auto whole = bench.make("ridge", nullptr), resumed = bench.make("ridge", nullptr);
  bench.gradient(*whole);
  resumed->restore(whole->snapshot());
  for (float& v : bench.x.flat()) v += 1;
  forward(bench.net, bench.x, bench.activations);
  for (Rule* rule : {whole.get(), resumed.get()}) bench.gradient(*rule, 1);
  CHECK(whole->snapshot() == resumed->snapshot());
}

TEST_CASE("a penalty that is too small for equations that depend on each other is named as the setting it is") {
  Bench bench(Network({9, 64, 5}, Activation::tanh));  // 12 samples for 64 features
  const auto rule = bench.make("ridge", nullptr, {{"ridge", 1e-12}});
  bench.gradient(*rule);
  Matrix<float> out(12, 5);
  CHECK_THROWS_WITH(rule->scores(bench.net, bench.x, out), Catch::Contains("larger rule.ridge"));
}
