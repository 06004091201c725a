#include "training/rules/broadcast.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>
#include <utility>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "training/activation_bytes.hpp"
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

/// A batch of which something was shown: what came of its forward pass, and of the projection.
struct Shown {
  Index samples = 0;                         ///< 0: there was none yet
  std::uint64_t first_error = 0;             ///< number of its first error since the start of training
  std::vector<Index> rows, speaking;         ///< that were shown; of these, which have a signal
  Matrix<float> signal, projected;           ///< one row for each that was shown
  const Activations* activations = nullptr;  ///< of the batch, or kept
  View<const float> error;                   ///< as well
  Activations kept_activations;              ///< with a delay
  Matrix<float> kept_error;
  bool projects = false;  ///< the device is at it
};

/// Where the unit's parameters begin in Network::parameters().
Index first_parameter(const Network& net, const Unit& unit) {
  return net.model()->offset(unit.block) + net.model()->block(unit.block).offset(unit.first);
}

bool has_delay(const RuleContext& context) {
  const bool delays = context.params.has("delay") && context.params.integer("delay") > 0;
  if (delays && context.layers && context.net.model())
    throw Unsupported("rule.delay on net " + context.net.text() + " with its layers on devices",
                      "what goes back inside a block goes through the device, and that knows its last pass alone", "",
                      "leave rule.delay out, or give a net of widths such as 784-1024-10");
  return delays;
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
        delays_(has_delay(context)),
        back_(way_back(context)),
        tokens_(context.net.tokens()),
        units_(units_of(context.net, context.params)),
        noise_(context.seed, 0, Purpose::projection_noise) {}
  ~Broadcast() override {
    try {
      wait();  // what the device writes to is going
    } catch (...) {
    }
  }
  Broadcast(const Broadcast&) = delete;
  Broadcast& operator=(const Broadcast&) = delete;

  const RuleInfo& info() const override { return info_; }
  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override;
  View<const float> teaching_signal(Index layer) const override;
  std::span<const Index> active_rows() const override { return units_.empty() ? taught_batch().rows : all_rows_; }
  std::span<const Index> shown_rows() const override { return shown_[now_].rows; }
  std::optional<EarlierBatch> taught() const override;
  void wait() override;
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
  /// The batch that the hidden layers learn from, after what is shown of the present one has begun.
  const Shown& taught_batch() const { return shown_[delays_ ? 1 - now_ : now_]; }
  Shown& take(const RuleBatch& batch);
  void choose_rows(const RuleBatch& batch, Shown& shown);
  void show(Shown& shown, bool teaches);
  void keep(Shown& shown);
  void teach_layers(const Network& net, const RuleBatch& batch, std::span<float> gradient);
  void teach_blocks(const Network& net, const RuleBatch& batch, std::span<float> gradient);
  void teach_unit(const Network& net, const Shown& shown, const Unit& unit, View<const float> dy,
                  std::span<float> gradient);
  void spread_signal(Index samples, Index outputs, Matrix<float>& delta) const;
  void send_inside(const Unit& unit, Index samples, std::vector<Matrix<float>>& signals);
  void add_noise(Shown& shown);
  void centre(Shown& shown);
  void scatter(const Shown& shown);
  View<const float> active(const Shown& shown, const Matrix<float>& all, Matrix<float>& gathered) const;

  RuleInfo info_;
  Signal signal_of_;
  Feedback* feedback_;  // null without hidden layers
  float scale_, noise_std_;
  bool skip_empty_, centres_, delays_;
  std::optional<Graph> back_;
  Index tokens_;
  std::vector<Unit> units_;  // of a model
  std::vector<LayerMemory> work_;
  Stream noise_;
  std::uint64_t errors_seen_ = 0;  // one per sample, or per token of it
  StepTouch touched_;
  std::array<Shown, 2> shown_;  // with a delay in turn
  std::size_t now_ = 0;
  std::vector<Index> all_rows_;
  Matrix<float> draws_, mean_, scattered_, spread_;
  std::vector<Matrix<float>> delta_, gathered_;
  std::vector<std::vector<Matrix<float>>> inside_;  // per unit
};

