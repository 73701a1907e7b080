# Short names for the commands in README.md and CONTRIBUTING.md.

# List the recipes.
default:
    @just --list

# Run every check that a change must pass.
ci:
    .ci/run

# Run all tests, or those whose name contains NAME.
test *NAME:
    sh tests/run {{NAME}}

# Format the code.
fmt:
    cargo fmt --all

# Run the lints; warnings are errors.
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Measure the server: everything, or `quick`, `mixed`, `growth MESSAGES`, `idle LISTENERS`.
bench *SCALE:
    cargo bench --locked --bench load -- {{SCALE}}

# Time single functions that every request calls; only those whose name contains NAME.
bench-micro *NAME:
    cargo bench --locked --bench micro -- {{NAME}}

# Show in seconds that the measurement runs. Its figures are meaningless.
bench-smoke:
    cargo test --locked --bench load -- smoke

# Write the generated part of docs/performance/results.md and its chart from the stored results.
bench-docs *RESULTS:
    cargo bench --locked --bench load -- docs {{RESULTS}}

# Run fault tests of several nodes in an optimised build, SECONDS long each; prints seeds, counts and faults.
soak SECONDS="3600":
    HEDDLE_TEST_SOAK={{SECONDS}} cargo test --profile profiling --locked --test it -- live::nodes:: live::slow_consumer:: --nocapture --test-threads 1

# Attack the server in an optimised build, SECONDS long each; prints latencies, memory, descriptors and processor time.
attacks SECONDS="60":
    HEDDLE_TEST_ATTACK={{SECONDS}} cargo test --profile profiling --locked --test it -- attacks:: --nocapture --test-threads 1

# Take pictures of every screen of the web client, at 390 and 1440 px, light and dark, into FOLDER.
pictures FOLDER:
    cargo build --locked
    node tests/clients/pictures.js {{absolute_path(FOLDER)}}

# Measure the web client in browsers: sizes, first paint, delivery, scrolling, memory.
figures:
    cargo build --release --locked
    HEDDLE_BINARY=target/release/heddle node tests/clients/figures.js

# Compare COUNT random documents with graphql-js. A difference prints its seed.
documents COUNT="100000":
    HEDDLE_TEST_DOCUMENTS={{COUNT}} cargo test --profile profiling --locked --test it -- documents::differential --nocapture
