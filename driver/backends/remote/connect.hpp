#pragma once
// Where a client reaches a server, and by which rights; made into a wire by gRPC.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "driver/backends/remote/target.hpp"
#include "driver/backends/remote/wire.hpp"

namespace lightloop::v1 {
class ListReply;
}

namespace lightloop::remote {

/// The settings of "remote:..." that are the link's own; all others belong to the device behind it.
std::vector<ParamInfo> link_params();

struct Rights {
  std::string token;                        ///< content of token_file; empty: none
  std::string authority, certificate, key;  ///< PEM; authority empty: no TLS
  std::string tls_name;                     ///< the name in the server's certificate, if not its host
};
/// Reads the files that link settings name. Throws FileError, InvalidParameter for a certificate that has expired or
/// has no key, Refused for a token that would leave this computer without TLS.
Rights rights(const ParamSet& link, const Target& target);

/// One connection to a server; sessions are made through it. Throws LinkError where nobody answers before the deadline.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual std::unique_ptr<ClientWire> session() = 0;
  virtual void list(v1::ListReply& to, double timeout_s) = 0;
};
std::shared_ptr<Connection> connect(const Target& target, const Rights& rights,
                                    std::chrono::steady_clock::time_point deadline);

/// "user@host pid 123": who this process is to others.
std::string self();

}  // namespace lightloop::remote
