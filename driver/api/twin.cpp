#include "driver/api/twin.hpp"

#include <cmath>

#include "core/error.hpp"

namespace lightloop {

void Twin::program(View<const float>) {
  throw Unsupported("twin", "has no programmable parameters", "", "It models a device that cannot be programmed.");
}

void Twin::measure(View<const float> x, View<const float> grad_y, std::uint64_t, View<float> grad_theta) const {
  Matrix<float> below(x.rows(), inputs());
  vjp(x, grad_y, below, grad_theta);
}

void check_twin_programme(const std::string& model, const Twin& twin, View<const float> theta) {
  const std::string what = model + " twin programme";
  if (theta.rows() != 1 || theta.cols() != twin.parameters())
    throw ShapeMismatch(what, std::to_string(theta.rows()) + " x " + std::to_string(theta.cols()),
                        "1 x " + std::to_string(twin.parameters()));
  for (Index i = 0; i < theta.cols(); ++i)
    if (!std::isfinite(theta(0, i)))
      throw InvalidParameter(what + ", code " + std::to_string(i), std::to_string(theta(0, i)), "a finite number");
}

}  // namespace lightloop
