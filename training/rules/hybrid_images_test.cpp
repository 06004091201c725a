// Forward-Forward without labels: patchworks of two images as wrong data.
#include "training/rules/hybrid_images.hpp"

#include "core/error.hpp"
#include "training/datasets/digits.hpp"
#include "training/layers/architecture.hpp"
#include "training/rules/local_loss_for_tests.hpp"
#include "training/rules/streams.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

/// The definition, pixel by pixel.
std::vector<float> slow_mask(const Stream& draws, std::uint64_t row, Index height, Index width, Index blurs) {
  std::vector<float> drawn(std::size_t(height * width));
  draws.uniform(row, 4, drawn);
  std::vector<double> bits;
  for (const float u : drawn) bits.push_back(u < 0.5f ? 0 : 1);
  const auto at = [&](const std::vector<double>& v, Index y, Index x) {
    return v[std::size_t(std::clamp<Index>(y, 0, height - 1) * width + std::clamp<Index>(x, 0, width - 1))];
  };
  for (Index k = 0; k < blurs; ++k) {
    std::vector<double> next(bits.size());
    for (Index y = 0; y < height; ++y)
      for (Index x = 0; x < width; ++x)
        for (Index dy = -1; dy <= 1; ++dy)
          for (Index dx = -1; dx <= 1; ++dx)
            next[std::size_t(y * width + x)] +=
                (dy == 0 ? 0.5 : 0.25) * (dx == 0 ? 0.5 : 0.25) * at(bits, y + dy, x + dx);
    bits = next;
  }
  std::vector<float> mask;
  for (const double v : bits) mask.push_back(v > 0.5 ? 1.0f : 0.0f);
  return mask;
}

}  // namespace

TEST_CASE("masks are blurred bits cut at a half: patches that are on as often as off") {
  const Stream draws(3, 0, kRuleNegative);
  const ImageSize size{20, 17};
  std::vector<float> mask(340), work(340);
  double on = 0, alike = 0, pairs = 0;
  for (std::uint64_t row = 0; row < 200; ++row) {
    hybrid_mask(draws, row, size, 6, mask, work);
    if (row < 5) {
      const std::vector<float> slow = slow_mask(draws, row, 20, 17, 6);
      int differ = 0;  // a half itself may fall on either side
      for (std::size_t i = 0; i < mask.size(); ++i) differ += mask[i] != slow[i];
      CHECK(differ <= 1);
    }
    for (Index y = 0; y < 20; ++y)
      for (Index x = 0; x < 17; ++x) {
        const float here = mask[std::size_t(y * 17 + x)];
        CHECK((here == 0 || here == 1));
        on += double(here);
        if (x + 1 < 17) {
          alike += here == mask[std::size_t(y * 17 + x + 1)];
          pairs += 1;
        }
      }
  }
  // null: on with probability 1/2; some 15 patches an image make 3000 coins: sd 0.009. Two-sided, 3.3 sd, alpha 0.001
  CHECK(on / (200 * 340) == Approx(0.5).margin(0.03));
  CHECK(alike / pairs > 0.8);  // of bits: 0.5
  hybrid_mask(draws, 0, size, 0, mask, work);
  CHECK(mask == slow_mask(draws, 0, 20, 17, 0));
}

TEST_CASE("a patchwork has whole pixels of either image") {
  const std::vector<float> mask = {1, 0}, a = {1, 2, 3, 4}, b = {5, 6, 7, 8};
  std::vector<float> out(4);
  mix_images(mask, a, b, 2, out);
  CHECK(out == std::vector<float>{1, 2, 7, 8});
}

TEST_CASE("Forward-Forward on patchworks: cross-entropy of goodness as defined, gradients as its differences") {
  for (const bool layers : {false, true}) {
    INFO((layers ? "layers" : "widths"));
    Bench bench(layers ? Network(parse_model("3x3x1 | flatten, dense 24, tanh | dense 17, tanh | dense 5", {{}, 5}))
                       : Network({9, 24, 17, 5}, Activation::tanh));
    const auto rule = bench.make("ff", nullptr,
                                 {{"negatives", "hybrid"},
                                  {"blurs", std::int64_t{1}},
                                  {"peer", 0.0},
                                  {"weight_decay", 0.0},
                                  {"head_decay", 0.0},
                                  {"head_rate", 1.0},
                                  {"threshold", 1.0}});
    const auto found = losses(bench, *rule);
    REQUIRE(found.size() == 3);
    const Stream draws(1, 0, kRuleNegative);
    const std::span<const float> p = bench.net.parameters();
    const auto hidden = [&](const Row& x) { return tanh_of(affine(p, normalised(x), 24)); };
    const auto wrong = [&](Index r) {
      std::vector<float> mask(9), work(9);
      hybrid_mask(draws, std::uint64_t(r), {3, 3}, 1, mask, work);
      const Index other = (r + 1 + Index(11 * draws.uniform(std::uint64_t(r), 0))) % 12;
      CHECK(other != r);
      Row x;
      for (Index i = 0; i < 9; ++i) x.push_back(double(mask[std::size_t(i)] != 0 ? bench.x(r, i) : bench.x(other, i)));
      return x;
    };
    const auto entropy = [](const Row& h, bool right) {
      const double x = squares(h) - double(h.size());
      return std::log1p(std::exp(right ? -x : x));
    };
    const auto both = [&](Index r, std::size_t depth) {
      double total = 0;
      for (const bool right : {true, false}) {
        Row h = hidden(right ? row_of(bench.x.row(r)) : wrong(r));
        if (depth > 0) h = tanh_of(affine(p.subspan(24 * 10), normalised(h), 17));
        total += 0.5 * entropy(h, right);
      }
      return total;
    };
    for (const std::size_t depth : {0, 1})
      CHECK(found[depth] == Approx(mean(bench, [&](Index r) { return both(r, depth); })));
    CHECK(found[2] == Approx(mean(bench, [&](Index r) {
            const Row h = tanh_of(affine(p.subspan(24 * 10), normalised(hidden(row_of(bench.x.row(r)))), 17));
            return cross_entropy(affine(p.subspan(24 * 10 + 17 * 25), normalised(h), 5), label(bench, r));
          })));
    if (!layers) check_net(bench, *rule, same);
  }
}

TEST_CASE("Forward-Forward on patchworks refuses goodness as an answer and what is no image") {
  Bench bench;
  CHECK_THROWS_WITH(bench.make("ff", nullptr, {{"negatives", "hybrid"}, {"answer", "goodness"}}),
                    Catch::Contains("no label"));
  CHECK_THROWS_AS(bench.make("ff", nullptr, {{"blurs", std::int64_t{2}}}), InvalidParameter);
  Bench narrow(Network({10, 24, 17, 5}, Activation::tanh));
  CHECK_THROWS_WITH(narrow.make("ff", nullptr, {{"negatives", "hybrid"}}), Catch::Contains("no square"));
}

TEST_CASE("what layers learn from patchworks of digits without labels tells digits apart", "[law]") {
  std::vector<std::string> warnings;
  TrainObserver observer;
  observer.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  const TrainResult result = train({{"train.net", "784-128-128-10"},
                                    {"train.rule", "ff"},
                                    {"train.activation", "relu"},
                                    {"rule.negatives", "hybrid"},
                                    {"train.lr", 3e-3},
                                    {"train.epochs", std::int64_t{5}}},
                                   make_digits(1), Registry(), observer);
  CHECK(result.test_accuracy > 0.67);  // chance is 0.1; seeds 1 to 5 have 0.69 and more
  CHECK(warnings.empty());             // no feature was given up for a label
}
