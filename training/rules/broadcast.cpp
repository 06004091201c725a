#include "training/rules/broadcast.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>
#include <optional>

#include "core/error.hpp"
#include "core/random.hpp"
#include "training/elementwise.hpp"
#include "training/layers/graph.hpp"
#include "training/layers/model.hpp"
#include "training/rules/blocks.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/return_path.hpp"

namespace lightloop {
namespace {

std::vector<Unit> units_of(const Network& net, const ParamSet& params) {
  if (!net.model()) return {};
  return net.model()->units(params.has("feedback") && params.text("feedback") == "layers");
}

/// What takes a signal from the nodes that have one to those that they heard.
std::optional<Graph> way_back(const RuleContext& context) {
  const Model* model = context.net.model();
  if (!model || !model->graph() || !context.params.boolean("along_graph")) return std::nullopt;
  return transposed(normalised(*model->graph()));
}

/// Shape at every place that a signal is sent to: inside of units and at their ends, the output of the net left out.
std::vector<Shape> taught_shapes(const Network& net, const std::vector<Unit>& units) {
  std::vector<Shape> shapes;
  for (std::size_t u = 0; u < units.size(); ++u) {
    for (const Inside& inside : units[u].inside) shapes.push_back(inside.shape);
    if (u + 1 < units.size())
      shapes.push_back(net.model()->block(units[u].block).layer(units[u].last - 1).output_shape());
  }
  return shapes;
}

/// A signal of one token goes to that token: places it is sent to must have the same ones.
void check_tokens(const Network& net, const std::vector<Unit>& units) {
  const Index tokens = net.tokens();
  if (tokens == 1) return;
  for (const Shape& shape : taught_shapes(net, units))
    if (shape.size() != 2 || shape[0] != tokens)
      throw Unsupported("feedback to a layer that gives out " + shape_text(shape),
                        "the net answers for " + std::to_string(tokens) + " tokens one by one", "",
                        "keep (tokens, features) up to the output");
}

class Broadcast : public Rule {
 public:
  Broadcast(RuleInfo info, const RuleContext& context, Signal signal)
      : info_(std::move(info)),
        signal_of_(std::move(signal)),
        feedback_(context.feedback),
        scale_(static_cast<float>(context.params.real("scale"))),
        noise_std_(static_cast<float>(context.params.real("noise") * std::numbers::sqrt2)),
        skip_empty_(context.params.boolean("skip_empty")),
        centres_(context.params.boolean("centre")),
        back_(way_back(context)),
        tokens_(context.net.tokens()),
        units_(units_of(context.net, context.params)),
        noise_(context.seed, 0, Purpose::projection_noise) {}

  const RuleInfo& info() const override { return info_; }
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  View<const float> teaching_signal(Index layer) const override;
  std::span<const Index> active_rows() const override { return units_.empty() ? rows_ : all_rows_; }
  std::span<const Index> shown_rows() const override { return rows_; }
  StepTouch declared(const Network& net, Index samples) const override {
    if (reads_columns()) return {};
    const bool projects = units_.empty() ? net.hidden_layers() > 0 : !taught_shapes(net, units_).empty();
    return {.projections = projects ? samples * tokens_ : 0};
  }
  StepTouch touched() const override { return touched_; }
  std::vector<double> weight_alignment(const Network& net, View<const float> matrix) override {
    return broadcast_alignment(net, matrix);
  }
  std::vector<std::byte> snapshot() const override;
  void restore(const std::vector<std::byte>& state) override;

 private:
  /// Then nothing is shown in a step.
  bool reads_columns() const { return info_.one_hot && feedback_ && !feedback_->matrix().empty(); }
  void choose_rows(const RuleBatch& batch);
  void teach_blocks(const Network& net, const RuleBatch& batch, std::span<float> gradient);
  void teach_unit(const Network& net, const RuleBatch& batch, const Unit& unit, View<const float> dy,
                  std::span<float> gradient);
  void spread_signal(Index samples, Index outputs, Matrix<float>& delta) const;
  void send_inside(const Unit& unit, Index samples, std::vector<Matrix<float>>& signals);
  void finish_projection();
  void add_noise();
  void centre();
  void scatter(Index samples, bool any);
  View<const float> active(const Matrix<float>& all, Matrix<float>& gathered) const;

