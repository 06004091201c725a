// PEPITA: the error, projected onto the input, makes a second forward pass; what changes between the two teaches.
//
// F e is small beside x, and h - h' beside h: made of two whole passes it is the difference of two large numbers, each
// with the rounding and the noise of a device. Products are linear, so the second pass can show the change alone, a' =
// a - W (h_{l-1} - h'_{l-1}), at the device's full drive (rule.shows = change).
#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/layer_inputs.hpp"
#include "training/rules/pepita_model.hpp"
#include "training/rules/streams.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// Layers that do not repeat themselves are devices.
bool shows_change(const RuleContext& context) {
  const std::string& shows = context.params.text("shows");
  if (context.map && shows == "change")
    throw Unsupported("rule.shows = change behind physics",
                      "what physics makes of a change is not what changes behind it", "",
                      "Leave rule.shows at auto: both passes then show whole inputs.");
  return shows == "change" || (shows == "auto" && context.layers && !context.layers->repeats());
}

void check_feedback(const RuleContext& context) {
  const Feedback* const feedback = context.feedback;
  const Index inputs = context.net.widths().back(), outputs = context.net.widths().front();
  if (context.net.hidden_layers() == 0 || (feedback && feedback->inputs() == inputs && feedback->outputs() >= outputs))
    return;
  throw InvalidParameter("feedback of rule pepita", feedback ? "wrong size" : "missing",
                         std::to_string(inputs) + " inputs, at least " + std::to_string(outputs) + " outputs",
                         "pass a device_feedback or a digital_feedback of that size");
}

class Pepita : public WholeBatch {
 public:
  Pepita(RuleInfo info, const RuleContext& context)
      : WholeBatch(std::move(info)),
        feedback_(context.feedback),
        products_(context.layers),
        inputs_(context.map, 1),
        scale_(static_cast<float>(context.params.real("scale") *
                                  std::sqrt(2.0 / static_cast<double>(context.net.widths().front())))),
        dropout_(static_cast<float>(context.params.real("dropout"))),
        shows_change_(shows_change(context)),
        recomputes_(recomputes("pepita", context)) {
    const Network& net = context.net;
    for (Index l = 0; l < net.hidden_layers(); ++l) masks_.emplace_back(context.seed, l, kRuleNoise);
    const Index hidden = net.hidden_layers();
    h_.resize(static_cast<std::size_t>(recomputes_ || shows_change_ ? std::min<Index>(2, hidden) : hidden));
    kept_.resize(static_cast<std::size_t>(recomputes_ ? std::min<Index>(2, hidden) : hidden));
    if (shows_change_) a_.resize(kept_.size());
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const Index samples = static_cast<Index>(batch.labels.size()), hidden = net.hidden_layers();
    begin(samples, 0);
    View<const float> in = batch.activations.h[0];
    for (Index l = 0; l < hidden; ++l) in = first_pass(net, batch, l, in);
    layer_forward(net, hidden, inputs_.see(hidden, in, 0), logits_, products_);
    error_.resize(samples, logits_.cols());
    loss_ = answer_error(batch.loss, logits_, batch.targets(), error_);
    touched_ = declared(net, samples);
    if (hidden == 0) return layer_gradient(net, 0, error_, inputs_.seen(in, 0), samples, gradient);

    projected_.resize(samples, feedback_->outputs());
    feedback_->project(error_, projected_);
    View<const float> below = modulate(batch.activations.h[0]);
    in = batch.activations.h[0];
    for (Index l = 0; l < hidden; ++l) {
      if (recomputes_)
        in = first_pass(net, batch, l, in);
      else if (shows_change_)
        activate_first(net, l);
      Matrix<float>& second = second_[static_cast<std::size_t>(l % 2)];
      const View<const float> seen = inputs_.see(l, below, 0);
      second_pass(net, l, seen, second);
      drop(l, second);
      layer_gradient(net, l, difference(of_first_pass(l), second), seen, samples, gradient);
      below = second;
    }
    layer_gradient(net, hidden, error_, inputs_.see(hidden, below, 0), samples, gradient);
  }

