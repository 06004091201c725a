#include "driver/backends/remote/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <ctime>
#include <memory>

#include "core/error.hpp"
#include "core/hash.hpp"

namespace lightloop::remote {
namespace {

std::string date(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts)};
}

std::unique_ptr<X509, void (*)(X509*)> read_certificate(const std::string& pem, const std::string& path) {
  const std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  std::unique_ptr<X509, void (*)(X509*)> certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr),
                                                     X509_free);
  if (!certificate) throw FileError(path, "holds no certificate", "PEM", "It begins with -----BEGIN CERTIFICATE-----.");
  return certificate;
}

}  // namespace

void check_certificate(const std::string& pem, const std::string& path) {
  const auto certificate = read_certificate(pem, path);
  const ASN1_TIME* from = X509_get0_notBefore(certificate.get());
  const ASN1_TIME* until = X509_get0_notAfter(certificate.get());
  if (X509_cmp_current_time(until) <= 0)
    throw InvalidParameter("certificate " + path, "expired on " + date(until), "", "Ask for a new one.");
  if (X509_cmp_current_time(from) > 0)
    throw InvalidParameter("certificate " + path, "is valid only from " + date(from), "", "Is the clock right?");
}

void check_key(const std::string& certificate, const std::string& key, const std::string& certificate_path,
               const std::string& key_path) {
  const std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())), BIO_free);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> secret(
      PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, const_cast<char*>("")), EVP_PKEY_free);
  if (!secret) throw FileError(key_path, "holds no private key without a password", "PEM");
  const auto public_part = read_certificate(certificate, certificate_path);
  if (X509_check_private_key(public_part.get(), secret.get()) != 1)
    throw InvalidParameter("certificate " + certificate_path + " and key " + key_path, "do not belong together");
}

std::string why_untrusted(const std::string& server, const std::string& authority) {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  const std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new_mem_buf(authority.data(), static_cast<int>(authority.size())),
                                                 BIO_free);
  if (!context || !text) return {};
  while (X509* one = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), one);
    X509_free(one);
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);  // go on, and look at the verdict afterwards
  const std::unique_ptr<BIO, void (*)(BIO*)> link(BIO_new_ssl_connect(context.get()), BIO_free_all);
  if (!link) return {};
  BIO_set_conn_hostname(link.get(), server.c_str());
  if (BIO_do_connect_retry(link.get(), 2, 10) <= 0) return {};
  SSL* ssl = nullptr;
  BIO_get_ssl(link.get(), &ssl);
  const timeval patience{2, 0};
  ::setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (BIO_do_handshake(link.get()) <= 0) return {};
  const std::unique_ptr<X509, void (*)(X509*)> certificate(SSL_get1_peer_certificate(ssl), X509_free);
  const long verdict = SSL_get_verify_result(ssl);
  if (!certificate || verdict == X509_V_OK) return {};
  if (verdict == X509_V_ERR_CERT_HAS_EXPIRED)
    return "the server's certificate expired on " + date(X509_get0_notAfter(certificate.get()));
  return std::string("the server's certificate is not trusted: ") + X509_verify_cert_error_string(verdict);
}

bool same_token(const std::string& a, const std::string& b) {
  const std::string x = sha256(a), y = sha256(b);  // of equal length, and not the tokens themselves
  unsigned different = 0;
  for (std::size_t i = 0; i < x.size(); ++i) different |= static_cast<unsigned char>(x[i] ^ y[i]);
  return different == 0;
}

}  // namespace lightloop::remote
