# `cmake --install`: the command, the library, the headers and what find_package(Lightloop) needs.
#
# Headers keep their folders under include/lightloop, which is the include directory of Lightloop::lightloop, so a program
# writes #include "training/trainer.hpp" as the library itself does. They name no third-party header: nothing else is needed.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(LIGHTLOOP_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Lightloop)

install(TARGETS lightloop EXPORT LightloopTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(folder IN ITEMS core driver sim devices training)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lightloop
    FILES_MATCHING PATTERN "*_test.hpp" EXCLUDE PATTERN "*_handle.hpp" EXCLUDE
    PATTERN "driver/backends/plugin/include" EXCLUDE PATTERN "library.hpp" EXCLUDE
    PATTERN "*_for_tests.hpp" EXCLUDE PATTERN "test_files.hpp" EXCLUDE
    PATTERN "eigen.hpp" EXCLUDE PATTERN "*.hpp")
endforeach()
# What a plugin needs: #include <lightloop/plugin.h> or .hpp, with only ${CMAKE_INSTALL_INCLUDEDIR} to look in.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/driver/backends/plugin/include/lightloop DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT LightloopTargets NAMESPACE Lightloop:: DESTINATION ${LIGHTLOOP_CMAKE_DIR})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/LightloopConfig.cmake.in ${PROJECT_BINARY_DIR}/LightloopConfig.cmake
  INSTALL_DESTINATION ${LIGHTLOOP_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/LightloopConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/LightloopConfig.cmake ${PROJECT_BINARY_DIR}/LightloopConfigVersion.cmake
  DESTINATION ${LIGHTLOOP_CMAKE_DIR})
