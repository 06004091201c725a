#include "training/layers/model.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/layer_checks_for_tests.hpp"
#include "training/loss.hpp"
#include "training/network.hpp"
#include "training/rules/rule.hpp"

using namespace lightloop;

namespace {

const ModelContext kDigits{{28, 28, 1}, 10};

std::string message(const std::string& net) {
  try {
    parse_model(expand_preset(net, kDigits), kDigits);
  } catch (const Error& e) {
    return e.what();
  }
  return "nothing was thrown";
}

/// Gradient of `rule` and mean loss of one batch, running statistics left alone.
struct Step {
  explicit Step(Network taught) : net(std::move(taught)), gradient(1, Index(net.parameters().size())) {}
  double loss(const Matrix<float>& x, std::span<const std::uint8_t> labels) {
    forward(net, x, activations, {.training = true, .seed = 3});
    error.resize(x.rows(), net.widths().back());
    return output_error(Loss::cross_entropy, activations.h.back(), labels, error) / double(x.rows());
  }
  void teach(const std::string& name, const Matrix<float>& x, std::span<const std::uint8_t> labels,
             Feedback* feedback = nullptr, const Settings& settings = {}) {
    loss(x, labels);
    ParamSet params("rule", rule(name).info.params);
    params.set(settings);
    made = rule(name).make({net, 1, params, feedback});
    made->gradient(net, {activations, error, labels}, gradient.flat());
  }
  Network net;
  Matrix<float> gradient, error;
  Activations activations;
  std::unique_ptr<Rule> made;
};

Network network(const std::string& text, const ModelContext& context) {
  Network net(parse_model(expand_preset(text, context), context));
  net.initialise(7);
  return net;
}

const std::uint8_t kLabels[] = {0, 2, 1, 2, 0, 1};

}  // namespace

TEST_CASE("an architecture's text reads back to itself, spaces and line breaks left out of account") {
  const auto model = parse_model(
      "conv 8 5x3 stride=2 pad=1,batch_norm,\n relu | depthwise 3, max_pool 2 | residual(conv 8 3 bias=false, relu; "
      "conv 8 1 groups=2), dropout 0.25|flatten, dense 12, tanh, dense classes",
      kDigits);
  CHECK(model->blocks() == 4);
  CHECK(model->block(0).output_shape() == Shape{13, 14, 8});
  CHECK(model->text() ==
        "28x28x1 | conv 8 5x3 stride=2 pad=1, batch_norm, relu | conv 8 3x3 pad=1 groups=8, max_pool 2x2 | "
        "residual(conv 8 3x3 pad=1 bias=false, relu; conv 8 1x1 pad=0 groups=2), dropout 0.25 | flatten, dense 12, "
        "tanh, dense 10");
  const auto again = parse_model(model->text(), {});
  CHECK(again->text() == model->text());
  CHECK(again->parameters() == model->parameters());
  CHECK(parse_model("5 | dense 3", {})->text() == "5 | dense 3");
  const char* sides = "9x7x2 | conv 4 5x1 stride=1x2 pad=2x0, max_pool 3x1, avg_pool 1x2 stride=2x1 | flatten, dense 3";
  CHECK(parse_model(sides, {})->text() == sides);
}

TEST_CASE("every preset is a network for its data, with the published number of parameters") {
  const auto parameters = [](const std::string& net, const ModelContext& context) {
    return parse_model(expand_preset(net, context), context)->parameters();
  };
  // ResNet-18 with a 3 x 3 stem, 64 channels and 10 classes on 32 x 32 x 3 has 11 173 962
  CHECK(parameters("resnet18-small:64", {{32, 32, 3}, 10}) == 11173962);
  CHECK(parameters("vgg8:8", kDigits) > 10000);
  CHECK(parameters("char-transformer:32x2", {{16}, 65}) > 2 * 12 * 32 * 32);
  CHECK(parameters("32x32x3 | resnet18-small:64", {{3072}, 10}) == 11173962);
  CHECK(expand_preset("mlp:1024x2", kDigits) == "784-1024-1024-10");
  CHECK(is_widths(expand_preset("mlp", kDigits)));
  const std::pair<std::int32_t, std::int32_t> pair[] = {{0, 1}};
  CHECK(parameters("gcn:16", {{8}, 3, std::make_shared<const Graph>(undirected_graph(3, pair))}) == 9 * 16 + 17 * 3);
}

