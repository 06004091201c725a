#include "driver/backends/remote/listen.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "driver/backends/remote/target.hpp"

namespace lightloop::remote {
namespace {

struct Socket {
  explicit Socket(int family) : fd(::socket(family, SOCK_STREAM, 0)) {}
  ~Socket() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

sockaddr_un unix_address(const std::string& server) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  server.copy(address.sun_path, sizeof address.sun_path - 1, 5);
  return address;
}

bool answers(const std::string& server) {
  const Socket probe(AF_UNIX);
  const sockaddr_un address = unix_address(server);
  return ::connect(probe.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

/// Empty when it could be bound now.
std::string bind_error(const std::string& server) {
  if (server.starts_with("unix:")) {
    const Socket probe(AF_UNIX);
    const sockaddr_un address = unix_address(server);
    if (::bind(probe.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return std::strerror(errno);
    ::unlink(address.sun_path);
    return {};
  }
  const std::size_t colon = server.rfind(':');
  std::string host = server.substr(0, colon);
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), server.substr(colon + 1).c_str(), nullptr, &found); error != 0)
    return ::gai_strerror(error);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, ::freeaddrinfo);
  const Socket probe(list->ai_family);
  return ::bind(probe.fd, list->ai_addr, list->ai_addrlen) == 0 ? "" : std::strerror(errno);
}

}  // namespace

void check_listen(const ServerOptions& options) {
  check_server(options.listen, "--listen");
  if (options.tls_cert.empty() != options.tls_key.empty())
    throw InvalidParameter("--tls-cert and --tls-key", "only one is given", "", "A certificate is used with its key.");
  if (!options.tls_ca.empty() && options.tls_cert.empty())
    throw InvalidParameter("--tls-ca", options.tls_ca, "needs --tls-cert and --tls-key too");
  if (!(options.timeout_s >= 0.1 && options.timeout_s <= 3600))
    throw OutOfRange("--timeout", std::to_string(options.timeout_s) + " s", "0.1 s to 1 h");
  if (options.max_sessions < 1 || options.max_sessions > 1000)
    throw OutOfRange("--max-sessions", std::to_string(options.max_sessions), "1 to 1000");
  if (!is_loopback(options.listen) && (options.tls_cert.empty() || options.token_file.empty()))
    throw Refused("listening on " + options.listen, "others can reach it", "TLS and a token",
                  "Give --tls-cert, --tls-key and --token-file, or listen on 127.0.0.1 or unix:/path.");
  if (!options.listen.starts_with("unix:")) return;
  struct stat file {};
  if (::lstat(options.listen.c_str() + 5, &file) != 0) return;
  if (!S_ISSOCK(file.st_mode))
    throw LinkError(options.listen, "cannot be listened on: there is a file that is no socket", "",
                    "Choose another path.");
  if (answers(options.listen))
    throw LinkError(options.listen, "cannot be listened on: another server does", "", "Choose another path.");
}

LinkError cannot_listen(const std::string& address) {
  const std::string why = bind_error(address);
  return {address, "cannot be listened on" + (why.empty() ? "" : ": " + why), "",
          "Choose another address, or port 0 for any free one."};
}

std::string listening(const std::string& address, int port) {
  if (address.starts_with("unix:")) {
    ::chmod(address.c_str() + 5, S_IRUSR | S_IWUSR);
    return address;
  }
  return address.substr(0, address.rfind(':') + 1) + std::to_string(port);
}

}  // namespace lightloop::remote
