#include "training/rules/noprop_chain.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "training/rules/gradient.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {

NoProp::Time NoProp::time_from(const std::string& name) {
  return name == "continuous" ? Time::continuous : name == "flow" ? Time::flow : Time::discrete;
}

NoProp::NoProp(RuleInfo info, const RuleContext& context)
    : WholeBatch(std::move(info)),
      time_(time_from(context.params.text("time"))),
      blocks_(one_block() ? 1 : context.params.integer("blocks")),
      classes_(context.net.widths().back()),
      square_(context.params.text("block_loss") == "square"),
      samples_path_(context.params.text("path") == "sampled"),
      midpoint_(context.params.text("solver") == "midpoint"),
      steps_(context.params.integer("steps")),
      evaluations_(time_ == Time::discrete ? blocks_
                                           : steps_ * (midpoint_ ? 2 : 1) + (time_ == Time::continuous ? 1 : 0)),
      weight_max_(context.params.real("weight_max")),
      noise_(context.seed, 0, kRuleNoise),
      path_noise_(context.seed, 1, kRuleNoise),
      times_(context.seed, 2, kRuleNoise) {
  const auto refuse = [&](const char* name, const char* where) {
    if (!context.params.is_default(name))
      throw InvalidParameter(std::string("rule.") + name, to_string(context.params.value(name)),
                             std::string("only for rule.time ") + where, "leave it out");
  };
  if (one_block()) refuse("blocks", "discrete");
  if (!one_block())
    for (const char* name : {"steps", "solver"}) refuse(name, "continuous or flow");
  if (time_ != Time::continuous) refuse("weight_max", "continuous");
  if (time_ == Time::flow) refuse("block_loss", "discrete or continuous");
}

void NoProp::gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) {
  const View<const float> x = batch.activations.h[0];
  begin(x.rows(), static_cast<std::size_t>(blocks_));
  begin_training(net, batch.first_sample);
  map_back_ = batch.map_back;
  for (Index t = 0; t < blocks_; ++t) {
    again_ = t > 0;
    one_block() ? draw_times(batch) : draw_noisy_labels(batch, t);
    const View<const float> output = run(net, t, x);
    const double loss = time_ == Time::flow ? flow_error(output, batch.labels) : block_error(output, batch.labels);
    touched_.passes += net.layers() * x.rows();
    if (!last(t)) touched_.writes += net.layers();  // its update
    layer_loss_[static_cast<std::size_t>(t)] = loss / static_cast<double>(x.rows());
    loss_ += loss / static_cast<double>(blocks_);
    teach(net, t, x, gradient);
  }
}

void NoProp::scores(const Network& net, View<const float> x, View<float> out, std::uint64_t first_sample) {
  begin_answer(first_sample);
  z_.resize(x.rows(), classes_);
  std::ranges::fill(z_.flat(), 0.0f);
  again_ = false;
  if (samples_path_) add_noise(1, 0, first_sample);
  const auto answer = [&out](View<const float> rows) {
    for (Index r = 0; r < out.rows(); ++r) std::ranges::copy(rows.row(r), out.row(r).begin());
  };
  if (one_block()) {
    solve(net, x);
    return answer(time_ == Time::flow ? z_.view() : output_at(net, x, 1));
  }
  for (Index t = 0; t < blocks_; ++t) {
    again_ = t > 0;
    const View<const float> logits = run(net, t, x);
    if (last(t)) return answer(logits);
    // q(z_t | z_{t-1}, u): mean a u + b z, variance c
    const double before = signal(t), after = signal(t + 1), ratio = before / after;
    const auto a = static_cast<float>(std::sqrt(after) * (1 - ratio) / (1 - before)),
               b = static_cast<float>(std::sqrt(ratio) * (1 - after) / (1 - before));
    u_.resize(logits.rows(), classes_);
    softmax(logits, u_);
    for (Index i = 0; i < z_.size(); ++i) z_.data()[i] = a * u_.data()[i] + b * z_.data()[i];
    if (samples_path_) add_noise(std::sqrt((1 - after) * (1 - ratio) / (1 - before)), t + 1, first_sample);
  }
}

View<const float> NoProp::output_at(const Network& net, View<const float> x, double t) {
  timed_.resize(z_.rows(), seen_width());
  for (Index r = 0; r < z_.rows(); ++r) set_time(r, t);
  const View<const float> output = run(net, 0, x);
  again_ = true;
  return output;
}

void NoProp::find_slope(const Network& net, View<const float> x, double t) {
  const View<const float> output = output_at(net, x, t);
  slope_.resize(z_.rows(), classes_);
  if (time_ == Time::flow) {
    for (Index r = 0; r < z_.rows(); ++r) std::ranges::copy(output.row(r), slope_.row(r).begin());
    return;
  }
  u_.resize(output.rows(), classes_);
  softmax(output, u_);
  // s' / (2 (1 - s)) = (pi / 2) tan a and 1 / sqrt(s) = 1 / sin a at s = sin^2 a
  const double a = 0.5 * std::numbers::pi * t;
  const double of_u = 0.5 * std::numbers::pi / std::cos(a), of_z = of_u * std::sin(a);
  for (Index i = 0; i < slope_.size(); ++i)
    slope_.data()[i] =
        static_cast<float>(of_u * static_cast<double>(u_.data()[i]) - of_z * static_cast<double>(z_.data()[i]));
}

