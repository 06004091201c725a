// The sum of two branches.
#include "training/layers/chain.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

/// to = a + b.
void add(View<const float> a, View<const float> b, View<float> to) {
  for_chunks(to.size(), kChunk, [&](Index first, Index count) {
    const float *p = a.data() + first, *q = b.data() + first;
    float* out = to.data() + first;
#pragma GCC ivdep
    for (Index i = 0; i < count; ++i) out[i] = p[i] + q[i];
  });
}

class Residual : public NetLayer {
 public:
  Residual(LayerPointer branch, LayerPointer shortcut)
      : NetLayer(branch->input_shape(), branch->output_shape()),
        branch_(std::move(branch)),
        shortcut_(std::move(shortcut)) {}

  std::string text() const override {
    return "residual(" + branch_->text() + (shortcut_ ? "; " + shortcut_->text() : "") + ")";
  }
  const LayerChain* branch() const override { return dynamic_cast<const LayerChain*>(branch_.get()); }
  Index parameters() const override { return branch_->parameters() + (shortcut_ ? shortcut_->parameters() : 0); }
  Index state() const override { return branch_->state() + (shortcut_ ? shortcut_->state() : 0); }
  std::uint64_t instances() const override { return branch_->instances() + (shortcut_ ? shortcut_->instances() : 0); }
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override {
    branch_->add_products(instance, offset, all);
    if (shortcut_) shortcut_->add_products(instance + branch_->instances(), offset + branch_->parameters(), all);
  }
  void add_physics(std::uint64_t instance, bool behind_weights, std::vector<PhysicalPlace>& all) const override {
    branch_->add_physics(instance, behind_weights, all);
    if (shortcut_) shortcut_->add_physics(instance + branch_->instances(), behind_weights, all);
  }
  void add_return_weights(Index offset, std::vector<ReturnWeights>& all) const override {
    branch_->add_return_weights(offset, all);
    if (shortcut_) shortcut_->add_return_weights(offset + branch_->parameters(), all);
  }
  bool differentiable() const override {
    return branch_->differentiable() && (!shortcut_ || shortcut_->differentiable());
  }
  bool needs_batch() const override { return branch_->needs_batch() || (shortcut_ && shortcut_->needs_batch()); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    branch_->initialise(seed, instance, parameters.first(split()));
    if (shortcut_) shortcut_->initialise(seed, instance + branch_->instances(), parameters.subspan(split()));
  }
  void initialise_state(std::span<float> state) const override {
    branch_->initialise_state(state.first(state_split()));
    if (shortcut_) shortcut_->initialise_state(state.subspan(state_split()));
  }
  void learn_state(const LayerMemory& memory, std::span<float> state) const override {
    branch_->learn_state(memory.inner[0], state.first(state_split()));
    if (shortcut_) shortcut_->learn_state(memory.inner[1], state.subspan(state_split()));
  }

  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    memory.inner.resize(2);
    memory.kept.resize(2);
    memory.kept[0].resize(y.rows(), y.cols());
    branch_->forward(pass, first(in), memory.kept[0], memory.inner[0]);
    if (!shortcut_) return add(memory.kept[0], in.x, y);
    memory.kept[1].resize(y.rows(), y.cols());
    shortcut_->forward(behind_branch(pass), second(in), memory.kept[1], memory.inner[1]);
    add(memory.kept[0], memory.kept[1], y);
  }

  void vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override {
    const bool wanted = !dparameters.empty();
    work.inner.resize(2);
    work.kept.resize(1);
    branch_->vjp(first(in), memory.kept[0], memory.inner[0], dy, dx, wanted ? dparameters.first(split()) : dparameters,
                 work.inner[0]);
    if (!shortcut_) {
      if (!dx.empty()) add(dx, dy, dx);
      return;
    }
    View<float> other;
    if (!dx.empty()) {
      work.kept[0].resize(dx.rows(), dx.cols());
      other = work.kept[0];
    }
    shortcut_->vjp(second(in), memory.kept[1], memory.inner[1], dy, other,
                   wanted ? dparameters.subspan(split()) : dparameters, work.inner[1]);
    if (!dx.empty()) add(dx, other, dx);
  }
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float>, const LayerMemory& memory,
           View<const float> dx, View<float> dy, LayerMemory& work) const override {
    work.inner.resize(2);
    work.kept.resize(1);
    branch_->jvp(pass, first(in), memory.kept[0], memory.inner[0], dx, dy, work.inner[0]);
    if (!shortcut_) return add(dy, dx, dy);
    work.kept[0].resize(dy.rows(), dy.cols());
    shortcut_->jvp(behind_branch(pass), second(in), memory.kept[1], memory.inner[1], dx, work.kept[0], work.inner[1]);
    add(dy, work.kept[0], dy);
  }

 private:
  LayerPass behind_branch(LayerPass pass) const {
    pass.instance += branch_->instances();
    return pass;
  }
  std::size_t split() const { return static_cast<std::size_t>(branch_->parameters()); }
  std::size_t state_split() const { return static_cast<std::size_t>(branch_->state()); }
  LayerInput first(const LayerInput& in) const {
    return {in.parameters.first(split()), in.state.first(state_split()), in.x};
  }
  LayerInput second(const LayerInput& in) const {
    return {in.parameters.subspan(split()), in.state.subspan(state_split()), in.x};
  }
  LayerPointer branch_, shortcut_;
};

}  // namespace

LayerPointer residual(LayerPointer branch, LayerPointer shortcut) {
  const Shape& other = shortcut ? shortcut->output_shape() : branch->input_shape();
  if (shortcut && shortcut->input_shape() != branch->input_shape())
    throw ShapeMismatch("residual", "a branch for " + shape_text(branch->input_shape()),
                        "a shortcut for " + shape_text(shortcut->input_shape()));
  if (branch->output_shape() != other)
    throw ShapeMismatch("residual", "its branch gives " + shape_text(branch->output_shape()),
                        "its shortcut " + shape_text(other), "write a shortcut behind a semicolon: conv 64 1 stride=2");
  return std::make_unique<Residual>(std::move(branch), std::move(shortcut));
}

}  // namespace lightloop
