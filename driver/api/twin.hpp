#pragma once
// A Twin is a differentiable model of a device in floats. Training sees only this interface, never the physics behind
// it.
#include <string>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

struct FitParameter {
  std::string name, unit;
  double value = 0, sigma = 0;  ///< sigma: one standard deviation, 0 when exact
};

/// Noise-free, unquantised response of a device for its present programme: x (batch, n_in) -> y (batch, n_out).
///
/// Inputs and outputs are in code units (a real number where the device has an integer code).
class Twin {
 public:
  virtual ~Twin() = default;
  virtual Index inputs() const = 0;
  virtual Index outputs() const = 0;
  virtual Index parameters() const { return 0; }  ///< programmable parameters, in the order of Device::program
  virtual void program(View<const float> theta);  ///< (1, parameters); throws Unsupported when there are none
  virtual void forward(View<const float> x, View<float> y) const = 0;
  /// grad_x = (dy/dx)^T grad_y at x; when grad_theta is not empty (1, parameters), adds (dy/dtheta)^T grad_y to it.
  virtual void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const = 0;
  virtual std::vector<FitParameter> fit_parameters() const { return {}; }
};

/// Throws ShapeMismatch unless theta is (1, parameters) of the twin of `model`, InvalidParameter where it is not
/// finite.
void check_twin_programme(const std::string& model, const Twin& twin, View<const float> theta);

}  // namespace lightloop
