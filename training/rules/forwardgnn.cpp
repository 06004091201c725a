// ForwardGNN, single forward: a node for every class joins the graph, and each layer draws nodes to that of their own.
#include <algorithm>
#include <cmath>
#include <functional>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/activation_bytes.hpp"
#include "training/elementwise.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/graph.hpp"
#include "training/rules/streams.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// The graph with one node more per class: it hears the nodes labelled so, and with `both` they hear it.
Graph with_classes(const Graph& graph, std::span<const float> labels, Index classes, bool both) {
  Graph more;
  more.nodes = graph.nodes + classes;
  more.begin.push_back(0);
  const auto end_row = [&more] { more.begin.push_back(more.edges()); };
  const auto hears = [&more](Index node, float weight) {
    more.neighbour.push_back(static_cast<std::int32_t>(node));
    more.weight.push_back(weight);
  };
  for (Index i = 0; i < graph.nodes; ++i) {
    const auto row = static_cast<std::size_t>(i);
    for (auto k = static_cast<std::size_t>(graph.begin[row]); k < static_cast<std::size_t>(graph.begin[row + 1]); ++k)
      hears(graph.neighbour[k], graph.weight[k]);
    if (both && labels[row] >= 0) hears(graph.nodes + static_cast<Index>(labels[row]), 1.0f);
    end_row();
  }
  for (Index c = 0; c < classes; ++c) {
    for (Index i = 0; i < graph.nodes; ++i)
      if (static_cast<Index>(labels[static_cast<std::size_t>(i)]) == c && labels[static_cast<std::size_t>(i)] >= 0)
        hears(i, 1.0f);
    end_row();
  }
  return more;
}

void normalise_length(View<const float> in, View<float> out) {
  for_rows(in.rows(), in.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      double sum = 0;
      for (const float v : in.row(r)) sum += static_cast<double>(v) * static_cast<double>(v);
      const auto scale = static_cast<float>(1 / (std::sqrt(sum) + 1e-8));
      const float* from = in.row(r).data();
      float* to = out.row(r).data();
      for (Index c = 0; c < in.cols(); ++c) to[c] = scale * from[c];
    }
  });
}

class ForwardGnn : public WholeBatch {
 public:
  ForwardGnn(RuleInfo info, const RuleContext& context);
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  void scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) override;
  /// Whose labels wire the graph: they stay as they are, and the run file has them for those who evaluate.
  Trainable own() override { return {labels_, still_}; }
  std::span<const float> learned_state() const override { return state_.flat(); }
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;
  /// The first step with top_down makes a pass of the hidden layers before.
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = (net.layers() + (top_down_ ? net.hidden_layers() : 0)) * (samples + classes_)};
  }
  LayerTouch layer_touch(const Network&, Index samples) const override {
    return {(top_down_ ? 2 : 1) * (samples + classes_), 0};
  }
  Index answer_passes(const Network& net) const override {
    return net.layers() + (top_down_ ? net.hidden_layers() : 0);
  }
  LayerTouch answer_touch(const Network&) const override {
    return {(top_down_ ? 2 : 1) * (1 + (nodes_ + classes_ - 1) / nodes_),
            0};  // class nodes come with all samples together
  }

 private:
  void wire(const Network& net);
  void take_input(View<const float> x);
  /// Normalises what block b hears and passes it through.
  void pass_block(const Network& net, Index b, const LayerPass& pass);
  /// Whether layers above block b have a part in its answer.
  bool looks_up(Index b) const { return top_down_ && b + 2 < model_->blocks(); }
  void take_states(const Network& net, const LayerPass& pass);
  View<const float> seen_from(Index b);
  void class_logits(Index b);
  double teach(const Network& net, Index b, const RuleBatch& batch, std::span<float> gradient);

  std::uint64_t seed_;
  LayerProducts* products_;
  Index nodes_, classes_;
  float temperature_;
  bool both_, all_layers_, top_down_;
  std::vector<Index> hidden_;  ///< widths of the hidden blocks
  std::vector<float> labels_, still_;
  std::shared_ptr<const Model> model_;  // the net on the larger graph, once the labels are known
  Matrix<float> x_, h_;                 // of the block at work
  LayerMemory memory_, work_;
  Matrix<float> logits_, error_, delta_;
  Matrix<float> state_;                         // running statistics, class nodes among the others
  std::vector<Matrix<float>> above_, present_;  // outputs of hidden blocks, normalised: of the step before, and of this
  Matrix<float> mean_;
};

