// What the devices of a network hold: its weights, or what they have learnt from signals.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "training/analog.hpp"
#include "training/layers/model.hpp"

namespace lightloop {
namespace {

void copy(View<const float> from, Matrix<float>& to) {
  to.resize(from.rows(), from.cols());
  for (Index r = 0; r < from.rows(); ++r) std::ranges::copy(from.row(r), to.row(r).begin());
}

}  // namespace

View<const float> AnalogNetwork::weights(const Network& net, std::size_t l) {
  return matrix_of(net, matrices_[l], made_);
}

void AnalogNetwork::program(const Network& net, bool keep_calibration) {
  if (shape_of(net) != shape_)
    throw ShapeMismatch("analog network", shape_of(net), "its devices were opened for " + shape_);
  const bool keep = keep_calibration && programmed_;
  if (pulses_ && keep) return pulse(net);
  if ((learns_programme_ || fixed_) && keep) return resume_programme(net);
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    layers_[l].program(weights(net, l), keep);
    if (!keep && calibrates_) layers_[l].calibrate();
  }
  programmed_ = true;
  if (pulses_) {
    sent_.resize(layers_.size());
    for (std::size_t l = 0; l < layers_.size(); ++l) copy(weights(net, l), sent_[l]);
  }
}

void AnalogNetwork::calibrate() {
  for (TiledLayer& layer : layers_) layer.calibrate();
}

void AnalogNetwork::resume_programme(const Network& net) {
  if (to_restore_.empty()) return;
  const std::vector<std::byte> state = std::move(to_restore_);
  to_restore_.clear();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const bool any = fixed_ || layers_[l].is_train();  // a train of zeros has no scale; others have weight_limit
    layers_[l].program(any ? weights(net, l) : Matrix<float>(layers_[l].outputs(), layers_[l].inputs()).view(), true);
  }
  restore(state);
  to_restore_.clear();
}

void AnalogNetwork::read_weights(Network& net) {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Matrix<float> held = layers_[l].programmed();
    std::ranges::copy(held.flat(), net.parameters().data() + matrices_[l].offset);
  }
}

void AnalogNetwork::pulse(const Network& net) {
  if (!to_restore_.empty()) {
    // A restored run: the layers learn their scale from weights, then the cells get back what they held.
    const std::vector<std::byte> state = std::move(to_restore_);
    to_restore_.clear();
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const double limit = layers_[l].settings().real("weight_limit");
      copy(sent_[l], change_);
      for (float& w : change_.flat()) w = std::clamp(w, static_cast<float>(-limit), static_cast<float>(limit));
      layers_[l].program(change_, true);
    }
    restore(state);
    to_restore_.clear();
  }
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const View<const float> now = weights(net, l);
    change_.resize(now.rows(), now.cols());
    for (Index i = 0; i < now.size(); ++i) change_.data()[i] = now.data()[i] - sent_[l].data()[i];
    layers_[l].update(change_);
    copy(now, sent_[l]);
  }
}

void AnalogNetwork::backward(Index layer, View<const float> h, View<const float> delta, View<float> below) {
  layers_[static_cast<std::size_t>(layer)].backward(h, delta, below);
}

void AnalogNetwork::teach(const std::function<void()>& gradient) {
  for (Taught& one : taught_) {
    one.returned = 0;
    one.rows = 0;
    one.x.clear();
    one.delta.clear();
  }
  teaching_ = true;
  try {
    gradient();
  } catch (...) {
    teaching_ = false;
    throw;
  }
  teaching_ = false;
}

void AnalogNetwork::begin_again(std::size_t l, std::size_t k) {
  if (k < taught_[l].began.size()) layers_[l].set_input_ranges(taught_[l].began[k]);
}

bool AnalogNetwork::back(Index layer, View<const float> x, View<const float> delta, View<float> dx) {
  if (!teaching_ || taught_.empty()) return false;
  const std::size_t l = index(layer);
  Taught& mine = taught_[l];
  if (learns_by_itself()) {
    for (Index r = 0; r < x.rows(); ++r) {
      mine.x.insert(mine.x.end(), x.row(r).begin(), x.row(r).end());
      mine.delta.insert(mine.delta.end(), delta.row(r).begin(), delta.row(r).end());
    }
    mine.rows += x.rows();
  }
  const std::size_t piece = mine.returned++;
  if (!goes_back_ || dx.empty()) return false;
  const std::vector<double> now = mine.began.empty() ? std::vector<double>{} : layers_[l].input_ranges();
  begin_again(l, piece);
  layers_[l].backward(x, delta, dx);
  if (!now.empty()) layers_[l].set_input_ranges(now);
  return true;
}

void AnalogNetwork::learn(double lr) {
  for (std::size_t l = 0; l < taught_.size(); ++l) {
    const Taught& mine = taught_[l];
    const std::vector<double> now = mine.began.empty() ? std::vector<double>{} : layers_[l].input_ranges();
    begin_again(l, 0);
    learn(static_cast<Index>(l), {mine.x.data(), mine.rows, layers_[l].inputs()},
          {mine.delta.data(), mine.rows, layers_[l].outputs()}, lr);
    if (!now.empty()) layers_[l].set_input_ranges(now);
  }
}

double AnalogNetwork::moved(Range& memory, double slope, double lr) {
  // of RMSProp (Tieleman, Hinton, lecture 6.5, 2012), its start corrected as in Adam (Kingma, Ba, ICLR 2015)
  constexpr double kMemory = 0.9;
  constexpr double kLeast = 1e-30;  // assumed: far below any slope, so that 0 / 0 is 0
  ++memory.steps;
  memory.mean_square = kMemory * memory.mean_square + (1 - kMemory) * slope * slope;
  const double rms = std::sqrt(memory.mean_square / (1 - std::pow(kMemory, static_cast<double>(memory.steps))));
  return std::exp(-lr * slope / (rms + kLeast));
}

void AnalogNetwork::learn(Index layer, View<const float> h, View<const float> delta, double lr) {
  if (h.rows() == 0) return;
  const auto l = static_cast<std::size_t>(layer);
  TiledLayer& product = layers_[l];
  const auto rows = static_cast<double>(h.rows());
  // All gradients are of the pass that was made: taken before anything moves.
  const double range = learns_ranges_ ? product.input_range() : 0,
               factor = learns_outputs_ ? product.output_factor() : 0;
  const double of_range = learns_ranges_ ? range * product.range_gradient(h, delta) / rows : 0;
  const double of_factor = learns_outputs_ ? factor * product.output_factor_gradient(h, delta) / rows : 0;
  if (learns_programme_) product.learn_programme(h, delta, lr);
  if (learns_ranges_) product.set_input_range(range * moved(ranges_[l], of_range, lr));
  if (learns_outputs_) product.set_output_factor(factor * moved(ranges_[layers_.size() + l], of_factor, lr));
}

}  // namespace lightloop
