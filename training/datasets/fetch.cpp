#include "training/datasets/fetch.hpp"

#ifdef LIGHTLOOP_HAS_CURL
#include <curl/curl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>

namespace lightloop {
namespace {
struct Transfer {
  std::FILE* file;
  std::int64_t done = 0, most = 0;
  const std::function<bool(std::int64_t)>& on_progress;
  std::string fault = {};
  std::exception_ptr thrown = {};  // must not fly through C code
};

std::size_t receive(const char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.done += static_cast<std::int64_t>(size);
  if (transfer.done > transfer.most) {
    transfer.fault = "more than the " + std::to_string(transfer.most) + " bytes published";
    return 0;
  }
  if (std::fwrite(data, 1, size, transfer.file) != size) {
    transfer.fault = std::strerror(errno);
    return 0;
  }
  return size;
}

int progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    if (!transfer.on_progress || transfer.on_progress(transfer.done)) return 0;
    transfer.fault = "given up";
  } catch (...) {
    transfer.thrown = std::current_exception();
  }
  return 1;
}
}  // namespace

bool can_fetch() { return true; }

std::string fetch(const std::string& url, const std::string& path, std::int64_t most_bytes,
                  const std::function<bool(std::int64_t)>& on_progress) {
  static const auto started = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(started == CURLE_OK ? curl_easy_init() : nullptr,
                                                    curl_easy_cleanup);
  if (!curl) return "libcurl cannot start";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) return std::strerror(errno);
  Transfer transfer{file, 0, most_bytes, on_progress};
  char message[CURL_ERROR_SIZE] = "";
  CURL* c = curl.get();
  curl_easy_setopt(c, CURLOPT_URL, url.c_str());
  curl_easy_setopt(c, CURLOPT_USERAGENT, "lightloop");
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(c, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 20L);  // assumed: patience of a person at a terminal
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 100L);
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, 30L);
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, progress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, &transfer);
  const CURLcode code = curl_easy_perform(c);
  const bool closed = std::fclose(file) == 0;
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  if (!transfer.fault.empty()) return transfer.fault;
  if (code != CURLE_OK) return *message ? message : curl_easy_strerror(code);
  return closed ? "" : std::strerror(errno);
}

}  // namespace lightloop

#else

#include "core/error.hpp"

namespace lightloop {

bool can_fetch() { return false; }

std::string fetch(const std::string& url, const std::string&, std::int64_t, const std::function<bool(std::int64_t)>&) {
  throw Unsupported("download of " + url, "this build has no libcurl", "",
                    "Fetch the file by hand, or install libcurl4-openssl-dev and build again.");
}

}  // namespace lightloop
#endif
