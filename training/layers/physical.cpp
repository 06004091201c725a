// A layer that is physics: run, and differentiated by a model of it, wherever the pass has its device.
#include "core/error.hpp"
#include "training/layers/layers.hpp"
#include "training/layers/rows.hpp"

namespace lightloop {
namespace {

class Physical : public NetLayer {
 public:
  Physical(Shape input, Index outputs) : NetLayer(std::move(input), {outputs}) {}
  std::string text() const override { return "physical " + std::to_string(outputs()); }
  void add_physics(std::uint64_t instance, bool behind_weights, std::vector<PhysicalPlace>& all) const override {
    all.push_back({.number = product_number(instance, 0),
                   .inputs = inputs(),
                   .outputs = outputs(),
                   .behind_weights = behind_weights});
  }
  void forward(const LayerPass& pass, const LayerInput& in, View<float> y, LayerMemory& memory) const override {
    if (!pass.products)
      throw Unsupported("layer " + text(), "no device stands for it", "", "give one as train.map (sim:opu)");
    memory.products = pass.products;
    memory.instance = pass.instance;
    pass.products->show(product_number(pass.instance, 0), in.x, y);
  }
  void vjp(const LayerInput& in, View<const float>, const LayerMemory& memory, View<const float> dy, View<float> dx,
           std::span<float>, LayerMemory&) const override {
    if (!dx.empty()) memory.products->show_back(product_number(memory.instance, 0), in.x, dy, dx);
  }
};

}  // namespace

LayerPointer physical(Shape input, Index outputs) {
  check_at_least_one("outputs of a physical layer", outputs);
  return std::make_unique<Physical>(std::move(input), outputs);
}

}  // namespace lightloop
