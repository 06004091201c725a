#pragma once
// "127.0.0.1:50051/opu0", "[::1]:50051/opu0", "unix:/run/light.sock/opu0": a server's address and a device's name
// there.
#include <string>

namespace lightloop::remote {

struct Target {
  std::string server;  ///< "host:port" or "unix:/path"
  std::string device;  ///< empty: none was named
  bool local_socket() const { return server.starts_with("unix:"); }
};

/// Takes the target of "remote:..." apart. Throws InvalidParameter for one that names no server.
Target parse_target(const std::string& text);

/// Is this "host:port" reached from its own computer only? True for 127.x.y.z, ::1, localhost and UNIX sockets.
bool is_loopback(const std::string& server);

/// Throws InvalidParameter unless `server` reads "host:port" or "unix:/path"; `what` is named in the message.
void check_server(const std::string& server, const std::string& what);

}  // namespace lightloop::remote
