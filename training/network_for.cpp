#include "training/network_for.hpp"

#include <unistd.h>

#include <cctype>
#include <cmath>

#include "core/error.hpp"
#include "training/layers/architecture.hpp"

namespace lightloop {
namespace {

void check_memory(const std::string& net, double numbers) {
  constexpr double kCopies = 4;  // weights, gradient, two moments; SGD needs fewer, but its batches need memory too
  const double wanted = kCopies * sizeof(float) * numbers;
  const double there = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (wanted <= there) return;
  const auto gib = [](double bytes) { return std::to_string(std::llround(bytes / 0x1p30)) + " GiB"; };
  throw OutOfRange("net " + net, gib(wanted) + " to train it", "this machine has " + gib(there),
                   "make its layers narrower");
}

Network fully_connected(std::vector<Index> widths, Activation hidden) {
  double numbers = 0;
  for (std::size_t l = 1; l < widths.size(); ++l)
    numbers += static_cast<double>(widths[l]) * (static_cast<double>(widths[l - 1]) + 1);
  check_memory(to_string(widths), numbers);
  return {std::move(widths), hidden};
}

/// Colour planes one after the other would pass as an image of three rows. A shape in front of the net is believed.
void refuse_channels_first(const std::string& net, const Shape& shape, const Dataset& data) {
  constexpr Index kColours = 4;
  const bool given = std::isdigit(static_cast<unsigned char>(net[0]));
  if (given || shape.size() != 3 || shape[0] > kColours || shape[2] <= kColours) return;
  throw ShapeMismatch("samples of " + data.name, shape_text(shape), "images are height x width x channels",
                      "move the channels to the end (numpy: moveaxis), or begin the net with the shape to mean it");
}

}  // namespace

Shape layer_shape(const Dataset& data) {
  Shape shape = data.sample_shape;
  if (shape.size() == 2) shape.push_back(1);
  if (shape.empty() || elements(shape) != data.features()) shape = {data.features()};
  return shape;
}

Network network_for(const std::string& net, Activation hidden, const Dataset& data) {
  if (net.empty()) return fully_connected({data.features(), 256, 256, data.classes}, hidden);
  if (is_widths(net)) return fully_connected(parse_net(net), hidden);
  const ModelContext context{layer_shape(data), data.classes, data.graph, data.targets};
  refuse_channels_first(net, context.input, data);
  const std::string text = expand_preset(net, context);
  if (is_widths(text)) return fully_connected(parse_net(text), hidden);
  std::shared_ptr<const Model> model = parse_model(text, context);
  check_memory(net, static_cast<double>(model->parameters()));
  return Network(std::move(model));
}

}  // namespace lightloop
