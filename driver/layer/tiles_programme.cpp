// Programmes of tiles that learn by losses alone, one after the other in one vector.
#include "core/error.hpp"
#include "driver/layer/tile.hpp"

namespace lightloop {

Index TiledLayer::programme_size() const {
  Index size = 0;
  for (const auto& tile : tiles_) size += tile->layer->programme_size();
  return size;
}

template <class Move>
void TiledLayer::move_programmes(std::span<const float> codes, const Move& move) {
  check_keeps("layer: a programme that learns", "programme");
  check_programmed();
  if (static_cast<Index>(codes.size()) != programme_size())
    throw ShapeMismatch("layer: programmes of " + std::to_string(tiles()) + " tiles", std::to_string(codes.size()),
                        std::to_string(programme_size()) + " codes");
  programmed_ = false;  // where a device fails between tiles, some are moved and the others are not
  std::size_t at = 0;
  for (const auto& tile : tiles_) {
    const auto own = static_cast<std::size_t>(tile->layer->programme_size());
    move(*tile->layer, codes.subspan(at, own));
    at += own;
  }
  programmed_ = true;
}

void TiledLayer::try_programme(std::span<const float> direction, double step) {
  move_programmes(direction, [step](Layer& layer, std::span<const float> own) { layer.try_programme(own, step); });
}

void TiledLayer::learn_programme(std::span<const float> gradient, double lr) {
  move_programmes(gradient, [lr](Layer& layer, std::span<const float> own) { layer.learn_programme(own, lr); });
}

void TiledLayer::measure(View<float> w) {
  check_programmed();
  for (const auto& tile : tiles_) {
    const Matrix<float> part = ready(*tile).measure();
    for (Index i = 0; i < tile->n_out; ++i)
      std::ranges::copy(part.row(i), w.row(tile->first_out + i).begin() + tile->first_in);
  }
}

LayerReport TiledLayer::expected_measure(bool repeats) const {
  LayerReport all;
  for (const auto& tile : tiles_) tile->add_expected(tile->layer->measured_rows(), 1, 0, repeats, all);
  return all;
}

}  // namespace lightloop
