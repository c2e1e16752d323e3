//! Says how to run the benches.
fn main() {}
