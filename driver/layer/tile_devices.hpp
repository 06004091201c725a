#pragma once
// The devices behind the tiles of large matrices: a new one for every tile, or one that is written anew for each.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/api/registry.hpp"
#include "driver/api/session.hpp"

namespace lightloop {

struct SharedTwin;

/// A matrix that devices are opened for.
struct MatrixSize {
  Index inputs = 0, outputs = 0;
};

/// An open device, and who wrote its programme last.
struct TileDevice {
  std::unique_ptr<Session> session;
  const void* holder = nullptr;
  double opened_at_s = 0;            ///< clock_s when it was opened, where it has a clock
  bool keeps = false;                ///< what it holds it has learnt itself: nobody can write it again
  Index tiles = 0;                   ///< that it serves
  std::shared_ptr<SharedTwin> twin;  ///< of a device that serves several, once one has asked
};

/// Opens devices in the sizes that are wanted: of one string, or one after the other of a string that names several
/// (device_list).
///
/// layer.devices = each: every tile gets a device of its own, of the tile's size where the size can be chosen; their
/// seeds are the given one (or the model's default), plus 1, plus 2, ... in the order of opening, so that no two share
/// their noise. one: all tiles share one device, which is as large as the largest of them or as it happens to be. auto:
/// each where the backend can open as many as one likes (Backend::many: simulated devices), one for all others.
/// Several that are named are one for each tile: those of the first layer, then those of the second, tiles beside each
/// other before those below. A layer is cut to the size of the device of its first tile, and a seed in a device's own
/// string stays as it is. Devices beyond the tiles are not opened.
class TileDevices {
 public:
  /// `device` are settings laid over the string ("session." keys are the session's), `layer` those of the "layer."
  /// namespace, `matrices` those to come. Opens a device only where its size cannot be known otherwise. Throws as
  /// Registry::open and device_list; InvalidParameter for several devices with layer.devices = one;
  /// Unsupported where tiles that keep what they learn (layer.update) would share one.
  TileDevices(const Registry& registry, std::string address, Settings device, const Settings& layer,
              const std::vector<MatrixSize>& matrices);

  const std::string& address() const { return address_; }
  bool shared() const { return shared_; }
  /// While these devices are open nobody else can have them: not every string opens as many as one likes.
  bool exclusive() const { return exclusive_; }
  /// One device serves several tiles or layers, and every pass writes them anew.
  bool rewritten() const { return shared_ && parts_ > 1; }
  /// Largest part of a matrix that fits on the next device, of any size where it can be chosen. Throws as open().
  MatrixSize most();
  /// A device for a part (n_in -> n_out) that fits; `extra` is laid over its settings. Throws as Registry::open, Busy
  /// where a device is wanted twice and cannot be had, InvalidParameter where the named ones are used up.
  std::shared_ptr<TileDevice> open(Index n_in, Index n_out, const Settings& extra = {});
  /// The twin of an opened device, for one of its tiles. Tiles that share a device share what answers, too (a session
  /// of its server, where it is remote), which is programmed anew when another tile asks: a programme of its own is
  /// what each of them sees. Throws Unsupported where there is none.
  std::unique_ptr<Twin> twin(TileDevice& device) const;
  const std::vector<std::shared_ptr<TileDevice>>& opened() const { return opened_; }
  /// Sets the clock (clock_s) of every device to so many seconds after it was opened; it never goes back. Cells and
  /// temperatures drift as the devices say; calibrations stay as they were found. Throws OutOfRange for a time that is
  /// not positive, earlier than the device has, or later than the device knows its cells; Unsupported for a device
  /// without a clock, or one that is written anew for every layer. Devices before the one that refused have moved on.
  void age(double seconds) const;

  /// All opened devices' sessions; restore() after as many were opened again in the same way. Throws InvalidParameter,
  /// and then changes nothing.
  std::vector<std::byte> snapshot() const;
  void restore(const std::vector<std::byte>& state);

 private:
  /// What a device string leaves to choose.
  struct Choice {
    std::optional<ParamInfo> input_size, output_size;
    std::optional<std::int64_t> seed;  ///< to count on from
  };
  Choice choice_of(const std::string& address) const;
  /// Finds out what fits on the next device; opens it where there is no other way.
  void look_ahead();
  [[noreturn]] void refuse_too_few() const;
  std::shared_ptr<TileDevice> open_sized(Index n_in, Index rows, const Settings& extra);

  const Registry& registry_;
  std::string address_;
  std::vector<std::string> named_;  ///< one, or one for each tile
  Settings device_;
  Settings layer_;
  bool shared_ = false, exclusive_ = false;
  Index tiles_ = 0;  ///< of the matrices to come, on devices like the first
  Index parts_ = 0;  ///< that devices were opened for
  Index largest_in_ = 1, largest_out_ = 1;
  std::size_t looked_ = 0;             ///< number of the device that is known ahead
  Choice choice_;                      ///< that it leaves
  MatrixSize most_;                    ///< that fits on it
  std::shared_ptr<TileDevice> first_;  ///< opened already, given to nobody yet, or the shared one
  std::vector<std::shared_ptr<TileDevice>> opened_;
};

}  // namespace lightloop
