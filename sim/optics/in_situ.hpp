#pragma once
// The gradient of a mesh's phases from fields inside it, for many fields at once.
#include <cmath>
#include <span>
#include <vector>

#include "core/random.hpp"
#include "sim/optics/interferometer_mesh.hpp"

namespace lightloop {

/// Fields of one channel, a sample in every lane.
struct FieldLanes {
  static constexpr Index kCount = 16;
  double re[kCount] = {}, im[kCount] = {};
};

/// What photodiodes at the shifters add to the intensities they read, 1 that of a field 1: normal noise of variance
/// floor + shot * intensity. A gradient, half a difference of three readings (in_situ_gradient()), has
///   sd^2 = (3 floor + shot (I_both + I_forth + I_back)) / 4
/// One normal each, that of `noise` at (first_row + lane, column).
struct MonitorNoise {
  double floor = 0, shot = 0;
  Stream noise;
  std::uint64_t first_row = 0;

  double draw(Index lane, std::uint64_t column, double intensities) const {
    return std::sqrt(3 * floor + shot * intensities) / 2 *
           noise.normal(first_row + static_cast<std::uint64_t>(lane), column);
  }
};
/// What is read in one batch of lanes: lane k counts weight[k] times; beyond weight there is nothing to read.
struct MonitorReading {
  const MonitorNoise& monitors;
  std::span<const double> weight;
  std::uint64_t first_column = 0;  ///< of the mesh's first shifter
};

/// Light through a mesh as it is built, forwards and back, with what monitors at its shifters see. The formula is that
/// of in_situ_gradient().
class InSitu {
 public:
  InSitu(const Mesh& mesh, const MeshBuild& build);
  Index size() const { return size_; }
  std::size_t shifters() const { return 2 * elements_.size() + output_.size(); }

  /// `field` (one per channel) becomes the field at the outputs; `there` that behind every shifter.
  void forward(std::span<FieldLanes> field, std::vector<FieldLanes>& there) const;
  /// `back`, sent in at the outputs, becomes the field at the inputs; adds dL/dphase of every shifter, summed over
  /// lanes in their order, to `gradient`; with `reading` as monitors read it.
  void backward(std::span<FieldLanes> back, std::span<const FieldLanes> there, std::span<double> gradient,
                const MonitorReading* reading = nullptr) const;

 private:
  struct Turn {  ///< cos and sin of an angle
    double cos = 1, sin = 0;
  };
  struct Element {
    std::size_t x, y;
    Turn theta, phi, alpha, beta;  ///< of the two phases and the two splitters
  };
  static void turn(Turn by, FieldLanes& f);
  static void split(Turn by, double amplitude, FieldLanes& x, FieldLanes& y);
  static double measure(const FieldLanes& forth, const FieldLanes& back, const MonitorReading* reading,
                        std::size_t shifter);

  Index size_;
  double amplitude_;
  std::vector<Element> elements_;
  std::vector<Turn> output_;
};

}  // namespace lightloop
