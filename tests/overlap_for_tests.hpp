#pragma once
// For tests and benchmarks: one learning rule on a device, which works while the device does, or waits for it.
#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "devices/catalogue.hpp"
#include "driver/backends/backends.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/optimizer.hpp"
#include "training/rules/rule.hpp"

namespace lightloop::test {

/// A feedback that only knows how to wait.
class Waiting : public Feedback {
 public:
  explicit Waiting(std::unique_ptr<Feedback> inner) : inner_(std::move(inner)) {}
  Index inputs() const override { return inner_->inputs(); }
  Index outputs() const override { return inner_->outputs(); }
  void project(View<const float> e, View<float> out) override { inner_->project(e, out); }

 private:
  std::unique_ptr<Feedback> inner_;
};

/// Projects by a device that takes wall time and no processor: a session's, which answers after a while.
class Sleeping : public Feedback {
 public:
  Sleeping(Index n_in, Index n_out, double seconds)
      : n_in_(n_in), n_out_(n_out), session_(std::make_unique<Sleeper>(n_in, seconds)) {}
  Index inputs() const override { return n_in_; }
  Index outputs() const override { return n_out_; }
  void project(View<const float> e, View<float> out) override {
    begin(e, out);
    finish();
  }
  void begin(View<const float> e, View<float> out) override {
    const FrameBuffer frames(session_.info().input, e.rows());
    ticket_ = session_.submit(frames.frames());
    for (Index r = 0; r < out.rows(); ++r)
      for (Index c = 0; c < out.cols(); ++c) out(r, c) = e(r, c % n_in_);
  }
  void finish() override {
    if (on_wait) on_wait();
    ticket_.wait();
  }
  std::function<void()> on_wait;  ///< called when somebody begins to wait

 private:
  struct Sleeper : Device {
    Sleeper(Index size, double time) : seconds(time) {
      info.kind = "projection";
      info.model = "sleeper";
      info.input = info.output = {{size}, 8, "code"};
      info.cost = {.batch_s = seconds, .power_w = 1};
    }
    const DeviceInfo& describe() const override { return info; }
    const ParamSet& settings() const override { return none; }
    void configure(const Settings& changes) override { changed(changes); }
    RunReport run(ConstFrames in, Frames, const RunOptions&) override {
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
      return {in.count, in.count * in.size, 0, seconds, seconds};
    }
    void close() override {}
    double seconds;
    DeviceInfo info;
    ParamSet none{"sleeper", {}};
  };
  Index n_in_, n_out_;
  Session session_;
  Ticket ticket_;
};

/// Gradients of a network by a rule that has its projections from a device.
class OnDevice {
 public:
  OnDevice(const std::string& name, const std::string& device, const std::vector<Index>& widths, Index batch,
           bool waiting)
      : batch_(batch),
        net_(widths, Activation::tanh),
        data_(clusters(3 * batch, 1, widths.front(), widths.back())),
        registry_(filled()) {
    const Index hidden = *std::max_element(widths.begin() + 1, widths.end() - 1);
    session_ = open_session(registry_, device,
                            {{"input.size", std::max<Index>(40, 8 * widths.back())}, {"output.size", 2 * hidden + 16}});
    projection_ = std::make_unique<Projection>(*session_, widths.back(), hidden,
                                               Settings{{"encoding", rule(name).info.encoding}});
    teach_by(name, device_feedback(*projection_), widths, waiting);
  }
  /// The same with any feedback.
  OnDevice(const std::string& name, std::unique_ptr<Feedback> feedback, const std::vector<Index>& widths, Index batch,
           bool waiting, const Settings& settings = {})
      : batch_(batch), net_(widths, Activation::tanh), data_(clusters(3 * batch, 1, widths.front(), widths.back())) {
    teach_by(name, std::move(feedback), widths, waiting, settings);
  }

  /// Errors of batch number `i` of three; call gradient() for its gradient.
  void show(Index i) {
    labels_.clear();
    std::vector<std::uint32_t> which;
    for (Index r = 0; r < batch_; ++r) {
      which.push_back(static_cast<std::uint32_t>(i * batch_ + r));
      labels_.push_back(data_.labels[which.back()]);
    }
    data_.gather(which, activations_.h[0]);
    forward(net_, activations_.h[0], activations_);
    output_error(Loss::cross_entropy, activations_.h.back(), labels_, error_);
  }
  const std::vector<float>& gradient() {
    rule_->gradient(net_, {activations_, error_, labels_}, gradient_);
    return gradient_;
  }
  /// A whole step of training on batch `i`: forward, gradient and update.
  void step(Index i) {
    show(i);
    gradient();
    optimizer_step({}, optimizer_, 1e-3, gradient_, net_.parameters());
  }
  void drain() { rule_->wait(); }
  const std::vector<float>& present() const { return gradient_; }  ///< as far as it is

 private:
  void teach_by(const std::string& name, std::unique_ptr<Feedback> feedback, const std::vector<Index>& widths,
                bool waiting, const Settings& settings = {}) {
    feedback_ = std::move(feedback);
    if (waiting) feedback_ = std::make_unique<Waiting>(std::move(feedback_));
    net_.initialise(1);
    ParamSet params("rule", rule(name).info.params);
    params.set(settings);
    rule_ = rule(name).make({net_, 1, params, feedback_.get()});
    optimizer_ = optimizer_state({}, static_cast<Index>(net_.parameters().size()));
    gradient_.resize(net_.parameters().size());
    activations_.h.resize(widths.size());
    activations_.h[0].resize(batch_, widths.front());
    error_.resize(batch_, widths.back());
  }
  static Registry filled() {
    Registry registry;
    add_devices(registry);
    add_backends(registry);
    return registry;
  }

  Index batch_;
  Network net_;
  Dataset data_;
  Registry registry_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Projection> projection_;
  std::unique_ptr<Feedback> feedback_;
  std::unique_ptr<Rule> rule_;
  Activations activations_;
  Matrix<float> error_;
  std::vector<std::uint8_t> labels_;
  std::vector<float> gradient_;
  OptimizerState optimizer_;
};

}  // namespace lightloop::test
