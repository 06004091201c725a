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
  /// e (m, C) -> out (m, n). Throws ShapeMismatch. A row of `out` depends on its row of e only (and, with noise, on how
  /// many rows went before), never on the cut into batches.
  virtual void project(View<const float> e, View<float> out) = 0;
  /// project() in two parts: between them a device works and the caller may do something else, but ask nothing more of
  /// the feedback. The same bits. finish() throws what the device threw.
  virtual void begin(View<const float> e, View<float> out) { project(e, out); }
  virtual void finish() {}
  /// (outputs, inputs) where it is known; otherwise empty.
  virtual View<const float> matrix() const { return {}; }
  virtual std::vector<std::byte> snapshot() const { return {}; }
  virtual void restore(const std::vector<std::byte>&) {}
};

/// B in memory. Entries are N(0, 1): output i is Stream(seed, 0, Purpose::feedback_matrix) row i, so that B of fewer
/// outputs is the top of a larger one.
std::unique_ptr<Feedback> digital_feedback(Index inputs, Index outputs, std::uint64_t seed);
/// Any given matrix (outputs, inputs), for example a measured one. Its snapshot holds the matrix, and restore() takes
/// another of the same shape.
std::unique_ptr<Feedback> digital_feedback(Matrix<float> matrix);
/// A device behind a Projection; `projection` must outlive it. How e is coded is the projection's.
std::unique_ptr<Feedback> device_feedback(Projection& projection);
/// Adds white Gaussian noise of standard deviation `sigma` behind the read-out of another feedback: what an imperfect
/// device does, without a device. skip_empty leaves rows of e that are all zero at what `inner` gives, as a device does
/// whose empty frames are not shown. Noise of the k-th row ever projected: Stream(seed, 0, Purpose::projection_noise)
/// row k (read). Throws OutOfRange for sigma < 0.
std::unique_ptr<Feedback> noisy_feedback(std::unique_ptr<Feedback> inner, double sigma, bool skip_empty,
                                         std::uint64_t seed);

/// Counts in `seconds` for how long project() and finish() of another feedback took: the time of the wall in which its
/// caller could do nothing else. `seconds` must outlive it.
std::unique_ptr<Feedback> timed_feedback(std::unique_ptr<Feedback> inner, double& seconds);

/// How often each column is shown where a run shows columns alone (RuleInfo::one_hot): read noise falls to a third, and
/// ten classes cost fewer frames than one batch of samples (assumed: a common batch is 128).
inline constexpr Index kColumnRepeats = 8;

/// B as measured, (outputs, inputs): unit vectors one by one, each measured `repeats` times and averaged. Costs
/// projection.cost(inputs * repeats) frames at most. Throws InvalidParameter when the encoding codes a 1 as nothing.
Matrix<float> measure_matrix(Projection& projection, Index repeats = 1);

/// Mean cosine between the device's projection of e_j + e_(j+1) (unit vectors, the last with the first) and the sum of
/// their columns of `matrix`, measured before: 1 for a linear projection without noise or drift. NaN for a single
/// input. Costs projection.cost(inputs) frames at most.
double projection_fidelity(Projection& projection, View<const float> matrix);

}  // namespace lightloop
