// NoProp in continuous time and with flow matching: losses against plain double precision, gradients against central
// differences, answers against a fine solution of their equation.
#include <array>

#include "core/error.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/datasets/digits.hpp"
#include "training/layers/architecture.hpp"
#include "training/rules/local_loss_for_tests.hpp"
#include "training/rules/streams.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

constexpr std::size_t kClasses = 5, kSeen = kClasses + 8;  // z, and sines and cosines of the time

/// What stands beside x.
Row beside(Row z, double t) {
  for (int k = 0; k < 4; ++k) {
    z.push_back(std::sin(M_PI * t * double(1 << k)));
    z.push_back(std::cos(M_PI * t * double(1 << k)));
  }
  return z;
}

/// Output of a net of widths for x, z and t; `own` brings z and t in.
Row output(const Network& net, std::span<const float> own, std::span<const float> x, const Row& z, double t) {
  Row h = row_of(x);
  for (Index l = 0; l < net.layers(); ++l) {
    h = layer(net, l, h);
    if (l == 0) {
      const Row more = affine(own, beside(z, t), h.size());
      for (std::size_t j = 0; j < h.size(); ++j) h[j] += more[j];
    }
    if (l + 1 < net.layers()) h = tanh_of(h);
  }
  return h;
}

Row softmax_of(const Row& logits) {
  Row u;
  for (std::size_t c = 0; c < logits.size(); ++c) u.push_back(std::exp(-cross_entropy(logits, c)));
  return u;
}

/// Sample r of the first step: its time, z_0 and z_t.
struct Draw {
  double t;
  Row noise, z;
};
Draw drawn(const Bench& bench, Index r, bool flow) {
  const Stream noise(1, 0, kRuleNoise), times(1, 2, kRuleNoise);
  std::vector<float> z0(kClasses);
  noise.normal(std::uint64_t(r), 0, z0);
  Draw draw{times.uniform(std::uint64_t(r), 0), Row(z0.begin(), z0.end()), {}};
  const double label_share = flow ? draw.t : std::sin(M_PI / 2 * draw.t),
               noise_share = flow ? 1 - draw.t : std::cos(M_PI / 2 * draw.t);
  for (std::size_t c = 0; c < kClasses; ++c)
    draw.z.push_back(noise_share * draw.noise[c] + (c == label(bench, r) ? label_share : 0));
  return draw;
}

/// Loss of sample r, by the definition.
double loss_of(const Bench& bench, const Rule& rule, Index r, const std::string& time, const std::string& kind,
               double most) {
  const Draw draw = drawn(bench, r, time == "flow");
  const Row out = output(bench.net, const_cast<Rule&>(rule).own().values, bench.x.row(r), draw.z, draw.t);
  double square = 0;
  if (time == "flow") {
    for (std::size_t c = 0; c < kClasses; ++c)
      square += 0.5 * std::pow(out[c] - ((c == label(bench, r) ? 1 : 0) - draw.noise[c]), 2);
    return square;
  }
  const auto snr = [](double t) { return std::pow(std::tan(M_PI / 2 * t), 2); };
  const double h = 1e-6 * (1 - draw.t), weight = std::min(most, (snr(draw.t + h) - snr(draw.t - h)) / (2 * h));
  if (kind == "cross_entropy") return weight * cross_entropy(out, label(bench, r));
  const Row u = softmax_of(out);
  for (std::size_t c = 0; c < kClasses; ++c) square += 0.5 * std::pow(u[c] - (c == label(bench, r) ? 1 : 0), 2);
  return weight * square;
}

struct Case {
  std::string time, kind;
  Settings settings;
};
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"continuous", "cross_entropy", {{"time", "continuous"}, {"weight_max", 3.0}}},
      {"continuous", "square", {{"time", "continuous"}, {"weight_max", 3.0}, {"block_loss", "square"}}},
      {"flow", "", {{"time", "flow"}}}};
  return all;
}

/// dz/dt.
Row slope(const Network& net, std::span<const float> own, std::span<const float> x, const Row& z, double t, bool flow) {
  const Row out = output(net, own, x, z, t);
  if (flow) return out;
  const Row u = softmax_of(out);
  const double s = std::pow(std::sin(M_PI / 2 * t), 2), moves = M_PI / 2 * std::sin(M_PI * t);
  Row d;
  for (std::size_t c = 0; c < kClasses; ++c)
    d.push_back(t == 0 ? M_PI / 2 * u[c] : moves / (2 * (1 - s)) * (u[c] / std::sqrt(s) - z[c]));
  return d;
}

