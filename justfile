# Short names for what the scripts do; `just` is a convenience, nothing needs it.

# What is there to run.
default:
    @just --list

# Everything that is quick: before each commit.
check:
    scripts/test fmt clippy doc unit

# All tests, as CI runs them.
test:
    scripts/test

# The stories through the real binary.
e2e:
    scripts/test e2e

# Licences, sources, banned crates and, where a database is stored, advisories.
deny:
    scripts/test deny

# The gateway in front of a small portal of its own.
demo:
    scripts/demo

# How long a decision takes, and all that we do about a request.
bench:
    cargo bench --locked --bench decision --bench rules --bench whole

# The gateway beside others, as tables in docs/benchmarks.md; ten minutes on an idle machine.
compare:
    scripts/compare

# What a request costs in instructions, beside what it cost before.
instructions:
    scripts/instructions

# A million people in PostgreSQL, through two gateways; half an hour, and 20 GB of disk.
crowd:
    cargo bench --locked --bench crowd

# Many people, sessions, portals and connections at one gateway, as `benches/scale/main.rs` says.
scale:
    cargo bench --locked --bench scale

# What several gateways make of faults, as a table.
faults:
    scripts/faults

# Formats the code.
fmt:
    cargo fmt --all
