#pragma once
// A small network, a batch and its forward pass, for the tests of learning rules.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "training/rules/rule.hpp"

namespace lightloop {

/// y = B x with B in memory: what digital_feedback does, in three lines of scalar code.
class MatrixFeedback : public Feedback {
 public:
  MatrixFeedback(Index inputs, Index outputs) : b_(outputs, inputs) {
    const Stream stream(99, 0, Purpose::user);
    for (Index r = 0; r < outputs; ++r) stream.normal(std::uint64_t(r), 0, b_.row(r));
  }
  Index inputs() const override { return b_.cols(); }
  Index outputs() const override { return b_.rows(); }
  void project(View<const float> e, View<float> out) override {
    for (Index r = 0; r < e.rows(); ++r)
      for (Index j = 0; j < b_.rows(); ++j) {
        double sum = 0;
        for (Index c = 0; c < b_.cols(); ++c) sum += double(b_(j, c)) * double(e(r, c));
        out(r, j) = float(sum);
      }
    rows_projected += e.rows();
  }
  View<const float> matrix() const override { return b_; }
  Index rows_projected = 0;

 private:
  Matrix<float> b_;
};

/// A network, a batch and its forward pass.
struct Bench {
  explicit Bench(Activation f = Activation::tanh) : Bench(Network({9, 24, 17, 5}, f)) {}
  /// Any network of five outputs.
  explicit Bench(Network network) : net(std::move(network)), x(12, net.widths().front()), error(12, 5) {
    net.initialise(4);
    const Stream stream(5, 0, Purpose::user);
    for (Index r = 0; r < x.rows(); ++r) {
      stream.normal(std::uint64_t(r), 0, x.row(r));
      labels.push_back(std::uint8_t(r % 5));
    }
    forward(net, x, activations);
    output_error(Loss::cross_entropy, activations.h.back(), labels, error);
  }
  /// Of step `step`; a step has 12 samples.
  std::vector<float> gradient(Rule& r, std::uint64_t step = 0) {
    std::vector<float> g(net.parameters().size(), NAN);
    r.gradient(net, {activations, error, labels, Loss::cross_entropy, step, 12 * step}, g);
    return g;
  }
  std::unique_ptr<Rule> make(const std::string& name, Feedback* feedback, const Settings& settings = {}) {
    const RuleModel& model = rule(name);
    ParamSet params("rule:" + name, model.info.params);
    params.set(settings);
    return model.make({net, 1, params, feedback});
  }
  Network net;
  Matrix<float> x, error;
  std::vector<std::uint8_t> labels;
  Activations activations;
};

}  // namespace lightloop
