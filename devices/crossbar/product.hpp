#pragma once
// What an array of cells answers to a slab of voltage rows, before the converters: products, wire losses, read noise.
#include <span>

#include "devices/crossbar/cells.hpp"

namespace lightloop::crossbar {

enum class ReadLaw { additive, pcm_read, device };

struct Imperfections {
  ReadLaw law = ReadLaw::additive;
  double read_noise = 0, ir_drop = 0, voltage_offset = 0;
};
Imperfections imperfections(const ParamSet& params);
/// Whether cells of this kind are read with noise.
bool reads_noisily(const Imperfections& what, const Cells& cells);

/// Workspaces of one slab; allocates until it has met its largest.
class Product {
 public:
  /// Room for `rows` voltage rows of `width`.
  void prepare(Index rows, Index width) { voltages_.resize(2 * rows, width), rows_ = rows; }
  std::span<float> voltages(Index row) { return voltages_.row(row); }
  /// All products of the rows that were filled in.
  void compute(Cells& cells, const Imperfections& what, bool forward);
  /// Outputs [first, first + out.size()) of a row without noise.
  void outputs(const Imperfections& what, Index row, Index first, std::span<float> out) const;
  /// Variance of the cells' read noise: one for a whole row and, where every output has its own, those beside it.
  bool own_variances() const { return squares_; }
  double row_variance(const Imperfections& what, Index row) const;
  void variances(const Imperfections& what, Index row, Index first, std::span<float> out) const;

 private:
  Index rows_ = 0, squares_at_ = 0;
  bool squares_ = false;
  Matrix<float> voltages_, products_;    // rows, then the same weighted with their place on the wire
  Matrix<float> sizes_, size_products_;  // |v| (wire losses), then v^2 (read noise)
  std::vector<double> drive_;            // sum of v^2, per row
};

}  // namespace lightloop::crossbar
