#include "driver/layer/tile_devices.hpp"

#include <algorithm>
#include <cmath>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "driver/api/opening.hpp"
#include "driver/layer/layer.hpp"
#include "driver/layer/snapshot_parts.hpp"
#include "driver/layer/state.hpp"

namespace lightloop {
namespace {

const ParamInfo* named(const std::vector<ParamInfo>& params, const std::string& name) {
  const auto found = std::ranges::find(params, name, &ParamInfo::name);
  return found == params.end() ? nullptr : &*found;
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
                         Index largest_in, Index largest_out)
    : registry_(registry),
      address_(std::move(address)),
      device_(std::move(device)),
      layer_(layer),
      largest_in_(largest_in),
      largest_out_(largest_out) {
  ParamSet params("layer", layer_params());
  params.set(layer);
  const DeviceAddress parsed = parse_address(address_);
  Settings given = parsed.settings;
  for (const auto& [key, value] : device_) given[key] = value;
  const std::string& sharing = params.text("devices");
  shared_ = sharing == "one" || (sharing == "auto" && !registry_.backend(parsed.backend).many);
  const std::vector<ParamInfo> choice = registry_.open_params(address_);
  const auto choosable = [&](const char* name) -> std::optional<ParamInfo> {
    const ParamInfo* info = named(choice, name);
    return info && !device_.contains(name) ? std::optional(*info) : std::nullopt;
  };
  input_size_ = choosable("input.size");
  output_size_ = choosable("output.size");
  if (given.contains("seed"))
    seed_ = whole(given, "seed");
  else if (const ParamInfo* seed = named(choice, "seed"))
    seed_ = whole({{"seed", seed->default_value}}, "seed");
  const Weights cells = parse_weights(params.text("cells"));
  std::optional<std::int64_t> in = whole(given, "input.size"), rows = whole(given, "output.size");
  if (input_size_) in = static_cast<std::int64_t>(input_size_->max);
  if (output_size_) rows = static_cast<std::int64_t>(output_size_->max);
  if (!in || !rows) {
    first_ = open_sized(largest_in, rows_needed(cells, largest_out), {});
    const DeviceInfo& info = first_->session->info();
    in = info.input.size();
    rows = info.output.size();
  }
  most_in_ = static_cast<Index>(*in);
  most_out_ = outputs_in(cells, static_cast<Index>(*rows));
  if (most_in_ < 1 || most_out_ < 1)
    throw ShapeMismatch("layer on " + address_, std::to_string(*in) + " -> " + std::to_string(*rows),
                        "too small for one output with layer.cells = " + params.text("cells"));
}

std::shared_ptr<TileDevice> TileDevices::open_sized(Index n_in, Index rows, const Settings& extra) {
  Settings settings = device_;
  for (const auto& [info, size] : {std::pair{&input_size_, n_in}, std::pair{&output_size_, rows}})
    if (*info)
      settings[(*info)->name] = std::clamp(static_cast<std::int64_t>(size), static_cast<std::int64_t>((*info)->min),
                                           static_cast<std::int64_t>((*info)->max));
  if (seed_ && !opened_.empty()) settings["seed"] = *seed_ + static_cast<std::int64_t>(opened_.size());
  for (const auto& [key, value] : extra) settings[key] = value;
  auto device = std::make_shared<TileDevice>();
  device->session = open_session(registry_, address_, settings);
  const ParamSet& opened = device->session->settings();
  if (opened.has("clock_s")) device->opened_at_s = opened.real("clock_s");
  return device;
}

std::shared_ptr<TileDevice> TileDevices::open(Index n_in, Index n_out, const Settings& extra) {
  ParamSet params("layer", layer_params());
  params.set(layer_);
  const Weights cells = parse_weights(params.text("cells"));
  ++parts_;
  if (shared_) {
    if (!extra.empty())
      throw Unsupported("layer.devices", "one device for all layers",
                        "settings of one layer alone are wanted: " + format_settings(extra),
                        "Give layer.devices=each.");
    if (!first_)
      first_ = open_sized(std::min(largest_in_, most_in_), rows_needed(cells, std::min(largest_out_, most_out_)), {});
    if (opened_.empty()) opened_.push_back(first_);
    if (first_->keeps)
      throw Unsupported("layer on " + address_, "its device is taken by a tile that learns there", "another device",
                        "Write all layers first; simulated devices: layer.devices=each.");
    ++first_->tiles;
    return first_;
  }
  if (first_ && extra.empty()) {  // the one that was opened to know its size
    opened_.push_back(std::move(first_));
  } else {
    first_.reset();
    opened_.push_back(open_sized(n_in, rows_needed(cells, n_out), extra));
  }
  ++opened_.back()->tiles;
  return opened_.back();
}

std::unique_ptr<Twin> TileDevices::twin(TileDevice& device) const {
  const auto open = [&] {
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
                      "Give layer.devices=each where devices can be had.");
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
