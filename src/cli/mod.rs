//! The commands. Each gives its exit code: 0 done, 1 the thing failed, 2 wrong usage,
//! 3 wrong configuration.

pub mod check;
pub mod schema;
