;; For thread_group_test.cpp: what the threads do is chosen by numbers. Only $wait needs atomic instructions: a thread's beginning shows in a
;; plain word, which the first thread reads in a loop.
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "env" "memory" (memory 1 1 shared))

  (func $wait (drop (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1))))

  ;; 0 returns · 1 exits with 33 · 2 traps · 3 computes for ever · 4 waits on memory for ever · 5 polls for ever
  (func $do (param $what i32)
    (if (i32.eq (local.get $what) (i32.const 1)) (then (call $exit (i32.const 33))))
    (if (i32.eq (local.get $what) (i32.const 2)) (then (unreachable)))
    (if (i32.eq (local.get $what) (i32.const 3)) (then (loop $l (br $l))))
    (if (i32.eq (local.get $what) (i32.const 4)) (then (call $wait)))
    (if (i32.eq (local.get $what) (i32.const 5))
      (then
        ;; one clock, monotonic, 2^63 - 1 ns
        (i32.store (i32.const 144) (i32.const 1))
        (i64.store (i32.const 152) (i64.const 0x7fffffffffffffff))
        (drop (call $poll (i32.const 128) (i32.const 256) (i32.const 1) (i32.const 512))))))

  ;; Writes the thread's number to the word at 0, then does what it was told.
  (func (export "wasi_thread_start") (param $number i32) (param $what i32)
    (i32.store (i32.const 0) (local.get $number))
    (call $do (local.get $what)))

  ;; Starts a thread, waits until it has begun, does something itself. The word at 0.
  (func (export "run") (param $thread i32) (param $self i32) (result i32)
    (if (i32.lt_s (call $spawn (local.get $thread)) (i32.const 1)) (then (return (i32.const -1))))
    (loop $until_begun (br_if $until_begun (i32.eqz (i32.load (i32.const 0)))))
    (call $do (local.get $self))
    (i32.load (i32.const 0))))
