#include "training/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/error.hpp"
#include "training/layers/graph.hpp"
#include "training/layers/model.hpp"

namespace lightloop {
namespace {
/// Samples at a time. Assumed: 512 are enough for the products and small beside the weights; what a model keeps inside
/// stays below 128 MiB.
Index batch_for(const Network& net, const Dataset& data) {
  if (data.graph) return data.size();  // every node hears others
  constexpr Index kBatch = 512, kValues = Index{1} << 25;
  return net.model() ? std::clamp<Index>(kValues / net.model()->values(), 1, kBatch) : kBatch;
}
}  // namespace

void check_data(const Dataset& data) {
  const Index rows = data.bytes.size() ? data.bytes.rows() : data.floats.rows();
  if (rows != data.size())
    throw ShapeMismatch("data set " + data.name, std::to_string(data.size()) + " labels",
                        std::to_string(rows) + " samples", "give one label per sample");
  for (const std::uint8_t label : data.labels)
    if (label >= data.classes)
      throw OutOfRange("label in data set " + data.name, std::to_string(label),
                       "below the " + std::to_string(data.classes) + " classes", "labels count from 0");
  for (const float v : data.floats.flat())
    if (!std::isfinite(v))
      throw InvalidParameter("value in data set " + data.name, std::to_string(v), "must be finite",
                             "remove or fill in what is missing");
}

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
  if (data.classes > net.widths().back())
    throw ShapeMismatch("net " + net.text(), std::to_string(net.widths().back()) + " outputs",
                        data.name + " has " + std::to_string(data.classes) + " classes",
                        "let the net end with " + std::to_string(data.classes));
}

std::unique_ptr<Rule> answering_rule(const Network& net, const std::string& name, const Settings& settings,
                                     std::uint64_t seed, std::span<const float> own) {
  const RuleModel& model = rule(name);
  if (!model.info.own_answer) return nullptr;
  ParamSet params("rule " + name, model.info.params);
  params.set(settings);
  auto made = model.make({net, seed, params, nullptr});
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
      [&net, rule](View<const float> x, Activations& out) {
        if (!rule) return forward(net, x, out);
        out.h.resize(static_cast<std::size_t>(net.layers()) + 1);
        out.h.back().resize(x.rows(), net.widths().back());
        rule->scores(net, x, out.h.back());
      },
      batch_for(net, data));
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
  for (Index first = 0; first < data.size(); first += batch) {
    const Index count = std::min(batch, data.size() - first);
    which.resize(static_cast<std::size_t>(count));
    std::iota(which.begin(), which.end(), static_cast<std::uint32_t>(first));
    activations.h[0].resize(count, data.features());
    data.gather(which, activations.h[0]);
    pass(activations.h[0], activations);
    const Matrix<float>& logits = activations.h.back();
    error.resize(count, logits.cols());
    const std::span<const std::uint8_t> labels(data.labels.data() + first, static_cast<std::size_t>(count));
    const std::span<const std::uint8_t> counts =
        data.counts.empty() ? std::span<const std::uint8_t>{}
                            : std::span(data.counts).subspan(static_cast<std::size_t>(first), labels.size());
    total += output_error(loss, logits, labels, error, counts);
    for (Index r = 0; r < count; ++r) {
      if (!counts.empty() && !counts[static_cast<std::size_t>(r)]) continue;
      const auto row = logits.row(r);
      right += std::ranges::max_element(row) - row.begin() == labels[static_cast<std::size_t>(r)];
    }
  }
  const auto n = static_cast<double>(data.counted());
  return {static_cast<double>(right) / n, total / n, data.counted()};
}

}  // namespace lightloop
