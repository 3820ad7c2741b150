;; The branches out of the loop are hinted unlikely, and homes differ between them and where they go: the call has invalidated them.
(module
  (memory 1)
  (func $tick (param $n i32) (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (local.get $n))))
  ;; n + (n - 1) + … down to 1, or until it is above limit; less than 0 in the end: the limit was reached.
  (func (export "sum") (param $n i32) (param $limit i32) (result i32) (local $total i32) (local $sign i32)
    (local.set $sign (i32.const 1))
    block $end
      block $above
        (br_if $end (i32.eqz (local.get $n)))
        (br_if $above (i32.eqz (local.get $limit)))
        loop $next
          (local.set $total (i32.add (local.get $total) (local.get $n)))
          (call $tick (local.get $n))
          (i32.gt_s (local.get $total) (local.get $limit))
          (@metadata.code.branch_hint "\00") br_if $above
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (i32.eqz (local.get $n))
          (@metadata.code.branch_hint "\00") br_if $end
          (call $tick (i32.const 0))
          (i32.ge_s (local.get $limit) (i32.const 0))
          (@metadata.code.branch_hint "\01") br_if $next
        end
        (return (i32.const -1000))
      end
      (local.set $sign (i32.const -1))
    end
    (i32.mul (local.get $total) (local.get $sign)))
  (func (export "ticks") (result i32) (i32.load (i32.const 0))))
