//! Fixtures shared by the workspace tests and the benches.