/// Chooses what is shown of the batch, once the device has done with the one before.
Shown& Broadcast::take(const RuleBatch& batch) {
  wait();
  if (delays_) now_ = 1 - now_;
  Shown& shown = shown_[now_];
  shown.samples = batch.error.rows();
  shown.first_error = errors_seen_;
  shown.activations = &batch.activations;
  shown.error = batch.error;
  choose_rows(batch, shown);
  errors_seen_ += static_cast<std::uint64_t>(shown.samples * tokens_);
  return shown;
}

void Broadcast::choose_rows(const RuleBatch& batch, Shown& shown) {
  LIGHTLOOP_ASSERT(batch.error.contiguous());
  // every token has an error of its own
  const View<const float> error(batch.error.data(), batch.error.rows() * tokens_, batch.error.cols() / tokens_);
  shown.signal.resize(error.rows(), error.cols());
  shown.rows.clear();
  shown.speaking.clear();
  for (Index r = 0; r < error.rows(); ++r) {
    const auto row = shown.signal.row(static_cast<Index>(shown.rows.size()));
    const auto index = static_cast<std::size_t>(r);
    const bool counts = batch.counts.empty() || batch.counts[index] != 0;
    const bool any = counts && signal_of_(error.row(r), batch.labels[index], row);
    if (!counts) std::ranges::fill(row, 0.0f);
    if (any) shown.speaking.push_back(static_cast<Index>(shown.rows.size()));
    if (any || !skip_empty_) shown.rows.push_back(r);
  }
  shown.signal.resize(static_cast<Index>(shown.rows.size()), error.cols());
}

/// Begins the projection; with a delay it also keeps what will be wanted of the batch when it has come.
void Broadcast::show(Shown& shown, bool teaches) {
  const Index count = shown.signal.rows();
  shown.projects = teaches && count > 0;
  touched_ = {.projections = shown.projects && !reads_columns() ? count : 0};
  if (teaches) shown.projected.resize(count, feedback_->outputs());
  if (shown.projects) feedback_->begin(shown.signal, shown.projected);
  if (delays_) keep(shown);
}

void Broadcast::keep(Shown& shown) {
  shown.kept_activations = *shown.activations;
  shown.activations = &shown.kept_activations;
  shown.kept_error.resize(shown.error.rows(), shown.error.cols());
  std::copy_n(shown.error.data(), shown.error.size(), shown.kept_error.data());
  shown.error = shown.kept_error;
}

void Broadcast::wait() {
  Shown& shown = shown_[now_];
  if (!std::exchange(shown.projects, false)) return;
  feedback_->finish();
  if (noise_std_ > 0) add_noise(shown);
  if (centres_ && shown.speaking.size() > 1) centre(shown);
}

/// Takes the mean over the rows with a signal off them; each column's sum is made in the order of the rows.
void Broadcast::centre(Shown& shown) {
  Matrix<float>& projected = shown.projected;
  mean_.resize(1, projected.cols());
  for_chunks(projected.cols(), 64, [&](Index first, Index count) {
    float* const mean = mean_.data() + first;
    std::fill_n(mean, count, 0.0f);
    for (const Index r : shown.speaking)
      for (Index c = 0; c < count; ++c) mean[c] += projected(r, first + c);
    for (Index c = 0; c < count; ++c) mean[c] /= static_cast<float>(shown.speaking.size());
    for (const Index r : shown.speaking)
      for (Index c = 0; c < count; ++c) projected(r, first + c) -= mean[c];
  });
}

void Broadcast::add_noise(Shown& shown) {
  Matrix<float>& projected = shown.projected;
  draws_.resize(projected.rows(), projected.cols());
  for_rows(projected.rows(), projected.cols(), [&](Index first, Index count) {
    for (Index i = first; i < first + count; ++i) {
      const auto number = shown.first_error + static_cast<std::uint64_t>(shown.rows[static_cast<std::size_t>(i)]);
      const auto draw = draws_.row(i);
      const auto out = projected.row(i);
      noise_.normal(number, 0, draw);
      for (std::size_t j = 0; j < out.size(); ++j) out[j] += noise_std_ * draw[j];
    }
  });
}

