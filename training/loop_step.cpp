// One batch after another.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"
#include "training/datasets/shift.hpp"
#include "training/elementwise.hpp"
#include "training/layers/model.hpp"
#include "training/loop.hpp"
#include "training/rules/trial.hpp"

namespace lightloop {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void TrainingLoop::begin_epoch() {
  if (order_epoch_ == run_.position.epoch) return;
  order_.resize(static_cast<std::size_t>(data_.train.size()));
  if (data_.train.graph)  // nodes stay where they are
    std::iota(order_.begin(), order_.end(), 0u);
  else
    Stream(config_.seed(), 0, Purpose::batch_order)
        .permutation(static_cast<std::uint64_t>(run_.position.epoch), order_);
  order_epoch_ = run_.position.epoch;
}

double TrainingLoop::step() {
  const auto start = std::chrono::steady_clock::now();
  begin_epoch();
  read_columns();
  RunPosition& at = run_.position;
  const Index first = at.step * batch_, count = std::min(batch_, data_.train.size() - first);
  const std::span which(order_.data() + first, static_cast<std::size_t>(count));
  activations_.h.resize(static_cast<std::size_t>(run_.net.layers()) + 1);
  gather_input(which);
  gather_targets(which);
  // a graph is one batch
  const Index counted = data_.train.counts.empty() ? count * data_.train.targets : data_.train.counted();
  const bool own_forward = config_.model->info.own_forward;
  const Index done = at.epoch * steps_per_epoch_ + at.step;
  if (own_forward && layers_) layers_->hold(run_.net);
  const double output_loss = own_forward ? 0 : run_forward(layers_.get());
  check_loss(output_loss);
  const BackPass back = [this](Index layer, View<const float> delta, View<float> below) {
    layers_->backward(layer, activations_.came(layer), delta, below);
  };
  const MapBack map_back = [this](Index layer, View<const float> h, View<const float> dy, View<float> dx) {
    maps_->map_back(layer, h, dy, dx);
  };
  const NetworkPass pass = [this](const Network& net, View<const float> x, Activations& out) {
    const LayerPass as = trial_pass(config_.seed(), static_cast<std::uint64_t>(run_.position.trained));
    if (!layers_) return maps_->forward(net, x, out, as);
    layers_->program(net, true);
    layers_->forward(net, x, out, as);
  };
  const LayerDone layer_done = [this](Index layer) { update_layer(layer); };
  const MovedPass moved = [this](std::span<const float> direction, float step, View<const float> x, Activations& out) {
    layers_->forward(layers_->move(run_.net, direction, step), x, out,
                     trial_pass(config_.seed(), static_cast<std::uint64_t>(run_.position.trained)));
  };
  const bool tries = tries_programmes();
  const double lr = schedule_.at(done, epochs_ * steps_per_epoch_);
  const Index signals_asked = layers_ && layers_->learns_by_itself() ? kAllRows : alignment_due() ? compared_rows() : 0;
  const RuleBatch batch{.activations = activations_,
                        .error = error_,
                        .labels = labels_,
                        .loss = loss_,
                        .step = static_cast<std::uint64_t>(done),
                        .first_sample = static_cast<std::uint64_t>(at.trained),
                        .keep_signals = signals_asked,
                        .pass = layers_ || maps_ ? &pass : nullptr,
                        .moved = tries ? &moved : nullptr,
                        .back = layers_ && layers_->goes_back() ? &back : nullptr,
                        .map_back = maps_ && maps_->shows_back() ? &map_back : nullptr,
                        .counts = data_.train.counts,
                        .values = values_,
                        .done = updates_early() ? &layer_done : nullptr};
  begin_update(lr, count, counted);
  const auto learn = [&] { rule_->gradient(run_.net, batch, (tries ? moved_gradient_ : gradient_).flat()); };
  layers_ ? layers_->teach(learn) : learn();
  measure_alignment(batch);
  const double loss = own_forward ? rule_->loss() : output_loss;
  check_loss(loss);
  if (tries)
    layers_->learn(moved_gradient_.flat(), lr, gradient_.flat());
  else if (layers_ && layers_->learns_by_itself())
    learn_on_devices(lr);
  for (Index l = 0; l < run_.net.layers(); ++l) update_layer(l);
  if (layers_ && layers_->learns_programme() && !tries) layers_->read_weights(run_.net);
  if (own_forward)
    std::ranges::copy(rule_->learned_state(), run_.net.state().begin());
  else
    learn_state(run_.net, activations_);
  if (const Trainable own = rule_->own(); !own.values.empty())
    optimizer_step(optimizer_, run_.own_optimizer, lr, own.gradient, own.values);
  add_layer_loss(counted);
  run_.touch += step_touch(rule_->touched(), count);
  at.loss_sum += loss;
  at.samples += static_cast<double>(counted);
  at.active += static_cast<double>(std::ranges::count_if(rule_->shown_rows(), [&](Index r) {
    return data_.train.counts.empty() || data_.train.counts[static_cast<std::size_t>(r)] != 0;
  }));
  at.trained += count;
  ++at.step;
  run_.step_loss.push_back(loss / static_cast<double>(counted));
  at.train_s += seconds_since(start);
  if (at.step == steps_per_epoch_) end_epoch(lr);
  return run_.step_loss.back();
}

/// For what a rule has it still working at; the time belongs to training.
void TrainingLoop::wait_for_device() {
  const auto start = std::chrono::steady_clock::now();
  rule_->wait();
  run_.position.train_s += seconds_since(start);
}

LayerPass TrainingLoop::training_pass() const {
  LayerPass pass;
  pass.training = true;
  pass.seed = config_.seed();
  pass.first_sample = static_cast<std::uint64_t>(run_.position.trained);
  return pass;
}

double TrainingLoop::run_forward(AnalogNetwork* layers) {
  const LayerPass pass = training_pass();
  if (layers) {
    layers->program(run_.net, true);
    layers->forward(run_.net, activations_.h[0], activations_, pass);
  } else if (maps_) {
    maps_->forward(run_.net, activations_.h[0], activations_, pass);
  } else {
    forward(run_.net, activations_.h[0], activations_, pass);
  }
  return score_answer();
}

double TrainingLoop::score_answer() {
  const Matrix<float>& out = activations_.h.back();
  error_.resize(out.rows(), out.cols());
  return answer_error(loss_, out, targets(), error_);
}

void TrainingLoop::gather_input(std::span<const std::uint32_t> which) {
  Matrix<float>& x = activations_.h[0];
  x.resize(static_cast<Index>(which.size()), data_.train.features());
  if (shift_ == 0) return data_.train.gather(which, x);
  unshifted_.resize(x.rows(), x.cols());
  data_.train.gather(which, unshifted_);
  shift_images(data_.train, unshifted_, shift_, config_.seed(), static_cast<std::uint64_t>(run_.position.trained), x);
}

void TrainingLoop::gather_targets(std::span<const std::uint32_t> which) {
  const auto each = static_cast<std::size_t>(data_.train.targets);
  labels_.resize(which.size() * each);
  for (std::size_t i = 0; i < which.size(); ++i)
    std::copy_n(data_.train.labels.data() + which[i] * each, each, labels_.data() + i * each);
  const Matrix<float>& values = data_.train.values;
  if (values.size() == 0) return;
  values_.resize(static_cast<Index>(which.size()), values.cols());
  for (std::size_t i = 0; i < which.size(); ++i)
    std::ranges::copy(values.row(which[i]), values_.row(static_cast<Index>(i)).begin());
}

/// Not while anything else is to look at the weights of the step.
bool TrainingLoop::updates_early() const { return !layers_ && !alignment_due(); }

/// Rules divide by all rows of the batch: `gradient_scale_` takes them from there to the mean over those that count.
void TrainingLoop::begin_update(double lr, Index rows, Index counted) {
  const bool rescale = counted != rows && !config_.model->info.own_forward;
  gradient_scale_ = rescale ? static_cast<float>(rows) / static_cast<float>(counted) : 1.0f;
  update_.emplace(optimizer_, run_.optimizer, lr, gradient_.size());
  updated_.assign(static_cast<std::size_t>(run_.net.layers()), 0);
}

/// Once in a step: the decay, then the optimizer.
void TrainingLoop::update_layer(Index layer) {
  char& updated = updated_[static_cast<std::size_t>(layer)];
  if (updated) return;
  updated = 1;
  const Index first = run_.net.offset(layer);
  const Index end = layer + 1 < run_.net.layers() ? run_.net.offset(layer + 1) : gradient_.size();
  const auto part = [&](std::span<float> all) {
    return all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(end - first));
  };
  const std::span<float> g = part(gradient_.flat()), w = part(run_.net.parameters());
  if (const float scale = gradient_scale_, decay = weight_decay_; scale != 1 || decay != 0)
    for_chunks(end - first, kChunk, [&](Index begin, Index n) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(begin + n); ++i)
        g[i] = scale * g[i] + decay * w[i];
    });
  update_->part(first, g, w);
}

