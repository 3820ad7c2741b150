;; Instructions that are compiled together: where their operands and results are, and who else reads the local that is set.
(module
  (memory 1)
  (data (i32.const 16) "\20\00\00\00\07\00\00\00\ff\ff\ff\7f\00\00\00\00\00\00\00\00\00\00\0c\40")  ;; 32, 7, 2^31 - 1, 0, 3.5 as f64
  (data (i32.const 232) "\2a\00\00\00")                                                             ;; 42

  ;; Pointer and result are one local, which has a home.
  (func (export "follow") (param $p i32) (result i32)
    (local.set $p (i32.load (local.get $p)))
    (local.set $p (i32.load offset=200 (local.get $p)))
    (local.get $p))
  ;; The value of before is still to be read.
  (func (export "before_and_after") (param $p i32) (result i32)
    local.get $p
    local.get $p
    i32.load
    local.set $p
    local.get $p
    i32.const 1000
    i32.mul
    i32.add)
  (func (export "tee") (param $p i32) (result i32) (local $q i32)
    local.get $p
    i32.load offset=4
    local.tee $q
    local.get $q
    i32.const 100
    i32.mul
    i32.add)
  ;; The same with locals for which no register is left.
  (func (export "follow_in_memory") (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (local $p i32) (local $q i32)
    (local.set $p (local.get 0))
    local.get $p
    local.get $p
    i32.load
    local.set $p
    local.get $p
    i32.load offset=200
    local.tee $q
    i32.add
    (i32.add (i32.mul (local.get $p) (i32.const 100)))
    (i32.add (i32.mul (local.get $q) (i32.const 10000))))
  (func (export "count_in_memory") (param i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (local $n i32) (local $m i32)
    (local.set $n (i32.add (local.get 0) (i32.const 1)))
    local.get $n
    local.get $n
    i32.const 2
    i32.sub
    local.tee $m
    i32.const 1000
    i32.mul
    (local.set $n (i32.xor (local.get $n) (i32.const -1)))
    i32.add
    (i32.add (i32.mul (local.get $n) (i32.const 1000000)))
    (i32.add (i32.mul (local.get $m) (i32.const 100))))
  ;; Constants on the right, and old values of what is set.
  (func (export "count") (param $n i32) (result i32) (local $m i32)
    local.get $n
    (local.set $n (i32.sub (local.get $n) (i32.const 5)))
    local.get $n
    i32.sub
    local.get $n
    i32.const 3
    i32.add
    local.tee $m
    i32.const 10
    i32.mul
    i32.add
    (i32.add (i32.mul (local.get $m) (i32.const 1000))))
  (func (export "constants") (param $n i32) (result i32)
    (i32.add (i32.sub (i32.and (i32.or (i32.xor (local.get $n) (i32.const -1)) (i32.const 0x80)) (i32.const 0xff)) (i32.const -2147483648)) (i32.const 128)))
  (func (export "of_constants") (result i32) (local $n i32)
    (local.set $n (i32.add (i32.const 40) (i32.const 2)))
    (i32.sub (local.get $n) (i32.const 2)))
  ;; Constants are stored where a constant, a home, memory and a computation say.
  (func (export "store") (param $p i32) (result i32)
    (local i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (local $q i32)
    (local.set $q (i32.add (local.get $p) (i32.const 4)))
    (i32.store (i32.const 1024) (i32.const 1))
    (i32.store offset=4 (local.get $p) (i32.const 20))
    (i32.store offset=1000 (local.get $q) (i32.const -300))
    (i32.store (i32.mul (local.get $p) (i32.const 2)) (i32.const 4000))
    (i32.add (i32.add (i32.load (i32.const 1024)) (i32.load (local.get $q)))
      (i32.add (i32.load (i32.add (local.get $q) (i32.const 1000))) (i32.load (i32.const 2048)))))
  (func (export "wide") (param $p i32) (result i32) (local $d f64) (local $l i64)
    (local.set $d (f64.load offset=16 (local.get $p)))
    (local.set $l (i64.load (local.get $p)))
    (i32.add (i32.trunc_f64_s (f64.mul (local.get $d) (f64.const 10))) (i32.wrap_i64 (i64.shr_u (local.get $l) (i64.const 32)))))
  ;; Arguments come from all kinds of places, and overtake each other.
  (func $mix (param i32 f64 i32 i32 i64 i32) (result i32)
    (i32.add (i32.add (local.get 0) (i32.mul (local.get 2) (i32.const 10)))
      (i32.add (i32.mul (local.get 3) (i32.const 100))
        (i32.add (i32.mul (i32.trunc_f64_s (local.get 1)) (i32.const 1000))
          (i32.add (i32.mul (i32.wrap_i64 (local.get 4)) (i32.const 10000)) (i32.mul (local.get 5) (i32.const 100000)))))))
  (func (export "call") (param $a i32) (param $b i32) (param $p i32) (result i32)
    (call $mix (local.get $b) (f64.const 4) (local.get $a) (i32.load offset=4 (local.get $p)) (i64.const 5) (i32.add (local.get $a) (local.get $b))))
  ;; Traps where the load is, whatever it is compiled with.
  (func (export "beyond") (param $p i32) (result i32)
    (local.set $p (i32.load offset=65520 (local.get $p)))
    (local.get $p)))
