#include <algorithm>
#include <array>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/layers/model.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/blocks.hpp"
#include "training/rules/perturbed_passes.hpp"
#include "training/rules/reinforce.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// Layers of a block in which neurons fire. Throws Unsupported where that is not all that goes on from them.
std::vector<Index> firing(const Network& net, const LayerChain& block) {
  std::vector<Index> layers;
  const auto refuse = [&](const NetLayer& layer, const char* why) {
    throw Unsupported("rule reinforce on layer " + layer.text() + " of net " + net.text(), why, "",
                      "put layers `stochastic` between those of a block");
  };
  for (Index i = 0; i < block.count(); ++i) {
    const std::string text = block.layer(i).text();
    if (text == "stochastic") layers.push_back(i);
    if (text == "stochastic smooth")
      refuse(block.layer(i), "its neurons give out more or less, not only whether they fire");
    for (const char* inside : {"(stochastic", ", stochastic", "; stochastic"})
      if (text.find(inside) != std::string::npos)
        refuse(block.layer(i), "there is a way around its neurons, by which other signals come");
  }
  return layers;
}

class ModelReinforce : public WholeBatch {
 public:
  ModelReinforce(const RuleInfo& info, const RuleContext& context)
      : WholeBatch(info), baseline_(context.params.real("memory")), seed_(context.seed), products_(context.layers) {
    const Model& model = *context.net.model();
    check_rows_alone("reinforce", context.net);
    if (context.params.boolean("recompute"))
      throw InvalidParameter("rule.recompute", "true on a net of layers",
                             "signals go down from the output, through all that its blocks gave out", "Leave it out.");
    bool any = false;
    for (Index b = 0; b < model.blocks(); ++b) {
      firing_.push_back(firing(context.net, model.block(b)));
      any = any || !firing_.back().empty();
    }
    if (!any)
      throw Unsupported("rule reinforce on net " + context.net.text(), "no neuron of it fires at random",
                        "neurons of a layer `stochastic` do", "put one behind a dense or a convolutional layer");
    work_.resize(firing_.size());
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const View<const float> x = batch.activations.h[0];
    begin(static_cast<Index>(batch.labels.size()), 0);
    touched_ = declared(net, x.rows());
    forward(net, x, seen_,
            {.training = true, .seed = seed_, .first_sample = batch.first_sample, .products = products_});
    state_.assign(net.state().begin(), net.state().end());
    net.model()->learn_state(seen_.memory, state_);
    sample_losses(batch, seen_.h.back(), error_, told_);
    for (const float loss : told_.flat()) loss_ += static_cast<double>(loss);
    const double baseline = baseline_.next(loss_ / static_cast<double>(x.rows()));
    for (float& told : told_.flat()) told = static_cast<float>(static_cast<double>(told) - baseline);
    View<const float> above = error_;
    for (Index b = net.layers() - 1; b >= 0; --b) above = go_back(net, b, above, gradient);
    divide(gradient, static_cast<Index>(batch.labels.size()));
  }

  std::span<const float> learned_state() const override { return state_; }
  StepTouch declared(const Network& net, Index samples) const override { return {.passes = net.layers() * samples}; }
  std::vector<std::byte> snapshot() const override { return baseline_.snapshot(); }
  void restore(const std::vector<std::byte>& state) override { baseline_.restore(state); }

 private:
  /// From the signal at the end of block b to that at its beginning, which is empty for the first.
  View<const float> go_back(const Network& net, Index b, View<const float> above, std::span<float> gradient) {
    const Model& model = *net.model();
    const auto index = static_cast<std::size_t>(b);
    const std::vector<Index>& layers = firing_[index];
    LayerMemory& work = work_[index];
    work.inner.resize(static_cast<std::size_t>(model.block(b).count()));
    Matrix<float>& below = below_[index % 2];
    below.resize(b > 0 ? above.rows() : 0, b > 0 ? model.block(b).inputs() : 0);
    scores_.resize(std::max(scores_.size(), layers.size()));
    for (std::size_t k = 0; k < layers.size(); ++k)
      if (layers[k] > 0) work.inner[static_cast<std::size_t>(layers[k]) - 1].sent = score(b, layers[k], scores_[k]);
    const LayerInput in = model.block_input(b, net.parameters(), net.state(), seen_.h[index]);
    model.block(b).vjp(in, seen_.h[index + 1], seen_.memory[index], above, below,
                       gradient.subspan(static_cast<std::size_t>(model.offset(b)), in.parameters.size()), work);
    if (b > 0 && !layers.empty() && layers.front() == 0) score(b, 0, below);
    return below;
  }

  /// out = (L - b) (h - p), at what comes to the neurons of a layer: d log P(h) / da = h - p for P(1) = p = sigmoid(a).
  View<const float> score(Index b, Index layer, Matrix<float>& out) const {
    const auto index = static_cast<std::size_t>(b);
    const LayerMemory& memory = seen_.memory[index];
    const View<const float> fired = LayerChain::output(layer, seen_.h[index + 1], memory);
    const Matrix<float>& chance = memory.inner[static_cast<std::size_t>(layer)].kept[0];
    out.resize(fired.rows(), fired.cols());
    for_rows(out.rows(), out.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r)
        for (Index i = 0; i < out.cols(); ++i) out(r, i) = told_(0, r) * (fired(r, i) - chance(r, i));
    });
    return out;
  }

  RunningBaseline baseline_;
  std::uint64_t seed_;
  LayerProducts* products_;
  std::vector<std::vector<Index>> firing_;  ///< per block
  Activations seen_;
  std::vector<LayerMemory> work_;
  std::vector<Matrix<float>> scores_;
  std::array<Matrix<float>, 2> below_;
  std::vector<float> state_;
  Matrix<float> error_, told_;
};

}  // namespace

double RunningBaseline::next(double mean) {
  const double before = known_ ? value_ : mean;
  value_ = known_ ? memory_ * value_ + (1 - memory_) * mean : mean;
  known_ = true;
  return before;
}

std::vector<std::byte> RunningBaseline::snapshot() const {
  ByteWriter bytes;
  bytes.put(known_);
  bytes.put(value_);
  return bytes.take();
}

void RunningBaseline::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "reinforce snapshot");
  known_ = bytes.get<bool>();
  value_ = bytes.get<double>();
  bytes.done();
}

std::unique_ptr<Rule> model_reinforce(const RuleInfo& info, const RuleContext& context) {
  return std::make_unique<ModelReinforce>(info, context);
}

}  // namespace lightloop