  RuleInfo info_;
  Signal signal_of_;
  Feedback* feedback_;  // null without hidden layers
  float scale_, noise_std_;
  bool skip_empty_, centres_;
  std::optional<Graph> back_;
  Index tokens_;
  std::vector<Unit> units_;  // of a model
  std::vector<LayerMemory> work_;
  Stream noise_;
  std::uint64_t errors_seen_ = 0;  // one per sample, or per token of it
  StepTouch touched_;
  std::vector<Index> rows_, all_rows_, speaking_;  // speaking_: those of the shown that have a signal
  Matrix<float> signal_, projected_, draws_, mean_, scattered_, spread_;
  std::vector<Matrix<float>> delta_, gathered_;
  std::vector<std::vector<Matrix<float>>> inside_;  // per unit
};

void Broadcast::choose_rows(const RuleBatch& batch) {
  LIGHTLOOP_ASSERT(batch.error.contiguous());
  // every token has an error of its own
  const View<const float> error(batch.error.data(), batch.error.rows() * tokens_, batch.error.cols() / tokens_);
  signal_.resize(error.rows(), error.cols());
  rows_.clear();
  speaking_.clear();
  for (Index r = 0; r < error.rows(); ++r) {
    const auto row = signal_.row(static_cast<Index>(rows_.size()));
    const auto index = static_cast<std::size_t>(r);
    const bool counts = batch.counts.empty() || batch.counts[index] != 0;
    const bool any = counts && signal_of_(error.row(r), batch.labels[index], row);
    if (!counts) std::ranges::fill(row, 0.0f);
    if (any) speaking_.push_back(static_cast<Index>(rows_.size()));
    if (any || !skip_empty_) rows_.push_back(r);
  }
  signal_.resize(static_cast<Index>(rows_.size()), error.cols());
}

void Broadcast::finish_projection() {
  feedback_->finish();
  if (noise_std_ > 0) add_noise();
  if (centres_ && speaking_.size() > 1) centre();
}

/// Takes the mean over the rows with a signal off them; each column's sum is made in the order of the rows.
void Broadcast::centre() {
  mean_.resize(1, projected_.cols());
  for_chunks(projected_.cols(), 64, [&](Index first, Index count) {
    float* const mean = mean_.data() + first;
    std::fill_n(mean, count, 0.0f);
    for (const Index r : speaking_)
      for (Index c = 0; c < count; ++c) mean[c] += projected_(r, first + c);
    for (Index c = 0; c < count; ++c) mean[c] /= static_cast<float>(speaking_.size());
    for (const Index r : speaking_)
      for (Index c = 0; c < count; ++c) projected_(r, first + c) -= mean[c];
  });
}

void Broadcast::add_noise() {
  draws_.resize(projected_.rows(), projected_.cols());
  for_rows(projected_.rows(), projected_.cols(), [&](Index first, Index count) {
    for (Index i = first; i < first + count; ++i) {
      const auto number = errors_seen_ + static_cast<std::uint64_t>(rows_[static_cast<std::size_t>(i)]);
      const auto draw = draws_.row(i);
      const auto out = projected_.row(i);
      noise_.normal(number, 0, draw);
      for (std::size_t j = 0; j < out.size(); ++j) out[j] += noise_std_ * draw[j];
    }
  });
}

View<const float> Broadcast::active(const Matrix<float>& all, Matrix<float>& gathered) const {
  if (static_cast<Index>(rows_.size()) == all.rows()) return all;
  gathered.resize(static_cast<Index>(rows_.size()), all.cols());
  for_rows(gathered.rows(), gathered.cols(), [&](Index first, Index count) {
    for (Index i = first; i < first + count; ++i)
      std::ranges::copy(all.row(rows_[static_cast<std::size_t>(i)]), gathered.row(i).begin());
  });
  return gathered;
}

void Broadcast::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index samples = batch.error.rows(), hidden = net.hidden_layers();
  choose_rows(batch);
  if (net.model()) return teach_blocks(net, batch, gradient);
  const auto active_count = static_cast<Index>(rows_.size());
  delta_.resize(static_cast<std::size_t>(hidden));
  gathered_.resize(static_cast<std::size_t>(hidden));
  if (hidden > 0) projected_.resize(active_count, feedback_->outputs());
  const bool projects = active_count > 0 && hidden > 0;
  touched_ = {.projections = projects && !reads_columns() ? active_count : 0};
  if (projects) feedback_->begin(signal_, projected_);
  // the output layer needs no projection: it is served while a device shows the others'
  layer_gradient(net, hidden, batch.error, batch.activations.input(hidden), samples, gradient);
  if (projects) finish_projection();
  for (Index l = 0; l < hidden; ++l) {
    const Matrix<float>& h = batch.activations.h[static_cast<std::size_t>(l) + 1];
    Matrix<float>& delta = delta_[static_cast<std::size_t>(l)];
    delta.resize(active_count, h.cols());
    const float scale = scale_ / std::sqrt(static_cast<float>(h.cols()));
    const View<const float> slice = projected_.view().cols(0, h.cols());
    for_rows(active_count, h.cols(), [&](Index first, Index count) {
      for (Index i = first; i < first + count; ++i)
        times_derivative(net.activation(l), h.row(rows_[static_cast<std::size_t>(i)]), slice.row(i), scale,
                         delta.row(i));
    });
    const auto index = static_cast<std::size_t>(l);
    layer_gradient(net, l, delta, active(batch.activations.input(l), gathered_[index]), samples, gradient);
  }
  errors_seen_ += static_cast<std::uint64_t>(samples);
}

void Broadcast::teach_unit(const Network& net, const RuleBatch& batch, const Unit& unit, View<const float> dy,
                           std::span<float> gradient) {
  const Model& model = *net.model();
  const auto b = static_cast<std::size_t>(unit.block);
  const LayerInput in = model.block_input(unit.block, net.parameters(), net.state(), batch.activations.h[b]);
  model.block(unit.block)
      .vjp_of(unit.first, unit.last, in, batch.activations.h[b + 1], batch.activations.memory[b], dy, {},
              gradient.subspan(static_cast<std::size_t>(model.offset(unit.block)), in.parameters.size()), work_[b]);
}

/// delta (samples, outputs) = B s / sqrt(d), d of one token.
void Broadcast::spread_signal(Index samples, Index outputs, Matrix<float>& delta) const {
  const Matrix<float>& signal = back_ ? spread_ : scattered_;
  const Index width = outputs / tokens_;
  const float scale = scale_ / std::sqrt(static_cast<float>(width));
  delta.resize(samples, outputs);
  const View<float> to(delta.data(), samples * tokens_, width);
  for_rows(to.rows(), width, [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r)
      for (Index c = 0; c < width; ++c) to(r, c) = scale * signal(r, c);
  });
}

