#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/streams.hpp"
#include "training/rules/local_loss_for_tests.hpp"

using namespace lightloop;

namespace {

std::unique_ptr<Rule> make(const Network& net) {
  const RuleModel& model = rule("reinforce");
  return model.make({net, 1, ParamSet("rule", model.info.params), nullptr});
}

/// Mean loss of sample x over all states of its two neurons, weighted by their probabilities: -1 and 1 with mean
/// tanh(a).
double expected_loss(const Network& net, const std::vector<double>& x, int label) {
  const auto p = [&](std::size_t i) { return double(net.parameters()[i]); };
  double fire[2], total = 0;
  for (std::size_t o = 0; o < 2; ++o) {
    double a = p(6 + o);
    for (std::size_t i = 0; i < 3; ++i) a += p(3 * o + i) * x[i];
    fire[o] = 0.5 * (1 + std::tanh(a));
  }
  for (int state = 0; state < 4; ++state) {
    const double h[] = {2.0 * (state & 1) - 1, 2.0 * (state >> 1) - 1};
    double logit[2];
    for (std::size_t c = 0; c < 2; ++c) logit[c] = p(8 + 2 * c) * h[0] + p(9 + 2 * c) * h[1] + p(12 + c);
    const double loss = std::log(std::exp(logit[0]) + std::exp(logit[1])) - logit[label];
    total += loss * (h[0] > 0 ? fire[0] : 1 - fire[0]) * (h[1] > 0 ? fire[1] : 1 - fire[1]);
  }
  return total;
}

/// 4 pixels of 2 neurons each; 3 neurons and 4 units of tanh behind them; 5 outputs.
constexpr const char* kNet = "2x2x1 | conv 2 1, stochastic | flatten, dense 3, stochastic, dense 4, tanh | dense 5";

Network small_net() { return Network(parse_model(kNet, {{}, 5})); }

/// What decides over one sample, when its neurons have fired so: chances of the first and second ones, and the loss.
struct Chances {
  Row first, second;
  double loss;
};

Chances pass(const Row& p, const Row& x, const Row& fired, const Row& fired_above, std::size_t label) {
  const auto affine_of = [&](std::size_t begin, const Row& in, std::size_t outputs) {
    Row y(outputs);
    for (std::size_t j = 0; j < outputs; ++j) {
      y[j] = p[begin + outputs * in.size() + j];
      for (std::size_t i = 0; i < in.size(); ++i) y[j] += p[begin + j * in.size() + i] * in[i];
    }
    return y;
  };
  const auto sigmoid = [](Row a) {
    for (double& v : a) v = 1 / (1 + std::exp(-v));
    return a;
  };
  Row sums;
  for (std::size_t pixel = 0; pixel < 4; ++pixel)
    for (const double a : affine_of(0, {x[pixel]}, 2)) sums.push_back(a);
  const Row tail = tanh_of(affine_of(4 + 27, fired_above, 4));
  return {sigmoid(sums), sigmoid(affine_of(4, fired, 3)), cross_entropy(affine_of(4 + 27 + 16, tail, 5), label)};
}

double log_chance(const Row& chance, const Row& fired) {
  double sum = 0;
  for (std::size_t i = 0; i < chance.size(); ++i) sum += std::log(fired[i] > 0 ? chance[i] : 1 - chance[i]);
  return sum;
}

/// Mean loss of a sample over all that its 8 + 3 neurons may do.
double mean_loss(const Row& p, const Row& x, std::size_t label) {
  double total = 0;
  for (int low = 0; low < 256; ++low)
    for (int high = 0; high < 8; ++high) {
      Row fired, above;
      for (int i = 0; i < 8; ++i) fired.push_back(low >> i & 1);
      for (int i = 0; i < 3; ++i) above.push_back(high >> i & 1);
      const Chances now = pass(p, x, fired, above, label);
      total += std::exp(log_chance(now.first, fired) + log_chance(now.second, above)) * now.loss;
    }
  return total;
}

template <class Function>
Row slopes(Row p, const Function& f) {
  Row g;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double before = p[i];
    p[i] = before + 1e-4;
    const double up = f(p);
    p[i] = before - 1e-4;
    g.push_back((up - f(p)) / 2e-4);
    p[i] = before;
  }
  return g;
}

Row parameters_of(const Network& net) { return row_of(net.parameters()); }

}  // namespace