View<const float> Broadcast::active(const Shown& shown, const Matrix<float>& all, Matrix<float>& gathered) const {
  if (static_cast<Index>(shown.rows.size()) == all.rows()) return all;
  gathered.resize(static_cast<Index>(shown.rows.size()), all.cols());
  for_rows(gathered.rows(), gathered.cols(), [&](Index first, Index count) {
    for (Index i = first; i < first + count; ++i)
      std::ranges::copy(all.row(shown.rows[static_cast<std::size_t>(i)]), gathered.row(i).begin());
  });
  return gathered;
}

void Broadcast::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  net.model() ? teach_blocks(net, batch, gradient) : teach_layers(net, batch, gradient);
}

void Broadcast::teach_layers(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const Index hidden = net.hidden_layers();
  Shown& now = take(batch);
  show(now, hidden > 0);
  // the output layer needs no projection: it is served while a device shows the others'
  layer_gradient(net, hidden, batch.error, batch.activations.input(hidden), now.samples, gradient);
  batch.tell_done(hidden);
  if (!delays_) wait();
  const Shown& taught = taught_batch();
  delta_.resize(static_cast<std::size_t>(hidden));
  gathered_.resize(static_cast<std::size_t>(hidden));
  for (Index l = 0; l < hidden; ++l) {
    Matrix<float>& delta = delta_[static_cast<std::size_t>(l)];
    if (taught.samples == 0) {  // the first step of a delay
      delta.resize(0, net.weights(l).rows());
      layer_gradient(net, l, delta, {nullptr, 0, net.weights(l).cols()}, 1, gradient);
      continue;
    }
    const Matrix<float>& h = taught.activations->h[static_cast<std::size_t>(l) + 1];
    const auto count = static_cast<Index>(taught.rows.size());
    delta.resize(count, h.cols());
    const float scale = scale_ / std::sqrt(static_cast<float>(h.cols()));
    const View<const float> slice = taught.projected.view().cols(0, h.cols());
    for_rows(count, h.cols(), [&](Index first, Index some) {
      for (Index i = first; i < first + some; ++i)
        times_derivative(net.activation(l), h.row(taught.rows[static_cast<std::size_t>(i)]), slice.row(i), scale,
                         delta.row(i));
    });
    const auto index = static_cast<std::size_t>(l);
    layer_gradient(net, l, delta, active(taught, taught.activations->input(l), gathered_[index]), taught.samples,
                   gradient);
    batch.tell_done(l);
  }
}

/// Writes the mean gradient of the unit's layers.
void Broadcast::teach_unit(const Network& net, const Shown& shown, const Unit& unit, View<const float> dy,
                           std::span<float> gradient) {
  const Model& model = *net.model();
  const LayerChain& block = model.block(unit.block);
  const auto b = static_cast<std::size_t>(unit.block);
  const LayerInput in = model.block_input(unit.block, net.parameters(), net.state(), shown.activations->h[b]);
  const std::span<float> all = gradient.subspan(static_cast<std::size_t>(model.offset(unit.block)),
                                                static_cast<std::size_t>(block.parameters()));
  block.vjp_of(unit.first, unit.last, in, shown.activations->h[b + 1], shown.activations->memory[b], dy, {}, all,
               work_[b]);
  const auto first = static_cast<std::size_t>(block.offset(unit.first));
  divide(all.subspan(first, static_cast<std::size_t>(block.offset(unit.last)) - first), shown.samples);
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
  const bool waits = !units_.back().inside.empty();
  const bool teaches = units_.size() > 1 || waits;
  Shown& now = take(batch);
  work_.resize(static_cast<std::size_t>(net.layers()));
  show(now, teaches);
  const bool alone = units_.size() == 1 || units_[units_.size() - 2].block != units_.back().block;
  if (!waits) {
    teach_unit(net, now, units_.back(), now.error, gradient);  // while a device shows the others' signal
    if (alone) batch.tell_done(units_.back().block);
  }
  if (!delays_) wait();
  const Shown& taught = taught_batch();
  all_rows_.resize(static_cast<std::size_t>(taught.samples));
  std::iota(all_rows_.begin(), all_rows_.end(), Index{0});
  delta_.resize(units_.size() - 1);
  inside_.resize(units_.size());
  if (taught.samples == 0) {  // the first step of a delay
    const Index whole = waits ? static_cast<Index>(gradient.size()) : first_parameter(net, units_.back());
    std::ranges::fill(gradient.first(static_cast<std::size_t>(whole)), 0.0f);
    for (Matrix<float>& delta : delta_) delta.resize(0, 0);
    return;
  }
  if (teaches) scatter(taught);
  for (std::size_t u = 0; u < units_.size(); ++u) {
    const bool last = u == delta_.size();
    if (last && !waits && alone) break;
    if (!last || waits) {
      send_inside(units_[u], taught.samples, inside_[u]);
      if (!last) spread_signal(taught.samples, units_[u].outputs, delta_[u]);
      teach_unit(net, taught, units_[u], last ? taught.error : delta_[u].view(), gradient);
    }
    if (last || units_[u + 1].block != units_[u].block) batch.tell_done(units_[u].block);
  }
}

