// Trains a network on the procedural digits through a simulated optical processing unit.
#include <cstdio>

#include "devices/catalogue.hpp"
#include "training/trainer.hpp"

int main() {
  lightloop::Registry registry;
  lightloop::add_devices(registry);
  const lightloop::TrainSettings settings = {
      {"train.dataset", "digits"}, {"train.rule", "tdfa"}, {"train.device", "sim:opu"}, {"train.lr", 3e-3}};
  const auto result = lightloop::train(settings, registry);
  std::printf("accuracy %.3f, %.1f s on the device\n", result.test_accuracy, result.device_seconds);
}
