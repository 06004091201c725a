// A layer and what its devices hold as one state.
#include <algorithm>
#include <exception>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/sealed.hpp"
#include "driver/api/session_snapshot.hpp"
#include "driver/layer/snapshot_parts.hpp"
#include "driver/layer/tile.hpp"

namespace lightloop {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr const char* kWhat = "snapshot of a layer and its devices";

double adc_range(const Session& session) {
  const ParamSet& settings = session.settings();
  return settings.has("adc.range") ? settings.real("adc.range") : 0;
}

}  // namespace

struct TiledLayer::Whole {
  struct Part {
    bool holds = false;  ///< a shared device has this tile's weights
    Matrix<float> w;
    PartState layer;
  };
  struct OfDevice {
    double adc_range = 0;  ///< 0: the device has no such setting
    PartState session;
  };
  bool programmed = false;
  std::vector<Part> tiles;
  std::vector<OfDevice> devices;  ///< one, where it is shared
};

std::string TiledLayer::made_as() const {
  const Tile& first = *tiles_.front();
  return std::to_string(n_in_) + " -> " + std::to_string(n_out_) + " on " + std::to_string(tiles_.size()) +
         (tiles_.size() == 1 ? " tile of " : " tiles of ") + (shareable_ ? "one " : "") +
         first.device->session->info().model + ", cells " + settings().text("cells") + ", update " +
         settings().text("update");
}

std::vector<std::byte> TiledLayer::snapshot_with_devices() const {
  ByteWriter bytes;
  bytes.put(kVersion);
  const std::string made = made_as();
  bytes.put(static_cast<std::uint64_t>(made.size()));
  bytes.put_all(std::span<const char>(made));
  bytes.put(programmed_);
  for (const auto& tile : tiles_) {
    if (tile->stale)
      throw Error(kWhat, "its one device waits for weights that were programmed", "", "Make a forward pass first.");
    bytes.put(shareable_ && tile->device->holder == tile.get());
    if (programmed_) bytes.put_all(std::span<const float>(tile->w.flat()));
    put_part(bytes, tile->layer->snapshot());
  }
  for (const auto& tile : tiles_) {
    const Session& session = *tile->device->session;
    const PartState state = session.snapshot();
    if (programmed_ && read_session_snapshot(state).memory.empty())
      throw Unsupported(kWhat, session.address() + " keeps no snapshot of what was written", "");
    bytes.put(adc_range(session));
    put_part(bytes, state);
    if (shareable_) break;
  }
  return sealed(bytes.take());
}

TiledLayer::Whole TiledLayer::read_whole(const std::vector<std::byte>& state) const {
  ByteReader bytes(state, kWhat);
  bytes = ByteReader(unsealed(state, bytes), kWhat);
  if (const auto version = bytes.get<std::uint8_t>(); version != kVersion)
    bytes.refuse("version " + std::to_string(version));
  std::string made(static_cast<std::size_t>(bytes.get<std::uint64_t>()), ' ');
  bytes.get_all(std::span<char>(made));
  if (made != made_as())
    throw InvalidParameter(kWhat, "of " + made, "this one is " + made_as(),
                           "Restore it into a layer of the same sizes, device and layer settings.");
  Whole whole;
  whole.programmed = bytes.get<bool>();
  for (const auto& tile : tiles_) {
    Whole::Part& part = whole.tiles.emplace_back();
    part.holds = bytes.get<bool>();
    if (whole.programmed) {
      part.w.resize(tile->n_out, tile->n_in);
      bytes.get_all(part.w.flat());
    }
    part.layer = take_part(bytes);
  }
  for (std::size_t i = 0; i < (shareable_ ? 1 : tiles_.size()); ++i) {
    const auto range = bytes.get<double>();
    whole.devices.push_back({range, take_part(bytes)});
  }
  bytes.done();
  return whole;
}

void TiledLayer::take_whole(const Whole& whole) {
  programmed_ = false;
  TileDevice& shared = *tiles_.front()->device;
  const bool mine = std::ranges::any_of(tiles_, [&](const auto& tile) { return tile.get() == shared.holder; });
  const void* const holder = mine ? nullptr : shared.holder;  // another layer on the shared device, restored before
  const std::uint64_t held = shared.session->programme();
  for (std::size_t i = 0; i < tiles_.size(); ++i) {
    Tile& tile = *tiles_[i];
    tile.device->holder = nullptr;
    if (whole.programmed) {
      tile.layer->program(whole.tiles[i].w);
      tile.w = whole.tiles[i].w;
    }
    tile.stale = false;
    tile.layer->restore(whole.tiles[i].layer);
  }
  for (std::size_t i = 0; i < whole.devices.size(); ++i) {
    Session& session = *tiles_[i]->device->session;
    const double range = whole.devices[i].adc_range;  // tiles that share a device have ranges of their own
    if (range != adc_range(session)) session.configure({{"adc.range", range}});
    session.restore(whole.devices[i].session);
  }
  if (shareable_ && shared.session->programme() == held) shared.holder = holder;
  for (std::size_t i = 0; i < tiles_.size(); ++i)
    if (whole.tiles[i].holds) tiles_[i]->device->holder = tiles_[i].get();
  programmed_ = whole.programmed;
}

void TiledLayer::restore_with_devices(const std::vector<std::byte>& state) {
  const Whole next = read_whole(state), before = read_whole(snapshot_with_devices());
  try {
    take_whole(next);
  } catch (...) {
    try {
      take_whole(before);
    } catch (const std::exception&) {
      programmed_ = false;  // the first error says why
    }
    throw;
  }
}

}  // namespace lightloop
