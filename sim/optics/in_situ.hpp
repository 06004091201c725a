#pragma once
// The gradient of a mesh's phases from fields inside it, for many fields at once.
#include "sim/optics/interferometer_mesh.hpp"

namespace lightloop {

/// Fields of one channel, a sample in every lane.
struct FieldLanes {
  static constexpr Index kCount = 16;
  double re[kCount] = {}, im[kCount] = {};
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
  /// lanes in their order, to `gradient`.
  void backward(std::span<FieldLanes> back, std::span<const FieldLanes> there, std::span<double> gradient) const;

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
  static double measure(const FieldLanes& forth, const FieldLanes& back);

  Index size_;
  double amplitude_;
  std::vector<Element> elements_;
  std::vector<Turn> output_;
};

}  // namespace lightloop
