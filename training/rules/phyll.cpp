#include "training/rules/phyll.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/elementwise.hpp"
#include "training/layers/model.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/label_overlay.hpp"
#include "training/rules/streams.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

RuleInfo phyll_info() {
  return {
      .name = "phyll",
      .summary = "PhyLL: model-free forward-forward; trained matrices behind physical maps that stay unknown",
      .equation =
          "h_l = f(W_l P(h_{l-1} / rms) + b_l); g_l = cos(h_l, zeta_l), zeta fixed; loss_l = log(1 + "
          "exp(-theta (g_l(right) - g_l(wrong)))); answer: the label with the largest sum of g_l; in nets of any "
          "layers l is a block",
      .needs = Needs::two_phases,
      .cost = "two passes of every layer and map (right and wrong label); one per class to answer",
      .source = "Momeni et al., Science 382, 1297 (2023), arXiv 2304.11042",
      .params =
          {{"theta", "1", 10.0, 1e-3, 1e3, "how sharply right must differ from wrong"},
           {"label_strength", "1", 4.0, 1e-3, 1e3,
            "value of the features that stand for the label (assumed: enough to be seen among the others)"},
           label_features_param(),
           {"showings", "1", std::int64_t{1}, 1, 1000,
            "how often every label is shown to answer, its goodness averaged: a map's noise is drawn anew for each"},
           {"map",
            "",
            std::string("auto"),
            0,
            0,
            "P: nothing, the net's non-linearity (tanh before blocks) after a fixed random mixture, or the intensity "
            "of a random complex mixture in units of its mean (speckle); auto: mixing, but nothing before blocks that "
            "look at images or tokens; with train.map it is the device's",
            {"auto", "none", "mixing", "speckle"}}},
      .own_loss = true,
      .own_forward = true,
      .own_answer = true,
      .on_layers = true,
      .in_features = true,
      .maps = true};
}

bool mixable(const Network& net, Index layer) {
  return !net.model() || (layer == 0 ? net.model()->input() : block_shape(net, layer - 1)).size() == 1;
}

/// One random matrix per layer, `times` as many rows as the layer has inputs; entries N(0, variance). Empty for images
/// and tokens.
std::vector<Matrix<float>> mixtures(const Network& net, std::uint64_t seed, Index times, float deviation) {
  std::vector<Matrix<float>> all(static_cast<std::size_t>(net.layers()));
  for (Index l = 0; l < net.layers(); ++l) {
    if (!mixable(net, l)) continue;
    const Index n = net.widths()[static_cast<std::size_t>(l)];
    Matrix<float>& h = all[static_cast<std::size_t>(l)];
    h.resize(times * n, n);
    const Stream stream(seed, static_cast<std::uint64_t>(l) + 1000, kRuleFixed);
    for_rows(h.rows(), h.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        stream.normal(static_cast<std::uint64_t>(r), 0, h.row(r));
        for (float& v : h.row(r)) v *= deviation;
      }
    });
  }
  return all;
}

/// f(H x / sqrt(inputs)), f that of the net's hidden layers, or tanh before blocks (assumed); x where H is empty.
PhysicalMap mixing_map(const Network& net, std::uint64_t seed) {
  const Index widest = *std::ranges::max_element(net.widths());
  return [h = std::make_shared<const std::vector<Matrix<float>>>(mixtures(net, seed, 1, 1)),
          nothing = std::vector<float>(static_cast<std::size_t>(widest), 0.0f),
          f = net.model() ? Activation::tanh : net.hidden_activation()](Index layer, View<const float> in,
                                                                        View<float> out) {
    const Matrix<float>& mixture = (*h)[static_cast<std::size_t>(layer)];
    if (mixture.size() == 0) {
      std::copy_n(in.data(), in.size(), out.data());
      return;
    }
    gemm(Transpose::no, Transpose::yes, 1 / std::sqrt(static_cast<float>(in.cols())), in, mixture, 0.0f, out);
    for_rows(in.rows(), in.cols(), [&](Index first, Index n) {
      for (Index r = first; r < first + n; ++r) bias_and_activate(f, nothing, out.row(r));
    });
  };
}

