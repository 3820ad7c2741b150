(module $segment_traps
  (import "library" "memory" (memory 1))
  (data (i32.const 0) "first")
  (data (i32.const 65534) "beyond"))
