#include "driver/backends/remote/messages.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "driver/api/description.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop::remote {
namespace {

[[noreturn]] void nonsense(const std::string& what, const std::string& value, const std::string& limit = {}) {
  throw LinkError("message of the other side", what + " is " + value, limit,
                  "It does not keep the protocol; is it a Lightloop of the same version?");
}

CostPer per(v1::CostPer value) {
  if (value < 0 || value > v1::PER_OUTPUT) nonsense("what a cost goes with", std::to_string(value));
  return static_cast<CostPer>(value);
}

// ---- values and settings

void put(const lightloop::Value& from, v1::Value& to) {
  if (const auto* boolean = std::get_if<bool>(&from)) return to.set_boolean(*boolean);
  if (const auto* integer = std::get_if<std::int64_t>(&from)) return to.set_integer(*integer);
  if (const auto* real = std::get_if<double>(&from)) return to.set_real(*real);
  to.set_text(clean(std::get<std::string>(from), std::size_t{1} << 20));
}

lightloop::Value take(const v1::Value& from) {
  switch (from.kind_case()) {
    case v1::Value::kBoolean:
      return from.boolean();
    case v1::Value::kInteger:
      return std::int64_t{from.integer()};
    case v1::Value::kReal:
      return from.real();
    case v1::Value::kText:
      return from.text();
    case v1::Value::KIND_NOT_SET:
      break;
  }
  nonsense("a value", "empty");
}

void put(const ParamInfo& from, v1::Parameter& to) {
  to.set_name(from.name);
  to.set_unit(from.unit);
  put(from.default_value, *to.mutable_default_value());
  to.set_min(from.min);
  to.set_max(from.max);
  to.set_help(from.help);
  for (const std::string& choice : from.choices) to.add_choices(choice);
  to.set_needs_reopen(from.needs_reopen);
  if (from.off) put(*from.off, *to.mutable_off());
  to.set_only_with(from.only_with);
}

// ---- formats

void put(const FrameFormat& from, v1::Format& to) {
  for (const Index side : from.shape) to.add_shape(side);
  to.set_bits(static_cast<std::uint32_t>(from.bits));
  to.set_meaning(from.meaning);
}

FrameFormat take(const v1::Format& from) {
  FrameFormat format{{from.shape().begin(), from.shape().end()}, 0, from.meaning()};
  format.bits = static_cast<int>(std::min(from.bits(), 1000u));
  return format;
}

// ---- errors, the most derived first

template <class E>
bool put_as(const std::exception& from, v1::Error::Kind kind, v1::Error& to) {
  if (!dynamic_cast<const E*>(&from)) return false;
  to.set_kind(kind);
  return true;
}

template <class E>
[[noreturn]] void raise_as(const v1::Error& from) {
  throw E(clean(from.what()), clean(from.value()), clean(from.limit()), clean(from.hint()));
}

}  // namespace

void put(Device& device, std::uint64_t max_bytes, v1::Description& to) {
  const DeviceInfo& info = device.describe();
  to.set_kind(info.kind);
  to.set_model(info.model);
  to.set_serial(info.serial);
  to.set_version(info.version);
  put(info.input, *to.mutable_input());
  put(info.output, *to.mutable_output());
  for (const AuxFormat& aux : info.aux_inputs) {
    v1::Aux& one = *to.add_aux_inputs();
    one.set_name(aux.name);
    one.set_bits(static_cast<std::uint32_t>(aux.bits));
    one.set_rest(aux.rest);
    one.set_help(aux.help);
  }
  if (info.program) put(*info.program, *to.mutable_program());
  to.set_stateful(info.stateful);
  to.set_deterministic(info.deterministic);
  to.set_repeatable(info.repeatable);
  to.set_transposed(info.transposed);
  const auto bytes = [](const FrameFormat& format, Index extra) {
    return static_cast<std::uint64_t>(std::max<Index>(1, format.size() * format.bytes() + extra));
  };
  const std::uint64_t frame =
      std::max(bytes(info.input, 2 * static_cast<Index>(info.aux_inputs.size())), bytes(info.output, 0));
  to.set_max_batch(std::min<Index>(info.max_batch, std::max<Index>(1, static_cast<Index>(max_bytes / frame))));
  v1::Cost& cost = *to.mutable_cost();
  cost.set_frame_s(info.cost.frame_s);
  cost.set_batch_s(info.cost.batch_s);
  cost.set_program_s(info.cost.program_s);
  cost.set_power_w(info.cost.power_w);
  cost.set_program_j(info.cost.program_j);
  cost.set_time_per(static_cast<v1::CostPer>(info.cost.time_per));
  for (const CostPart& part : info.cost.parts) {
    v1::CostPart& one = *cost.add_parts();
    one.set_name(clean(part.name));
    one.set_frame_events(part.frame_events);
    one.set_frame_j(part.frame_j);
    one.set_program_events(part.program_events);
    one.set_program_j(part.program_j);
    one.set_latency_s(part.latency_s);
    one.set_per(static_cast<v1::CostPer>(part.per));
  }
  to.set_calibration_id(info.calibration_id);
  to.set_ensemble(device.ensemble() != nullptr);
  to.set_pairing(static_cast<v1::Pairing>(info.pairing));
  const ParamSet& settings = device.settings();
  for (const ParamInfo& parameter : settings.infos()) {
    v1::Parameter& one = *to.add_parameters();
    put(parameter, one);
    put(settings.value(parameter.name), *one.mutable_value());
  }
}

