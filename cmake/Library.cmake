# One shared library from all rooms; static archives stay hidden inside it.
get_property(rooms GLOBAL PROPERTY LIGHTLOOP_ROOMS)
add_library(lightloop SHARED)
add_library(Lightloop::lightloop ALIAS lightloop)
foreach(room IN LISTS rooms)
  target_sources(lightloop PRIVATE $<TARGET_OBJECTS:${room}>)
endforeach()
set_target_properties(lightloop PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(lightloop PRIVATE
  ${HDF5_C_HL_LIBRARIES} ${HDF5_C_LIBRARIES} ZLIB::ZLIB OpenSSL::Crypto Threads::Threads lightloop_flags)
if(LIGHTLOOP_REMOTE)
  target_link_libraries(lightloop PRIVATE ${LIGHTLOOP_GRPC_LIBRARIES} OpenSSL::SSL protobuf::libprotobuf-lite)
endif()
if(CURL_FOUND)
  target_link_libraries(lightloop PRIVATE CURL::libcurl)
endif()
if(FFTW_FOUND)
  target_link_libraries(lightloop PRIVATE ${FFTW_LIBRARY})
endif()
target_link_options(lightloop PRIVATE -Wl,--exclude-libs,ALL -Wl,--no-undefined)
target_include_directories(lightloop PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>
  $<INSTALL_INTERFACE:include/lightloop>)
target_compile_features(lightloop PUBLIC cxx_std_20)
