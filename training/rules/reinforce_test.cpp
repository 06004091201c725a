#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.hpp"
#include "training/rules/rule.hpp"

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

}  // namespace

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
}
