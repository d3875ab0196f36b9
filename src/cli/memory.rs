//! What we hold in memory (keys, codes, passwords on their way) stays there: no core dump is
//! written of it, and no other process of the same user may look into it.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids core dumps for as long as this process lives. The limit alone is not enough, since
/// the kernel does not ask it before it hands a dump to a program such as systemd-coredump;
/// the mark alone is not enough either, since it is lost where another program is executed.
///
/// # Errors
/// When the system refuses one of them. Then nothing secret may be read.
pub(super) fn keep_to_ourselves() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};

    use super::{Resource, keep_to_ourselves};

    #[test]
    fn afterwards_nothing_is_dumped() {
        keep_to_ourselves().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }
}
