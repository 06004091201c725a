#include "driver/backends/remote/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

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

}  // namespace

void check_certificate(const std::string& pem, const std::string& path) {
  const std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr),
                                                           X509_free);
  if (!certificate) throw FileError(path, "holds no certificate", "PEM", "It begins with -----BEGIN CERTIFICATE-----.");
  const ASN1_TIME* from = X509_get0_notBefore(certificate.get());
  const ASN1_TIME* until = X509_get0_notAfter(certificate.get());
  if (X509_cmp_current_time(until) <= 0)
    throw InvalidParameter("certificate " + path, "expired on " + date(until), "", "Ask for a new one.");
  if (X509_cmp_current_time(from) > 0)
    throw InvalidParameter("certificate " + path, "is valid only from " + date(from), "", "Is the clock right?");
}

bool same_token(const std::string& a, const std::string& b) {
  const std::string x = sha256(a), y = sha256(b);  // of equal length, and not the tokens themselves
  unsigned different = 0;
  for (std::size_t i = 0; i < x.size(); ++i) different |= static_cast<unsigned char>(x[i] ^ y[i]);
  return different == 0;
}

}  // namespace lightloop::remote