void TrainingLoop::learn_on_devices(double lr) {
  if (run_.net.model()) return layers_->learn(lr);
  const std::span<const Index> rows = rule_->active_rows();
  Matrix<float> seen;
  for (Index l = 0; l < run_.net.layers(); ++l) {
    const Matrix<float>& h = activations_.came(l);
    const View<const float> delta = l < run_.net.hidden_layers() ? rule_->teaching_signal(l) : error_.view();
    if (delta.rows() == h.rows()) {
      layers_->learn(l, h, delta, lr);
    } else if (delta.rows() == static_cast<Index>(rows.size())) {
      seen.resize(delta.rows(), h.cols());
      for (Index r = 0; r < seen.rows(); ++r)
        std::ranges::copy(h.row(rows[static_cast<std::size_t>(r)]), seen.row(r).begin());
      layers_->learn(l, seen, delta, lr);
    } else if (!delta.empty()) {
      throw ShapeMismatch("rule " + config_.model->info.name + ": signal of layer " + std::to_string(l + 1),
                          std::to_string(delta.rows()) + " rows",
                          std::to_string(h.rows()) + ", or the " + std::to_string(rows.size()) + " active ones");
    }
  }
}

void TrainingLoop::check_loss(double loss) const {
  if (std::isfinite(loss)) return;
  const RunPosition& at = run_.position;
  throw OutOfRange(
      "training loss", std::to_string(loss), "must stay finite",
      "lower train.lr (epoch " + std::to_string(at.epoch + 1) + ", step " + std::to_string(at.step + 1) + ")");
}

