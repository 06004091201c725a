#pragma once
// How the phases of a tensor train of meshes lie in the programme of a device: core by core, the first first, each core
// (outputs r_(k-1) m_k, inputs n_k r_k) in the order of core/mesh_codes.hpp.
#include <vector>

#include "core/mesh_codes.hpp"
#include "core/tensor_train.hpp"

namespace lightloop {

struct TrainShape {
  TrainShape(Index outputs, Index inputs, Index cores, Index rank)
      : rows(balanced_factors(outputs, cores)),
        cols(balanced_factors(inputs, cores)),
        ranks(train_ranks(rows, cols, rank)) {}

  std::size_t cores() const { return rows.size(); }
  Index inputs(std::size_t k) const { return cols[k] * ranks[k + 1]; }  ///< channels that enter core k
  Index outputs(std::size_t k) const { return ranks[k] * rows[k]; }     ///< and leave it
  Index codes(std::size_t k) const { return mesh_programme_size(inputs(k), outputs(k)); }
  Index programme() const {
    Index sum = 0;
    for (std::size_t k = 0; k < cores(); ++k) sum += codes(k);
    return sum;
  }
  /// How often core k is used for one vector.
  Index uses(std::size_t k) const {
    Index times = 1;
    for (std::size_t q = 0; q < cores(); ++q) times *= q < k ? cols[q] : q > k ? rows[q] : 1;
    return times;
  }

  std::vector<Index> rows, cols, ranks;
};

}  // namespace lightloop
