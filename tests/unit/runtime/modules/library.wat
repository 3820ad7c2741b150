(module $library
  (memory (export "memory") 1 4)
  (table (export "table") 3 8 funcref)
  (global (export "constant") i32 (i32.const 42))
  (global (export "variable") (mut i64) (i64.const 5))
  (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "get") (param i32) (result i32) (i32.load (local.get 0))))