/// Lays signals where the vjp of the unit's layers finds them.
void Broadcast::send_inside(const Unit& unit, Index samples, std::vector<Matrix<float>>& signals) {
  signals.resize(unit.inside.size());
  for (std::size_t i = 0; i < signals.size(); ++i) {
    spread_signal(samples, elements(unit.inside[i].shape), signals[i]);
    LayerMemory* work = &work_[static_cast<std::size_t>(unit.block)];
    bool branch = false;
    for (const Index layer : unit.inside[i].path) {
      if (branch) {
        if (work->inner.empty()) work->inner.resize(1);
        work = &work->inner[0];
      }
      const auto index = static_cast<std::size_t>(layer);
      if (work->inner.size() <= index) work->inner.resize(index + 1);
      work = &work->inner[index];
      branch = true;
    }
    work->sent = signals[i];
  }
}

void Broadcast::teach_blocks(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index samples = batch.error.rows(), shown = static_cast<Index>(rows_.size());
  const bool waits = !units_.back().inside.empty();
  const bool teaches = units_.size() > 1 || waits, projects = teaches && shown > 0;
  touched_ = {.projections = projects && !reads_columns() ? shown : 0};
  all_rows_.resize(static_cast<std::size_t>(samples));
  std::iota(all_rows_.begin(), all_rows_.end(), Index{0});
  delta_.resize(units_.size() - 1);
  inside_.resize(units_.size());
  work_.resize(static_cast<std::size_t>(net.layers()));
  if (projects) {
    projected_.resize(shown, feedback_->outputs());
    feedback_->begin(signal_, projected_);
  }
  if (!waits) teach_unit(net, batch, units_.back(), batch.error, gradient);  // while a device shows the others' signal
  if (projects) finish_projection();
  if (teaches) scatter(samples * tokens_, projects);
  for (std::size_t u = 0; u < units_.size(); ++u) {
    const bool last = u == delta_.size();
    if (last && !waits) break;
    send_inside(units_[u], samples, inside_[u]);
    if (!last) spread_signal(samples, units_[u].outputs, delta_[u]);
    teach_unit(net, batch, units_[u], last ? batch.error : delta_[u].view(), gradient);
  }
  divide(gradient, samples);
  errors_seen_ += static_cast<std::uint64_t>(samples * tokens_);
}

