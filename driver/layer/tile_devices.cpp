#include "driver/layer/tile_devices.hpp"

#include <algorithm>
#include <cmath>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "driver/api/device_list.hpp"
#include "driver/api/opening.hpp"
#include "driver/layer/layer.hpp"
#include "driver/layer/named_twin.hpp"
#include "driver/layer/snapshot_parts.hpp"
#include "driver/layer/state.hpp"
#include "driver/layer/tile.hpp"

namespace lightloop {
namespace {

const ParamInfo* named(const std::vector<ParamInfo>& params, const std::string& name) {
  const auto found = std::ranges::find(params, name, &ParamInfo::name);
  return found == params.end() ? nullptr : &*found;
}

Weights cells_of(const Settings& layer) {
  ParamSet params("layer", layer_params());
  params.set(layer);
  return parse_weights(params.text("cells"));
}

/// Outputs that fit into so many rows of a device.
Index outputs_in(Weights cells, Index rows) {
  return cells == Weights::differential ? rows / 2 : cells == Weights::offset ? rows - 1 : rows;
}

std::optional<std::int64_t> whole(const Settings& settings, const std::string& key) {
  const auto found = settings.find(key);
  if (found == settings.end()) return {};
  if (const auto* number = std::get_if<std::int64_t>(&found->second)) return *number;
  if (const auto* number = std::get_if<double>(&found->second)) return static_cast<std::int64_t>(*number);
  return {};
}

}  // namespace

std::string of_their_own(Index tiles) {
  return "Simulated devices: layer.devices=each. Instruments: name " + std::to_string(tiles) +
         ", with commas between them or counted, remote:HOST:PORT/m{0.." + std::to_string(tiles - 1) + "}.";
}

struct SharedTwin {
  std::unique_ptr<Twin> twin;
  const Twin* holder = nullptr;  ///< whose programme it has
};

namespace {

/// A tile's share of a twin: programmed again when it is this one's turn.
class TwinOfTile : public Twin {
 public:
  explicit TwinOfTile(std::shared_ptr<SharedTwin> shared) : shared_(std::move(shared)) {}
  ~TwinOfTile() override {
    if (shared_->holder == this) shared_->holder = nullptr;
  }
  Index inputs() const override { return shared_->twin->inputs(); }
  Index outputs() const override { return shared_->twin->outputs(); }
  Index parameters() const override { return shared_->twin->parameters(); }
  void program(View<const float> theta) override {
    shared_->holder = nullptr;
    shared_->twin->program(theta);  // refuses what it would refuse later
    theta_.resize(theta.rows(), theta.cols());
    std::ranges::copy(theta.row(0), theta_.row(0).begin());
    shared_->holder = this;
  }
  void forward(View<const float> x, View<float> y) const override { ready().forward(x, y); }
  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    ready().vjp(x, grad_y, grad_x, grad_theta);
  }
  GradientCost gradient_cost() const override { return shared_->twin->gradient_cost(); }
  void measure(View<const float> x, View<const float> grad_y, std::uint64_t first_sample,
               View<float> grad_theta) const override {
    ready().measure(x, grad_y, first_sample, grad_theta);
  }
  std::vector<FitParameter> fit_parameters() const override { return shared_->twin->fit_parameters(); }

 private:
  const Twin& ready() const {
    if (shared_->holder != this && theta_.size() > 0) {
      shared_->holder = nullptr;
      shared_->twin->program(theta_);
      shared_->holder = this;
    }
    return *shared_->twin;
  }

  std::shared_ptr<SharedTwin> shared_;
  Matrix<float> theta_;
};

}  // namespace

TileDevices::TileDevices(const Registry& registry, std::string address, Settings device, const Settings& layer,
                         const std::vector<MatrixSize>& matrices)
    : registry_(registry),
      address_(std::move(address)),
      named_(device_list(address_)),
      device_(std::move(device)),
      layer_(layer) {
  ParamSet params("layer", layer_params());
  params.set(layer);
  exclusive_ = std::ranges::any_of(
      named_, [&](const std::string& one) { return !registry_.backend(parse_address(one).backend).many; });
  const std::string& sharing = params.text("devices");
  const bool several = named_.size() > 1;
  if (several && sharing == "one")
    throw InvalidParameter("layer.devices", "one",
                           std::to_string(named_.size()) + " devices are named, one for each tile",
                           "Leave it out, or name one device.");
  shared_ = !several && (sharing == "one" || (sharing == "auto" && exclusive_));
  for (const MatrixSize& one : matrices) {
    largest_in_ = std::max(largest_in_, one.inputs);
    largest_out_ = std::max(largest_out_, one.outputs);
  }
  look_ahead();
  for (const MatrixSize& one : matrices)
    tiles_ += ((one.inputs + most_.inputs - 1) / most_.inputs) * ((one.outputs + most_.outputs - 1) / most_.outputs);
  if (shared_ && tiles_ > 1 && params.text("update") != "write")
    throw Unsupported("layer.update = " + params.text("update"),
                      "one device, " + address_ + ", would be written anew for " + std::to_string(tiles_) + " tiles",
                      "every tile keeps what it learns on a device of its own",
                      of_their_own(tiles_) + " One alone learns a net of one layer that is no larger than it (" +
                          std::to_string(most_.inputs) + " inputs, " + std::to_string(most_.outputs) + " outputs).");
}

