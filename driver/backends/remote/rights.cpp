// By which rights a client comes: the files its settings name, read and looked at before anything is sent.
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "core/error.hpp"
#include "core/file.hpp"
#include "driver/backends/remote/certificate.hpp"
#include "driver/backends/remote/connect.hpp"

namespace lightloop::remote {
namespace {

ParamInfo file(const std::string& name, const std::string& help) {
  return {.name = name, .unit = "", .default_value = std::string(), .help = help};
}

std::string read_if_named(const ParamSet& link, const std::string& key) {
  const std::string& path = link.text(key);
  return path.empty() ? std::string() : read_file(path);
}

}  // namespace

std::vector<ParamInfo> link_params() {
  return {{.name = "connect_timeout",
           .unit = "s",
           .default_value = 5.0,
           .min = 0.01,
           .max = 3600,
           .help = "longest time until the server answers"},
          file("token_file", "file with the server's token"),
          file("tls_ca", "certificates of who vouches for the server (PEM); given: the connection uses TLS"),
          file("tls_cert", "our own certificate (PEM), where the server asks for one"),
          file("tls_key", "its key (PEM)"),
          file("tls_name", "the name in the server's certificate, where it is not that of its host")};
}

std::string read_token(const std::string& path) {
  std::string token = read_file(path);
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  constexpr std::size_t kShortest = 16, kLongest = 1024;  // 16 characters of base64 are 96 bits
  bool plain = token.size() >= kShortest && token.size() <= kLongest;
  for (const char c : token) plain = plain && c > 0x20 && c < 0x7F;
  if (!plain)
    throw FileError(path, "holds no token", "one line of 16 to 1024 visible ASCII characters",
                    "Make one: openssl rand -hex 32 > " + path);
  return token;
}

Rights rights(const ParamSet& link, const Target& target) {
  Rights to;
  to.authority = read_if_named(link, "tls_ca");
  to.certificate = read_if_named(link, "tls_cert");
  to.key = read_if_named(link, "tls_key");
  to.tls_name = link.text("tls_name");
  if (!link.text("token_file").empty()) to.token = read_token(link.text("token_file"));
  for (const char* key : {"tls_cert", "tls_key", "tls_name"})
    if (to.authority.empty() && !link.text(key).empty())
      throw InvalidParameter(key, link.text(key), "needs tls_ca too",
                             "Name the certificate that vouches for the server.");
  if (to.certificate.empty() != to.key.empty())
    throw InvalidParameter("tls_cert and tls_key", "only one is given", "", "A certificate is used with its key.");
  if (!to.authority.empty()) check_certificate(to.authority, link.text("tls_ca"));
  if (!to.certificate.empty()) check_certificate(to.certificate, link.text("tls_cert"));
  if (!to.key.empty()) check_key(to.certificate, to.key, link.text("tls_cert"), link.text("tls_key"));
  if (!to.token.empty() && to.authority.empty() && !is_loopback(target.server))
    throw Refused("token for " + target.server, "would be readable on the way", "TLS or this computer only",
                  "Give tls_ca=FILE.");
  return to;
}

std::string self() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const passwd* user = ::getpwuid(::geteuid());
  return std::string(user ? user->pw_name : std::to_string(::geteuid())) + "@" + host.data() + " pid " +
         std::to_string(::getpid());
}

}  // namespace lightloop::remote
