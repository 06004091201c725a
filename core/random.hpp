#pragma once
// Counter-based random numbers: a draw is a pure function of (seed, instance, purpose, row, column).
//
// Nothing here has hidden state, so results cannot depend on the thread count, on how a batch is split, on tiling, or
// on a restart. Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11), words equal to
// Random123's.
#include <array>
#include <cstdint>
#include <span>

namespace lightloop {

/// What a stream is for. Numbers are part of the reproducibility promise: append, never renumber.
enum class Purpose : std::uint32_t {
  transmission_matrix = 1,   ///< fabrication: entries of the medium
  background_field = 2,      ///< fabrication: field of the always-on mirrors
  medium_drift = 3,          ///< drift: innovations of the Ornstein-Uhlenbeck medium
  reference_field = 4,       ///< fabrication: phases of the reference beam over the pixels
  camera_fixed_pattern = 5,  ///< fabrication: PRNU and DSNU
  camera_shot = 6,           ///< read
  camera_read = 7,           ///< read
  camera_row = 8,            ///< read
  laser_power = 9,           ///< read
  laser_drift = 10,          ///< drift
  phase_jitter = 11,         ///< read
  weights_init = 12,
  feedback_matrix = 13,
  batch_order = 14,
  digits_data = 15,
  crossbar_fabrication = 16,
  crossbar_programming = 17,
  crossbar_read = 18,
  laser_spontaneous = 19,
  detector_noise = 20,
  projection_noise = 21,  ///< digital noise added after read-out (an experiment)
  calibration = 22,       ///< probe patterns
  medium_jitter = 23,     ///< read: part of the field that differs from frame to frame
  input_mask = 24,        ///< fabrication: the mask of a time-multiplexed reservoir
  echo_state = 25,        ///< fabrication: weights of an echo-state network
  task_data = 26,         ///< the series of a benchmark task
  mesh_fabrication = 30,  ///< splitters of interferometers
  mesh_programming = 31,  ///< phases as they are set
  mesh_read = 32,
  ring_fabrication = 40,  ///< index, couplers and loss of microrings
  ring_programming = 41,  ///< what a controller misreads while it sets or tracks weights
  ring_read = 42,
  ring_drift = 43,     ///< temperature of the chip
  homodyne_read = 44,  ///< photons counted
  user = 1000,
};

/// Philox4x32-10: four words from a 128-bit counter and a 64-bit key. Reference form, also used by the golden tests.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// A family of independent draws addressed by (row, column).
///
/// `row` is the logical frame, time step or matrix row; `column` (below 2^34, OutOfRange otherwise) counts within it.
/// The key is derived from (seed, instance, purpose); the counter holds row (64 bit), column / 4 (32 bit) and, in the
/// fourth word, the kind and attempt of the samplers that need more than one word. Bulk calls give the same bits as
/// element-wise ones: fill(r, 0, n) == fill(r, 0, k) followed by fill(r, k, n - k). The calls on spans of float without
/// a mean are functions of the same words: use one of them per purpose. Every call is const and may run on many
/// threads.
class Stream {
 public:
  Stream(std::uint64_t seed, std::uint64_t instance, Purpose purpose);

  /// Raw words; column c is word c % 4 of block c / 4.
  void words(std::uint64_t row, std::uint64_t column, std::span<std::uint32_t> out) const;
  /// Uniform on the open interval (0, 1), 32-bit resolution before rounding to float; never 0 or 1.
  void uniform(std::uint64_t row, std::uint64_t column, std::span<float> out) const;
  double uniform(std::uint64_t row, std::uint64_t column) const;  ///< 52-bit; its own words (column below 2^32)
  /// Standard normal by Box-Muller on word pairs (2j, 2j+1) -> columns (2j, 2j+1); |z| <= 6.77.
  void normal(std::uint64_t row, std::uint64_t column, std::span<float> out) const;
  double normal(std::uint64_t row, std::uint64_t column) const;  ///< from 52-bit uniforms of its own
  /// Poisson draws with one mean per element, 0 <= mean <= 1e15 (OutOfRange otherwise); exact at every mean (inversion
  /// below 10, PTRS above: Hoermann, Insurance: Math. and Econ. 12, 1993), then rounded to float above 2^24. Column
  /// below 2^32.
  void poisson(std::uint64_t row, std::uint64_t column, std::span<const float> mean, std::span<float> out) const;
  /// Poisson draws for cameras, vectorised. Below a mean of 32 the same bits as `poisson`; above, a normal draw through
  /// the Cornish-Fisher expansion of third order, rounded to an integer. Error of the distribution function at most
  /// 2.2e-6 at mean 32, falling as mean^-2 (total variation three times that); mean, variance and skewness right to
  /// 1e-10, 2e-5 and 1e-5, excess kurtosis to 1 % of itself (summed over all counts; float rounding of the count
  /// itself above 2^24). |z| <= 6.77, so no count beyond that quantile. Ranges as `poisson`.
  void poisson_fast(std::uint64_t row, std::uint64_t column, std::span<const float> mean, std::span<float> out) const;
  /// Binomial draw, exact (inversion or BTRS, Hoermann, J. Stat. Comput. Simul. 46, 1993). trials <= 2^53, 0 <=
  /// probability <= 1 (OutOfRange otherwise). Column below 2^32.
  std::uint64_t binomial(std::uint64_t row, std::uint64_t column, std::uint64_t trials, double probability) const;
  /// A permutation of 0..n-1, n < 2^32 (Fisher-Yates, unbiased).
  void permutation(std::uint64_t row, std::span<std::uint32_t> out) const;

 private:
  std::array<std::uint32_t, 2> key_;
};

}  // namespace lightloop
