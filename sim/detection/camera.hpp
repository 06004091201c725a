#pragma once
// A camera after the EMVA 1288 model: photons to codes, with every noise source a data sheet names.
#include <cstdint>
#include <span>

#include "core/array.hpp"
#include "core/random.hpp"

namespace lightloop {

struct CameraModel {
  double quantum_efficiency = 1;
  double exposure_s = 4e-4;
  double full_well_e = 13500;  ///< electrons at which a pixel holds no more
  double gain_e_per_code = 0;  ///< K; 0: the full well spans all codes
  double black_level = 0;      ///< codes added before conversion
  int bits = 8;
  double read_noise_e = 0;  ///< rms per read
  double dark_current_e_per_s = 0;
  double prnu = 0;         ///< rms relative gain error of a pixel
  double dsnu_e = 0;       ///< rms offset of a pixel
  double row_noise_e = 0;  ///< rms offset common to a sensor row, fresh per frame
  Index width = 2040;      ///< pixels per sensor row
  bool shot_noise = true;  ///< off: electrons are their expectation
};

/// Reads frames of `pixels` pixels. For light of F photons per second and pixel:
///   mean = QE F t (1 + PRNU_p) + D t,  N = min(Poisson(mean), full well),
///   code = clip(round((N + read + DSNU_p + row) / K + black), 0, 2^bits - 1).
///
/// Randomness, all by frame id: camera_shot and camera_read, row = frame, column = pixel; camera_row, row = frame,
/// column = sensor row (read); camera_fixed_pattern, row 0 PRNU, row 1 DSNU, column = pixel (fabrication).
/// The frame id alone decides the noise, so a repeated frame repeats it. Where the read noise is above 5.7 electrons
/// and codes end before the full well does, shot and read noise are one draw from camera_read whose mean, variance and
/// skewness are those of the sum (distribution function within 1e-4). Source: EMVA Standard 1288.
class Camera {
 public:
  Camera() = default;
  Camera(std::uint64_t seed, std::uint64_t instance, const CameraModel& model, Index pixels);

  const CameraModel& model() const { return model_; }
  double gain_e_per_code() const { return gain_; }
  double highest() const { return highest_; }
  /// Expected codes, neither rounded nor clipped, for photon rates `photons_per_s`.
  void expect(std::span<const float> photons_per_s, std::span<float> code) const;
  /// d(expected code) / d(photon rate) of pixel p.
  double responsivity(Index pixel) const;

  /// One exposure. `light` is the photon rate over `photons_per_s` and is overwritten, as is `scratch` (same size).
  /// Returns how many pixels were clipped at either end or had a full well.
  Index read(std::uint64_t frame, double photons_per_s, std::span<float> light, std::span<float> scratch,
             std::span<std::uint8_t> codes) const;
  Index read(std::uint64_t frame, double photons_per_s, std::span<float> light, std::span<float> scratch,
             std::span<std::uint16_t> codes) const;

 private:
  template <class Code>
  Index read_as(std::uint64_t frame, double photons_per_s, std::span<float> light, std::span<float> scratch,
                std::span<Code> codes) const;
  void add_noise(std::uint64_t frame, std::span<float> electrons, std::span<float> scratch) const;
  void draw_jointly(std::uint64_t frame, std::span<float> electrons, std::span<float> scratch) const;
  void draw_apart(std::uint64_t frame, std::span<float> electrons, std::span<float> scratch) const;

  CameraModel model_;
  double gain_ = 1, highest_ = 255;
  bool well_limits_ = false;  // the full well is met before the highest code
  bool joint_ = false;        // shot and read noise as one draw
  Matrix<float> pattern_;     // rows: 1 + PRNU, DSNU in electrons
  Stream shot_{0, 0, Purpose::camera_shot}, read_{0, 0, Purpose::camera_read}, row_{0, 0, Purpose::camera_row};
};

}  // namespace lightloop