/// From the rows that were shown to all of them; those left out have none, unless the graph brings it.
void Broadcast::scatter(Index samples, bool any) {
  const Index width = feedback_->outputs();
  scattered_.resize(samples, width);
  std::ranges::fill(scattered_.flat(), 0.0f);
  for (std::size_t i = 0; any && i < rows_.size(); ++i)
    std::ranges::copy(projected_.row(static_cast<Index>(i)), scattered_.row(rows_[i]).begin());
  if (!back_) return;
  spread_.resize(samples, width);
  multiply(*back_, scattered_, spread_);
}

/// Of a block whose layers are taught one by one: what arrives at its output.
View<const float> Broadcast::teaching_signal(Index layer) const {
  auto index = static_cast<std::size_t>(layer);
  for (std::size_t u = 0; u < units_.size(); ++u)
    if (units_[u].block == layer) index = u;
  return delta_[index];
}

std::vector<std::byte> Broadcast::snapshot() const {
  std::vector<std::byte> state(sizeof errors_seen_);
  std::memcpy(state.data(), &errors_seen_, state.size());
  return state;
}

void Broadcast::restore(const std::vector<std::byte>& state) {
  if (state.size() != sizeof errors_seen_)
    throw InvalidParameter("snapshot of rule " + info_.name, std::to_string(state.size()) + " bytes",
                           std::to_string(sizeof errors_seen_) + " expected", "it is from another rule or version");
  std::memcpy(&errors_seen_, state.data(), state.size());
}

}  // namespace

std::vector<ParamInfo> broadcast_params() {
  return {
      {"scale", "1", 1.0, 1e-6, 1e6, "factor on the teaching signal; 1 matches the norm of back-propagation"},
      {"noise", "1", 0.0, 0, 1e3,
       "Gaussian noise added after the read-out, in units of the rms projection of an error with two entries of +-1"},
      {"skip_empty", "", true, 0, 0, "leave samples without a signal out of the projection and of the products"},
      {"centre", "", false, 0, 0,
       "take the mean over the batch off the projected signals: what all samples share moves every unit one way until "
       "it saturates, and thresholds and signs share more than whole errors do"},
      {"matrix_from", "", std::string(), 0, 0,
       "device whose matrix a digital run measures and uses, for runs paired with it; empty: drawn from the seed"},
      {"feedback",
       "",
       std::string("blocks"),
       0,
       0,
       "where the signal arrives in a net of any layers: at the end of every block, or at every layer with weights, "
       "inside residuals too",
       {"blocks", "layers"}},
      {"along_graph", "", true, 0, 0,
       "in a net on a graph: nodes pass the projected error on to those that they heard, once"}};
}

Index broadcast_width(const Network& net, const ParamSet& params) {
  Index widest = 0;
  if (net.model()) {
    for (const Shape& shape : taught_shapes(net, units_of(net, params)))
      widest = std::max(widest, elements(shape) / net.tokens());
  } else {
    for (Index l = 1; l <= net.hidden_layers(); ++l)
      widest = std::max(widest, net.widths()[static_cast<std::size_t>(l)]);
  }
  return widest;
}

void check_feedback(const RuleInfo& info, const RuleContext& context) {
  const Index inputs = context.net.classes();
  const Index hidden = broadcast_width(context.net, context.params);
  const bool fits = context.feedback && context.feedback->inputs() == inputs && context.feedback->outputs() >= hidden;
  if (hidden > 0 && !fits)
    throw InvalidParameter("feedback of rule " + info.name, context.feedback ? "wrong size" : "missing",
                           std::to_string(inputs) + " inputs, at least " + std::to_string(hidden) + " outputs",
                           "pass a device_feedback or a digital_feedback of that size");
}

std::unique_ptr<Rule> broadcast_rule(RuleInfo info, const RuleContext& context, Signal signal) {
  check_feedback(info, context);
  check_tokens(context.net, units_of(context.net, context.params));
  return std::make_unique<Broadcast>(std::move(info), context, std::move(signal));
}

}  // namespace lightloop
