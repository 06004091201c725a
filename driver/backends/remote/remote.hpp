#pragma once
#include "driver/api/registry.hpp"

/// remote:HOST:PORT/NAME and remote:unix:/PATH/NAME are devices of a `lightloop serve` elsewhere, used as if they were
/// here.
///
/// The settings link_params() lists (connect_timeout, token_file, tls_ca, tls_cert, tls_key, tls_name) are those of the
/// connection; all others go to the device, over what the server opens it with. The server keeps one lease per device:
/// a second client gets Busy, which names the first. When the link breaks every call throws LinkError at once, naming
/// the last answer; the device must then be opened again. docs/remote.md has the details.
namespace lightloop::remote {

/// Throws Unsupported, naming the packages, in a build without gRPC.
Backend backend();

}  // namespace lightloop::remote
