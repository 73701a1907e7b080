# Short names for what README.md and CONTRIBUTING.md spell out.

# List what there is.
default:
    @just --list

# All that a change must pass.
ci:
    .ci/run

# Every test, or those whose name contains NAME.
test *NAME:
    sh tests/run {{NAME}}

# Format everything.
fmt:
    cargo fmt --all

# Lints, with warnings denied.
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Measure the server: everything, or `quick`, `growth MESSAGES`, `rest LISTENERS`.
bench *SCALE:
    cargo bench --locked --bench load -- {{SCALE}}

# Times of small things that every request does; those whose name contains NAME.
bench-micro *NAME:
    cargo bench --locked --bench micro -- {{NAME}}

# Show in seconds that the measurement runs; says nothing about speed.
bench-smoke:
    cargo test --locked --bench load -- smoke

# Make docs/performance.svg and the measured part of docs/performance.md from what was measured last.
bench-docs *RESULTS:
    cargo bench --locked --bench load -- docs {{RESULTS}}

# Storms over several nodes, optimised, SECONDS long each; tells seeds, counts and faults.
soak SECONDS="3600":
    HEDDLE_TEST_SOAK={{SECONDS}} cargo test --profile profiling --locked --test it -- live::nodes:: live::slow_consumer:: --nocapture --test-threads 1
