#include "training/rules/own_layers.hpp"

#include <cmath>

#include "training/elementwise.hpp"
#include "training/rules/streams.hpp"

namespace lightloop {

Index OwnLayers::add(Index outputs, Index inputs) {
  const Index offset =
      places_.empty() ? 0 : places_.back().offset + places_.back().outputs * (places_.back().inputs + 1);
  places_.push_back({offset, outputs, inputs});
  values_ = Matrix<float>(1, offset + outputs * (inputs + 1));
  gradient_ = Matrix<float>(1, values_.size());
  return layers() - 1;
}

void OwnLayers::initialise(std::uint64_t seed, float scale) {
  for (Index i = 0; i < layers(); ++i) {
    const Stream stream(seed, static_cast<std::uint64_t>(i), kRuleParameters);
    const View<float> w = weights(i);
    const float factor = scale / std::sqrt(static_cast<float>(w.cols()));
    for_rows(w.rows(), w.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        stream.normal(static_cast<std::uint64_t>(r), 0, w.row(r));
        for (float& v : w.row(r)) v *= factor;
      }
    });
  }
}

View<float> OwnLayers::matrix(Matrix<float>& all, Index i) const {
  const Place& place = places_[static_cast<std::size_t>(i)];
  return {all.data() + place.offset, place.outputs, place.inputs};
}

std::span<float> OwnLayers::vector(Matrix<float>& all, Index i) const {
  const Place& place = places_[static_cast<std::size_t>(i)];
  return {all.data() + place.offset + place.outputs * place.inputs, static_cast<std::size_t>(place.outputs)};
}

}  // namespace lightloop