TEST_CASE("a net that makes no sense is refused with the word that makes none") {
  CHECK_THAT(message("vgg9"), Catch::Contains("did you mean vgg8"));
  CHECK_THAT(message("vgg8:big"), Catch::Contains("vgg8:big"));
  CHECK_THAT(message("mlp:0x2"), Catch::Contains("from 1 to 1048576") && Catch::Contains("from 1 to 1000"));
  CHECK_THAT(message("mlp:8x1001"), Catch::Contains("from 1 to 1000"));
  CHECK_THAT(message("vgg8:0"), Catch::Contains("from 1 to 1048576") && Catch::Contains("vgg8:128"));
  CHECK_THAT(message("flatten, dense 16777217 | dense classes"), Catch::Contains("at most 16777216"));
  CHECK_THAT(message("conv 8 3 stride=16777217, relu"), Catch::Contains("at most 16777216"));
  CHECK_THAT(message("conv 8 0, relu"), Catch::Contains("from 1 to 16777216"));
  CHECK_THAT(message("convv 8 3, relu"), Catch::Contains("did you mean conv"));
  CHECK_THAT(message("conv 8, relu"), Catch::Contains("lacks a window"));
  CHECK_THAT(message("conv eight 3, relu"), Catch::Contains("conv eight"));
  CHECK_THAT(message("conv 8 3 strid=2, relu"), Catch::Contains("strid=2"));
  CHECK_THAT(message("conv 8 3 7, relu"), Catch::Contains("takes no \"7\""));
  CHECK_THAT(message("conv 8 3 stride=two, relu"), Catch::Contains("stride=two"));
  CHECK_THAT(message("conv 8 3 pad=1x1x1, relu"), Catch::Contains("pad=1x1x1") && Catch::Contains("2x0"));
  CHECK_THAT(message("flatten, dense 10 |"), Catch::Contains("a layer was expected"));
  CHECK_THAT(message("flatten,, dense 10"), Catch::Contains("a layer was expected"));
  CHECK_THAT(message("residual(conv 1 3"), Catch::Contains("a ) was expected"));
  CHECK_THAT(message("residual conv 1 3"), Catch::Contains("takes no \"conv\""));
  CHECK_THAT(message("conv 8 3 | relu"), Catch::Contains("flatten, dense classes"));
  CHECK_THAT(message("gcn:8"), Catch::Contains("graph"));
  CHECK_THAT(message("16777216x16777216x16777216 | flatten, dense 3"), Catch::Contains("2^31"));
  CHECK_THAT(message("16777217x3 | flatten, dense 3"), !Catch::Contains("nothing"));
  CHECK_THAT(message("1x1x16777216 | conv 16777216 16777215 pad=16777214"), Catch::Contains("2^31"));
  CHECK_THAT(message("16777216 | dense 16777216, dense 16777216"), Catch::Contains("2^40"));
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "residual(";
  CHECK_THAT(message(deep + "relu |"), Catch::Contains("64 deep"));
  CHECK_THROWS_WITH(parse_model("dense 3, relu", {}), Catch::Contains("begin with it"));
}