ForwardGnn::ForwardGnn(RuleInfo info, const RuleContext& context)
    : WholeBatch(std::move(info)),
      seed_(context.seed),
      products_(context.layers),
      temperature_(static_cast<float>(context.params.real("temperature"))),
      both_(context.params.text("edges") == "both"),
      all_layers_(context.params.text("answer") == "sum"),
      top_down_(context.params.text("top_down") == "loss") {
  const Model* model = context.net.model();
  if (!model || !model->graph())
    throw Unsupported("rule forwardgnn on net " + context.net.text(), "the net is not on a graph", "",
                      "use it with a graph: --dataset cora --net gcn:128");
  nodes_ = model->graph()->nodes;
  classes_ = context.net.widths().back();
  hidden_.assign(context.net.widths().begin() + 1, context.net.widths().end() - 1);
  if (top_down_ && (hidden_.size() < 2 || std::ranges::adjacent_find(hidden_, std::not_equal_to<>()) != hidden_.end()))
    throw InvalidParameter(
        "rule.top_down", "loss on net " + context.net.text(),
        "layers above a hidden layer have a part in its answer: two or more hidden ones, equally wide",
        "leave it out, or give a net such as gcn 64, relu | gcn 64, relu | gcn classes");
  labels_.assign(static_cast<std::size_t>(nodes_), -1.0f);
  still_.assign(labels_.size(), 0.0f);
}

void ForwardGnn::wire(const Network& net) {
  const Model& model = *net.model();
  for (const float label : labels_)
    if (!(label >= -1 && label < static_cast<float>(classes_)) || label != std::floor(label))
      throw OutOfRange("label of rule forwardgnn", std::to_string(label), "-1 or below the number of classes",
                       "the run file is damaged");
  model_ = parse_model(
      model.text(), {.input = {},
                     .classes = classes_,
                     .graph = std::make_shared<const Graph>(with_classes(*model.graph(), labels_, classes_, both_))});
}

void ForwardGnn::take_input(View<const float> x) {
  if (x.rows() != nodes_)
    throw ShapeMismatch("batch of rule forwardgnn", std::to_string(x.rows()) + " rows",
                        "all " + std::to_string(nodes_) + " nodes of the graph");
  x_.resize(nodes_ + classes_, x.cols());
  for_rows(nodes_, x.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) std::ranges::copy(x.row(r), x_.row(r).begin());
  });
  const Stream features(seed_, 0, kRuleFixed);
  for (Index c = 0; c < classes_; ++c) features.normal(static_cast<std::uint64_t>(c), 0, x_.row(nodes_ + c));
  normalise_length(x_, x_);
}

void ForwardGnn::pass_block(const Network& net, Index b, const LayerPass& pass) {
  if (b > 0) {
    x_.resize(nodes_ + classes_, h_.cols());
    normalise_length(h_, x_);
  }
  h_.resize(nodes_ + classes_, model_->block(b).outputs());
  LayerPass mine = pass;
  mine.products = products_;  // which know layers by their numbers; draws in memory are by those of earlier runs
  mine.instance = products_ ? model_->instance(b) : static_cast<std::uint64_t>(b) << 32;
  model_->block(b).forward(mine, model_->block_input(b, net.parameters(), net.state(), x_), h_, memory_);
}

/// above_ = what hidden blocks give out for x_, the batch, as the weights are now.
void ForwardGnn::take_states(const Network& net, const LayerPass& pass) {
  const auto hidden = static_cast<std::size_t>(net.hidden_layers());
  above_.resize(hidden);
  for (std::size_t b = 0; b < hidden; ++b) {
    pass_block(net, static_cast<Index>(b), pass);
    above_[b].resize(h_.rows(), h_.cols());
    normalise_length(h_, above_[b]);
  }
}

