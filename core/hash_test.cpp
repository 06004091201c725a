#include "core/hash.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>

#include "core/error.hpp"
#include "core/file.hpp"

using namespace lightloop;

TEST_CASE("hash: SHA-256 gives the digests of FIPS 180-4") {
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("hash: pieces and files hash as the whole") {
  const std::string text(200'000, 'x');
  Sha256 hash;
  for (std::size_t i = 0; i < text.size(); i += 777)
    hash.add(std::as_bytes(std::span(text).subspan(i, std::min<std::size_t>(777, text.size() - i))));
  CHECK(hash.hex() == sha256(text));
  CHECK(hash.hex() == sha256(""));  // starts afresh
  const std::string path = "/tmp/lightloop_hash_test_" + std::to_string(::getpid());
  write_file(path, text);
  CHECK(sha256_file(path) == sha256(text));
  std::remove(path.c_str());
  CHECK_THROWS_AS(sha256_file(path), FileError);
  CHECK_THROWS_AS(sha256_file("/tmp"), FileError);
}