/// From z at t = 0 to 1 in `steps` steps, of second order if asked; then the answer.
Row solved(const Network& net, std::span<const float> own, std::span<const float> x, Row z, int steps, bool second,
           bool flow) {
  const double h = 1.0 / steps;
  const auto moved = [](Row from, const Row& by, double much) {
    for (std::size_t c = 0; c < from.size(); ++c) from[c] += much * by[c];
    return from;
  };
  for (int k = 0; k < steps; ++k) {
    const double t = k * h;
    Row d = slope(net, own, x, z, t, flow);
    if (second) d = slope(net, own, x, moved(z, d, h / 2), t + h / 2, flow);
    z = moved(z, d, h);
  }
  return flow ? z : output(net, own, x, z, 1);
}

}  // namespace

TEST_CASE("NoProp in continuous time and with flow has its defined losses, and gradients as their differences") {
  for (const Case& c : cases()) {
    INFO(c.time << " " << c.kind);
    Bench bench;
    const auto rule = bench.make("noprop", nullptr, c.settings);
    const auto found = losses(bench, *rule);
    REQUIRE(found.size() == 1);
    REQUIRE(rule->own().values.size() == 24 * (kSeen + 1));
    CHECK(found[0] == Approx(mean(bench, [&](Index r) { return loss_of(bench, *rule, r, c.time, c.kind, 3); })));
    CHECK(rule->loss() == Approx(12 * found[0]));
    check_net(bench, *rule, [](Index) { return 0u; });
    losses(bench, *rule);
    const Trainable own = rule->own();  // without the biases, which stay 0
    CHECK(worst(bench, *rule, own.values.first(24 * kSeen), own.gradient.first(24 * kSeen), sum) < 3e-3);
    CHECK(rule->touched() == StepTouch{.passes = 36, .projections = 0, .writes = 0});
  }
}

TEST_CASE("NoProp in continuous time and with flow trains nets of any layers by the same losses") {
  for (const Case& c : cases()) {
    INFO(c.time << " " << c.kind);
    Bench bench(Network(parse_model("9 | dense 12, tanh | dense 10, tanh | dense 5", {{}, 5})));
    const auto rule = bench.make("noprop", nullptr, c.settings);
    losses(bench, *rule);
    const std::vector<float> g = bench.gradient(*rule);
    CHECK(worst(bench, *rule, bench.net.parameters(), g, only(0)) < 3e-3);
    losses(bench, *rule);
    const Trainable own = rule->own();
    CHECK(own.values.size() == 12 * kSeen);
    CHECK(worst(bench, *rule, own.values, own.gradient, sum) < 3e-3);
  }
}

TEST_CASE("the answer follows the equation in t by the solver named: of flow with its order, 1 or 2", "[law]") {
  for (const bool flow : {false, true}) {
    std::vector<double> coarse;
    for (const bool second : {false, true}) {
      INFO((flow ? "flow " : "continuous ") << (second ? "midpoint" : "euler"));
      Bench bench;
      const auto answer = [&](const Rule& made, Index r, int steps, bool fine) {
        return solved(bench.net, const_cast<Rule&>(made).own().values, bench.x.row(r), Row(kClasses), steps,
                      fine || second, flow);
      };
      std::array<double, 2> errors{};
      std::vector<Row> exact;
      for (std::size_t i = 0; i < 2; ++i) {
        const int steps = 40 << i;  // the fastest sine of the time turns through 36 degrees in a step, then 18
        const auto rule = bench.make("noprop", nullptr,
                                     {{"time", flow ? "flow" : "continuous"},
                                      {"solver", second ? "midpoint" : "euler"},
                                      {"steps", std::int64_t{steps}}});
        for (float& w : rule->own().values) w *= 3;  // z matters
        Matrix<float> found(12, 5);
        rule->scores(bench.net, bench.x, found, 0);
        for (Index r = 0; r < 12; ++r) {
          if (i == 0) exact.push_back(answer(*rule, r, 2000, true));
          const Row near = answer(*rule, r, steps, false);
          for (std::size_t c = 0; c < kClasses; ++c) {
            CHECK(double(found(r, Index(c))) == Approx(near[c]).margin(2e-4));
            errors[i] += std::fabs(near[c] - exact[std::size_t(r)][c]);
          }
        }
        CHECK(rule->answer_passes(bench.net) == 3 * (steps * (second ? 2 : 1) + (flow ? 0 : 1)));
      }
      const double order = std::log2(errors[0] / errors[1]);
      if (flow) CHECK(order == Approx(second ? 2 : 1).margin(0.35));
      if (!flow) CHECK(order > 0.8);  // the equation is singular at t = 1, which takes midpoint steps to first order
      coarse.push_back(errors[0]);
    }
    CHECK(coarse[1] < 0.5 * coarse[0]);
  }
}

