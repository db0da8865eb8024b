// What the engine's operations on the processor are told about threads: ggml-cpu-impl.h has it,
// which is no public header.
#pragma once

struct ggml_compute_params {
  int part, parts;  // this thread, of how many
};
