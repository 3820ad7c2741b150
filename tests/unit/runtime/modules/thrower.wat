(module $thrower
  (import "host" "call_inner" (func $call_inner (param i32) (result i32)))
  (tag $error (param i32 i64))
  (func $inner (export "inner") (param i32) (result i32)
    (if (local.get 0) (then (throw $error (local.get 0) (i64.const 7))))
    (i32.const 1))
  (func $catch (export "catch") (param i32) (result i32)
    try (result i32)
      (call $call_inner (local.get 0))
    catch $error
      drop
      (i32.add (i32.const 100))
    end)
  (func $pass (export "pass") (param i32) (result i32) (call $call_inner (local.get 0)))
  (func $deep (export "deep") (param $depth i32) (param $value i32) (result i32)
    (if (result i32) (local.get $depth)
      (then (i32.add (i32.const 0) (call $deep (i32.sub (local.get $depth) (i32.const 1)) (local.get $value))))
      (else (call $inner (local.get $value)))))
  (func $catch_deep (export "catch_deep") (param i32 i32) (result i32)
    try (result i32)
      (call $deep (local.get 0) (local.get 1))
    catch $error
      drop
    end))
