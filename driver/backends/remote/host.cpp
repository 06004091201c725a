#include "driver/backends/remote/host.hpp"

#include <algorithm>
#include <cctype>

#include "core/error.hpp"
#include "driver/backends/remote/conversation.hpp"
#include "driver/backends/remote/messages.hpp"
#include "driver/backends/remote/remote.pb.h"

namespace lightloop::remote {
namespace {

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 64 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; });
}

/// "opu" of "sim:opu,seed=1", "lab" of "dir/lab.toml".
std::string stem(const std::string& address) {
  std::string word = address.substr(0, address.find(','));
  if (const auto colon = word.find(':'); colon != std::string::npos) word = word.substr(colon + 1);
  if (const auto at = word.rfind('@'); at != std::string::npos) return stem(word.substr(at + 1));
  if (const auto slash = word.rfind('/'); slash != std::string::npos) word = word.substr(slash + 1);
  word = word.substr(0, word.find('.'));
  std::erase_if(word, [](unsigned char c) { return !std::isalnum(c) && c != '_' && c != '-'; });
  return word.empty() ? "device" : word.substr(0, 60);
}

}  // namespace

std::vector<Served> name_devices(const std::vector<std::string>& typed) {
  std::vector<Served> devices;
  for (const std::string& text : typed) {
    const std::size_t equals = text.find('=');
    const std::string before = text.substr(0, equals);
    if (equals != std::string::npos && before.find_first_of(":,") == std::string::npos)
      devices.push_back({before, text.substr(equals + 1)});
    else
      devices.push_back({"", text});
  }
  for (Served& device : devices) {
    if (!device.name.empty()) continue;
    for (int number = 0; device.name.empty(); ++number) {
      const std::string name = stem(device.address) + std::to_string(number);
      if (std::ranges::none_of(devices, [&](const Served& other) { return other.name == name; })) device.name = name;
    }
  }
  return devices;
}

Host::Host(std::vector<Served> devices, const Registry& registry, HostOptions options)
    : devices_(std::move(devices)), registry_(registry), options_(std::move(options)) {
  if (devices_.empty()) throw InvalidParameter("serve", "no device", "", "Name one: --device sim:opu.");
  for (const Served& device : devices_) {
    if (!is_name(device.name))
      throw InvalidParameter("name of a served device", '"' + device.name + '"',
                             "1 to 64 letters, digits, '_', '-' or '.'", "Write --device NAME=STRING.");
    if (std::ranges::count(devices_, device.name, &Served::name) > 1)
      throw InvalidParameter("name of a served device", device.name, "it is there twice",
                             "Write --device NAME=STRING.");
  }
}

void Host::converse(ServerWire& wire) noexcept {
  try {
    Conversation(*this, wire).run();
  } catch (const std::exception& error) {
    try {
      v1::FromServer message;
      put(error, *message.mutable_refusal());
      wire.write(message);
    } catch (const std::exception&) {
      // no memory even for the refusal: the end of the session says as much
    }
  }
}

const Served& Host::find(const std::string& name) const {
  std::vector<std::string> known;
  std::string listed;
  for (const Served& device : devices_) {
    if (device.name == name) return device;
    known.push_back(device.name);
    listed += (listed.empty() ? "" : ", ") + device.name;
  }
  const auto near = nearest(name, known);
  throw UnknownName("device of this server", clean(name, 100), "it has " + listed,
                    near ? "Did you mean " + *near + "?" : "");
}

void Host::list(v1::ListReply& to) const {
  to.set_version(kVersion);
  for (const Served& device : devices_) {
    v1::ListReply::Device& one = *to.add_devices();
    one.set_name(device.name);
    one.set_address(clean(device.address));
    one.set_holder(guests_.holder(device.name));
  }
}

void Host::expire(Guests::Clock::time_point now) {
  guests_.cancel_silent(
      now - std::chrono::duration_cast<Guests::Clock::duration>(std::chrono::duration<double>(options_.timeout_s)));
}

void Host::stop() {
  guests_.stop();
  v1::FromServer message;
  put(LinkError("server", "was stopped"), *message.mutable_refusal());
  guests_.tell(message);
}

}  // namespace lightloop::remote