TEST_CASE("dense layers as a model are the fully connected network bit for bit: weights, outputs and gradient") {
  const Matrix<float> x = test::normal_matrix(6, 7, 2);
  Network dense_net({7, 9, 8, 3}, Activation::tanh);
  dense_net.initialise(7);
  Step plain(dense_net), blocks(network("dense 9, tanh | dense 8, tanh | dense 3", {{7}, 3}));
  REQUIRE(std::ranges::equal(plain.net.parameters(), blocks.net.parameters()));
  CHECK(blocks.net.widths() == plain.net.widths());
  CHECK(plain.loss(x, kLabels) == blocks.loss(x, kLabels));
  CHECK(std::ranges::equal(plain.activations.h.back().flat(), blocks.activations.h.back().flat()));
  const auto feedback = digital_feedback(3, 9, 5);
  for (const char* name : {"bp", "dfa"}) {
    plain.teach(name, x, kLabels, feedback.get());
    blocks.teach(name, x, kLabels, feedback.get());
    for (std::size_t i = 0; i < plain.gradient.flat().size(); ++i)
      CHECK(plain.gradient.flat()[i] == Approx(blocks.gradient.flat()[i]).margin(1e-6));
  }
}

TEST_CASE("back-propagation through a whole model equals finite differences of the loss") {
  Step step(
      network("conv 3 3 stride=2, batch_norm, tanh | residual(conv 3 3, sigmoid; conv 3 1 bias=false), dropout 0.2 "
              "| avg_pool 2, flatten, dense 5, gelu, layer_norm, dense classes",
              {{6, 6, 2}, 3}));
  const Matrix<float> x = test::normal_matrix(6, 72, 2);
  step.teach("bp", x, kLabels);
  const Matrix<float> gradient = step.gradient;
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < gradient.flat().size(); ++i) {
    float& w = step.net.parameters()[i];
    const float before = w, up = before + 3e-3f, down = before - 3e-3f;
    w = up;
    const double above = step.loss(x, kLabels);
    w = down;
    const double below = step.loss(x, kLabels);
    w = before;
    const double slope = (above - below) / (double(up) - double(down));
    largest = std::max(largest, std::fabs(double(gradient.flat()[i])));
    worst = std::max(worst, std::fabs(slope - double(gradient.flat()[i])));
  }
  CHECK(worst < 5e-3 * largest);
}

TEST_CASE("DFA on blocks: the last block gets the gradient of back-propagation, the others the projected error") {
  const ModelContext context{{6, 6, 1}, 3};
  const std::string text = "conv 3 3, tanh | conv 2 3, relu, conv 2 3, tanh | flatten, dense 6, tanh, dense classes";
  const Matrix<float> x = test::normal_matrix(6, 36, 2);
  Step exact(network(text, context)), macro(network(text, context)), micro(network(text, context));
  exact.teach("bp", x, kLabels);
  const auto feedback = digital_feedback(3, 108, 5);
  macro.teach("dfa", x, kLabels, feedback.get());
  micro.teach("dfa", x, kLabels, feedback.get(), {{"feedback", "layers"}});
  const Model& model = *exact.net.model();
  const auto same = [&](const Step& other, Index first, Index last) {
    const auto a = std::span<const float>(exact.gradient.flat()).subspan(std::size_t(first), std::size_t(last - first));
    const auto b = std::span<const float>(other.gradient.flat()).subspan(std::size_t(first), std::size_t(last - first));
    return std::ranges::equal(a, b);
  };
  const Index last = model.offset(2);
  CHECK(model.parameters() == last + 73 * 6 + 7 * 3);
  CHECK(same(macro, last, model.parameters()));
  CHECK_FALSE(same(macro, 0, model.offset(1)));
  CHECK_FALSE(same(macro, model.offset(1), last));
  CHECK(same(micro, last + 73 * 6, model.parameters()));
  CHECK_FALSE(same(micro, last, last + 73 * 6));
  // the signal of a block is B e / sqrt(d), in the same order of rows
  Matrix<float> projected(6, 108);
  feedback->project(macro.error, projected);
  const View<const float> signal = macro.made->teaching_signal(1);
  REQUIRE(signal.cols() == 72);
  for (Index r = 0; r < 6; ++r)
    for (Index c = 0; c < 72; ++c) CHECK(signal(r, c) == Approx(projected(r, c) / std::sqrt(72.0f)).margin(1e-6));
}

