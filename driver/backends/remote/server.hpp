#pragma once
// Devices of this process for programs elsewhere: what `lightloop serve` does.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "driver/api/registry.hpp"

namespace lightloop::remote {

struct ServerOptions {
  std::vector<std::string> devices;        ///< "NAME=STRING" or "STRING" (then called opu0 for sim:opu)
  std::string listen = "127.0.0.1:50051";  ///< "host:port" (port 0: any free one) or "unix:/path"
  std::string tls_cert, tls_key;           ///< PEM files: serve with TLS
  std::string tls_ca;                      ///< PEM file: clients must show a certificate that it vouches for
  std::string token_file;                  ///< clients must know its content
  double timeout_s = 5;                    ///< a client not heard of for so long loses its device
  std::size_t max_sessions = 32;
  /// A client took a device ("came") or let it go ("left", or "lost" without a goodbye). Called from other threads.
  std::function<void(const std::string& what, const std::string& client, const std::string& device,
                     std::int64_t frames)>
      observer = {};
};

class Server {
 public:
  /// Listens when it returns. Opens no device before a client wants it, but refuses unknown ones. Throws
  /// InvalidParameter, FileError; Refused for an address that others can reach without TLS and a token; LinkError when
  /// the address cannot be listened on; Unsupported in a build without gRPC.
  Server(ServerOptions options, const Registry& registry);
  /// Tells the clients, waits a second for them to go, and ends. Devices are closed.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& address() const;                                ///< where it listens, with the port
  std::vector<std::pair<std::string, std::string>> devices() const;  ///< (name, device string)

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lightloop::remote