void TileDevices::look_ahead() {
  looked_ = opened_.size();
  const std::string& address = named_[looked_];
  choice_ = choice_of(address);
  Settings given = parse_address(address).settings;
  for (const auto& [key, value] : device_) given[key] = value;
  const Weights cells = cells_of(layer_);
  std::optional<std::int64_t> in = whole(given, "input.size"), rows = whole(given, "output.size");
  if (choice_.input_size) in = static_cast<std::int64_t>(choice_.input_size->max);
  if (choice_.output_size) rows = static_cast<std::int64_t>(choice_.output_size->max);
  if (!in || !rows) {
    first_ = open_sized(largest_in_, rows_needed(cells, largest_out_), {});
    const DeviceInfo& info = first_->session->info();
    in = info.input.size();
    rows = info.output.size();
  }
  most_ = {static_cast<Index>(*in), outputs_in(cells, static_cast<Index>(*rows))};
  if (most_.inputs < 1 || most_.outputs < 1)
    throw ShapeMismatch("layer on " + address, std::to_string(*in) + " -> " + std::to_string(*rows),
                        "too small for one output with the setting layer.cells");
}

MatrixSize TileDevices::most() {
  if (named_.size() > 1 && looked_ != opened_.size()) {
    if (opened_.size() == named_.size()) refuse_too_few();
    look_ahead();
  }
  return most_;
}

TileDevices::Choice TileDevices::choice_of(const std::string& address) const {
  const std::vector<ParamInfo> open = registry_.open_params(address);
  const auto choosable = [&](const char* name) -> std::optional<ParamInfo> {
    const ParamInfo* info = named(open, name);
    return info && !device_.contains(name) ? std::optional(*info) : std::nullopt;
  };
  Choice choice{choosable("input.size"), choosable("output.size"), whole(device_, "seed")};
  if (!choice.seed && named_.size() == 1) choice.seed = whole(parse_address(address).settings, "seed");
  if (const ParamInfo* seed = named(open, "seed"); seed && !choice.seed)
    choice.seed = whole({{"seed", seed->default_value}}, "seed");
  return choice;
}

void TileDevices::refuse_too_few() const {
  const DeviceInfo& first = opened_.front()->session->info();
  throw InvalidParameter("devices of the layers", std::to_string(named_.size()) + " are named, " + address_,
                         std::to_string(std::max(tiles_, parts_ + 1)) +
                             " are needed, one for each tile, where all have " + std::to_string(first.input.size()) +
                             " inputs and " + std::to_string(first.output.size()) + " outputs",
                         of_their_own(std::max(tiles_, parts_ + 1)));
}

std::shared_ptr<TileDevice> TileDevices::open_sized(Index n_in, Index rows, const Settings& extra) {
  const std::size_t number = opened_.size(), which = named_.size() == 1 ? 0 : number;
  const Choice choice = named_.size() == 1 || which == looked_ ? choice_ : choice_of(named_[which]);
  Settings settings = device_;
  for (const auto& [info, size] : {std::pair{&choice.input_size, n_in}, std::pair{&choice.output_size, rows}})
    if (*info)
      settings[(*info)->name] = std::clamp(static_cast<std::int64_t>(size), static_cast<std::int64_t>((*info)->min),
                                           static_cast<std::int64_t>((*info)->max));
  if (choice.seed && number > 0) settings["seed"] = *choice.seed + static_cast<std::int64_t>(number);
  for (const auto& [key, value] : extra) settings[key] = value;
  auto device = std::make_shared<TileDevice>();
  try {
    device->session = open_session(registry_, named_[which], settings);
  } catch (const Busy& busy) {
    const auto before = named_.begin() + static_cast<std::ptrdiff_t>(which);
    if (named_.size() > 1 ? std::find(named_.begin(), before, *before) == before : number == 0) throw;
    throw Busy(busy.subject(), busy.value(), busy.limit(),
               "It is opened twice: every tile wants a device of its own. " + of_their_own(tiles_));
  }
  const ParamSet& opened = device->session->settings();
  if (opened.has("clock_s")) device->opened_at_s = opened.real("clock_s");
  return device;
}