/// z_ from t = 0 to 1; slopes are never asked for at 1, where the weight of u grows beyond all bounds.
void NoProp::solve(const Network& net, View<const float> x) {
  const double step = 1 / static_cast<double>(steps_);
  const auto move = [&](const Matrix<float>& from, double by) {
    for (Index i = 0; i < z_.size(); ++i) z_.data()[i] = from.data()[i] + static_cast<float>(by) * slope_.data()[i];
  };
  for (Index k = 0; k < steps_; ++k) {
    const double t = static_cast<double>(k) * step;
    start_ = z_;
    find_slope(net, x, t);
    if (midpoint_) {
      move(start_, 0.5 * step);
      find_slope(net, x, t + 0.5 * step);
    }
    move(start_, step);
  }
}

void NoProp::set_time(Index r, double t) {
  std::ranges::copy(std::as_const(z_).row(r), timed_.row(r).begin());
  float* to = timed_.row(r).data() + classes_;
  for (int k = 0; k < kTimeFeatures / 2; ++k) {
    const double angle = std::numbers::pi * t * static_cast<double>(1 << k);
    *to++ = static_cast<float>(std::sin(angle));
    *to++ = static_cast<float>(std::cos(angle));
  }
}

void NoProp::draw_times(const RuleBatch& batch) {
  const auto samples = static_cast<Index>(batch.labels.size());
  z_.resize(samples, classes_);
  timed_.resize(samples, seen_width());
  start_.resize(samples, classes_);
  weight_.assign(time_ == Time::continuous ? static_cast<std::size_t>(samples) : 0, 1.0);
  for (Index r = 0; r < samples; ++r) {
    const auto index = static_cast<std::size_t>(r);
    const std::uint64_t number = batch.first_sample + static_cast<std::uint64_t>(r);
    const double t = times_.uniform(number, 0), a = 0.5 * std::numbers::pi * t;
    const bool flow = time_ == Time::flow;
    const auto of_label = static_cast<float>(flow ? t : std::sin(a)),
               of_noise = static_cast<float>(flow ? 1 - t : std::cos(a));
    noise_.normal(number, 0, start_.row(r));
    for (Index c = 0; c < classes_; ++c) z_(r, c) = of_noise * start_(r, c);
    z_(r, batch.labels[index]) += of_label;
    set_time(r, t);
    // SNR = tan^2 a, so that SNR' = pi tan a / cos^2 a
    if (!flow) weight_[index] = std::min(weight_max_, std::numbers::pi * std::sin(a) / std::pow(std::cos(a), 3));
  }
}

/// loss = |net - (one-hot - z_0)|^2 / 2.
double NoProp::flow_error(View<const float> velocity, std::span<const std::uint8_t> labels) {
  error_.resize(velocity.rows(), classes_);
  for (Index r = 0; r < error_.rows(); ++r)
    for (Index c = 0; c < classes_; ++c) {
      const float label = labels[static_cast<std::size_t>(r)] == c ? 1.0f : 0.0f;
      error_(r, c) = velocity(r, c) - (label - start_(r, c));
    }
  return 0.5 * dot(error_.flat(), error_.flat());
}

void NoProp::add_noise(double spread, Index t, std::uint64_t first_sample) {
  drawn_.resize(1, classes_);
  for (Index r = 0; r < z_.rows(); ++r) {
    path_noise_.normal(first_sample + static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(t * classes_),
                       drawn_.row(0));
    for (Index c = 0; c < classes_; ++c) z_(r, c) += static_cast<float>(spread) * drawn_(0, c);
  }
}

double NoProp::signal(Index t) const {
  const double s = std::sin(0.5 * std::numbers::pi * static_cast<double>(t) / static_cast<double>(blocks_));
  return s * s;
}

void NoProp::draw_noisy_labels(const RuleBatch& batch, Index t) {
  const auto samples = static_cast<Index>(batch.labels.size());
  z_.resize(samples, classes_);
  const double s = signal(t);
  const auto mean = static_cast<float>(std::sqrt(s)), spread = static_cast<float>(std::sqrt(1 - s));
  for (Index r = 0; r < samples; ++r) {
    const auto row = z_.row(r);
    noise_.normal(batch.first_sample + static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(t * classes_), row);
    for (float& v : row) v *= spread;
    row[batch.labels[static_cast<std::size_t>(r)]] += mean;
  }
}

double NoProp::block_error(View<const float> logits, std::span<const std::uint8_t> labels) {
  error_.resize(logits.rows(), classes_);
  u_.resize(logits.rows(), classes_);
  double total = 0;
  for (Index r = 0; r < logits.rows(); ++r) {
    const std::uint8_t label = labels[static_cast<std::size_t>(r)];
    double loss = square_ ? square_error(logits.rows(r, 1), label, r)
                          : output_error(Loss::cross_entropy, logits.rows(r, 1), {&label, 1}, error_.view().rows(r, 1));
    if (!weight_.empty()) {
      const double weight = weight_[static_cast<std::size_t>(r)];
      loss *= weight;
      for (float& e : error_.row(r)) e *= static_cast<float>(weight);
    }
    total += loss;
  }
  return total;
}

double NoProp::square_error(View<const float> logits, std::uint8_t label, Index r) {
  softmax(logits, u_.view().rows(r, 1));
  const auto u = std::as_const(u_).row(r);
  double total = 0;
  for (Index c = 0; c < classes_; ++c) {
    const double wrong = static_cast<double>(u_(r, c)) - (label == c ? 1 : 0);
    total += 0.5 * wrong * wrong;
    error_(r, c) = static_cast<float>(wrong);
  }
  const double inner = dot(std::as_const(error_).row(r), u);
  for (Index c = 0; c < classes_; ++c)
    error_(r, c) = static_cast<float>(static_cast<double>(u_(r, c)) * (static_cast<double>(error_(r, c)) - inner));
  return total;
}

}  // namespace lightloop