void put(const std::vector<ParamInfo>& parameters, v1::Description& to) {
  for (const ParamInfo& parameter : parameters) put(parameter, *to.add_parameters());
}

std::vector<ParamInfo> take_parameters(const v1::Description& from) {
  std::vector<ParamInfo> infos;
  for (const v1::Parameter& one : from.parameters()) {
    ParamInfo info{one.name(), one.unit(), take(one.default_value()), one.min(), one.max(), one.help()};
    info.choices.assign(one.choices().begin(), one.choices().end());
    info.needs_reopen = one.needs_reopen();
    if (one.has_off()) info.off = take(one.off());
    info.only_with = one.only_with();
    infos.push_back(std::move(info));
  }
  return infos;
}

Described take(const v1::Description& from) {
  Described to;
  DeviceInfo& info = to.info;
  info.kind = from.kind();
  info.model = from.model();
  info.serial = from.serial();
  info.version = from.version();
  info.input = take(from.input());
  info.output = take(from.output());
  for (const v1::Aux& aux : from.aux_inputs()) {
    info.aux_inputs.push_back({aux.name(), static_cast<int>(std::min(aux.bits(), 1000u)), aux.rest(), aux.help()});
  }
  if (from.has_program()) info.program = take(from.program());
  info.stateful = from.stateful();
  info.deterministic = from.deterministic();
  info.repeatable = from.repeatable();
  info.transposed = from.transposed();
  info.max_batch = static_cast<Index>(from.max_batch());
  info.cost.frame_s = from.cost().frame_s();
  info.cost.batch_s = from.cost().batch_s();
  info.cost.program_s = from.cost().program_s();
  info.cost.power_w = from.cost().power_w();
  info.cost.program_j = from.cost().program_j();
  info.cost.time_per = per(from.cost().time_per());
  for (const v1::CostPart& one : from.cost().parts())
    info.cost.parts.push_back({one.name(), one.frame_events(), one.frame_j(), one.program_events(), one.program_j(),
                               one.latency_s(), per(one.per())});
  info.calibration_id = from.calibration_id();
  to.ensemble = from.ensemble();
  if (from.pairing() < 0 || from.pairing() > v1::UNKNOWN) nonsense("pairing", std::to_string(from.pairing()));
  info.pairing = static_cast<Pairing>(from.pairing());
  lightloop::Settings values;
  for (const v1::Parameter& one : from.parameters()) values[one.name()] = take(one.value());
  try {
    check_info(info, "a device");
    to.settings = ParamSet(info.model, take_parameters(from));
    to.settings.set(values);
  } catch (const InvalidParameter& error) {
    nonsense("a description", error.what());
  }
  return to;
}

void put(const lightloop::Settings& from, v1::Settings& to) {
  for (const auto& [name, value] : from) {
    v1::Setting& one = *to.add_settings();
    one.set_name(clean(name));
    put(value, *one.mutable_value());
  }
}

lightloop::Settings take(const v1::Settings& from) {
  lightloop::Settings to;
  for (const v1::Setting& one : from.settings()) to[one.name()] = take(one.value());
  return to;
}

void put(const RunReport& from, v1::Report& to) {
  to.set_frames(from.frames);
  to.set_codes(from.codes);
  to.set_saturated(from.saturated);
  to.set_device_s(from.device_s);
  to.set_device_j(from.device_j);
  for (const MemberFailure& failure : from.failures) {
    v1::MemberFailure& one = *to.add_failures();
    one.set_member(failure.member);
    one.set_detail(clean(failure.detail));
  }
  for (const EnergyPart& part : from.parts) {
    v1::EnergyPart& one = *to.add_parts();
    one.set_name(clean(part.name));
    one.set_events(part.events);
    one.set_joules(part.joules);
  }
}

