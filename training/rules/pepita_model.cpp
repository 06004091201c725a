#include "training/rules/pepita_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.hpp"
#include "training/elementwise.hpp"
#include "training/layers/model.hpp"
#include "training/rules/blocks.hpp"
#include "training/rules/whole_batch.hpp"

namespace lightloop {
namespace {

/// Where a block is taught.
struct Place {
  Index layer = -1;   ///< the last with weights; -1: the block has none
  Index behind = -1;  ///< the last one behind it of the same shape: its outputs are compared
};

Place place_in(const LayerChain& block) {
  Place place;
  for (Index i = 0; i < block.count(); ++i)
    if (block.layer(i).taught()) place.layer = i;
  if (place.layer < 0) return place;
  const Shape& shape = block.layer(place.layer).output_shape();
  place.behind = place.layer;
  while (place.behind + 1 < block.count() && block.layer(place.behind + 1).output_shape() == shape) ++place.behind;
  return place;
}

class ModelPepita : public WholeBatch {
 public:
  ModelPepita(const RuleInfo& info, const RuleContext& context)
      : WholeBatch(info),
        feedback_(context.feedback),
        products_(context.layers),
        seed_(context.seed),
        scale_(static_cast<float>(context.params.real("scale") *
                                  std::sqrt(2.0 / static_cast<double>(context.net.widths().front())))) {
    const Model& model = *context.net.model();
    for (const char* name : {"dropout", "recompute"})
      if (!context.params.is_default(name))
        throw InvalidParameter(std::string("rule.") + name, to_string(context.params.value(name)),
                               "is of fully connected nets (--net 784-1024-10)",
                               name == std::string("dropout") ? "Put dropout layers into the net." : "Leave it out.");
    if (context.params.text("shows") == "change")
      throw Unsupported("rule.shows = change in a net of any layers",
                        "what a norm or a pool makes of a change is not what changes behind it", "",
                        "Use rule.shows=input.");
    if (model.block(0).takes_codes())
      throw Unsupported("rule pepita on net " + context.net.text(),
                        "its first block looks codes up, and nothing can be added to these", "",
                        "use a rule that leaves the input alone, such as local");
    work_.resize(static_cast<std::size_t>(model.blocks()));
    for (Index b = 0; b < context.net.hidden_layers(); ++b) {
      const Place place = place_in(model.block(b));
      places_.push_back(place);
      auto& work = work_[static_cast<std::size_t>(b)].inner;
      work.resize(static_cast<std::size_t>(model.block(b).count()));
      if (place.layer >= 0) work[static_cast<std::size_t>(place.layer)].linear = true;
    }
  }

  void gradient(const Network& net, const RuleBatch& batch, std::span<float> gradient) override {
    const Model& model = *net.model();
    const View<const float> x = batch.activations.h[0];
    const Index samples = x.rows(), hidden = net.hidden_layers();
    begin(samples, 0);
    touched_ = declared(net, samples);
    std::ranges::fill(gradient, 0.0f);
    first_.resize(static_cast<std::size_t>(hidden) + 1);
    View<const float> in = x;
    for (Index b = 0; b <= hidden; ++b) in = run(net, batch, b, in, first_[static_cast<std::size_t>(b)]);
    learn_state(net);
    error_.resize(samples, in.cols());
    loss_ = answer_error(batch.loss, in, batch.targets(), error_);
    if (hidden == 0) {
      back(model, net, 0, x, first_[0], model.block(0).count(), error_, gradient);
      return divide(gradient, samples);
    }
    projected_.resize(samples, feedback_->outputs());
    feedback_->project(error_, projected_);
    in = modulate(x);
    for (Index b = 0; b < hidden; ++b) {
      Pass& second = second_[static_cast<std::size_t>(b % 2)];
      const View<const float> out = run(net, batch, b, in, second);
      const Place place = places_[static_cast<std::size_t>(b)];
      if (place.layer >= 0)
        back(model, net, b, in, second, place.layer + 1,
             difference(at(place, first_[static_cast<std::size_t>(b)]), at(place, second)), gradient);
      in = out;
    }
    Pass& last = second_[static_cast<std::size_t>(hidden % 2)];
    run(net, batch, hidden, in, last);
    back(model, net, hidden, in, last, model.block(hidden).count(), error_, gradient);
    divide(gradient, samples);
  }

