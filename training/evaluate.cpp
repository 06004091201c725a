#include "training/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/error.hpp"
#include "training/layers/graph.hpp"
#include "training/layers/model.hpp"
#include "training/metrics/roc.hpp"

namespace lightloop {
/// Assumed: 512 are enough for the products and small beside the weights; what a model keeps inside stays below 128
/// MiB.
Index samples_at_once(const Network& net, Index all) {
  if (net.model() && net.model()->graph()) return all;  // every node hears others
  constexpr Index kBatch = 512, kValues = Index{1} << 25;
  return net.model() ? std::clamp<Index>(kValues / net.model()->values(), 1, kBatch) : kBatch;
}

void check_data(const Dataset& data) {
  const Index rows = data.bytes.size() ? data.bytes.rows() : data.floats.rows();
  if (data.targets < 1 || static_cast<Index>(data.labels.size()) != rows * data.targets)
    throw ShapeMismatch("data set " + data.name, std::to_string(data.labels.size()) + " labels",
                        std::to_string(rows) + " samples of " + std::to_string(data.targets),
                        "give one label for each");
  if (data.values.size() > 0 && (data.values.rows() != rows || data.values.cols() != data.classes || data.targets != 1))
    throw ShapeMismatch("targets of data set " + data.name,
                        std::to_string(data.values.rows()) + " x " + std::to_string(data.values.cols()),
                        std::to_string(rows) + " samples, " + std::to_string(data.classes) + " outputs");
  for (const std::uint8_t label : data.labels)
    if (label >= data.classes)
      throw OutOfRange("label in data set " + data.name, std::to_string(label),
                       "below the " + std::to_string(data.classes) + " classes", "labels count from 0");
  for (const Matrix<float>* numbers : {&data.floats, &data.values})
    for (const float v : numbers->flat())
      if (!std::isfinite(v))
        throw InvalidParameter("value in data set " + data.name, std::to_string(v), "must be finite",
                               "remove or fill in what is missing");
}

namespace {
/// Whether the tokens of every sample are 0 but for one, which is 1.
bool one_hot(const Dataset& data) {
  for (Index r = 0; r < data.size(); ++r) {
    const auto row = std::span(data.labels).subspan(static_cast<std::size_t>(r * data.targets));
    const auto tokens = row.first(static_cast<std::size_t>(data.targets));
    if (std::ranges::count(tokens, 1) != 1 || std::ranges::count(tokens, 0) != data.targets - 1) return false;
  }
  return true;
}
}  // namespace

void check_fit(const Network& net, const Dataset& data) {
  if (data.size() == 0) throw InvalidParameter("data set " + data.name, "no samples", "at least one");
  const Model* model = net.model();
  if (model && model->graph() && (!data.graph || model->graph()->nodes != data.size()))
    throw ShapeMismatch("net on a graph of " + std::to_string(model->graph()->nodes) + " nodes",
                        data.name + " with " + std::to_string(data.size()) + " samples",
                        "a network on a graph answers for the nodes of that graph");
  if (data.features() != net.widths().front())
    throw ShapeMismatch("net " + net.text(), std::to_string(net.widths().front()) + " inputs",
                        data.name + " has " + std::to_string(data.features()) + " features",
                        "let the net begin with " + std::to_string(data.features()));
  if (data.targets != net.tokens())
    throw ShapeMismatch(
        "net " + net.text(), std::to_string(net.tokens()) + " answers per sample",
        data.name + " has " + std::to_string(data.targets) + " targets per sample",
        data.targets == 1 ? "end with: flatten, dense classes"
        : one_hot(data)   ? "are these one-hot labels? give the number of each sample's class, y.argmax(1)"
                          : "end with a dense layer on (tokens, features) for one per token, as char-transformer does");
  if (data.values.size() ? data.classes != net.classes() : data.classes > net.classes())
    throw ShapeMismatch("net " + net.text(), std::to_string(net.classes()) + " outputs",
                        data.name + " has " + std::to_string(data.classes) + " classes",
                        data.targets > 1 ? "let a token end with " + std::to_string(data.classes)
                                         : "let the net end with " + std::to_string(data.classes));
}

void answer_by_rule(Rule& rule, const Network& net, View<const float> x, std::uint64_t first_sample, Activations& out) {
  out.h.resize(static_cast<std::size_t>(net.layers()) + 1);
  out.h.back().resize(x.rows(), net.widths().back());
  rule.scores(net, x, out.h.back(), first_sample);
}

std::unique_ptr<Rule> answering_rule(const Network& net, const std::string& name, const Settings& settings,
                                     std::uint64_t seed, std::span<const float> own, LayerProducts* layers,
                                     PhysicalMap map) {
  const RuleModel& model = rule(name);
  if (!model.info.own_answer) return nullptr;
  if (layers && !model.info.on_layers)
    throw Unsupported("rule " + name + " on layers of a device", "it answers by passes of its own, in memory", "",
                      "leave the device out, or train with bp, dfa, local, ff, ...");
  ParamSet params("rule " + name, model.info.params);
  params.set(settings);
  if (params.has("recompute")) params.set({{"recompute", false}});  // of gradients; an answer makes no pass again
  auto made = model.make({.net = net, .seed = seed, .params = params, .layers = layers, .map = std::move(map)});
  const std::span<float> values = made->own().values;
  if (values.size() != own.size())
    throw ShapeMismatch("parameters of rule " + name, std::to_string(own.size()),
                        std::to_string(values.size()) + " for net " + to_string(net.widths()));
  std::ranges::copy(own, values.begin());
  return made;
}

Evaluation evaluate(const Network& net, const Dataset& data, Loss loss, Rule* rule) {
  return evaluate(
      net, data, loss,
      [&net, rule](View<const float> x, std::uint64_t first_sample, Activations& out) {
        rule ? answer_by_rule(*rule, net, x, first_sample, out) : forward(net, x, out, {.first_sample = first_sample});
      },
      samples_at_once(net, data.size()));
}

Evaluation evaluate(const Network& net, const Dataset& data, Loss loss, const ForwardPass& pass, Index batch) {
  check_fit(net, data);
  if (data.graph) batch = data.size();
  Activations activations;
  activations.h.resize(1);
  Matrix<float> error;
  std::vector<std::uint32_t> which;
  Index right = 0;
  double total = 0;
  std::vector<ScoredSample> scored;  // of two classes
  for (Index first = 0; first < data.size(); first += batch) {
    const Index count = std::min(batch, data.size() - first);
    which.resize(static_cast<std::size_t>(count));
    std::iota(which.begin(), which.end(), static_cast<std::uint32_t>(first));
    activations.h[0].resize(count, data.features());
    data.gather(which, activations.h[0]);
    pass(activations.h[0], static_cast<std::uint64_t>(first), activations);
    const Matrix<float>& logits = activations.h.back();
    if (data.values.size()) {
      error.resize(count, logits.cols());
      total += value_error(logits, View<const float>(data.values).rows(first, count), error);
      continue;
    }
    const View<const float> answers(logits.data(), count * data.targets, logits.cols() / data.targets);
    error.resize(answers.rows(), answers.cols());
    const std::span<const std::uint8_t> labels(data.labels.data() + first * data.targets,
                                               static_cast<std::size_t>(answers.rows()));
    const std::span<const std::uint8_t> counts =
        data.counts.empty() ? std::span<const std::uint8_t>{}
                            : std::span(data.counts).subspan(static_cast<std::size_t>(first), labels.size());
    total += output_error(loss, answers, labels, error, counts);
    for (Index r = 0; r < answers.rows(); ++r) {
      if (!counts.empty() && !counts[static_cast<std::size_t>(r)]) continue;
      const auto row = answers.row(r);
      if (data.classes == 2 && row.size() == 2)
        scored.push_back({row[1] - row[0], labels[static_cast<std::size_t>(r)] == 1});
      right += std::ranges::max_element(row) - row.begin() == labels[static_cast<std::size_t>(r)];
    }
  }
  const auto n = static_cast<double>(data.counted());
  return {.accuracy = data.values.size() ? std::nan("") : static_cast<double>(right) / n,
          .loss = total / n,
          .auc = area_under_roc(std::move(scored)),
          .samples = data.counted()};
}

}  // namespace lightloop