/// |H x|^2 / |x|^2, H complex Gaussian with E|h|^2 = 1: mean 1 whatever x.
PhysicalMap speckle_map(const Network& net, std::uint64_t seed) {
  // real parts, then imaginary ones
  return [shared = std::make_shared<const std::vector<Matrix<float>>>(mixtures(net, seed, 2, std::sqrt(0.5f))),
          field = std::make_shared<Matrix<float>>()](Index layer, View<const float> in, View<float> out) {
    const Index n = in.cols();
    field->resize(in.rows(), 2 * n);
    gemm(Transpose::no, Transpose::yes, 1.0f, in, (*shared)[static_cast<std::size_t>(layer)], 0.0f, *field);
    for_rows(in.rows(), n, [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const auto scale = static_cast<float>(1 / (dot(in.row(r), in.row(r)) + 1e-12));
        const float* const e = field->row(r).data();
        float* const to = out.row(r).data();
        for (Index j = 0; j < n; ++j) to[j] = scale * (e[j] * e[j] + e[n + j] * e[n + j]);
      }
    });
  };
}

/// What rule.map asks for. Throws Unsupported for a mixture of images or tokens: blocks look at what is next to each
/// other.
PhysicalMap own_map(const RuleContext& context) {
  const Network& net = context.net;
  const std::string& map = context.params.text("map");
  if (map == "none") return {};
  for (Index l = 0; l < net.layers() && map != "auto"; ++l)
    if (!mixable(net, l))
      throw Unsupported("rule.map = " + map + " before block " + std::to_string(l + 1) + " of net " + net.text(),
                        "it takes apart what is side by side in an image or a text, and the block looks there", "",
                        "use rule.map=auto, or none");
  return map == "speckle" ? speckle_map(net, context.seed) : mixing_map(net, context.seed);
}

class Phyll : public WholeBatch {
 public:
  Phyll(const RuleContext& context, PhysicalMap map)
      : WholeBatch(phyll_info()),
        theta_(context.params.real("theta")),
        showings_(context.params.integer("showings")),
        label_(label_place("phyll", context)),
        classes_(label_.classes),
        map_(std::move(map)),
        runner_(context.seed, 1, context.layers),
        negative_(context.seed, 0, kRuleNegative) {
    const Network& net = context.net;
    for (Index l = 0; l < net.layers(); ++l) {
      Matrix<float>& zeta = zeta_.emplace_back(1, net.widths()[static_cast<std::size_t>(l) + 1]);
      Stream(context.seed, static_cast<std::uint64_t>(l), kRuleFixed).normal(0, 0, zeta.flat());
      const auto scale = static_cast<float>(1 / std::sqrt(dot(zeta.flat(), zeta.flat())));
      for (float& v : zeta.flat()) v *= scale;
    }
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const View<const float> x = batch.activations.h[0];
    const Index samples = x.rows();
    begin(samples, static_cast<std::size_t>(net.layers()));
    runner_.begin_training(net, batch.first_sample, samples);
    shown_.resize(2 * samples, x.cols());
    for (Index r = 0; r < samples; ++r) {
      const std::uint8_t right = batch.labels[static_cast<std::size_t>(r)];
      const double u = negative_.uniform(batch.first_sample + static_cast<std::uint64_t>(r), 0);
      overlay(x.row(r), label_, right, shown_.row(r));
      overlay(x.row(r), label_, wrong_label({}, classes_, right, u), shown_.row(samples + r));
    }
    View<const float> h = shown_;
    for (Index l = 0; l < net.layers(); ++l) {
      const View<const float> in = before(l, h);
      h = run_layer(net, l, in);
      const double loss = teach(l, h);
      layer_loss_[static_cast<std::size_t>(l)] = loss / static_cast<double>(samples);
      loss_ += loss;
      runner_.backward(net, l, in, 0, delta_, gradient);
    }
  }

  std::span<const float> learned_state() const override { return runner_.state(); }