  std::span<const float> learned_state() const override { return state_.flat(); }
  StepTouch declared(const Network& net, Index samples) const override {
    const bool hidden = net.hidden_layers() > 0;
    return {.passes = (hidden ? 2 : 1) * net.layers() * samples, .projections = hidden ? samples : 0};
  }
  LayerTouch layer_touch(const Network& net, Index samples) const override {
    return {.vectors = (net.hidden_layers() > 0 ? 2 : 1) * samples};
  }

 private:
  struct Pass {
    Matrix<float> h;
    LayerMemory memory;
  };

  View<const float> run(const Network& net, const RuleBatch& batch, Index b, View<const float> in, Pass& to) {
    const Model& model = *net.model();
    to.h.resize(in.rows(), model.block(b).outputs());
    const LayerPass pass{.training = true,
                         .seed = seed_,
                         .first_sample = batch.first_sample,
                         .instance = model.instance(b),
                         .products = products_};
    model.block(b).forward(pass, model.block_input(b, net.parameters(), net.state(), in), to.h, to.memory);
    return to.h;
  }
  /// From delta at the output of layer `end` - 1 of block b: the sums of its part of the gradient.
  void back(const Model& model, const Network& net, Index b, View<const float> in, const Pass& pass, Index end,
            View<const float> delta, std::span<float> gradient) {
    const LayerInput input = model.block_input(b, net.parameters(), net.state(), in);
    model.block(b).vjp_of(0, end, input, pass.h, pass.memory, delta, {},
                          gradient.subspan(static_cast<std::size_t>(model.offset(b)), input.parameters.size()),
                          work_[static_cast<std::size_t>(b)]);
  }
  /// Running statistics are those of the samples, not of what was added to them.
  void learn_state(const Network& net) {
    const Model& model = *net.model();
    state_.resize(1, static_cast<Index>(net.state().size()));
    std::ranges::copy(net.state(), state_.flat().begin());
    for (Index b = 0; b < model.blocks(); ++b)
      model.block(b).learn_state(first_[static_cast<std::size_t>(b)].memory, model.state_of(b, state_.flat()));
  }
  static View<const float> at(Place place, const Pass& pass) {
    return LayerChain::output(place.behind, pass.h, pass.memory);
  }
  View<const float> modulate(View<const float> x) {
    input_.resize(x.rows(), x.cols());
    for_rows(x.rows(), x.cols(), [&, scale = scale_](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        const float *from = x.row(r).data(), *fe = projected_.row(r).data();
        float* const to = input_.row(r).data();
        for (Index j = 0; j < x.cols(); ++j) to[j] = from[j] + scale * fe[j];
      }
    });
    return input_;
  }
  View<const float> difference(View<const float> first, View<const float> second) {
    difference_.resize(first.rows(), first.cols());
    for_chunks(first.size(), kChunk, [&](Index begin, Index n) {
      for (Index i = begin; i < begin + n; ++i) difference_.data()[i] = first.data()[i] - second.data()[i];
    });
    return difference_;
  }

  Feedback* feedback_;
  LayerProducts* products_;
  std::uint64_t seed_;
  float scale_;
  std::vector<Place> places_;  // of hidden blocks
  std::vector<Pass> first_;    // of all blocks
  std::array<Pass, 2> second_;
  std::vector<LayerMemory> work_;
  Matrix<float> error_, projected_, input_, difference_, state_;
};

}  // namespace

std::unique_ptr<Rule> model_pepita(const RuleInfo& info, const RuleContext& context) {
  return std::make_unique<ModelPepita>(info, context);
}

}  // namespace lightloop