TEST_CASE("a step of REINFORCE in a net of layers equals its definition in double precision, of later steps too") {
  Bench bench(small_net());
  const auto rule = bench.make("reinforce", nullptr);
  const Row p = parameters_of(bench.net);
  double baseline = NAN;
  for (const std::uint64_t step : {std::uint64_t{4}, std::uint64_t{5}}) {
    const std::vector<float> found = bench.gradient(*rule, step);
    std::vector<Row> fired, above;
    double mean = 0;
    for (std::uint64_t r = 0; r < 12; ++r) {
      const auto drawn = [&](std::uint64_t layer, const Row& chance) {  // numbers of layers count all of them
        std::vector<float> u(chance.size());
        Stream(1, layer, kFiring).uniform(12 * step + r, 0, u);
        Row h;
        for (std::size_t i = 0; i < u.size(); ++i) h.push_back(double(u[i]) < chance[i]);
        return h;
      };
      const Row x = row_of(bench.x.row(Index(r)));
      fired.push_back(drawn(1, pass(p, x, Row(8), Row(3), 0).first));
      above.push_back(drawn(4, pass(p, x, fired.back(), Row(3), 0).second));
      mean += pass(p, x, fired.back(), above.back(), label(bench, Index(r))).loss / 12;
    }
    CHECK(rule->loss() == Approx(12 * mean).epsilon(1e-5));
    const double usual = std::isnan(baseline) ? mean : baseline;
    baseline = std::isnan(baseline) ? mean : 0.9 * baseline + 0.1 * mean;
    std::vector<double> told;
    for (std::size_t r = 0; r < 12; ++r)
      told.push_back(pass(p, row_of(bench.x.row(Index(r))), fired[r], above[r], label(bench, Index(r))).loss - usual);
    const Row expected = slopes(p, [&](const Row& moved) {
      double sum = 0;
      for (std::size_t r = 0; r < 12; ++r) {
        const Chances now = pass(moved, row_of(bench.x.row(Index(r))), fired[r], above[r], label(bench, Index(r)));
        sum += told[r] * (log_chance(now.first, fired[r]) + log_chance(now.second, above[r])) + now.loss;
      }
      return sum / 12;
    });
    REQUIRE(expected.size() == found.size());
    double worst = 0;
    for (std::size_t i = 0; i < found.size(); ++i) worst = std::max(worst, std::fabs(double(found[i]) - expected[i]));
    CHECK(worst < 2e-6);
  }
  CHECK(rule->touched() == rule->declared(bench.net, 12));
  const auto again = bench.make("reinforce", nullptr);
  again->restore(rule->snapshot());
  CHECK(bench.gradient(*again, 6) == bench.gradient(*rule, 6));
}

TEST_CASE("REINFORCE in a net of layers is unbiased: its mean is the slope of the mean loss, over all that may fire",
          "[law]") {
  constexpr Index kRows = 40000;
  Network net = small_net();
  net.initialise(3);
  const std::vector<float> x{0.7f, -1.1f, 0.4f, 0.2f};
  Activations seen;
  Matrix<float>& batch = seen.h.emplace_back(kRows, 4);
  for (Index r = 0; r < kRows; ++r) std::ranges::copy(x, batch.row(r).begin());
  const std::vector<std::uint8_t> labels(kRows, 1);
  std::vector<float> gradient(net.parameters().size(), NAN);
  make(net)->gradient(net, {.activations = seen, .error = {}, .labels = labels}, gradient);
  const Row expected = slopes(parameters_of(net), [&](const Row& p) { return mean_loss(p, row_of(x), 1); });
  // every sample's term is below 2: five standard errors of n = 40000, seed 1
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    INFO("parameter " << i);
    CHECK(double(gradient[i]) == Approx(expected[i]).margin(5 * 1.0 / std::sqrt(kRows)));
  }
}

TEST_CASE("REINFORCE is unbiased: its mean is the slope of the mean loss, by differences over all states") {
  constexpr Index kRows = 40000;
  Network net({3, 2, 2}, Activation::tanh);
  net.initialise(3);
  const std::vector<double> x{0.7, -1.1, 0.4};
  Activations seen;
  Matrix<float>& batch = seen.h.emplace_back(kRows, 3);
  for (Index r = 0; r < kRows; ++r)
    for (Index i = 0; i < 3; ++i) batch(r, i) = float(x[std::size_t(i)]);
  const std::vector<std::uint8_t> labels(kRows, 1);
  std::vector<float> gradient(net.parameters().size(), NAN);
  make(net)->gradient(net, {.activations = seen, .error = {}, .labels = labels}, gradient);
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const float before = net.parameters()[i];
    net.parameters()[i] = before + 1e-2f;
    const double up = expected_loss(net, x, 1);
    net.parameters()[i] = before - 1e-2f;
    const double slope = (up - expected_loss(net, x, 1)) / 2e-2;
    net.parameters()[i] = before;
    INFO("parameter " << i);
    // every sample's term is below 2: five standard errors of n = 40000, seed 1
    CHECK(double(gradient[i]) == Approx(slope).margin(5 * 1.0 / std::sqrt(kRows)));
  }
}

TEST_CASE("REINFORCE wants neurons that can fire") {
  CHECK_THROWS_AS(make(Network({3, 4, 2}, Activation::relu)), Unsupported);
  CHECK_NOTHROW(make(Network({3, 4, 2}, Activation::sigmoid)));
  const auto layers = [](const char* text) { return make(Network(parse_model(text, {{}, 5}))); };
  CHECK_THROWS_WITH(layers("4 | dense 6, sigmoid | dense 5"), Catch::Contains("stochastic"));
  CHECK_THROWS_AS(layers("4 | dense 6, stochastic smooth | dense 5"), Unsupported);
  CHECK_THROWS_WITH(layers("4 | residual(dense 4, stochastic) | dense 5"), Catch::Contains("way around"));
  CHECK_NOTHROW(layers("4 | dense 6 | stochastic, dense 5"));
}
