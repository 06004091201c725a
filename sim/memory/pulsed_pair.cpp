#include "sim/memory/pulsed_pair.hpp"

#include <algorithm>
#include <cmath>

namespace lightloop {
namespace {

PulsedModel rising(PulsedModel model) {
  model.rising = true;
  return model;
}

}  // namespace

PulsedPairs::PulsedPairs(const PulsedModel& model, Index rows, Index cols, const Stream& made_plus,
                         const Stream& made_minus)
    : model_(rising(model)),
      plus_(model_, rows, cols, made_plus),
      minus_(model_, rows, cols, made_minus),
      weights_(rows, cols) {}

void PulsedPairs::take_difference() {
  for (Index i = 0; i < weights_.size(); ++i) weights_.data()[i] = plus().data()[i] - minus().data()[i];
}

void PulsedPairs::pulse(View<const std::int32_t> counts, const Stream& cycles, std::uint64_t first_row) {
  Matrix<std::int32_t> side(counts.rows(), counts.cols());
  for (const std::int32_t sign : {1, -1}) {
    for (Index i = 0; i < counts.rows(); ++i)
      for (Index j = 0; j < counts.cols(); ++j) side(i, j) = std::max(0, sign * counts(i, j));
    (sign > 0 ? plus_ : minus_).pulse(side, cycles, first_row);
  }
  take_difference();
}

void PulsedPairs::nominal_pulses(View<const float> target, View<std::int32_t> counts) const {
  const double most = 1e6;
  for (Index i = 0; i < target.rows(); ++i)
    for (Index j = 0; j < target.cols(); ++j) {
      const double missing = static_cast<double>(target(i, j)) - static_cast<double>(weights_(i, j));
      const auto from = static_cast<double>(missing > 0 ? plus()(i, j) : minus()(i, j));
      const double n = lightloop::nominal_pulses(model_, from, from + std::abs(missing));
      counts(i, j) = static_cast<std::int32_t>(std::copysign(std::rint(std::clamp(n, 0.0, most)), missing));
    }
}

void PulsedPairs::erase(Index row, Index column) {
  plus_.set(row, column, 0);
  minus_.set(row, column, 0);
  weights_(row, column) = 0;
}

float PulsedPairs::common(Index row, Index column) const { return std::min(plus()(row, column), minus()(row, column)); }

void PulsedPairs::set(View<const float> plus, View<const float> minus) {
  plus_.set(plus);
  minus_.set(minus);
  take_difference();
}

}  // namespace lightloop