std::shared_ptr<TileDevice> TileDevices::open(Index n_in, Index n_out, const Settings& extra) {
  const Weights cells = cells_of(layer_);
  if (shared_) {
    ++parts_;
    if (!extra.empty())
      throw Unsupported("layer.devices", "one device for all layers",
                        "settings of one layer alone are wanted: " + format_settings(extra), of_their_own(tiles_));
    if (!first_)
      first_ = open_sized(std::min(largest_in_, most_.inputs),
                          rows_needed(cells, std::min(largest_out_, most_.outputs)), {});
    if (opened_.empty()) opened_.push_back(first_);
    if (first_->keeps)
      throw Unsupported("layer on " + address_, "its device is taken by a tile that learns there", "another device",
                        "Write all layers first; simulated devices: layer.devices=each.");
    ++first_->tiles;
    return first_;
  }
  if (named_.size() > 1 && opened_.size() == named_.size()) refuse_too_few();
  ++parts_;
  if (first_ && extra.empty()) {  // the one that was opened to know its size
    opened_.push_back(std::move(first_));
  } else {
    first_.reset();
    opened_.push_back(open_sized(n_in, rows_needed(cells, n_out), extra));
  }
  TileDevice& device = *opened_.back();
  ++device.tiles;
  const DeviceInfo& info = device.session->info();
  const Index rows = rows_needed(cells, n_out);
  if (named_.size() > 1 && (info.input.size() < n_in || info.output.size() < rows))
    throw ShapeMismatch(
        device.session->address(),
        std::to_string(info.input.size()) + " inputs, " + std::to_string(info.output.size()) + " outputs",
        std::to_string(n_in) + " and " + std::to_string(rows) + " needed for tile " + std::to_string(opened_.size()),
        "A layer is cut to the size of the device of its first tile: name the smallest first.");
  return opened_.back();
}

std::unique_ptr<Twin> TileDevices::twin(TileDevice& device) const {
  ParamSet params("layer", layer_params());
  params.set(layer_);
  const std::vector<std::string> twins =
      params.text("twin").empty() ? std::vector<std::string>{} : device_list(params.text("twin"));
  const auto number = static_cast<std::size_t>(
      std::ranges::find(opened_, &device, [](const auto& one) { return one.get(); }) - opened_.begin());
  if (twins.size() > 1 && number >= twins.size())
    throw InvalidParameter("layer.twin", params.text("twin"), std::to_string(twins.size()) + " twins are named",
                           "Name one for all " + std::to_string(tiles_) +
                               " devices, or one for each in their order (sim:MODEL,seed={1..4}).");
  const auto open = [&] {
    if (!twins.empty())
      return named_twin(registry_, "layer.twin", twins[twins.size() > 1 ? number : 0], *device.session);
    return registry_.twin(without_session(device.session->address()), device.session->settings().all());
  };
  if (!shared_) return open();
  if (!device.twin) device.twin = std::make_shared<SharedTwin>(SharedTwin{open()});
  return std::make_unique<TwinOfTile>(device.twin);
}

void TileDevices::age(double seconds) const {
  if (!(seconds > 0 && std::isfinite(seconds)))
    throw OutOfRange("age", std::to_string(seconds) + " s", "above 0, finite", "Say \"30 d\", for example.");
  if (rewritten())
    throw Unsupported("age on " + address_, "its one device is written anew for every layer", "weights that stay",
                      of_their_own(parts_));
  for (const auto& device : opened_) {
    if (!device->session->settings().has("clock_s"))
      throw Unsupported("age on " + address_, "the device has no clock, nothing in it drifts", "",
                        "`lightloop devices` shows which have clock_s: sim:crossbar,preset=pcm.");
    device->session->configure({{"clock_s", device->opened_at_s + seconds}});
  }
}

std::vector<std::byte> TileDevices::snapshot() const {
  ByteWriter bytes;
  bytes.put(static_cast<std::uint64_t>(opened_.size()));
  for (const auto& device : opened_) put_part(bytes, device->session->snapshot());
  return bytes.take();
}

void TileDevices::restore(const std::vector<std::byte>& state) {
  ByteReader bytes(state, "snapshot of the layers' devices");
  if (bytes.get<std::uint64_t>() != opened_.size()) bytes.refuse("of another number of devices");
  const std::vector<PartState> states = take_parts(bytes, opened_.size());
  bytes.done();
  std::vector<SnapshotPart> parts;
  for (const auto& device : opened_) parts.push_back(snapshot_part(*device->session));
  restore_parts(parts, states);
  for (const auto& device : opened_) device->holder = nullptr;
}

}  // namespace lightloop