/// h_, or its mean with the outputs of the hidden blocks above.
View<const float> ForwardGnn::seen_from(Index b) {
  if (!looks_up(b)) return h_;
  mean_.resize(h_.rows(), h_.cols());
  const auto first = static_cast<std::size_t>(b) + 1;
  const float share = 1 / static_cast<float>(above_.size() - first + 1);
  for_chunks(h_.size(), kChunk, [&](Index begin, Index count) {
    for (Index i = begin; i < begin + count; ++i) {
      float sum = h_.data()[i];
      for (std::size_t l = first; l < above_.size(); ++l) sum += above_[l].data()[i];
      mean_.data()[i] = share * sum;
    }
  });
  return mean_;
}

/// What the nodes have in common with those of the classes; the last block gives its own answer.
void ForwardGnn::class_logits(Index b) {
  logits_.resize(nodes_, classes_);
  if (b + 1 == model_->blocks()) {
    std::copy_n(h_.data(), logits_.size(), logits_.data());
    return;
  }
  const View<const float> all = seen_from(b);
  gemm(Transpose::no, Transpose::yes, 1 / temperature_, all.rows(0, nodes_), all.rows(nodes_, classes_), 0.0f, logits_);
}

double ForwardGnn::teach(const Network& net, Index b, const RuleBatch& batch, std::span<float> gradient) {
  class_logits(b);
  error_.resize(nodes_, classes_);
  const double loss = output_error(Loss::cross_entropy, logits_, batch.labels, error_, batch.counts);
  delta_.resize(nodes_ + classes_, h_.cols());
  const View<float> delta = delta_;
  const View<const float> h = looks_up(b) ? mean_.view() : h_.view();
  if (b + 1 == model_->blocks()) {
    std::ranges::fill(delta_.flat(), 0.0f);
    std::copy_n(error_.data(), error_.size(), delta_.data());
  } else {
    const float share = looks_up(b) ? 1 / static_cast<float>(model_->blocks() - 1 - b) : 1.0f;
    const float scale = share / temperature_;
    gemm(Transpose::no, Transpose::no, scale, error_, h.rows(nodes_, classes_), 0.0f, delta.rows(0, nodes_));
    gemm(Transpose::yes, Transpose::no, scale, error_, h.rows(0, nodes_), 0.0f, delta.rows(nodes_, classes_));
  }
  const LayerInput in = model_->block_input(b, net.parameters(), net.state(), x_);
  model_->block(b).vjp(in, h_, memory_, delta_, {},
                       gradient.subspan(static_cast<std::size_t>(model_->offset(b)), in.parameters.size()), work_);
  return loss;
}

void ForwardGnn::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  Index counted = 0;
  bool same = model_ != nullptr;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const bool counts = batch.counts.empty() || batch.counts[i] != 0;
    const float label = counts ? static_cast<float>(batch.labels[i]) : -1.0f;
    counted += counts;
    same = same && labels_[i] == label;
    labels_[i] = label;
  }
  if (!same) wire(net);
  begin(nodes_, static_cast<std::size_t>(net.layers()));
  take_input(batch.activations.h[0]);
  const LayerPass pass{.training = true, .seed = seed_, .first_sample = batch.first_sample};
  state_.resize(1, static_cast<Index>(net.state().size()));
  std::ranges::copy(net.state(), state_.flat().begin());
  if (top_down_ && above_.empty()) {
    take_states(net, pass);
    take_input(batch.activations.h[0]);
    touched_.passes += net.hidden_layers() * (nodes_ + classes_);
  }
  present_.resize(above_.size());
  for (Index b = 0; b < net.layers(); ++b) {
    pass_block(net, b, pass);
    if (top_down_ && b + 1 < net.layers()) {
      Matrix<float>& present = present_[static_cast<std::size_t>(b)];
      present.resize(h_.rows(), h_.cols());
      normalise_length(h_, present);
    }
    model_->block(b).learn_state(memory_, model_->state_of(b, state_.flat()));
    loss_ = teach(net, b, batch, gradient);  // of the last block at the end
    layer_loss_[static_cast<std::size_t>(b)] = loss_ / static_cast<double>(counted);
  }
  const float mean = 1 / static_cast<float>(counted);
  for (float& g : gradient) g *= mean;
  touched_.passes += net.layers() * (nodes_ + classes_);
  above_.swap(present_);
}

