# What the library is built on. Required: Eigen, Boost headers, HDF5, toml++, zlib, OpenSSL.
# Everything else is looked for here too; what is missing switches its part off with a line saying so.
find_package(Threads REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(Boost 1.74 REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C HL)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)

find_package(CURL QUIET)
if(NOT CURL_FOUND)
  message(STATUS "libcurl not found: `lightloop data` cannot download (install libcurl4-openssl-dev)")
endif()
