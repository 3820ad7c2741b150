(module $start_traps
  (memory 1)
  (func $begin (drop (i32.load (i32.const 65536))))
  (start $begin))
