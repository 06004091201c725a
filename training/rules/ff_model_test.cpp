// Forward-Forward on convolutional nets: losses against their definitions in plain double precision, gradients against
// central differences of those losses.
#include "core/error.hpp"
#include "training/layers/architecture.hpp"
#include "training/rules/images_for_tests.hpp"
#include "training/rules/streams.hpp"

using namespace lightloop;

namespace {

constexpr const char* kNet =
    "6x6x1 | conv 3 3, tanh | conv 4 3 stride=2, tanh | flatten, dense 7, tanh | dense classes";

Network network(const std::string& text) { return Network(parse_model(text, {{}, 5})); }

Row shown(const Bench& bench, Index r, std::size_t y) {
  Row x = row_of(bench.x.row(r));
  for (std::size_t c = 0; c < 5; ++c) x[c] = y < 5 ? double(c == y) : 0.2;
  return normalised(x);
}

/// What the three hidden blocks of kNet make of a sample with label y; y = 5: with none.
std::vector<Row> blocks(const Bench& bench, Index r, std::size_t y) {
  const auto p = [&](Index b) { return bench.net.parameters().subspan(std::size_t(bench.net.offset(b))); };
  const Row h1 = tanh_of(convolved({6, 1, shown(bench, r, y)}, p(0), 3, 1, true).values);
  const Row h2 = tanh_of(convolved({6, 3, normalised(h1)}, p(1), 4, 2, true).values);
  return {h1, h2, tanh_of(affine(p(2), normalised(h2), 7))};
}

constexpr double kPlaces[] = {36, 9, 1};

double goodness(const std::vector<Row>& h, std::size_t b) { return squares(h[b]) / kPlaces[b]; }

const Settings kPlain{{"negatives", "uniform"}, {"peer", 0.0},       {"weight_decay", 0.0},     {"head_decay", 0.0},
                      {"head_rate", 1.0},       {"threshold", 0.25}, {"pool", std::int64_t{2}}, {"temperature", 2.0}};

void check_block(Bench& bench, Rule& rule, Index b, double factor) {
  losses(bench, rule);
  const std::vector<float> g = bench.gradient(rule);
  const auto begin = std::size_t(bench.net.offset(b));
  const std::size_t end = b + 1 < bench.net.layers() ? std::size_t(bench.net.offset(b + 1)) : g.size();
  INFO("block " << b);
  CHECK(worst(bench, rule, bench.net.parameters().subspan(begin, end - begin), std::span(g).subspan(begin, end - begin),
              only(std::size_t(b)), factor) < 3e-3);
}

}  // namespace

TEST_CASE("Forward-Forward of a net of dense layers is that of the widths") {
  Bench plain;
  Bench layers(network("9 | dense 24, tanh | dense 17, tanh | dense 5"));
  std::ranges::copy(plain.net.parameters(), layers.net.parameters().begin());
  const Settings same{{"threshold", 0.5}, {"peer", 0.0}};
  for (const char* answer : {"softmax", "goodness"}) {
    Settings settings = same;
    settings["answer"] = answer;
    const auto expected = plain.make("ff", nullptr, settings), found = layers.make("ff", nullptr, settings);
    const std::vector<float> a = plain.gradient(*expected, 2), b = layers.gradient(*found, 2);
    double apart = 0;
    for (std::size_t i = 0; i < a.size(); ++i) apart = std::max(apart, std::fabs(double(a[i]) - double(b[i])));
    CHECK(apart < 1e-6);
    CHECK(found->loss() == Approx(expected->loss()).epsilon(1e-6));
    CHECK(found->touched() == expected->touched());
    CHECK(found->touched() == found->declared(layers.net, 12));
    Matrix<float> one(12, 5), other(12, 5);
    expected->scores(plain.net, plain.x, one);
    found->scores(layers.net, layers.x, other);
    for (std::size_t i = 0; i < one.flat().size(); ++i)
      CHECK(double(one.flat()[i]) == Approx(double(other.flat()[i])).margin(1e-5));
  }
}

