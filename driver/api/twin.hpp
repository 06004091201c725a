#pragma once
// A Twin is a differentiable model of a device in floats. Training sees only this interface, never the physics behind
// it.
#include <cstdint>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

struct FitParameter {
  std::string name, unit;
  double value = 0, sigma = 0;  ///< sigma: one standard deviation, 0 when exact
};

/// What a device takes to measure the gradient of its own programme, for one sample.
struct GradientCost {
  Index exposures = 0;   ///< frames shown; 0: nothing measures it, it is computed
  double readings = 0;   ///< of monitors in each, ...
  double reading_j = 0;  ///< ... and what they take together, beside what a frame takes anyway
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
  /// Where the device has monitors that measure dy/dtheta.
  virtual GradientCost gradient_cost() const { return {}; }
  /// Adds (dy/dtheta)^T grad_y to grad_theta (1, parameters) as those measure it, with the read noise of the samples
  /// first_sample, first_sample + 1, ...; without them as vjp() computes it.
  virtual void measure(View<const float> x, View<const float> grad_y, std::uint64_t first_sample,
                       View<float> grad_theta) const;
  virtual std::vector<FitParameter> fit_parameters() const { return {}; }
};

/// Throws ShapeMismatch unless theta is (1, parameters) of the twin of `model`, InvalidParameter where it is not
/// finite.
void check_twin_programme(const std::string& model, const Twin& twin, View<const float> theta);

}  // namespace lightloop
