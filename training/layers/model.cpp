#include "training/layers/model.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop {
namespace {

template <class T>
std::span<T> part(std::span<T> all, const std::vector<Index>& begin, std::size_t b) {
  return all.subspan(static_cast<std::size_t>(begin[b]), static_cast<std::size_t>(begin[b + 1] - begin[b]));
}

/// Ends of the parts of a chain that have one layer with weights each, with what follows it; the last is the end.
std::vector<Index> ends_of(const LayerChain& chain) {
  std::vector<Index> ends;
  bool taught = false;
  for (Index i = 0; i < chain.count(); ++i) {
    if (taught && chain.layer(i).taught()) ends.push_back(i);
    taught = taught || chain.layer(i).taught();
  }
  ends.push_back(chain.count());
  return ends;
}

void add_inside(const NetLayer& layer, const std::vector<Index>& path, std::vector<Inside>& places) {
  const LayerChain* branch = layer.branch();
  if (!branch) return;
  for (Index first = 0; const Index end : ends_of(*branch)) {
    for (Index i = first; i < end; ++i) {
      std::vector<Index> here = path;
      here.push_back(i);
      add_inside(branch->layer(i), here, places);
      if (i + 1 == end && end < branch->count()) places.push_back({here, branch->layer(i).output_shape()});
    }
    first = end;
  }
}

}  // namespace

Model::Model(Shape input, std::vector<std::unique_ptr<const LayerChain>> blocks, std::shared_ptr<const Graph> graph)
    : input_(std::move(input)), blocks_(std::move(blocks)), offsets_{0}, states_{0}, graph_(std::move(graph)) {
  if (blocks_.empty()) throw InvalidParameter("net", "no block", "at least one");
  const Shape* shape = &input_;
  std::uint64_t instance = 0;
  for (const auto& block : blocks_) {
    if (block->input_shape() != *shape)
      throw ShapeMismatch("block " + block->text(), "takes " + shape_text(block->input_shape()),
                          "is given " + shape_text(*shape));
    shape = &block->output_shape();
    offsets_.push_back(offsets_.back() + block->parameters());
    states_.push_back(states_.back() + block->state());
    instances_.push_back(instance);
    instance += block->instances();
  }
  if (shape->empty() || shape->size() > 2)
    throw ShapeMismatch("net", "gives out " + shape_text(*shape), "one row of class scores, or one per token",
                        "end with: flatten, dense classes");
}

std::span<float> Model::state_of(Index b, std::span<float> all) const {
  return part(all, states_, static_cast<std::size_t>(b));
}

Index Model::tokens() const {
  const Shape& output = blocks_.back()->output_shape();
  return output.size() == 2 ? output.front() : 1;
}

std::vector<WeightMatrix> Model::products() const {
  std::vector<WeightMatrix> all;
  for (Index b = 0; b < blocks(); ++b) block(b).add_products(instance(b), offset(b), all);
  return all;
}

std::vector<PhysicalPlace> Model::physics() const {
  std::vector<PhysicalPlace> all;
  for (Index b = 0; b < blocks(); ++b) {
    const std::size_t before = all.size();
    block(b).add_physics(instance(b), false, all);
    for (std::size_t i = before; i < all.size(); ++i) all[i].block = b;
  }
  return all;
}

bool Model::needs_batch() const {
  return std::ranges::any_of(blocks_, [](const auto& block) { return block->needs_batch(); });
}

Index Model::values() const {
  Index sum = elements(input_);
  for (Index b = 0; b < blocks(); ++b)
    for (Index i = 0; i < block(b).count(); ++i) sum += block(b).layer(i).outputs();
  return sum;
}

std::vector<Unit> Model::units(bool each_layer) const {
  std::vector<Unit> units;
  for (Index b = 0; b < blocks(); ++b) {
    const LayerChain& all = block(b);
    for (Index first = 0; const Index end : each_layer ? ends_of(all) : std::vector<Index>{all.count()}) {
      units.push_back({b, first, end, all.layer(end - 1).outputs()});
      for (Index i = first; each_layer && i < end; ++i) add_inside(all.layer(i), {i}, units.back().inside);
      first = end;
    }
  }
  return units;
}

std::string Model::text() const {
  std::string text = shape_text(input_);
  for (const auto& block : blocks_) text += " | " + block->text();
  return text;
}

void Model::initialise(std::uint64_t seed, std::span<float> parameters, std::span<float> state,
                       std::uint64_t first_instance) const {
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    blocks_[b]->initialise(seed, first_instance + instances_[b], part(parameters, offsets_, b));
    blocks_[b]->initialise_state(part(state, states_, b));
  }
}

LayerInput Model::block_input(Index b, std::span<const float> parameters, std::span<const float> state,
                              View<const float> x) const {
  const auto index = static_cast<std::size_t>(b);
  return {part(parameters, offsets_, index), part(state, states_, index), x};
}

void Model::forward(const LayerPass& pass, std::span<const float> parameters, std::span<const float> state,
                    std::vector<Matrix<float>>& h, std::vector<LayerMemory>& memory) const {
  h.resize(blocks_.size() + 1);
  memory.resize(blocks_.size());
  LayerPass mine = pass;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    h[b + 1].resize(h[b].rows(), blocks_[b]->outputs());
    mine.instance = instances_[b];
    blocks_[b]->forward(mine, block_input(static_cast<Index>(b), parameters, state, h[b]), h[b + 1], memory[b]);
  }
}

void Model::learn_state(const std::vector<LayerMemory>& memory, std::span<float> state) const {
  for (std::size_t b = 0; b < blocks_.size(); ++b) blocks_[b]->learn_state(memory[b], part(state, states_, b));
}

}  // namespace lightloop