  StepTouch declared(const Network& net, Index samples) const override {
    const bool hidden = net.hidden_layers() > 0;
    const Index again = recomputes_ ? net.hidden_layers() : 0;
    const Index output = hidden && inputs_.physical() ? 1 : 0;  // what its weights see of the second pass
    return {.passes = (net.layers() + net.hidden_layers() + again + output) * samples,
            .projections = hidden ? samples : 0};
  }
  LayerTouch layer_touch(const Network& net, Index samples) const override {  // of hidden layers
    return {.vectors = net.hidden_layers() > 0 ? (recomputes_ ? 3 : 2) * samples : samples};
  }

 private:
  /// Where the first pass through layer l leaves its activities: every second layer takes the same place when they are
  /// made again for the second pass, from the pass below or from what was kept of a.
  Matrix<float>& of_first_pass(Index l) {
    return h_[static_cast<std::size_t>(recomputes_ || shows_change_ ? l % 2 : l)];
  }
  /// Where what was kept for the second pass lies.
  std::size_t place(Index l) const { return static_cast<std::size_t>(recomputes_ ? l % 2 : l); }
  Matrix<float>& products_of(Index l) { return a_[place(l)]; }
  View<const float> first_pass(const Network& net, const RuleBatch& batch, Index l, View<const float> in) {
    if (dropout_ > 0) draw_kept(batch, l, net.widths()[static_cast<std::size_t>(l) + 1]);
    if (shows_change_) {
      layer_product(net, l, in, products_of(l), products_);
      activate_first(net, l);
    } else {
      layer_forward(net, l, inputs_.see(l, in, 0), of_first_pass(l), products_);
      drop(l, of_first_pass(l));
    }
    return of_first_pass(l);
  }
  void activate_first(const Network& net, Index l) {
    const Matrix<float>& a = products_of(l);
    Matrix<float>& h = of_first_pass(l);
    h.resize(a.rows(), a.cols());
    for_rows(a.rows(), a.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        std::ranges::copy(a.row(r), h.row(r).begin());
        bias_and_activate(net.activation(l), net.bias(l), h.row(r));
      }
    });
    drop(l, h);
  }
  /// h', before dropout, of h'_{l-1} or of what changed below.
  void second_pass(const Network& net, Index l, View<const float> below, Matrix<float>& second) {
    if (!shows_change_) return layer_forward(net, l, below, second, products_);
    layer_product(net, l, difference_, second, products_);
    const Matrix<float>& a = products_of(l);
    for_rows(second.rows(), second.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const auto row = second.row(r);
        const float* const before = a.row(r).data();
        for (std::size_t j = 0; j < row.size(); ++j) row[j] = before[j] - row[j];
        bias_and_activate(net.activation(l), net.bias(l), row);
      }
    });
  }
  void draw_kept(const RuleBatch& batch, Index layer, Index units) {
    Matrix<std::uint8_t>& kept = kept_[place(layer)];
    draws_.resize(static_cast<Index>(batch.labels.size()), units);
    kept.resize(draws_.rows(), units);
    for_rows(kept.rows(), units, [&, share = dropout_](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        masks_[static_cast<std::size_t>(layer)].uniform(batch.first_sample + static_cast<std::uint64_t>(r), 0,
                                                        draws_.row(r));
        const float* const u = draws_.row(r).data();
        std::uint8_t* const keep = kept.row(r).data();
        for (Index j = 0; j < units; ++j) keep[j] = u[j] >= share;
      }
    });
  }
  /// The same units are left out of both passes. A kept one grows, so that no pass without dropout need change.
  void drop(Index layer, Matrix<float>& h) {
    if (dropout_ == 0) return;
    for_chunks(h.size(), kChunk, [&, grown = 1 / (1 - dropout_)](Index begin, Index n) {
      const std::uint8_t* const kept = kept_[place(layer)].data();
      float* const values = h.data();
      for (Index i = begin; i < begin + n; ++i) values[i] *= grown * static_cast<float>(kept[i]);
    });
  }
  /// x + F e; also leaves x less that, where the change is shown.
  View<const float> modulate(View<const float> x) {
    input_.resize(x.rows(), x.cols());
    if (shows_change_) difference_.resize(x.rows(), x.cols());
    for_rows(x.rows(), x.cols(), [&, scale = scale_](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const float *from = x.row(r).data(), *fe = projected_.row(r).data();
        float* const to = input_.row(r).data();
        for (Index j = 0; j < x.cols(); ++j) to[j] = from[j] + scale * fe[j];
        if (!shows_change_) continue;
        float* const change = difference_.row(r).data();
        for (Index j = 0; j < x.cols(); ++j) change[j] = -scale * fe[j];
      }
    });
    return input_;
  }
  View<const float> difference(const Matrix<float>& first, const Matrix<float>& second) {
    difference_.resize(first.rows(), first.cols());
    for_chunks(first.size(), kChunk, [&](Index begin, Index n) {
      for (Index i = begin; i < begin + n; ++i) difference_.data()[i] = first.data()[i] - second.data()[i];
    });
    return difference_;
  }

  Feedback* feedback_;  // null without hidden layers
  LayerProducts* products_;
  LayerInputs inputs_;
  float scale_, dropout_;
  bool shows_change_, recomputes_;
  std::vector<Stream> masks_;
  std::vector<Matrix<float>> h_, a_;        // of the first pass; a_, without the bias, where only the change is shown
  std::vector<Matrix<std::uint8_t>> kept_;  // by dropout
  std::array<Matrix<float>, 2> second_;
  Matrix<float> logits_, error_, projected_, input_, draws_, difference_;
};

}  // namespace

