//! The shapes that cross the edge: paths, hosts, cookies, headers. Strings from outside are
//! parsed here once; inside live types that cannot hold what was refused.

pub mod glob;
pub mod path;
