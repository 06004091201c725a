#include "core/hash.hpp"

#include <openssl/evp.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/error.hpp"

namespace lightloop {
namespace {
void check(int ok) {
  if (ok != 1) throw Unsupported("SHA-256", "OpenSSL refused", "", "Check the OpenSSL configuration of this system.");
}
}  // namespace

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
  void start() { check(context && EVP_DigestInit_ex(context, EVP_sha256(), nullptr)); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) { impl_->start(); }
Sha256::~Sha256() = default;

void Sha256::add(std::span<const std::byte> bytes) {
  check(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()));
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  check(EVP_DigestFinal_ex(impl_->context, digest, &length));
  impl_->start();
  std::string text;
  for (unsigned int i = 0; i < length; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

std::string sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}

std::string sha256(std::string_view text) { return sha256(std::as_bytes(std::span(text.data(), text.size()))); }

std::string sha256_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  std::vector<std::byte> buffer(1 << 16);
  Sha256 hash;
  while (file) {
    const auto count = std::fread(buffer.data(), 1, buffer.size(), file.get());
    hash.add(std::span(buffer).first(count));
    if (count < buffer.size()) break;
  }
  if (!file || std::ferror(file.get()))
    throw FileError("cannot read " + path, std::strerror(errno), "", "Check the path.");
  return hash.hex();
}

}  // namespace lightloop
