//! Configuration as operators write it: files in, fault lines out.

mod cases;
mod example;
mod faults;
mod files;
mod logins;
mod meaning;
mod mutation;
mod schema;
mod warnings;
