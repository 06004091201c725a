#include "training/layers/chain.hpp"

#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

Shape last_shape(const Shape& input, const std::vector<LayerPointer>& layers) {
  return layers.empty() ? input : layers.back()->output_shape();
}

template <class T>
std::span<T> part(std::span<T> all, Index first, Index last) {
  return all.empty() ? all : all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
}

}  // namespace

LayerChain::LayerChain(Shape input, std::vector<LayerPointer> layers)
    : NetLayer(input, last_shape(input, layers)), layers_(std::move(layers)), offsets_{0}, states_{0} {
  if (layers_.empty()) throw InvalidParameter("chain", "no layers", "at least one");
  for (const LayerPointer& layer : layers_) {
    if (layer->input_shape() != input)
      throw ShapeMismatch(layer->text(), "takes " + shape_text(layer->input_shape()), "is given " + shape_text(input));
    input = layer->output_shape();
    offsets_.push_back(offsets_.back() + layer->parameters());
    states_.push_back(states_.back() + layer->state());
  }
}

std::string LayerChain::text() const {
  std::string text;
  for (const LayerPointer& layer : layers_) text += (text.empty() ? "" : ", ") + layer->text();
  return text;
}

void LayerChain::initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const {
  for (Index i = 0; i < count(); ++i) {
    layer(i).initialise(seed, instance, part(parameters, offset(i), offset(i + 1)));
    instance += layer(i).instances();
  }
}

void LayerChain::initialise_state(std::span<float> state) const {
  for (Index i = 0; i < count(); ++i)
    layer(i).initialise_state(
        part(state, states_[static_cast<std::size_t>(i)], states_[static_cast<std::size_t>(i) + 1]));
}

void LayerChain::learn_state(const LayerMemory& memory, std::span<float> state) const {
  for (Index i = 0; i < count(); ++i)
    layer(i).learn_state(memory.inner[static_cast<std::size_t>(i)],
                         part(state, states_[static_cast<std::size_t>(i)], states_[static_cast<std::size_t>(i) + 1]));
}

std::uint64_t LayerChain::instances() const {
  std::uint64_t sum = 0;
  for (const LayerPointer& layer : layers_) sum += layer->instances();
  return sum;
}

void LayerChain::add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const {
  for (Index i = 0; i < count(); ++i) {
    layer(i).add_products(instance, offset + this->offset(i), all);
    instance += layer(i).instances();
  }
}

void LayerChain::add_physics(std::uint64_t instance, bool behind_weights, std::vector<PhysicalPlace>& all) const {
  for (Index i = 0; i < count(); ++i) {
    layer(i).add_physics(instance, behind_weights || offset(i) > 0, all);
    instance += layer(i).instances();
  }
}

void LayerChain::add_return_weights(Index offset, std::vector<ReturnWeights>& all) const {
  for (Index i = 0; i < count(); ++i) layer(i).add_return_weights(offset + this->offset(i), all);
}

bool LayerChain::differentiable() const {
  return std::ranges::all_of(layers_, [](const LayerPointer& layer) { return layer->differentiable(); });
}

bool LayerChain::takes_codes() const {
  return std::ranges::any_of(layers_, [](const LayerPointer& layer) { return layer->takes_codes(); });
}

bool LayerChain::needs_batch() const {
  return std::ranges::any_of(layers_, [](const LayerPointer& layer) { return layer->needs_batch(); });
}

View<const float> LayerChain::output(Index i, View<const float> y, const LayerMemory& memory) {
  const auto index = static_cast<std::size_t>(i);
  return index + 1 == memory.inner.size() ? y : memory.kept[index].view();
}

LayerInput LayerChain::input_of(Index i, const LayerInput& in, const LayerMemory& memory) const {
  const auto index = static_cast<std::size_t>(i);
  return {part(in.parameters, offset(i), offset(i + 1)), part(in.state, states_[index], states_[index + 1]),
          i == 0 ? in.x : memory.kept[index - 1].view()};
}

void LayerChain::forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const {
  memory.inner.resize(layers_.size());
  memory.kept.resize(layers_.size() - 1);
  LayerPass mine = pass;
  for (Index i = 0; i < count(); ++i) {
    const auto index = static_cast<std::size_t>(i);
    const bool last = i + 1 == count();
    if (!last) memory.kept[index].resize(in.x.rows(), layer(i).outputs());
    layer(i).forward(mine, input_of(i, in, memory), last ? y : memory.kept[index].view(), memory.inner[index]);
    mine.instance += layer(i).instances();
  }
}

void LayerChain::vjp_of(Index first, Index last, const LayerInput& in, View<const float> y, const LayerMemory& memory,
                        View<const float> dy, View<float> dx, std::span<float> dparameters, LayerMemory& work) const {
  work.inner.resize(layers_.size());
  work.kept.resize(layers_.size());
  for (Index i = last - 1; i >= first; --i) {
    const auto index = static_cast<std::size_t>(i);
    const bool taught_below = offset(i) > offset(first);
    if (!taught_below && dx.empty() && layer(i).parameters() == 0) return;
    const View<const float> sent = i > first ? work.inner[index - 1].sent : View<const float>{};
    View<float> below = dx;
    if (i > first && (taught_below || !dx.empty())) {
      if (sent.empty()) work.kept[index].resize(dy.rows(), layer(i).inputs());
      below = sent.empty() ? work.kept[index].view() : View<float>{};
    }
    layer(i).vjp(input_of(i, in, memory), output(i, y, memory), memory.inner[index], dy, below,
                 part(dparameters, offset(i), offset(i + 1)), work.inner[index]);
    dy = sent.empty() ? below : sent;
  }
}

void LayerChain::jvp(const LayerPass& pass, const LayerInput& in, View<const float> y, const LayerMemory& memory,
                     View<const float> dx, View<float> dy, LayerMemory& work) const {
  work.inner.resize(layers_.size());
  work.kept.resize(2);  // what moves behind a layer, in turn
  LayerPass mine = pass;
  for (Index i = 0; i < count(); ++i) {
    const auto index = static_cast<std::size_t>(i);
    Matrix<float>& between = work.kept[index % 2];
    const bool last = i + 1 == count();
    if (!last) between.resize(dx.rows(), layer(i).outputs());
    const View<float> out = last ? dy : between.view();
    layer(i).jvp(mine, input_of(i, in, memory), output(i, y, memory), memory.inner[index], dx, out, work.inner[index]);
    mine.instance += layer(i).instances();
    dx = out;
  }
}

LayerPointer chain(Shape input, std::vector<LayerPointer> layers) {
  return std::make_unique<LayerChain>(std::move(input), std::move(layers));
}

}  // namespace lightloop
