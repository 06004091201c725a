#include "driver/layer/tiles.hpp"

#include <algorithm>
#include <cmath>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "driver/api/answer.hpp"
#include "driver/layer/snapshot_parts.hpp"
#include "driver/layer/tile.hpp"

namespace lightloop {

namespace {

void copy(View<const float> from, Matrix<float>& to) {
  to.resize(from.rows(), from.cols());
  for (Index r = 0; r < from.rows(); ++r) std::ranges::copy(from.row(r), to.row(r).begin());
}

void check(const char* what, View<const float> x, Index in, View<float> y, Index out) {
  if (x.cols() != in || y.cols() != out || x.rows() != y.rows())
    throw ShapeMismatch(std::string("layer: ") + what,
                        std::to_string(x.rows()) + " x " + std::to_string(x.cols()) + " -> " +
                            std::to_string(y.rows()) + " x " + std::to_string(y.cols()),
                        "rows x " + std::to_string(in) + " -> rows x " + std::to_string(out));
}

}  // namespace

TiledLayer::TiledLayer(TileDevices& devices, Index n_in, Index n_out, const Settings& layer, const Settings& extra,
                       bool by_twin)
    : n_in_(n_in), n_out_(n_out), shareable_(devices.shared()) {
  if (n_in < 1 || n_out < 1)
    throw ShapeMismatch("layer", std::to_string(n_in) + " -> " + std::to_string(n_out), "at least 1 -> 1");
  const auto [wide, high] = devices.most();
  for (Index out = 0; out < n_out; out += high)
    for (Index in = 0; in < n_in; in += wide) {
      auto tile = std::make_unique<Tile>();
      tile->first_in = in;
      tile->n_in = std::min(wide, n_in - in);
      tile->first_out = out;
      tile->n_out = std::min(high, n_out - out);
      tile->device = devices.open(tile->n_in, tile->n_out, extra);
      tile->layer = std::make_unique<Layer>(*tile->device->session, tile->n_in, tile->n_out, layer);
      const ParamSet& chosen = tile->layer->settings();
      if (chosen.text("backward") == "twin" || (by_twin && chosen.text("update") == "programme"))
        tile->layer->set_twin(devices.twin(*tile->device));
      tiles_.push_back(std::move(tile));
    }
}

TiledLayer::~TiledLayer() = default;
TiledLayer::TiledLayer(TiledLayer&&) noexcept = default;

void TiledLayer::check_programmed() const {
  if (!programmed_) throw Error("layer", "nothing was programmed", "", "Call program(weights) first.");
}

bool TiledLayer::shared() const {
  return shareable_ && (tiles_.front()->device->tiles > 1 || settings().text("update") == "write");
}
bool TiledLayer::is_train() const { return tiles_.front()->device->session->settings().has("tt.rank"); }

void TiledLayer::check_keeps(const char* what, const char* kept) const {
  TileDevice& device = *tiles_.front()->device;
  device.keeps = !shared();
  if (device.keeps) return;
  throw Unsupported(what,
                    "one device, " + device.session->address() + ", is written anew for " +
                        std::to_string(device.tiles) + " tiles of the layers",
                    std::string("every tile keeps its ") + kept + " on a device of its own",
                    of_their_own(device.tiles));
}

void TiledLayer::program(View<const float> w, bool keep_calibration) {
  if (w.rows() != n_out_ || w.cols() != n_in_)
    throw ShapeMismatch("layer: weights", std::to_string(w.rows()) + " x " + std::to_string(w.cols()),
                        std::to_string(n_out_) + " x " + std::to_string(n_in_) + " (outputs x inputs)");
  for (Index i = 0; i < w.rows(); ++i)
    for (Index j = 0; j < w.cols(); ++j)
      if (!std::isfinite(w(i, j)))
        throw InvalidParameter("layer: weight (" + std::to_string(i) + ", " + std::to_string(j) + ")", "not finite");
  programmed_ = false;
  for (const auto& tile : tiles_) {
    const View<const float> part = w.rows(tile->first_out, tile->n_out).cols(tile->first_in, tile->n_in);
    copy(part, tile->w);
    if (!shared()) {
      tile->layer->program(part, keep_calibration);
      tile->device->holder = tile.get();
      tile->stale = false;
      continue;
    }
    tile->stale = true;
    if (keep_calibration) continue;
    tile->layer->program(part);  // forgets the calibration, and refuses what cannot be written
    tile->device->holder = tile.get();
    tile->stale = false;
  }
  programmed_ = true;
}

Layer& TiledLayer::ready(Tile& tile) {
  if (shared() && (tile.stale || tile.device->holder != &tile)) {
    tile.device->holder = nullptr;
    tile.layer->program(tile.w, true);
    tile.device->holder = &tile;
    tile.stale = false;
  }
  return *tile.layer;
}

Matrix<float> TiledLayer::programmed() {
  check_programmed();
  Matrix<float> all(n_out_, n_in_);
  for (const auto& tile : tiles_) {
    const View<const float> part = ready(*tile).programmed();
    for (Index i = 0; i < tile->n_out; ++i)
      std::ranges::copy(part.row(i), all.row(tile->first_out + i).begin() + tile->first_in);
  }
  return all;
}

void TiledLayer::calibrate() {
  check_programmed();
  for (const auto& tile : tiles_) ready(*tile).calibrate();
}

void TiledLayer::forward(View<const float> x, View<float> y) {
  check("forward()", x, n_in_, y, n_out_);
  check_programmed();
  for (const auto& tile : tiles_) {
    const View<float> to = y.cols(tile->first_out, tile->n_out);
    const View<const float> from = x.cols(tile->first_in, tile->n_in);
    if (tile->first_in == 0) {
      ready(*tile).forward(from, to);
      continue;
    }
    part_.resize(x.rows(), tile->n_out);
    ready(*tile).forward(from, part_);
    for (Index r = 0; r < x.rows(); ++r)
      for (Index i = 0; i < tile->n_out; ++i) to(r, i) += part_(r, i);
  }
}

void TiledLayer::transposed(View<const float> x, View<float> y) {
  check("transposed()", x, n_out_, y, n_in_);
  check_programmed();
  for (const auto& tile : tiles_) {
    const View<float> to = y.cols(tile->first_in, tile->n_in);
    const View<const float> from = x.cols(tile->first_out, tile->n_out);
    if (tile->first_out == 0) {
      ready(*tile).transposed(from, to);
      continue;
    }
    part_.resize(x.rows(), tile->n_in);
    ready(*tile).transposed(from, part_);
    for (Index r = 0; r < x.rows(); ++r)
      for (Index j = 0; j < tile->n_in; ++j) to(r, j) += part_(r, j);
  }
}

void TiledLayer::backward(View<const float> x, View<const float> grad_y, View<float> grad_x) {
  check("backward()", grad_y, n_out_, grad_x, n_in_);
  check("backward()", x, n_in_, grad_x, n_in_);
  check_programmed();
  const bool shown = settings().text("backward") == "device";
  for (const auto& tile : tiles_) {
    const View<float> to = grad_x.cols(tile->first_in, tile->n_in);
    const View<const float> from = grad_y.cols(tile->first_out, tile->n_out);
    const View<const float> at = x.cols(tile->first_in, tile->n_in);
    Layer& layer = shown || tile->stale ? ready(*tile) : *tile->layer;
    if (tile->first_out == 0) {
      layer.backward(at, from, to);
      continue;
    }
    part_.resize(x.rows(), tile->n_in);
    layer.backward(at, from, part_);
    for (Index r = 0; r < x.rows(); ++r)
      for (Index j = 0; j < tile->n_in; ++j) to(r, j) += part_(r, j);
  }
}

template <class Gradient>
double TiledLayer::sum_of_tiles(const char* what, View<const float> x, View<const float> grad_y,
                                const Gradient& gradient) {
  if (x.cols() != n_in_ || grad_y.cols() != n_out_ || x.rows() != grad_y.rows())
    throw ShapeMismatch(std::string("layer: ") + what,
                        std::to_string(x.rows()) + " x " + std::to_string(x.cols()) + " and " +
                            std::to_string(grad_y.rows()) + " x " + std::to_string(grad_y.cols()),
                        "rows x " + std::to_string(n_in_) + " and rows x " + std::to_string(n_out_));
  check_programmed();
  double sum = 0;
  for (const auto& tile : tiles_) {
    Layer& layer = tile->stale ? ready(*tile) : *tile->layer;
    sum += gradient(layer, x.cols(tile->first_in, tile->n_in), grad_y.cols(tile->first_out, tile->n_out));
  }
  return sum;
}

double TiledLayer::range_gradient(View<const float> x, View<const float> grad_y) {
  return sum_of_tiles("range_gradient()", x, grad_y, [](const Layer& layer, View<const float> at, View<const float> g) {
    return layer.range_gradient(at, g);
  });
}

double TiledLayer::output_factor_gradient(View<const float> x, View<const float> grad_y) {
  return sum_of_tiles("output_factor_gradient()", x, grad_y,
                      [](const Layer& layer, View<const float> at, View<const float> g) {
                        return layer.output_factor_gradient(at, g);
                      });
}

void TiledLayer::set_output_factor(double factor) {
  const double before = output_factor();
  const auto all_have = [this](double value) {
    return std::ranges::all_of(tiles_, [&](const auto& tile) { return tile->layer->output_factor() == value; });
  };
  if (settings().text("output_range") == "learned" && all_have(factor)) return;  // no tile need be written anew
  const auto set = [this](double to) {
    for (const auto& tile : tiles_) {
      if (shared()) tile->device->holder = nullptr;  // the device has the range of one tile only
      tile->layer->set_output_factor(to);
    }
  };
  try {
    set(factor);
  } catch (...) {
    if (all_have(before)) throw;  // nothing has changed
    try {
      set(before);
    } catch (...) {         // of a device that has failed for the reason that is told
      programmed_ = false;  // some tiles have the one factor, some the other
    }
    throw;
  }
}

void TiledLayer::set_input_range(double range) {
  for (const auto& tile : tiles_) tile->layer->set_input_range(range);
}

void TiledLayer::set_input_ranges(std::span<const double> ranges) {
  const std::size_t each = front().input_state().size();
  if (ranges.size() != each * tiles_.size())
    throw ShapeMismatch(
        "layer: input ranges", std::to_string(ranges.size()),
        std::to_string(each * tiles_.size()) + ", " + (each == 1 ? "one" : std::to_string(each)) + " for each tile",
        "Ranges of a layer fit one that is cut into as many tiles, of the same kind.");
  for (std::size_t i = 0; i < tiles_.size(); ++i) tiles_[i]->layer->set_input_state(ranges.subspan(each * i, each));
}

std::vector<double> TiledLayer::input_ranges() const {
  std::vector<double> ranges;
  for (const auto& tile : tiles_) {
    const std::vector<double> own = tile->layer->input_state();
    ranges.insert(ranges.end(), own.begin(), own.end());
  }
  return ranges;
}

void TiledLayer::hold_ranges(bool hold) {
  for (const auto& tile : tiles_) tile->layer->hold_ranges(hold);
}

void TiledLayer::clip(View<const float> x, View<float> seen) const {
  check("clip()", x, n_in_, seen, n_in_);
  for (const auto& tile : tiles_)  // those above each other see the same
    if (tile->first_out == 0)
      tile->layer->clip(x.cols(tile->first_in, tile->n_in), seen.cols(tile->first_in, tile->n_in));
}

const Layer& TiledLayer::front() const { return *tiles_.front()->layer; }

void TiledLayer::update(View<const float> dw) {
  check_keeps("layer: update in pulses", "weights");
  if (dw.rows() != n_out_ || dw.cols() != n_in_)
    throw ShapeMismatch("layer: update", std::to_string(dw.rows()) + " x " + std::to_string(dw.cols()),
                        std::to_string(n_out_) + " x " + std::to_string(n_in_) + " (outputs x inputs)");
  check_programmed();
  const auto part = [&](const Tile& tile) {
    return dw.rows(tile.first_out, tile.n_out).cols(tile.first_in, tile.n_in);
  };
  for (const auto& tile : tiles_) tile->layer->check_update(part(*tile));
  programmed_ = false;  // where a device fails between tiles, the same update again would be one too many
  for (const auto& tile : tiles_) tile->layer->update(part(*tile));
  programmed_ = true;
}

void TiledLayer::learn_programme(View<const float> x, View<const float> grad_y, double lr) {
  check_keeps("layer: a programme that learns", "programme");
  bool moved = false;
  try {
    sum_of_tiles("learn_programme()", x, grad_y, [&](Layer& layer, View<const float> at, View<const float> g) {
      layer.learn_programme(at, g, lr);
      moved = true;
      return 0.0;
    });
  } catch (...) {
    programmed_ = programmed_ && !moved;  // some tiles are a step ahead of the others: no matrix that anybody knows
    throw;
  }
}

LayerReport TiledLayer::report() const {
  LayerReport all;
  for (const auto& tile : tiles_) all.add(tile->layer->report());
  all.vectors = tiles_.front()->layer->report().vectors;  // every tile has seen a part of each
  return all;
}

std::vector<LatencyPart> TiledLayer::latency() const {
  std::vector<LatencyPart> sum;
  add(sum, latency_of(tiles_.front()->device->session->info().cost), shared() ? static_cast<double>(tiles()) : 1);
  return sum;
}

void TiledLayer::Tile::add_expected(Index rows, Index calls, Index writes, bool repeats, LayerReport& all) const {
  const DeviceInfo& info = device->session->info();
  const Index again = repeats ? rows * layer->most_repeats() : 0, frames = rows + again;
  const Index batches = calls + rows / std::max<Index>(1, info.max_batch) + again;  // each repeat alone, at worst
  all.frames += frames;
  all.programs += writes;
  double seconds = info.cost.seconds(frames, batches, writes), joules = info.cost.joules(frames, batches, writes);
  if (layer->settings().text("backward") == "device" && info.transposed) {  // whichever way costs more
    const CostModel back = cost_of(info, Pass::transposed);
    seconds = std::max(seconds, back.seconds(frames, batches, writes));
    joules = std::max(joules, back.joules(frames, batches, writes));
  }
  all.device_s += seconds;
  all.device_j += joules;
}

LayerReport TiledLayer::expected(Index rows, Index calls, Index writes, bool repeats) const {
  LayerReport all;
  if (settings().text("output_range") == "running") calls += rows / settings().integer("range_rows");  // cut there
  for (const auto& tile : tiles_) tile->add_expected(rows, calls, writes, repeats, all);
  return all;
}

LayerReport TiledLayer::expected_gradient(Index rows) const {
  LayerReport all;
  for (const auto& tile : tiles_) all.add(tile->layer->expected_gradient(rows));
  return all;
}

LayerReport TiledLayer::expected_calibration(bool repeats) const {
  LayerReport all;
  for (const auto& tile : tiles_) {
    const Index vectors = tile->layer->settings().integer("calibration_vectors"),
                frames = tile->layer->calibration_frames();
    // a shared device is written to find out whether the weights can be, and once more to be calibrated
    tile->add_expected(frames, frames / vectors, shared() ? 2 : 0, repeats, all);
  }
  return all;
}

std::vector<std::byte> TiledLayer::snapshot() const {
  ByteWriter bytes;
  for (const auto& tile : tiles_) put_part(bytes, tile->layer->snapshot());
  return bytes.take();
}

void TiledLayer::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "snapshot of a layer's tiles");
  const std::vector<PartState> states = take_parts(bytes, tiles_.size());
  bytes.done();
  std::vector<SnapshotPart> parts;
  for (const auto& tile : tiles_) parts.push_back(snapshot_part(*tile->layer));
  restore_parts(parts, states);
}

}  // namespace lightloop