/// From the rows that were shown to all of them; those left out have none, unless the graph brings it.
void Broadcast::scatter(const Shown& shown) {
  const Index width = feedback_->outputs(), rows = shown.samples * tokens_;
  scattered_.resize(rows, width);
  std::ranges::fill(scattered_.flat(), 0.0f);
  for (std::size_t i = 0; i < shown.rows.size(); ++i)
    std::ranges::copy(shown.projected.row(static_cast<Index>(i)), scattered_.row(shown.rows[i]).begin());
  if (!back_) return;
  spread_.resize(rows, width);
  multiply(*back_, scattered_, spread_);
}

std::optional<EarlierBatch> Broadcast::taught() const {
  if (!delays_) return std::nullopt;
  const Shown& taught = taught_batch();
  return EarlierBatch{taught.samples > 0 ? taught.activations : nullptr, taught.error};
}

/// Of a block whose layers are taught one by one: what arrives at its output.
View<const float> Broadcast::teaching_signal(Index layer) const {
  auto index = static_cast<std::size_t>(layer);
  for (std::size_t u = 0; u < units_.size(); ++u)
    if (units_[u].block == layer) index = u;
  return delta_[index];
}

/// With a delay the batch whose signal is to come follows; wait() has been called.
std::vector<std::byte> Broadcast::snapshot() const {
  ByteWriter out;
  out.put(errors_seen_);
  if (!delays_) return out.take();
  const Shown& shown = shown_[now_];
  LIGHTLOOP_ASSERT(!shown.projects);
  out.put(shown.samples);
  if (shown.samples == 0) return out.take();
  put_all(out, shown.rows);
  put(out, shown.projected);
  put(out, shown.kept_error);
  put(out, shown.kept_activations);
  return out.take();
}

void Broadcast::restore(const std::vector<std::byte>& state) {
  ByteReader in(state, "snapshot of rule " + info_.name);
  const auto errors_seen = in.get<std::uint64_t>();
  Shown shown;
  if (delays_) shown.samples = in.get<Index>();
  if (shown.samples != 0) {
    get_all(in, shown.rows);
    get(in, shown.projected);
    get(in, shown.kept_error);
    get(in, shown.kept_activations);
    const Index errors = shown.samples * tokens_;
    const bool fits = shown.samples > 0 && shown.kept_error.rows() == shown.samples &&
                      std::ranges::all_of(shown.rows, [&](Index r) { return r >= 0 && r < errors; }) &&
                      shown.projected.rows() == static_cast<Index>(shown.rows.size()) &&
                      (!feedback_ || shown.projected.cols() == feedback_->outputs()) &&
                      std::ranges::all_of(shown.kept_activations.h,
                                          [&](const Matrix<float>& h) { return h.rows() == shown.samples; });
    if (!fits) in.refuse("a batch of other sizes");
  }
  in.done();
  errors_seen_ = errors_seen;
  now_ = 0;
  shown_[0] = std::move(shown);
  shown_[0].activations = &shown_[0].kept_activations;
  shown_[0].error = shown_[0].kept_error;
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

ParamInfo delay_param() {
  return {"delay",
          "1",
          std::int64_t{0},
          0,
          1,
          "1: the device projects the error of a batch while the next one is run forward, and hidden layers learn from "
          "it one step later; 0: they wait for it"};
}

std::vector<ParamInfo> error_broadcast_params() {
  std::vector<ParamInfo> params = broadcast_params();
  params.push_back(delay_param());
  return params;
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
