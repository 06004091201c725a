#include "training/rules/goodness_pairs.hpp"

#include <algorithm>
#include <cmath>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/layers/model.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/label_overlay.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {
namespace {

double log_one_plus_exp(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

/// Of what the net sees; numbers alone are taken for a square.
ImageSize image_size(const Network& net) {
  const Index features = net.widths().front();
  const Shape shape = net.model() ? net.model()->input() : Shape{features};
  if (shape.size() > 1) return {shape[0], shape[1], shape.size() > 2 ? shape[2] : 1};
  const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(features))));
  if (side * side == features && side > 1) return {side, side};
  throw Unsupported("rule.negatives hybrid on net " + net.text(), "it mixes images",
                    std::to_string(features) + " features are no square of pixels", "use hard or uniform");
}

}  // namespace

GoodnessPairs::GoodnessPairs(RuleInfo info, const RuleContext& context, float threshold)
    : WholeBatch(std::move(info)),
      label_(label_place("ff", context)),
      decay_(static_cast<float>(context.params.real("weight_decay"))),
      head_decay_(static_cast<float>(context.params.real("head_decay"))),
      head_rate_(static_cast<float>(context.params.real("head_rate"))),
      by_goodness_(context.params.text("answer") == "goodness"),
      classes_(context.net.widths().back()),
      first_(context.net.hidden_layers() > 1 ? 1 : 0),
      temperature_(static_cast<float>(context.params.real("temperature"))),
      threshold_(static_cast<float>(context.params.real("threshold"))),
      peer_(static_cast<float>(context.params.real("peer"))),
      hard_(context.params.text("negatives") == "hard"),
      hybrid_(context.params.text("negatives") == "hybrid"),
      blurs_(context.params.integer("blurs")),
      negative_(context.seed, 0, kRuleNegative) {
  if (context.net.hidden_layers() == 0)
    throw Unsupported("rule ff on net " + context.net.text(), "it teaches hidden layers", "", "add one");
  if (threshold_ == 0) threshold_ = threshold;
  if (hybrid_) size_ = image_size(context.net);
  if (hybrid_ && by_goodness_)
    throw InvalidParameter("rule.answer", "goodness", "no label has been shown, so none is good",
                           "Leave it at softmax, or give other negatives.");
  if (!hybrid_ && !context.params.is_default("blurs"))
    throw InvalidParameter("rule.blurs", to_string(context.params.value("blurs")), "only for rule.negatives hybrid",
                           "leave it out");
}

void GoodnessPairs::add_layer(Index units) {
  means_.emplace_back(1, units);
  std::ranges::fill(means_.back().flat(), 0.5f);  // as in the published program
}

void GoodnessPairs::show(View<const float> x, Index c) {
  raw_.resize(x.rows(), x.cols());
  for (Index r = 0; r < x.rows(); ++r) overlay(x.row(r), label_, c, raw_.row(r));
}

void GoodnessPairs::show_neutral(View<const float> x) {
  raw_.resize(x.rows(), x.cols());
  if (hybrid_)
    for (Index r = 0; r < x.rows(); ++r) std::ranges::copy(x.row(r), raw_.row(r).begin());
  else
    for (Index r = 0; r < x.rows(); ++r) overlay_neutral(x.row(r), label_, raw_.row(r));
}

void GoodnessPairs::make_pairs(const RuleBatch& batch) {
  const View<const float> x = batch.activations.h[0];
  const Index samples = x.rows();
  pairs_.resize(2 * samples, x.cols());
  if (hybrid_) return make_hybrids(batch);
  for_rows(samples, 2 * x.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      const std::uint8_t right = batch.labels[static_cast<std::size_t>(r)];
      const double u = negative_.uniform(batch.first_sample + static_cast<std::uint64_t>(r), 0);
      const std::span<const float> score = hard_ ? std::as_const(logits_).row(r) : std::span<const float>{};
      overlay(x.row(r), label_, right, pairs_.row(r));
      overlay(x.row(r), label_, wrong_label(score, classes_, right, u), pairs_.row(samples + r));
    }
  });
}

