// Convolution as products of patches with weights, one for each group; one channel per group is done directly in
// memory.
#include "core/linalg.hpp"
#include "training/layers/initial.hpp"
#include "training/layers/patches.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

constexpr Index kColumnFloats = Index{1} << 20;  // patches at a time: 4 MiB (assumed: a last-level cache holds them)

class Convolution : public NetLayer {
  static constexpr double kGain = 2;

 public:
  Convolution(const Shape& input, const Patches& p, Index outputs, Index groups, bool bias)
      : NetLayer(input, {p.out_height, p.out_width, outputs}), p_(p), outputs_(outputs), groups_(groups), bias_(bias) {}

  std::string text() const override {
    std::string text = "conv " + std::to_string(outputs_) + " " + window_text(p_.window);
    if (groups_ != 1) text += " groups=" + std::to_string(groups_);
    return text + (bias_ ? "" : " bias=false");
  }
  Index parameters() const override { return outputs_ * (fan_in() + (bias_ ? 1 : 0)); }
  void initialise(std::uint64_t seed, std::uint64_t instance, std::span<float> parameters) const override {
    NetLayer::initialise(seed, instance, parameters);
    normal_weights(seed, instance, kGain, {parameters.data(), outputs_, fan_in()});
  }
  void add_products(std::uint64_t instance, Index offset, std::vector<WeightMatrix>& all) const override {
    for (Index g = 0; g < groups_; ++g)
      all.push_back({product_number(instance, g), offset + g * group_outputs() * fan_in(), group_outputs(), fan_in(),
                     p_.positions(), images_at_once(), g});
  }
  void add_return_weights(Index offset, std::vector<ReturnWeights>& all) const override {
    all.push_back({offset, outputs_, fan_in(), kGain});
  }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override;
  void vjp(const LayerInput& in, View<const float> y, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float> dparameters, LayerMemory& work) const override;
  void jvp(const LayerPass& pass, const LayerInput& in, View<const float> y, const LayerMemory& memory,
           View<const float> dx, View<float> dy, LayerMemory& work) const override;

 private:
  Index group_inputs() const { return p_.channels / groups_; }
  Index group_outputs() const { return outputs_ / groups_; }
  Index fan_in() const { return p_.taps() * group_inputs(); }
  Index images_at_once() const { return std::max<Index>(1, kColumnFloats / (p_.positions() * fan_in())); }
  /// A 1 x 1 window of stride 1 sees the image as it is.
  bool plain() const { return p_.taps() == 1 && p_.window.stride == 1 && groups_ == 1; }
  /// Patches of one group; the image itself where it serves.
  View<const float> columns(View<const float> images, Index group, Matrix<float>& storage) const {
    if (plain()) return last_axis(images, p_.channels);
    storage.resize(images.rows() * p_.positions(), fan_in());
    gather_patches(p_, images, group * group_inputs(), group_inputs(), storage);
    return storage;
  }
  /// Weights of one group.
  View<const float> weights(const LayerInput& in, Index group) const {
    return {in.parameters.data() + group * group_outputs() * fan_in(), group_outputs(), fan_in()};
  }
  /// The rows of some images' positions in y, or dy, as rows of channels, and of these the group's.
  template <class T>
  View<T> piece(View<T> y, Index first, Index count, Index group) const {
    return y.rows(first * p_.positions(), count * p_.positions()).cols(group * group_outputs(), group_outputs());
  }
  /// What a place with ranges saw of some images' patches, of one group; empty: all of them.
  View<const float> seen_of(const LayerMemory& memory, Index first, Index count, Index group) const {
    const View<const float> all = memory.kept[1];
    if (all.empty()) return all;
    return all.rows(first * p_.positions(), count * p_.positions()).cols(group * fan_in(), fan_in());
  }
  /// Calls each(images, group, first image) for pieces that fit the workspace.
  template <class Each>
  void pieces(Index rows, const Each& each) const {
    for (Index first = 0; first < rows; first += images_at_once())
      for (Index g = 0; g < groups_; ++g) each(first, std::min(images_at_once(), rows - first), g);
  }

  Patches p_;
  Index outputs_, groups_;
  bool bias_;
};