TEST_CASE(
    "Forward-Forward on a convolutional net: goodness of channels as defined, gradients as half its differences") {
  Bench bench(network(kNet));
  const auto rule = bench.make("ff", nullptr, kPlain);
  const auto found = losses(bench, *rule);
  REQUIRE(found.size() == 4);
  const Stream negative(1, 0, kRuleNegative);
  const auto wrong = [&](Index r) {
    const auto rank = std::size_t(4 * negative.uniform(std::uint64_t(r), 0));
    return rank >= label(bench, r) ? rank + 1 : rank;
  };
  constexpr double kUnits[] = {3, 4, 7};
  for (std::size_t b = 0; b < 3; ++b)
    CHECK(found[b] == Approx(mean(bench, [&](Index r) {
            const auto entropy = [&](std::size_t y, double sign) {
              return std::log1p(std::exp(sign * (goodness(blocks(bench, r, y), b) - 0.25 * kUnits[b]) / 2));
            };
            return 0.5 * (entropy(label(bench, r), -1) + entropy(wrong(r), 1));
          })));
  // the head sees the second block, pooled; the output block the third
  const std::span<const float> head = rule->own().values;
  REQUIRE(head.size() == 5 * (2 * 2 * 4 + 1));
  const auto logits = [&](Index r) {
    const std::vector<Row> h = blocks(bench, r, 5);
    Row all = affine(head, pooled({3, 4, normalised(h[1])}, 2, 1), 5);
    const Row last = affine(bench.net.parameters().subspan(std::size_t(bench.net.offset(3))), normalised(h[2]), 5);
    for (std::size_t c = 0; c < 5; ++c) all[c] += last[c];
    return all;
  };
  CHECK(found[3] == Approx(mean(bench, [&](Index r) { return cross_entropy(logits(r), label(bench, r)); })));
  // a mean over pairs' halves, of which the rule takes T / 2: factor 2 * T / 2
  for (const Index b : {0, 1, 2}) check_block(bench, *rule, b, 2);
  check_block(bench, *rule, 3, 1);
  losses(bench, *rule);
  CHECK(worst(bench, *rule, rule->own().values, rule->own().gradient, only(3)) < 3e-3);

  Matrix<float> scores(12, 5);
  rule->scores(bench.net, bench.x, scores);
  for (Index r = 0; r < 12; ++r)
    for (Index c = 0; c < 5; ++c) CHECK(double(scores(r, c)) == Approx(logits(r)[std::size_t(c)]).margin(1e-5));
  Settings by_goodness = kPlain;
  by_goodness["answer"] = "goodness";
  bench.make("ff", nullptr, by_goodness)->scores(bench.net, bench.x, scores);
  for (Index r = 0; r < 12; ++r)
    for (Index c = 0; c < 5; ++c) {
      const auto h = blocks(bench, r, std::size_t(c));
      CHECK(double(scores(r, c)) == Approx(goodness(h, 1) + goodness(h, 2)).margin(1e-5));
    }
}

TEST_CASE("Forward-Forward on a convolutional net: peers pull channels by their running means, which come back") {
  Bench bench(network(kNet));
  Settings settings = kPlain;
  const auto without = bench.make("ff", nullptr, settings);
  settings["peer"] = 0.5;
  const auto with = bench.make("ff", nullptr, settings);
  const std::vector<float> a = bench.gradient(*without), b = bench.gradient(*with);
  // block 1: pull_c = -peer (mean of m - m_c) at every place of right pairs, back through tanh
  Row means(3, 0.45), pull(3);
  std::vector<Row> h;
  for (Index r = 0; r < 12; ++r) {
    h.push_back(blocks(bench, r, label(bench, r))[0]);
    for (std::size_t i = 0; i < h.back().size(); ++i) means[i % 3] += 0.1 * h.back()[i] / (12 * 36);
  }
  for (std::size_t c = 0; c < 3; ++c) pull[c] = -0.5 * ((means[0] + means[1] + means[2]) / 3 - means[c]);
  for (std::size_t c = 0; c < 3; ++c) {
    double expected = 0;
    for (const Row& row : h)
      for (std::size_t i = c; i < row.size(); i += 3) expected += pull[c] * (1 - row[i] * row[i]) / 12;
    CHECK(double(b[27 + c] - a[27 + c]) == Approx(expected).margin(1e-5));
    CHECK(std::fabs(expected) > 1e-4);
  }
  const auto state = with->snapshot();
  const std::vector<float> next = bench.gradient(*with, 1);
  const auto again = bench.make("ff", nullptr, settings);
  CHECK(bench.gradient(*again, 1) != next);
  again->restore(state);
  CHECK(bench.gradient(*again, 1) == next);
}

TEST_CASE("Forward-Forward refuses nets of layers that show no label, or that it holds two at a time anyway") {
  Bench bench(network(kNet));
  CHECK_THROWS_AS(bench.make("ff", nullptr, {{"recompute", true}}), InvalidParameter);
  const auto refused = [](const std::string& net) {
    const Network made = network(net);
    const RuleModel& model = rule("ff");
    CHECK_THROWS_AS(model.make({made, 1, ParamSet("rule:ff", model.info.params)}), Unsupported);
  };
  refused("9 | dense 5");
  refused("2x2x1 | conv 2 3, relu | flatten, dense 5");
  refused("8 | embedding 7 4 | dense 5");
  refused("8 | embedding 7 4, flatten | dense 5");
}
