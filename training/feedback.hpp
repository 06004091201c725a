#pragma once
// Where a broadcast rule gets B e from: a matrix in memory, or a device. One projection per batch serves every layer.
#include <memory>
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/param.hpp"
#include "driver/projection/projection.hpp"

namespace lightloop {

/// A fixed linear map C -> n with entries of unit variance, evaluated row by row. Layer l uses the first d_l outputs.
class Feedback {
 public:
  virtual ~Feedback() = default;
  virtual Index inputs() const = 0;
  virtual Index outputs() const = 0;
  /// e (m, C) -> out (m, n).
  virtual void project(View<const float> e, View<float> out) = 0;
  virtual std::vector<std::byte> snapshot() const { return {}; }
  virtual void restore(const std::vector<std::byte>&) {}
};

/// B in memory, N(0, 1) from Purpose::feedback_matrix, or any given matrix (outputs, inputs).
std::unique_ptr<Feedback> digital_feedback(Index inputs, Index outputs, std::uint64_t seed);
std::unique_ptr<Feedback> digital_feedback(Matrix<float> matrix);
/// A device behind a Projection; `projection` must outlive it.
std::unique_ptr<Feedback> device_feedback(Projection& projection);

}  // namespace lightloop
