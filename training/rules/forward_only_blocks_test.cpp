// Forward-Forward and PhyLL on convolutional nets: losses against their definitions in plain double precision,
// gradients against central differences of those losses.
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

/// A wrong label, all alike.
std::size_t wrong(const Bench& bench, Index r) {
  const auto rank = std::size_t(4 * Stream(1, 0, kRuleNegative).uniform(std::uint64_t(r), 0));
  return rank >= label(bench, r) ? rank + 1 : rank;
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
  constexpr double kUnits[] = {3, 4, 7};
  for (std::size_t b = 0; b < 3; ++b)
    CHECK(found[b] == Approx(mean(bench, [&](Index r) {
            const auto entropy = [&](std::size_t y, double sign) {
              return std::log1p(std::exp(sign * (goodness(blocks(bench, r, y), b) - 0.25 * kUnits[b]) / 2));
            };
            return 0.5 * (entropy(label(bench, r), -1) + entropy(wrong(bench, r), 1));
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

TEST_CASE("PhyLL of a net of dense layers is that of the widths") {
  Bench plain;
  Bench layers(network("9 | dense 24, tanh | dense 17, tanh | dense 5"));
  std::ranges::copy(plain.net.parameters(), layers.net.parameters().begin());
  for (const char* map : {"none", "mixing", "speckle", "auto"}) {
    const auto expected = plain.make("phyll", nullptr, {{"map", map}}),
               found = layers.make("phyll", nullptr, {{"map", map}});
    const std::vector<float> a = plain.gradient(*expected, 2), b = layers.gradient(*found, 2);
    double apart = 0;
    for (std::size_t i = 0; i < a.size(); ++i) apart = std::max(apart, std::fabs(double(a[i]) - double(b[i])));
    CHECK(apart < 1e-6);
    CHECK(found->loss() == Approx(expected->loss()).epsilon(1e-6));
    CHECK(found->touched() == found->declared(layers.net, 12));
    Matrix<float> one(12, 5), other(12, 5);
    expected->scores(plain.net, plain.x, one);
    found->scores(layers.net, layers.x, other);
    for (std::size_t i = 0; i < one.flat().size(); ++i)
      CHECK(double(one.flat()[i]) == Approx(double(other.flat()[i])).margin(1e-5));
  }
}

TEST_CASE("PhyLL on a convolutional net: cosines of whole blocks as defined, a mixture before the flat one alone") {
  Bench bench(network(kNet));
  const auto rule = bench.make("phyll", nullptr, {{"label_strength", 1.0}});
  const auto found = losses(bench, *rule);
  REQUIRE(found.size() == 4);
  const auto cosines = [&](Index r, std::size_t y) {
    std::vector<Row> h = blocks(bench, r, y);
    const Row below = normalised(h[2]);
    Row mixed(7);
    for (std::size_t i = 0; i < 7; ++i) {
      std::vector<float> drawn(7);
      Stream(1, 1003, kRuleFixed).normal(i, 0, drawn);
      for (std::size_t j = 0; j < 7; ++j) mixed[i] += double(drawn[j]) * below[j] / std::sqrt(7.0);
    }
    h.push_back(affine(bench.net.parameters().subspan(std::size_t(bench.net.offset(3))), tanh_of(mixed), 5));
    Row all;
    for (std::size_t b = 0; b < 4; ++b) {
      std::vector<float> zeta(h[b].size());
      Stream(1, b, kRuleFixed).normal(0, 0, zeta);
      double along = 0, square = 0;
      for (std::size_t j = 0; j < zeta.size(); ++j) {
        along += h[b][j] * double(zeta[j]);
        square += double(zeta[j]) * double(zeta[j]);
      }
      all.push_back(along / std::sqrt(squares(h[b]) * square));
    }
    return all;
  };
  for (std::size_t b = 0; b < 4; ++b)
    CHECK(found[b] ==
          Approx(mean(bench, [&](Index r) {
            return std::log1p(std::exp(-10 * (cosines(r, label(bench, r))[b] - cosines(r, wrong(bench, r))[b])));
          })).epsilon(1e-5));
  for (const Index b : {0, 1, 2, 3}) check_block(bench, *rule, b, 1);
  Matrix<float> scores(12, 5);
  rule->scores(bench.net, bench.x, scores);
  for (Index r = 0; r < 12; ++r)
    for (Index c = 0; c < 5; ++c) CHECK(double(scores(r, c)) == Approx(sum(cosines(r, std::size_t(c)))).margin(1e-5));
  for (const char* map : {"mixing", "speckle"})
    CHECK_THROWS_WITH(bench.make("phyll", nullptr, {{"map", map}}), Catch::Contains("block 1"));
}

TEST_CASE("Forward-Forward and PhyLL refuse nets of layers that cannot show a label") {
  Bench bench(network(kNet));
  CHECK_THROWS_AS(bench.make("ff", nullptr, {{"recompute", true}}), InvalidParameter);
  const auto refused = [](const std::string& net, const std::vector<std::string>& rules = {"ff", "phyll"}) {
    const Network made = network(net);
    for (const std::string& name : rules) {
      const RuleModel& model = rule(name);
      CHECK_THROWS_AS(model.make({made, 1, ParamSet("rule:" + name, model.info.params)}), Unsupported);
    }
  };
  refused("9 | dense 5", {"ff"});
  refused("2x2x1 | conv 2 3, relu | flatten, dense 5");
  refused("8 | embedding 7 4 | dense 5");
  refused("8 | embedding 7 4, flatten | dense 5");
}
