//! Seeds of random histories: a new one for each run, printed when a test fails, and configurable to repeat a failure.

/// Names the history to repeat.
const VARIABLE: &str = "HEDDLE_TEST_SEED";

/// The seed of this test. What it prints is shown when the test fails.
#[expect(clippy::print_stderr, reason = "repeating a failure requires the seed")]
pub(crate) fn seed() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "given to tests, not to the server"
    )]
    let given = std::env::var(VARIABLE).ok();
    let seed = given.map_or_else(rand::random, |text| text.parse().unwrap());
    eprintln!("repeat what is tried with {VARIABLE}={seed}");
    seed
}
