#include "training/network.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/random.hpp"
#include "training/elementwise.hpp"
#include "training/layers/model.hpp"

namespace lightloop {

std::vector<Index> parse_net(const std::string& text) {
  std::vector<Index> widths;
  const char* p = text.data();
  const char* const end = p + text.size();
  for (;;) {
    Index width = 0;
    const auto [next, error] = std::from_chars(p, end, width);
    if (error != std::errc{} || width < 1 || width > (Index{1} << 30) || (next != end && *next != '-'))
      throw InvalidParameter("net", '"' + text + '"', "widths of at least 1 joined by -",
                             "write it like 784-1024-1024-10");
    widths.push_back(width);
    if (next == end) break;
    p = next + 1;
  }
  if (widths.size() < 2)
    throw InvalidParameter("net", '"' + text + '"', "at least an input and an output width", "e.g. 784-1024-10");
  return widths;
}

std::string to_string(const std::vector<Index>& widths) {
  std::string text;
  for (const Index w : widths) {
    if (!text.empty()) text += '-';
    text += std::to_string(w);
  }
  return text;
}

Network::Network(std::vector<Index> widths, Activation hidden) : widths_(std::move(widths)), hidden_(hidden) {
  Index total = 0;
  for (std::size_t l = 0; l + 1 < widths_.size(); ++l) {
    offsets_.push_back(total);
    total += (widths_[l] + 1) * widths_[l + 1];
  }
  parameters_ = Matrix<float>(1, total);
}

Network::Network(std::shared_ptr<const Model> model)
    : widths_{elements(model->input())},
      hidden_(Activation::identity),
      parameters_(1, model->parameters()),
      state_(1, model->state()),
      model_(std::move(model)) {
  for (Index b = 0; b < model_->blocks(); ++b) {
    widths_.push_back(model_->block(b).outputs());
    offsets_.push_back(model_->offset(b));
  }
}

Index Network::tokens() const { return model_ ? model_->tokens() : 1; }

std::string Network::text() const { return model_ ? model_->text() : to_string(widths_); }

void Network::initialise(std::uint64_t seed) {
  if (model_) return model_->initialise(seed, parameters(), state());
  for (Index l = 0; l < layers(); ++l) {
    const Stream stream(seed, static_cast<std::uint64_t>(l), Purpose::weights_init);
    const View<float> w = weights(l);
    const float scale = 1.0f / std::sqrt(static_cast<float>(w.cols()));
    for_rows(w.rows(), w.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) {
        stream.normal(static_cast<std::uint64_t>(r), 0, w.row(r));
        for (float& v : w.row(r)) v *= scale;
      }
    });
    std::ranges::fill(bias(l), 0.0f);
  }
}

View<float> Network::weights(Index layer) {
  LIGHTLOOP_ASSERT(!model_);
  const auto l = static_cast<std::size_t>(layer);
  return {parameters_.data() + offsets_[l], widths_[l + 1], widths_[l]};
}
View<const float> Network::weights(Index layer) const {
  LIGHTLOOP_ASSERT(!model_);
  const auto l = static_cast<std::size_t>(layer);
  return {parameters_.data() + offsets_[l], widths_[l + 1], widths_[l]};
}
std::span<float> Network::bias(Index layer) {
  LIGHTLOOP_ASSERT(!model_);
  const auto l = static_cast<std::size_t>(layer);
  return {parameters_.data() + offsets_[l] + widths_[l + 1] * widths_[l], static_cast<std::size_t>(widths_[l + 1])};
}
std::span<const float> Network::bias(Index layer) const {
  LIGHTLOOP_ASSERT(!model_);
  const auto l = static_cast<std::size_t>(layer);
  return {parameters_.data() + offsets_[l] + widths_[l + 1] * widths_[l], static_cast<std::size_t>(widths_[l + 1])};
}

void forward(const Network& net, View<const float> x, Activations& out, const LayerPass& pass) {
  if (x.cols() != net.widths().front())
    throw ShapeMismatch("network input", std::to_string(x.cols()) + " features",
                        std::to_string(net.widths().front()) + " expected");
  out.h.resize(static_cast<std::size_t>(net.layers()) + 1);
  out.mapped.clear();
  out.seen.clear();
  out.clipped = false;
  if (x.data() != out.h[0].data()) {
    out.h[0].resize(x.rows(), x.cols());
    for (Index r = 0; r < x.rows(); ++r) std::ranges::copy(x.row(r), out.h[0].row(r).begin());
  }
  if (net.model()) return net.model()->forward(pass, net.parameters(), net.state(), out.h, out.memory);
  for (Index l = 0; l < net.layers(); ++l) {
    const View<const float> w = net.weights(l);
    const Matrix<float>& input = out.h[static_cast<std::size_t>(l)];
    Matrix<float>& output = out.h[static_cast<std::size_t>(l) + 1];
    output.resize(x.rows(), w.rows());
    gemm(Transpose::no, Transpose::yes, 1.0f, input, w, 0.0f, output);
    for_rows(output.rows(), output.cols(), [&](Index first, Index count) {
      for (Index r = first; r < first + count; ++r) bias_and_activate(net.activation(l), net.bias(l), output.row(r));
    });
  }
}

void learn_state(Network& net, const Activations& seen) {
  if (net.model() && !seen.memory.empty()) net.model()->learn_state(seen.memory, net.state());
}

}  // namespace lightloop
