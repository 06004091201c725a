// A rule that works while the device does, against the same rule that waits.
#include <catch2/catch.hpp>

#include "devices/catalogue.hpp"
#include "driver/backends/backends.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/rules/rule.hpp"

using namespace lightloop;

namespace {

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

std::vector<float> gradients(const std::string& name, const std::string& device, bool waiting) {
  Registry registry;
  add_devices(registry);
  add_backends(registry);
  const auto session =
      open_session(registry, device, {{"input.size", std::int64_t{40}}, {"output.size", std::int64_t{64}}});
  Projection projection(*session, 5, 24, {{"encoding", rule(name).info.encoding}});
  std::unique_ptr<Feedback> feedback = device_feedback(projection);
  if (waiting) feedback = std::make_unique<Waiting>(std::move(feedback));
  Network net({20, 24, 16, 5}, Activation::tanh);
  net.initialise(1);
  const auto learning = rule(name).make({net, 1, ParamSet("rule", rule(name).info.params), feedback.get()});
  const Dataset data = clusters(96, 1);
  std::vector<float> all, gradient(net.parameters().size());
  for (Index batch = 0; batch < 3; ++batch) {
    Activations activations;
    activations.h.resize(4);
    activations.h[0].resize(32, 20);
    std::vector<std::uint8_t> labels;
    std::vector<std::uint32_t> which;
    for (std::uint32_t i = 0; i < 32; ++i) {
      which.push_back(static_cast<std::uint32_t>(batch) * 32 + i);
      labels.push_back(data.labels[which.back()]);
    }
    data.gather(which, activations.h[0]);
    forward(net, activations.h[0], activations);
    Matrix<float> error(32, 5);
    output_error(Loss::cross_entropy, activations.h.back(), labels, error);
    learning->gradient(net, {activations, error, labels}, gradient);
    all.insert(all.end(), gradient.begin(), gradient.end());
  }
  return all;
}

}  // namespace

TEST_CASE("gradients do not depend on whether the rule waits for the device") {
  for (const char* name : {"dfa", "tdfa", "sdfa", "drtp"})
    for (const char* device : {"sim:opu", "sim:opu,medium.drift_time=10 s"}) {
      INFO(name << " on " << device);
      CHECK(gradients(name, device, false) == gradients(name, device, true));
    }
}