  void scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) override {
    runner_.begin_answer(first_sample);
    const double share = 1 / static_cast<double>(showings_);
    for (Index c = 0; c < classes_; ++c) {
      for (Index r = 0; r < x.rows(); ++r) out(r, c) = 0;
      for (Index s = 0; s < showings_; ++s) {
        shown_.resize(x.rows(), x.cols());
        for (Index r = 0; r < x.rows(); ++r) overlay(x.row(r), label_, c, shown_.row(r));
        View<const float> h = shown_;
        for (Index l = 0; l < net.layers(); ++l) {
          h = run_layer(net, l, before(l, h));
          for (Index r = 0; r < x.rows(); ++r) out(r, c) += static_cast<float>(share * goodness(l, h.row(r)).cosine);
        }
      }
    }
  }

  Index answer_passes(const Network& net) const override { return classes_ * showings_ * net.layers(); }
  Index rows_at_once(Index samples) const override { return 2 * samples; }
  StepTouch declared(const Network& net, Index samples) const override {
    return {.passes = 2 * net.layers() * samples};
  }

 private:
  struct Goodness {
    double cosine, inverse_norm;
  };
  Goodness goodness(Index layer, std::span<const float> h) const {
    const double inverse = 1 / (std::sqrt(dot(h, h)) + 1e-12);
    return {dot(h, zeta_[static_cast<std::size_t>(layer)].flat()) * inverse, inverse};
  }

  /// map(h / rms): what the weights see of what the layer below gives out.
  View<const float> before(Index layer, View<const float> h) {
    normalise_rows(h, normal_);
    if (!map_) return normal_;
    mapped_.resize(normal_.rows(), normal_.cols());
    map_(layer, normal_, mapped_);
    return mapped_;
  }
  View<const float> run_layer(const Network& net, Index layer, View<const float> in) {
    touched_.passes += in.rows();
    return runner_.forward(net, layer, in, 0);
  }

  /// delta_ at h, not yet through f; returns the summed loss of the pairs.
  double teach(Index layer, View<const float> h) {
    const Index samples = h.rows() / 2;
    delta_.resize(h.rows(), h.cols());
    losses_.resize(1, samples);
    const auto zeta = std::as_const(zeta_[static_cast<std::size_t>(layer)]).flat();
    for_rows(samples, 2 * h.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const Goodness right = goodness(layer, h.row(r)), wrong = goodness(layer, h.row(samples + r));
        const double x = theta_ * (right.cosine - wrong.cosine);
        losses_(0, r) = static_cast<float>(x > 0 ? std::log1p(std::exp(-x)) : -x + std::log1p(std::exp(x)));
        const double pull = theta_ / (1 + std::exp(x));
        toward(zeta, right, -pull, h.row(r), delta_.row(r));
        toward(zeta, wrong, pull, h.row(samples + r), delta_.row(samples + r));
      }
    });
    double total = 0;
    for (const float v : losses_.flat()) total += static_cast<double>(v);
    return total;
  }

  /// delta = factor * d cos(h, zeta) / dh = factor * (zeta - g h / |h|) / |h|, zeta of length 1.
  static void toward(std::span<const float> zeta, const Goodness& g, double factor, std::span<const float> h,
                     std::span<float> delta) {
    const auto along = static_cast<float>(factor * g.inverse_norm),
               back = static_cast<float>(factor * g.cosine * g.inverse_norm * g.inverse_norm);
    for (std::size_t j = 0; j < zeta.size(); ++j) delta[j] = along * zeta[j] - back * h[j];
  }

  double theta_;
  Index showings_;
  LabelPlace label_;
  Index classes_;
  PhysicalMap map_;
  BlockRunner runner_;
  Stream negative_;
  std::vector<Matrix<float>> zeta_;  ///< of length 1
  Matrix<float> shown_, normal_, mapped_, delta_, losses_;
};

}  // namespace

std::unique_ptr<Rule> phyll_with(const RuleContext& context, PhysicalMap map) {
  return std::make_unique<Phyll>(context, std::move(map));
}

RuleModel phyll_rule() {
  return {phyll_info(), [](const RuleContext& context) {
            if (context.map) {
              if (!context.params.is_default("map"))
                throw InvalidParameter("rule.map", context.params.text("map"), "the run has a device for it",
                                       "Leave out rule.map or train.map.");
              return phyll_with(context, context.map);
            }
            return phyll_with(context, own_map(context));
          }};
}

}  // namespace lightloop
