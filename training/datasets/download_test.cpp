#include "training/datasets/download.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "training/datasets/test_files.hpp"

using namespace lightloop;
using namespace lightloop::test;
using Catch::Matchers::Contains;

namespace {
/// A web server on a free port of the loopback address: answers what it was told, one request per connection.
class Server {
 public:
  explicit Server(std::map<std::string, std::string> pages) : pages_(std::move(pages)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length);
    ::listen(listener_, 8);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url;
  std::atomic<int> requests = 0;

 private:
  void serve() {
    while (true) {
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      std::string request(4096, '\0');
      request.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::recv(client, request.data(), request.size(), 0))));
      const auto path = request.substr(4, request.find(' ', 4) - 4);
      const auto page = pages_.find(path);
      const auto body = page == pages_.end() ? "" : page->second;
      auto answer = std::string("HTTP/1.0 ") + (page == pages_.end() ? "404 Not Found" : "200 OK") +
                    "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      if (path.ends_with("cut")) answer.resize(answer.size() - 100);
      ++requests;
      for (std::size_t sent = 0; sent < answer.size();) {
        const auto count = ::send(client, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) break;
        sent += static_cast<std::size_t>(count);
      }
      ::close(client);
    }
  }
  std::map<std::string, std::string> pages_;
  int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::thread thread_;
};

const std::string kContent(100'000, 'z');

KnownDataset set_of(const std::string& file, const std::string& sha256, std::int64_t bytes = 100'000) {
  return {"toy", "", "", {{file, "http://127.0.0.1:1/" + file, sha256, bytes}}};
}
}  // namespace

TEST_CASE("download: a file with the right hash arrives, once") {
  if (!can_download()) return;
  const Folder folder;
  Server server({{"/toy/a.gz", kContent}});
  std::int64_t seen = 0;
  const DownloadOptions options{server.url, [&](const std::string& file, std::int64_t done, std::int64_t total) {
                                  CHECK(file == "a.gz");
                                  CHECK(total == 100'000);
                                  seen = std::max(seen, done);
                                  return true;
                                }};
  download_files(set_of("a.gz", sha256(kContent)), folder / "toy", options);
  CHECK(read_file(folder / "toy/a.gz") == kContent);
  CHECK(seen == 100'000);
  CHECK(folder.files() == 2);
  download_files(set_of("a.gz", sha256(kContent)), folder / "toy", options);
  CHECK(server.requests == 1);
  write_file(folder / "toy/a.gz", "damaged");
  download_files(set_of("a.gz", sha256(kContent)), folder / "toy", {server.url + "/", {}});
  CHECK(read_file(folder / "toy/a.gz") == kContent);
}

TEST_CASE("download: whatever goes wrong is named and leaves nothing behind") {
  if (!can_download()) return;
  const Folder folder;
  Server server({{"/toy/a.gz", kContent}, {"/toy/cut", kContent}});
  const auto refuse = [&](const KnownDataset& set, const DownloadOptions& options, const std::string& says) {
    CAPTURE(says);
    CHECK_THROWS_WITH(download_files(set, folder / "toy", options), Contains(says) && Contains(set.files[0].name));
    CHECK_THROWS_AS(download_files(set, folder / "toy", options), FileError);
    CHECK(folder.files() == 0);
  };
  refuse(set_of("a.gz", sha256("other")), {server.url, {}},
         "SHA-256 is " + sha256(kContent) + ", not " + sha256("other"));
  refuse(set_of("b.gz", sha256(kContent)), {server.url, {}}, "404");
  refuse(set_of("cut", sha256(kContent)), {server.url, {}}, "100 bytes remaining");
  refuse(set_of("a.gz", sha256(kContent), 5000), {server.url, {}}, "more than the 5000 bytes");
  refuse(set_of("a.gz", sha256(kContent)), {"http://127.0.0.1:1", {}}, "127.0.0.1");
  refuse(set_of("a.gz", sha256(kContent)), {"file:///etc", {}}, "file");
  refuse(set_of("a.gz", sha256(kContent)), {server.url, [](auto&&...) { return false; }}, "given up");
  const DownloadOptions throwing{server.url, [](auto&&...) -> bool { throw Timeout("enough", "now"); }};
  CHECK_THROWS_AS(download_files(set_of("a.gz", sha256(kContent)), folder / "toy", throwing), Timeout);
  CHECK(folder.files() == 0);
}

TEST_CASE("download: the mirror answers when the first address does not, and the environment names another") {
  if (!can_download()) return;
  const Folder folder;
  Server server({{"/toy/a.gz", kContent}});
  auto set = set_of("a.gz", sha256(kContent));
  set.files[0].mirror = server.url + "/toy/a.gz";
  download_files(set, folder / "one");
  CHECK(read_file(folder / "one/a.gz") == kContent);
  set.files[0].mirror.clear();
  ::setenv("LIGHTLOOP_MIRROR", server.url.c_str(), 1);
  download_files(set, folder / "two");
  CHECK(read_file(folder / "two/a.gz") == kContent);
  CHECK_THROWS_WITH(download_dataset("mnist", folder.path), Contains(server.url + "/mnist/train-images-idx3-ubyte.gz"));
  ::unsetenv("LIGHTLOOP_MIRROR");
  CHECK_FALSE(std::filesystem::exists(folder / "mnist"));
  CHECK_THROWS_AS(download_dataset("mnits", folder.path), UnknownName);
  CHECK(download_dataset("digits", folder.path) == folder / "digits");
}