RunReport take(const v1::Report& from) {
  RunReport to;
  to.frames = from.frames();
  to.codes = from.codes();
  to.saturated = from.saturated();
  to.device_s = from.device_s();
  to.device_j = from.device_j();
  for (const v1::MemberFailure& one : from.failures())
    to.failures.push_back({static_cast<Index>(one.member()), one.detail()});
  for (const v1::EnergyPart& one : from.parts()) to.parts.push_back({one.name(), one.events(), one.joules()});
  return to;
}

void put(const std::exception& from, v1::Error& to) {
  const auto* ours = dynamic_cast<const lightloop::Error*>(&from);
  if (!ours) {
    to.set_kind(v1::Error::INTERNAL_ERROR);
    to.set_what("the device's program failed");
    to.set_value(clean(from.what()));
    return;
  }
  put_as<OutOfRange>(from, v1::Error::OUT_OF_RANGE, to) || put_as<UnknownName>(from, v1::Error::UNKNOWN_NAME, to) ||
      put_as<ShapeMismatch>(from, v1::Error::SHAPE_MISMATCH, to) ||
      put_as<InvalidParameter>(from, v1::Error::INVALID_PARAMETER, to) ||
      put_as<Unsupported>(from, v1::Error::UNSUPPORTED, to) || put_as<Refused>(from, v1::Error::REFUSED, to) ||
      put_as<Timeout>(from, v1::Error::TIMEOUT, to) || put_as<FrameError>(from, v1::Error::FRAME_ERROR, to) ||
      put_as<LinkError>(from, v1::Error::LINK_ERROR, to) || put_as<FileError>(from, v1::Error::FILE_ERROR, to) ||
      put_as<WaitTimeout>(from, v1::Error::WAIT_TIMEOUT, to) || put_as<Busy>(from, v1::Error::BUSY, to) ||
      put_as<Cancelled>(from, v1::Error::CANCELLED, to) || put_as<DeviceError>(from, v1::Error::DEVICE_ERROR, to) ||
      put_as<InternalError>(from, v1::Error::INTERNAL_ERROR, to);
  to.set_what(clean(ours->subject()));
  to.set_value(clean(ours->value()));
  to.set_limit(clean(ours->limit()));
  to.set_hint(clean(ours->hint()));
}

void raise(const v1::Error& from) {
  switch (from.kind()) {
    case v1::Error::INVALID_PARAMETER:
      raise_as<InvalidParameter>(from);
    case v1::Error::OUT_OF_RANGE:
      raise_as<OutOfRange>(from);
    case v1::Error::UNKNOWN_NAME:
      raise_as<UnknownName>(from);
    case v1::Error::SHAPE_MISMATCH:
      raise_as<ShapeMismatch>(from);
    case v1::Error::UNSUPPORTED:
      raise_as<Unsupported>(from);
    case v1::Error::REFUSED:
      raise_as<Refused>(from);
    case v1::Error::TIMEOUT:
      raise_as<Timeout>(from);
    case v1::Error::LINK_ERROR:
      raise_as<LinkError>(from);
    case v1::Error::FRAME_ERROR:
      raise_as<FrameError>(from);
    case v1::Error::WAIT_TIMEOUT:
      raise_as<WaitTimeout>(from);
    case v1::Error::BUSY:
      raise_as<Busy>(from);
    case v1::Error::CANCELLED:
      raise_as<Cancelled>(from);
    case v1::Error::FILE_ERROR:
      raise_as<FileError>(from);
    case v1::Error::DEVICE_ERROR:
      raise_as<DeviceError>(from);
    case v1::Error::INTERNAL_ERROR:
      raise_as<InternalError>(from);
    default:
      raise_as<lightloop::Error>(from);
  }
}

std::string clean(std::string_view text, std::size_t most) {
  std::string line;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    std::size_t length = byte < 0x80                   ? 1
                         : byte >= 0xC2 && byte < 0xE0 ? 2
                         : byte >= 0xE0 && byte < 0xF0 ? 3
                         : byte >= 0xF0 && byte < 0xF5 ? 4
                                                       : 0;
    bool good = length > 0 && i + length <= text.size() && byte >= 0x20 && byte != 0x7F;
    for (std::size_t k = 1; good && k < length; ++k) good = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
    if (good && length > 2) {  // overlong forms, surrogates and what lies above U+10FFFF are no UTF-8
      const auto second = static_cast<unsigned char>(text[i + 1]);
      good = !(byte == 0xE0 && second < 0xA0) && !(byte == 0xED && second >= 0xA0) &&
             !(byte == 0xF0 && second < 0x90) && !(byte == 0xF4 && second >= 0x90);
    }
    if (!good) length = 1;
    if (line.size() + length > most) break;
    line += good ? text.substr(i, length) : std::string_view("?");
    i += length;
  }
  return line;
}

}  // namespace lightloop::remote
