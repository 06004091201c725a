# lightloop_remote(ROOM): adds the gRPC side of driver/backends/remote to a room.
#
# The messages are generated here; gRPC itself is called by hand on raw bytes, so its generator is not needed.
function(lightloop_remote room)
  if(NOT LIGHTLOOP_REMOTE)
    return()
  endif()
  set(folder ${PROJECT_SOURCE_DIR}/driver/backends/remote)
  set(out ${PROJECT_BINARY_DIR}/generated/driver/backends/remote)
  file(MAKE_DIRECTORY ${out})
  add_custom_command(OUTPUT ${out}/remote.pb.cc ${out}/remote.pb.h
    COMMAND ${PROTOBUF_PROTOC_EXECUTABLE} --proto_path=${folder} --cpp_out=${out} ${folder}/remote.proto
    DEPENDS ${folder}/remote.proto)
  add_custom_target(lightloop_remote_messages DEPENDS ${out}/remote.pb.cc ${out}/remote.pb.h)
  set(sources certificate client conversation conversation_work grpc_client grpc_server guests host link listen messages
    payload rights target)
  list(TRANSFORM sources REPLACE "(.+)" "${folder}/\\1.cpp")
  target_sources(lightloop_${room} PRIVATE ${sources} ${out}/remote.pb.cc ${out}/remote.pb.h)
  set_source_files_properties(${out}/remote.pb.cc PROPERTIES COMPILE_OPTIONS -w)  # not ours to mend
endfunction()