/// With top_down: the outputs of the step before; nothing before the first.
std::vector<std::byte> ForwardGnn::snapshot() const {
  ByteWriter out;
  for (const Matrix<float>& above : above_) put(out, above);
  return out.take();
}

void ForwardGnn::restore(const std::vector<std::byte>& state) {
  ByteReader in(state, "snapshot of rule forwardgnn");
  std::vector<Matrix<float>> above(state.empty() || !top_down_ ? 0 : hidden_.size());
  for (std::size_t b = 0; b < above.size(); ++b) {
    get(in, above[b]);
    if (above[b].rows() != nodes_ + classes_ || above[b].cols() != hidden_[b]) in.refuse("of a net of other widths");
  }
  in.done();
  above_ = std::move(above);
}

void ForwardGnn::scores(const Network& net, View<const float> x, View<float> out, std::uint64_t) {
  if (!model_) wire(net);
  take_input(x);
  for (Index r = 0; r < out.rows(); ++r) std::ranges::fill(out.row(r), 0.0f);
  error_.resize(nodes_, classes_);
  if (top_down_) {
    present_.swap(above_);  // those of training stay
    take_states(net, {});
    take_input(x);
  }
  for (Index b = 0; b < net.layers(); ++b) {
    pass_block(net, b, {});
    if (!all_layers_ && b + 1 < net.layers()) continue;
    class_logits(b);
    softmax(logits_, error_);
    for (Index r = 0; r < nodes_; ++r)
      for (Index c = 0; c < classes_; ++c) out(r, c) += error_(r, c);
  }
  if (top_down_) present_.swap(above_);
}

}  // namespace

RuleModel forwardgnn_rule() {
  RuleInfo info{
      .name = "forwardgnn",
      .summary =
          "ForwardGNN, single forward: in a graph with a node for every class each layer learns alone to tell "
          "whose class node a node is like",
      .equation =
          "loss_l = cross-entropy of softmax(h_i . h_{class node c} / temperature) over labelled nodes i; "
          "input of every layer divided by its length; delta_L = e",
      .needs = Needs::forward_only,
      .cost = "one forward pass of every layer over nodes and class nodes",
      .source =
          "Park et al., ICLR 2024, arXiv 2403.11004, section 3.3, with top_down its top-to-loss form, whose layers "
          "here "
          "see the present outputs of those below; class nodes with random features and edges both "
          "ways as in its published program",
      .params =
          {{"temperature", "1", 1.0, 1e-6, 1e6, "of the local softmax"},
           {"edges",
            "",
            std::string("both"),
            0,
            0,
            "labelled nodes and the node of their class hear each other (both), or only it hears them (in)",
            {"both", "in"}},
           {"answer",
            "",
            std::string("sum"),
            0,
            0,
            "class probabilities summed over all layers, or those of the last",
            {"sum", "output"}},
           {"top_down",
            "",
            std::string("none"),
            0,
            0,
            "a hidden layer answers by its own output, or (loss) by the mean of that and of what the hidden layers "
            "above it gave out in the step before, of length 1",
            {"none", "loss"}}},
      .masks = true,
      .graph_only = true,
      .own_loss = true,
      .own_forward = true,
      .own_answer = true,
      .on_layers = true,
      .no_map = "the rule trains networks on graphs alone, and physics stands in front of dense layers"};
  return {info, [info](const RuleContext& context) -> std::unique_ptr<Rule> {
            return std::make_unique<ForwardGnn>(info, context);
          }};
}

}  // namespace lightloop
