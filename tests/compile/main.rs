//! What must not compile: a right to reach a portal that nobody decided on, and a secret
//! that can be printed.

#[test]
fn the_compiler_refuses_what_no_code_may_do() {
    trybuild::TestCases::new().compile_fail("tests/compile/compile_fail/*.rs");
}