TEST_CASE("units: blocks, or every layer with weights and what follows it") {
  const auto model =
      parse_model("conv 4 3, batch_norm, relu, conv 4 3, max_pool 2 | layer_norm, flatten, dense 10", kDigits);
  CHECK(model->units(false).size() == 2);
  const auto units = model->units(true);
  REQUIRE(units.size() == 3);
  CHECK(units[0].last == 3);
  CHECK(units[1].outputs == 14 * 14 * 4);
  CHECK(units[2].first == 0);
}

TEST_CASE("units: a transformer's block has three places: attention, the hidden and the last layer of its dense pair") {
  const auto model = parse_model(expand_preset("char-transformer:8x1", {{6}, 5}), {{6}, 5});
  const auto units = model->units(true);
  REQUIRE(units.size() == 4);
  CHECK(units[1].inside.empty());
  REQUIRE(units[2].inside.size() == 1);
  CHECK(units[2].inside[0].shape == Shape{6, 32});  // behind gelu
  CHECK(units[2].outputs == 6 * 8);
  for (const Unit& unit : model->units(false)) CHECK(unit.inside.empty());
  const auto nested =
      parse_model("4 | residual(dense 4, residual(dense 3, tanh, dense 4), dense 4; dense 4)", {})->units(true);
  REQUIRE(nested.size() == 1);
  REQUIRE(nested[0].inside.size() == 3);
  CHECK(nested[0].inside[0].path == std::vector<Index>{0, 0});
  CHECK(nested[0].inside[1].path == std::vector<Index>{0, 1, 0});
  CHECK(nested[0].inside[2].path == std::vector<Index>{0, 1});
}

TEST_CASE("micro DFA teaches the parts of a residual each by its own signal, against finite differences") {
  const ModelContext context{{5}, 3};
  Step micro(network("dense 6 | layer_norm, residual(dense 8, tanh, dense 6) | dense classes", context));
  const Matrix<float> x = test::normal_matrix(6, 5, 2);
  const auto feedback = digital_feedback(3, 8, 5);
  micro.teach("dfa", x, kLabels, feedback.get(), {{"feedback", "layers"}});
  const Matrix<float> gradient = micro.gradient;
  Matrix<float> hidden(6, 8);
  feedback->project(micro.error, hidden);
  for (float& v : hidden.flat()) v /= std::sqrt(8.0f);
  const View<const float> last = micro.made->teaching_signal(1);
  const auto along = [](View<const float> signal, View<const float> h) {
    double total = 0;
    for (Index r = 0; r < h.rows(); ++r)
      for (Index c = 0; c < h.cols(); ++c) total += double(signal(r, c)) * double(h(r, c));
    return total / 6;
  };
  // what a part gives out, along the signal that is sent there; the norm in front of both hears both
  const Model& model = *micro.net.model();
  const Index begin = model.offset(1), norm = begin + 12, first = norm + 6 * 8 + 8;
  const auto part = [&](Index i) {
    micro.loss(x, kLabels);
    const LayerMemory& branch = micro.activations.memory[1].inner[1].inner[0];
    const double inside = along(hidden, branch.kept[0]);
    if (i >= norm && i < first) return inside;
    if (i >= first) return along(last, micro.activations.h[2]);
    return inside + along(last, micro.activations.memory[1].kept[0]);  // and the way past the branch
  };
  double largest = 0, worst = 0;
  for (Index i = begin; i < model.offset(2); ++i) {
    float& w = micro.net.parameters()[std::size_t(i)];
    const float before = w, up = before + 1e-2f, down = before - 1e-2f;
    w = up;
    const double above = part(i);
    w = down;
    const double below = part(i);
    w = before;
    const double slope = (above - below) / (double(up) - double(down));
    largest = std::max(largest, std::fabs(slope));
    worst = std::max(worst, std::fabs(slope - double(gradient.flat()[std::size_t(i)])));
  }
  CHECK(worst < 5e-3 * largest);
}