void GoodnessPairs::make_hybrids(const RuleBatch& batch) {
  const View<const float> x = batch.activations.h[0];
  const Index samples = x.rows();
  masks_.resize(samples, 2 * size_.pixels());
  for_rows(samples, 2 * x.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      const std::uint64_t number = batch.first_sample + static_cast<std::uint64_t>(r);
      const double u = negative_.uniform(number, 0);
      const Index others = std::max<Index>(samples - 1, 1);
      const Index other = (r + 1 + std::min(static_cast<Index>(u * static_cast<double>(others)), others - 1)) % samples;
      const std::span<float> both = masks_.row(r);
      const auto mask = both.first(both.size() / 2), work = both.last(both.size() / 2);
      hybrid_mask(negative_, number, size_, blurs_, mask, work);
      std::ranges::copy(x.row(r), pairs_.row(r).begin());
      mix_images(mask, x.row(r), x.row(other), size_.channels, pairs_.row(samples + r));
    }
  });
}

void GoodnessPairs::find_error(const RuleBatch& batch) {
  error_.resize(logits_.rows(), classes_);
  const double loss = output_error(Loss::cross_entropy, logits_, batch.labels, error_);
  loss_ += loss;
  layer_loss_.back() = loss / static_cast<double>(logits_.rows());
  for (float& e : error_.flat()) e *= head_rate_;
}

double GoodnessPairs::goodness(Index layer, std::span<const float> h) const {
  return dot(h, h) / places(layer, static_cast<Index>(h.size()));
}

void GoodnessPairs::find_signals(Index layer, Activation f, View<const float> h) {
  const Index rows = h.rows(), samples = rows / 2;
  const auto share = static_cast<float>(1 / places(layer, h.cols()));
  const double theta = static_cast<double>(threshold_) * static_cast<double>(units(layer));
  delta_.resize(rows, h.cols());
  part_.resize(1, rows);  // losses, summed in order afterwards
  for_rows(rows, h.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      const auto row = h.row(r);
      const double x = (goodness(layer, row) - theta) / static_cast<double>(temperature_);
      const bool right = r < samples;
      part_(0, r) = static_cast<float>(log_one_plus_exp(right ? -x : x));
      const double p = 1 / (1 + std::exp(-x));
      times_derivative(f, row, row, share * static_cast<float>(right ? p - 1 : p), delta_.row(r));
    }
  });
  double loss = 0;
  for (const float v : part_.flat()) loss += static_cast<double>(v);
  layer_loss_[static_cast<std::size_t>(layer)] = loss / static_cast<double>(rows);
  loss_ += loss;
  if (peer_ > 0) {  // a row for each place
    const Index places = h.cols() / units(layer);
    add_peers(layer, {h.data(), samples * places, units(layer)}, {delta_.data(), samples * places, units(layer)});
  }
}

/// Pulls units that are less active than their peers up, on data with the right label; not through f', so that dead
/// units come back.
void GoodnessPairs::add_peers(Index layer, View<const float> right, View<float> delta) {
  const auto mean = means_[static_cast<std::size_t>(layer)].flat();
  part_.resize(1, static_cast<Index>(mean.size()));
  const auto pull = part_.row(0);
  column_means(right, pull);
  float all = 0;
  for (std::size_t j = 0; j < mean.size(); ++j) {
    mean[j] = 0.9f * mean[j] + 0.1f * pull[j];
    all += mean[j] / static_cast<float>(mean.size());
  }
  for (std::size_t j = 0; j < mean.size(); ++j) pull[j] = -peer_ * (all - mean[j]);
  for_rows(right.rows(), delta.cols(), [&](Index first, Index count) {
    for (Index r = first; r < first + count; ++r) {
      float* const to = delta.row(r).data();
      for (std::size_t j = 0; j < pull.size(); ++j) to[j] += pull[j];
    }
  });
}

std::vector<std::byte> GoodnessPairs::snapshot() const {
  ByteWriter out;
  for (const Matrix<float>& mean : means_) out.put_all<float>(mean.flat());
  return out.take();
}

void GoodnessPairs::restore(const std::vector<std::byte>& state) {
  ByteReader in(state, "snapshot of rule ff");
  std::vector<Matrix<float>> means = means_;
  for (Matrix<float>& mean : means) in.get_all(mean.flat());
  in.done();
  means_ = std::move(means);
}

}  // namespace lightloop