TEST_CASE("NoProp from a drawn z_0 answers by the place of the sample, however samples are cut") {
  for (const char* time : {"continuous", "flow"}) {
    INFO(time);
    Bench bench;
    const auto rule =
        bench.make("noprop", nullptr, {{"time", time}, {"path", std::string("sampled")}, {"steps", std::int64_t{4}}});
    Matrix<float> whole(12, 5), part(7, 5), mean(12, 5);
    rule->scores(bench.net, bench.x, whole, 40);
    rule->scores(bench.net, bench.x.view().rows(5, 7), part, 45);
    CHECK(std::ranges::equal(part.flat(), whole.flat().subspan(5 * 5)));
    const Stream noise(1, 1, kRuleNoise);
    for (Index r = 0; r < 12; ++r) {
      std::vector<float> z(5);
      noise.normal(40 + std::uint64_t(r), 0, z);
      const Row expected = solved(bench.net, rule->own().values, bench.x.row(r), Row(z.begin(), z.end()), 4, false,
                                  time == std::string("flow"));
      for (std::size_t c = 0; c < kClasses; ++c) CHECK(double(whole(r, Index(c))) == Approx(expected[c]).margin(2e-4));
    }
  }
}

TEST_CASE("NoProp in continuous time and with flow learns, and a stop changes no bit") {
  for (const char* time : {"continuous", "flow"}) {
    INFO(time);
    const TrainSettings settings{
        {"train.net", "20-32-24-5"},      {"train.rule", "noprop"}, {"rule.time", time},
        {"rule.steps", std::int64_t{8}},  {"train.lr", 5e-3},       {"train.batch", std::int64_t{32}},
        {"train.epochs", std::int64_t{6}}};
    const auto run = [](const TrainSettings& s, const TrainObserver& observer = {}) {
      return train(s, cluster_task(), Registry(), observer);
    };
    const TrainResult whole = run(settings);
    CHECK(whole.test_accuracy > 0.95);  // chance is 0.2
    const TemporaryFolder folder;
    TrainSettings part = settings;
    part["train.out"] = folder / "run.h5";
    int steps = 0;
    TrainObserver stopping;
    stopping.stop = [&] { return ++steps == 41; };
    CHECK(run(part, stopping).interrupted);
    const TrainResult result = run({{"train.resume", folder / "run.h5"}, {"train.threads", std::int64_t{2}}});
    CHECK(result.weights_sha256 == whole.weights_sha256);
    CHECK(result.test_accuracy == whole.test_accuracy);
  }
}

TEST_CASE("NoProp in continuous time and with flow reads digits", "[law]") {
  const TrainTest digits = make_digits(1);
  for (const char* time : {"continuous", "flow"}) {
    INFO(time);
    const TrainResult result = train({{"train.net", "784-64-64-10"},
                                      {"train.rule", "noprop"},
                                      {"rule.time", time},
                                      {"rule.steps", std::int64_t{10}},
                                      {"train.lr", 3e-3},
                                      {"train.epochs", std::int64_t{4}}},
                                     digits, Registry());
    // the least of seeds 1 to 5, less two points; chance is 0.1
    CHECK(result.test_accuracy > (time == std::string("flow") ? 0.76 : 0.87));
  }
}

TEST_CASE("settings of one kind of time are refused in another") {
  Bench bench;
  const auto refused = [&](const Settings& settings) {
    CHECK_THROWS_AS(bench.make("noprop", nullptr, settings), InvalidParameter);
  };
  refused({{"time", "continuous"}, {"blocks", std::int64_t{3}}});
  refused({{"steps", std::int64_t{3}}});
  refused({{"solver", "midpoint"}});
  refused({{"weight_max", 3.0}});
  refused({{"time", "flow"}, {"weight_max", 3.0}});
  refused({{"time", "flow"}, {"block_loss", "square"}});
}
