# What the library is built on. Required: Eigen, Boost headers, HDF5, Random123, OpenBLAS (serial, static), toml++, zlib, OpenSSL.
# Everything else is looked for here too; what is missing switches its part off with a line saying so.
find_package(Threads REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(Boost 1.74 REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C HL)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)

# OpenBLAS is linked privately: the serial static archive, its symbols hidden, so that numpy and PyTorch keep their own.
find_library(LIGHTLOOP_OPENBLAS libopenblas.a PATH_SUFFIXES openblas-serial REQUIRED)
find_path(LIGHTLOOP_OPENBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas-serial ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-serial REQUIRED)

find_package(CURL QUIET)
if(NOT CURL_FOUND)
  message(STATUS "libcurl not found: `lightloop data` cannot download (install libcurl4-openssl-dev)")
endif()