void Convolution::forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const {
  // patches of a piece; what was seen of all patches, group beside group, where ranges cut off; of a piece
  memory.kept.resize(3);
  memory.kept[1].resize(0, 0);
  const View<float> all = last_axis(y, outputs_);
  pieces(in.x.rows(), [&](Index first, Index count, Index g) {
    const View<const float> cols = columns(in.x.rows(first, count), g, memory.kept[0]);
    layer_product(pass, cols, weights(in, g), piece(all, first, count, g), memory, memory.kept[2], g);
    if (memory.kept[2].size() == 0) return;
    memory.kept[1].resize(in.x.rows() * p_.positions(), groups_ * fan_in());
    for (Index r = 0; r < cols.rows(); ++r)
      std::ranges::copy(memory.kept[2].row(r), &memory.kept[1](first * p_.positions() + r, g * fan_in()));
  });
  if (bias_) add_bias(in.parameters.subspan(static_cast<std::size_t>(outputs_ * fan_in())), all);
}

void Convolution::vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy,
                      View<float> dx, std::span<float> dparameters, LayerMemory& work) const {
  work.kept.resize(2);
  const View<const float> all = last_axis(dy, outputs_);
  pieces(in.x.rows(), [&](Index first, Index count, Index g) {
    const View<const float> delta = piece(all, first, count, g), seen = seen_of(memory, first, count, g);
    View<const float> cols;
    if (!dparameters.empty() || !seen.empty() || memory.products)
      cols = columns(in.x.rows(first, count), g, work.kept[0]);
    if (!dparameters.empty())
      gemm(Transpose::yes, Transpose::no, 1.0f, delta, seen.empty() ? cols : seen, first == 0 ? 0.0f : 1.0f,
           View<float>(dparameters.data() + g * group_outputs() * fan_in(), group_outputs(), fan_in()));
    View<float> images, below;
    if (!dx.empty()) {
      images = dx.rows(first, count);
      if (!plain()) work.kept[1].resize(count * p_.positions(), fan_in());
      below = plain() ? last_axis(images, p_.channels) : work.kept[1].view();
    }
    product_back(memory, cols, delta, weights(in, g), below, g);
    if (dx.empty()) return;
    stop_clipped(cols, seen, below);
    if (!plain()) scatter_patches(p_, below, g * group_inputs(), group_inputs(), images);
  });
  if (bias_ && !dparameters.empty())
    sum_of_rows(all, work, dparameters.subspan(static_cast<std::size_t>(outputs_ * fan_in())));
}

void Convolution::jvp(const LayerPass& pass, const LayerInput& in, View<const float>, const LayerMemory& memory,
                      View<const float> dx, View<float> dy, LayerMemory& work) const {
  work.kept.resize(3);  // patches of dx; of x, and those of dx that pass, where ranges cut off
  const View<float> all = last_axis(dy, outputs_);
  pieces(dx.rows(), [&](Index first, Index count, Index g) {
    View<const float> moves = columns(dx.rows(first, count), g, work.kept[0]);
    const View<const float> seen = seen_of(memory, first, count, g);
    if (!seen.empty()) moves = unclipped(columns(in.x.rows(first, count), g, work.kept[1]), seen, moves, work.kept[2]);
    layer_product(pass, moves, weights(in, g), piece(all, first, count, g), work, g);
  });
}

}  // namespace

LayerPointer convolution_of_patches(const Shape& input, const Patches& p, Index outputs, Index groups, bool bias) {
  return std::make_unique<Convolution>(input, p, outputs, groups, bias);
}

LayerPointer convolution(Shape input, Index outputs, Window window, Index groups, bool bias) {
  const Patches p = patches("conv", input, window);
  check_at_least_one("outputs of conv", outputs);
  check_at_least_one("groups of conv", groups);
  if (p.channels % groups != 0 || outputs % groups != 0)
    throw ShapeMismatch(
        "groups of conv", std::to_string(groups),
        "must divide the " + std::to_string(p.channels) + " input and " + std::to_string(outputs) + " output channels");
  if (groups > 1 && groups == p.channels && groups == outputs) return depthwise(input, p, bias);
  return convolution_of_patches(input, p, outputs, groups, bias);
}

}  // namespace lightloop
