#include "driver/backends/remote/target.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/error.hpp"

namespace lightloop::remote {
namespace {

/// The longest path a UNIX socket can have (sun_path, with its closing zero).
constexpr std::size_t kLongestPath = 107;

bool is_port(const std::string& text) {
  int port = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 0 && port <= 65535;
}

std::string host_of(const std::string& server) {
  std::string host = server.substr(0, server.rfind(':'));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return host;
}

}  // namespace

void check_server(const std::string& server, const std::string& what) {
  if (server.starts_with("unix:")) {
    const std::string path = server.substr(5);
    if (path.empty() || path.back() == '/')
      throw InvalidParameter(what, '"' + server + '"', "names no socket", "Write unix:/path/of/a.sock.");
    if (path.size() > kLongestPath)
      throw InvalidParameter(what, '"' + server + '"', "a path of at most " + std::to_string(kLongestPath) + " bytes",
                             "Choose a shorter folder.");
    return;
  }
  const std::size_t colon = server.rfind(':');
  const bool plain = colon != std::string::npos && colon > 0 && is_port(server.substr(colon + 1));
  const bool bracketed = plain && server.front() == '[' && server[colon - 1] == ']';
  if (!plain || (!bracketed && server.find(':') != colon) || server.find_first_of(" \t/@") != std::string::npos)
    throw InvalidParameter(what, '"' + server + '"', "host:port or unix:/path",
                           "For example 127.0.0.1:50051, [::1]:50051 or unix:/tmp/light.sock.");
}

Target parse_target(const std::string& text) {
  const std::string what = "device string remote:" + text;
  Target target;
  const std::size_t slash = text.rfind('/');
  if (text.starts_with("unix:")) {
    // the last part is the device, unless the whole is a socket
    std::error_code ignored;
    const bool named = slash != std::string::npos && slash > 5 && !std::filesystem::is_socket(text.substr(5), ignored);
    target.server = named ? text.substr(0, slash) : text;
    target.device = named ? text.substr(slash + 1) : "";
  } else {
    target.server = text.substr(0, slash);
    target.device = slash == std::string::npos ? "" : text.substr(slash + 1);
  }
  check_server(target.server, what);
  return target;
}

bool is_loopback(const std::string& server) {
  if (server.starts_with("unix:")) return true;
  const std::string host = host_of(server);
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && std::ranges::count(host, '.') == 3 &&
         std::ranges::all_of(host, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

}  // namespace lightloop::remote
