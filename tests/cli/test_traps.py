#!/usr/bin/env python3
"""Traps: exit status, reason, and a backtrace with the names of the guest's functions."""
from support import TestCase, guest, main, pollux


class C(TestCase):
    def trap(self, how, reason, *names):
        result = pollux("run", guest("traps"), how)
        self.assertEqual(result.stdout, b"before\n")
        return self.check_trap(result, reason, *names, "run", "_start")

    def test_load_out_of_bounds(self):
        self.trap("read", "out of bounds memory access", "read_far")

    def test_store_out_of_bounds(self):
        self.trap("write", "out of bounds memory access", "write_far")

    def test_division_by_zero(self):
        self.trap("divide", "integer divide by zero", "divide")

    def test_division_overflow(self):
        self.trap("overflow", "integer overflow", "divide")

    def test_conversion(self):
        text = self.trap("convert", "", "convert")
        self.assertRegex(text.splitlines()[0], "integer overflow|invalid conversion to integer")

    def test_indirect_call_of_wrong_type(self):
        self.trap("type", "indirect call type mismatch", "call_wrong_type")

    def test_indirect_call_of_null(self):
        self.trap("null", "uninitialized element", "call_null")

    def test_recursion(self):
        text = self.trap("recursion", "call stack exhausted", "recurse", "recurse")
        self.assertLess(len(text), 20000, "a long backtrace is shortened")

    def test_unreachable(self):
        self.trap("unreachable", "unreachable", "stop")

    def test_abort(self):
        self.trap("abort", "unreachable", "abort")

    def test_in_callback(self):
        self.trap("callback", "unreachable", "stop", "compare_and_trap", "qsort", "trap_in_callback")

    def test_on_deep_stack(self):
        text = self.trap("deep", "unreachable", "stop", "trap_at_depth", "trap_at_depth")
        self.assertIn("more frames", text)

    def test_explicit_bounds_checks(self):
        for how, name in ("read", "read_far"), ("write", "write_far"):
            result = pollux("run", "-O", "signals-based-traps=n", guest("traps"), how)
            self.check_trap(result, "out of bounds memory access", name, "run", "_start")

    def test_lazy(self):
        result = pollux("run", "-C", "mode=lazy", guest("traps"), "callback")
        self.check_trap(result, "unreachable", "stop", "compare_and_trap", "trap_in_callback", "run", "_start")

    def test_max_backtrace(self):
        text = self.check(pollux("run", "-D", "max-backtrace=3", guest("traps"), "deep"), 134)
        self.assertEqual(sum(line.strip().startswith("at ") for line in text.splitlines()), 3)


class Cpp(TestCase):
    """Names come demangled: the guest was linked with mangled ones."""

    def trap(self, how, reason, *names):
        return self.check_trap(pollux("run", guest("traps_cpp"), how), reason, *names, "_start")

    def test_method(self):
        self.trap("divide", "integer divide by zero", "zoo::Lion::feed(int)")

    def test_template(self):
        self.trap("read", "out of bounds memory access", "int zoo::read_beyond<int>(int*, unsigned long)")

    def test_recursion(self):
        name = "zoo::recurse(std::__2::vector<int, std::__2::allocator<int> >&)"
        self.trap("recursion", "call stack exhausted", name, name)

    def test_callback(self):
        self.trap("callback", "unreachable", "zoo::sort_with_trap()")

    def test_indirect_call(self):
        self.trap("type", "indirect call type mismatch", "zoo::call_wrong_type()")

    def test_unreachable(self):
        self.trap("unreachable", "unreachable")


if __name__ == "__main__":
    main()
