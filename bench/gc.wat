;; Loops over one operation on objects each, `n` times, and programs that do nothing but allocate. For gc.py.
(module
  (type $pair (struct (field i32) (field (mut (ref null $pair)))))
  (type $base (sub (struct (field i32))))
  (type $middle (sub $base (struct (field i32) (field i32))))
  (type $leaf (sub final $middle (struct (field i32) (field i32) (field i32))))
  (type $tree (struct (field (ref null $tree)) (field (ref null $tree))))
  (type $bytes (array (mut i8)))
  (type $table (array (mut (ref null $pair))))

  ;; The loop alone: what the others are compared with.
  (func (export "nothing") (param $n i32) (result i32) (local $x i32)
    (loop $l
      (local.set $x (i32.add (local.get $x) (local.get $n)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $l (local.get $n)))
    (local.get $x))
  ;; A small struct that escapes into the field of the one before, so that no engine can do without it.
  (func (export "allocate") (param $n i32) (result i32) (local $p (ref null $pair)) (local $q (ref $pair))
    (local.set $p (struct.new $pair (i32.const 0) (ref.null $pair)))
    (loop $l
      (local.set $q (struct.new $pair (local.get $n) (ref.null $pair)))
      (struct.set $pair 1 (local.get $p) (local.get $q))
      (local.set $p (local.get $q))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $l (local.get $n)))
    (struct.get $pair 0 (local.get $p)))
  (func (export "array") (param $n i32) (result i32) (local $x i32)
    (loop $l
      (local.set $x (i32.add (local.get $x) (array.len (array.new_default $bytes (i32.and (local.get $n) (i32.const 63))))))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $l (local.get $n)))
    (local.get $x))
  ;; A cast to a type with subtypes, of one of two objects in turn.
  (func (export "cast") (param $n i32) (result i32) (local $a anyref) (local $b anyref) (local $x i32)
    (local.set $a (struct.new $leaf (i32.const 1) (i32.const 2) (i32.const 3)))
    (local.set $b (struct.new $middle (i32.const 1) (i32.const 5)))
    (loop $l
      (local.set $x (i32.add (local.get $x) (struct.get $middle 1 (ref.cast (ref $middle) (local.get $a)))))
      (local.set $x (i32.add (local.get $x) (struct.get $middle 1 (ref.cast (ref $middle) (local.get $b)))))
      (local.set $n (i32.sub (local.get $n) (i32.const 2)))
      (br_if $l (i32.gt_s (local.get $n) (i32.const 0))))
    (local.get $x))
  (func (export "test") (param $n i32) (result i32) (local $a anyref) (local $b anyref) (local $x i32)
    (local.set $a (struct.new $leaf (i32.const 1) (i32.const 2) (i32.const 3)))
    (local.set $b (ref.i31 (i32.const 4)))
    (loop $l
      (if (ref.test (ref $leaf) (local.get $a)) (then (local.set $x (i32.add (local.get $x) (i32.const 1)))))
      (if (ref.test (ref $leaf) (local.get $b)) (then (local.set $x (i32.add (local.get $x) (i32.const 1)))))
      (local.set $n (i32.sub (local.get $n) (i32.const 2)))
      (br_if $l (i32.gt_s (local.get $n) (i32.const 0))))
    (local.get $x))

  (func $make (param $depth i32) (result (ref $tree))
    (if (result (ref $tree)) (local.get $depth)
      (then (struct.new $tree (call $make (i32.sub (local.get $depth) (i32.const 1))) (call $make (i32.sub (local.get $depth) (i32.const 1)))))
      (else (struct.new $tree (ref.null $tree) (ref.null $tree)))))
  (func $count (param $t (ref null $tree)) (result i32)
    (if (result i32) (ref.is_null (local.get $t))
      (then (i32.const 0))
      (else (i32.add (i32.const 1) (i32.add (call $count (struct.get $tree 0 (local.get $t))) (call $count (struct.get $tree 1 (local.get $t))))))))
  ;; n trees of 2^15 - 1 nodes, one after the other, while one of 2^18 - 1 stays alive.
  (func (export "trees") (param $n i32) (result i32) (local $kept (ref null $tree)) (local $x i32)
    (local.set $kept (call $make (i32.const 17)))
    (loop $l
      (local.set $x (i32.add (local.get $x) (call $count (call $make (i32.const 14)))))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $l (local.get $n)))
    (i32.add (local.get $x) (call $count (local.get $kept))))
  ;; n MiB of pairs of 24 bytes (43 690 to a MiB), 1 of 64 kept in a ring of 32 768. The sum of the first fields of what is in the ring.
  (func (export "flood") (param $n i32) (result i32) (local $ring (ref $table)) (local $i i32) (local $end i32) (local $p (ref $pair)) (local $x i32)
    (local.set $ring (array.new_default $table (i32.const 32768)))
    (local.set $end (i32.mul (local.get $n) (i32.const 43690)))
    (loop $l
      (local.set $p (struct.new $pair (local.get $i) (ref.null $pair)))
      (if (i32.eqz (i32.and (local.get $i) (i32.const 63)))
        (then (array.set $table (local.get $ring) (i32.and (i32.shr_u (local.get $i) (i32.const 6)) (i32.const 32767)) (local.get $p))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (local.get $end))))
    (local.set $i (i32.const 0))
    (loop $m
      (local.set $x (i32.add (local.get $x) (struct.get $pair 0 (array.get $table (local.get $ring) (local.get $i)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $m (i32.lt_u (local.get $i) (i32.const 32768))))
    (local.get $x))
)
