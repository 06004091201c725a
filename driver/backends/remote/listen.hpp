#pragma once
// Where a server may listen, and why it cannot.
#include <string>

#include "core/error.hpp"
#include "driver/backends/remote/server.hpp"

namespace lightloop::remote {

/// Throws what Server says about addresses and rights, before anything is opened. Removes nothing.
void check_listen(const ServerOptions& options);
/// Asks the system why this address cannot be listened on.
LinkError cannot_listen(const std::string& address);
/// The address with the port that was chosen; a UNIX socket is closed to other users.
std::string listening(const std::string& address, int port);

}  // namespace lightloop::remote