RuleModel pepita_rule() {
  const RuleInfo info{
      .name = "pepita",
      .summary = "PEPITA: a second forward pass on input + F error; the change of every layer teaches it",
      .equation =
          "dW_1 = (h_1 - h_1') (x + F e)^T; dW_l = (h_l - h_l') h'_{l-1}^T; dW_L = e h'_{L-1}^T; h' from x + F e",
      .needs = Needs::fixed_projection,
      .cost =
          "one projection of the error to the input per sample, and two forward passes (the second ends before the "
          "output layer, but behind physics)",
      .source = "Dellaferrera, Kreiman, ICML 2022, arXiv 2201.11665, algorithm 1",
      .params =
          {{"scale", "1", 0.05, 1e-6, 1e3, "size of F: its entries have the standard deviation scale sqrt(2 / inputs)"},
           {"dropout", "1", 0.1, 0, 0.95,
            "share of the hidden units left out of both passes; a net of any layers has dropout layers instead"},
           {"shows",
            "",
            std::string("auto"),
            0,
            0,
            "what the second pass shows to a layer: its input, as published, or the change of it alone, whose answer "
            "is added to the first one's: the same up to rounding and to a device's noise, which drowns the difference "
            "of whole inputs at this scale (not at 1); auto: change on devices; "
            "behind physics: input",
            {"auto", "input", "change"}},
           {"recompute", "", false, 0, 0,
            "make the first pass again beside the second: two layers of each are held instead of all; the same bits"},
           {"matrix_from", "", std::string(), 0, 0,
            "device whose matrix a digital run measures and uses; empty: drawn from the seed"}},
      .encoding = "bitplanes:6",
      .projects_to = ProjectTo::input,
      .real_targets = true,
      .own_forward = true,
      .on_layers = true,
      .maps = true};
  return {info, [info](const RuleContext& context) -> std::unique_ptr<Rule> {
            check_feedback(context);
            if (context.net.model()) return model_pepita(info, context);
            return std::make_unique<Pepita>(info, context);
          }};
}

}  // namespace lightloop