bool TrainingLoop::alignment_due() const { return alignment_every_ > 0 && run_.position.step % alignment_every_ == 0; }

/// A graph is not cut: its nodes hear each other. Rows of batch norm take their statistics of one another, so as many
/// as may be stay together.
Index TrainingLoop::compared_rows() const {
  if (data_.train.graph) return kAllRows;
  if (!config_.model->info.own_forward || (run_.net.model() && run_.net.model()->needs_batch())) return kComparedRows;
  return std::clamp(batch_ / run_.net.layers(), kFewestComparedRows, kComparedRows);
}

/// Where the exact gradient has a price: nothing is compared by default.
void TrainingLoop::compare_if_asked() {
  if (config_.train.is_default("alignment_every")) alignment_every_ = 0;
}

/// In memory, or by the twin: a comparison costs no frames.
void TrainingLoop::pass_for_comparison(const RuleBatch& batch) {
  const View<const float> x = activations_.h[0];
  const Index rows = x.rows(), each = data_.train.targets, most = std::min(rows, compared_rows());
  for (Index first = 0; first < rows; first += most) {
    const Index count = std::min(most, rows - first);
    LayerPass pass = training_pass();
    pass.first_sample += static_cast<std::uint64_t>(first);
    if (maps_)
      maps_->model_forward(run_.net, x.rows(first, count), compared_, pass);
    else
      forward(run_.net, x.rows(first, count), compared_, pass);
    const std::span labels = batch.labels.empty() ? batch.labels
                                                  : batch.labels.subspan(static_cast<std::size_t>(first * each),
                                                                         static_cast<std::size_t>(count * each));
    const View<const float> values = batch.values.empty() ? batch.values : batch.values.rows(first, count);
    const Matrix<float>& answers = compared_.h.back();
    compared_error_.resize(answers.rows(), answers.cols());
    answer_error(loss_, answers, {labels, values, batch.counts}, compared_error_);
    RuleBatch exact{.activations = compared_, .error = compared_error_, .labels = labels};
    exact.map_back = batch.map_back;
    first == 0 ? alignment_.begin(run_.net, exact) : alignment_.add_rows(run_.net, exact);
  }
}

void TrainingLoop::measure_alignment(const RuleBatch& batch) {
  RunPosition& at = run_.position;
  if (!alignment_due()) return;
  const std::optional<EarlierBatch> earlier = rule_->taught();
  if (earlier && !earlier->activations) return;
  if (config_.model->info.own_forward) {
    pass_for_comparison(batch);
  } else {
    RuleBatch exact{.activations = earlier ? *earlier->activations : activations_,
                    .error = earlier ? earlier->error : error_.view(),
                    .labels = batch.labels};
    exact.map_back = batch.map_back;
    alignment_.begin(run_.net, exact);
  }
  alignment_.compare(run_.net, *rule_, gradient_.flat(), at.alignment, at.gradient_alignment);
}

void TrainingLoop::add_layer_loss(Index samples) {
  const std::span<const double> losses = rule_->layer_loss();
  std::vector<double>& sums = run_.position.layer_loss;
  sums.resize(losses.size());
  for (std::size_t l = 0; l < losses.size(); ++l) sums[l] += losses[l] * static_cast<double>(samples);
}

}  // namespace lightloop
