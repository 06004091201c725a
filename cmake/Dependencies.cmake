# What the library is built on. Required: Eigen, Boost headers, HDF5, toml++, zlib, OpenSSL.
# Everything else is looked for here too; what is missing switches its part off with a line saying so.
find_package(Threads REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(Boost 1.74 REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C HL)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)

find_package(CURL QUIET)
if(NOT CURL_FOUND)
  message(STATUS "libcurl not found: `lightloop data` cannot download (install libcurl4-openssl-dev)")
endif()

find_package(Protobuf QUIET)
find_path(LIGHTLOOP_GRPC_INCLUDE_DIR grpcpp/grpcpp.h)
set(LIGHTLOOP_GRPC_LIBRARIES "")
foreach(library grpc++ grpc gpr absl_synchronization)
  find_library(LIGHTLOOP_LIBRARY_${library} ${library})
  list(APPEND LIGHTLOOP_GRPC_LIBRARIES ${LIGHTLOOP_LIBRARY_${library}})
endforeach()
if(Protobuf_FOUND AND PROTOBUF_PROTOC_EXECUTABLE AND LIGHTLOOP_GRPC_INCLUDE_DIR
    AND NOT LIGHTLOOP_GRPC_LIBRARIES MATCHES "NOTFOUND")
  set(LIGHTLOOP_REMOTE ON)
else()
  set(LIGHTLOOP_REMOTE OFF)
  message(STATUS "gRPC or protobuf not found: `remote:` devices and `lightloop serve` are left out "
                 "(install libgrpc++-dev libprotobuf-dev protobuf-compiler)")
endif()

find_path(FFTW_INCLUDE_DIR fftw3.h)
find_library(FFTW_LIBRARY fftw3)
if(FFTW_INCLUDE_DIR AND FFTW_LIBRARY)
  set(FFTW_FOUND TRUE)
else()
  message(STATUS "FFTW not found: no Fourier transforms, so no Kuramoto-Sivashinsky task and no spectra (install libfftw3-dev)")
endif()
