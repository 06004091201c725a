#pragma once
// What scatters: a transmission matrix, as read from a file or drawn, and what belongs to its detectors.
#include <string>
#include <vector>

#include "core/array.hpp"
#include "core/random.hpp"

namespace lightloop::wave {

/// T (outputs, inputs) = re + i im; the rest one number per output. full_scale and noise may be empty: not measured.
struct Medium {
  Matrix<float> re, im;
  std::vector<float> offset_re, offset_im, full_scale, noise;
  std::string encoding, detection;  ///< that full_scale and noise hold for; empty: the file does not say

  Index outputs() const { return re.rows(); }
  Index inputs() const { return re.cols(); }
};

/// The words for what a code does to a wave, and for what is detected.
std::vector<std::string> encodings();
std::vector<std::string> detections();

/// The file that the header of the device describes. Throws FileError naming what is wrong with it.
Medium read_medium(const std::string& path);
/// Complex Gaussian, E|T|^2 = 1, no offset; row i is row i of the stream.
Medium random_medium(Index outputs, Index inputs, const Stream& stream);
/// sqrt(1 - part) medium + sqrt(part) T', T' complex Gaussian with the mean power of every row of `medium`: the mean
/// power stays. So does the offset.
Medium scattered_anew(const Medium& medium, double part, const Stream& stream);

}  // namespace lightloop::wave
