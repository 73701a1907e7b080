//! Seeds of random histories: a new one for each run, printed when a test fails, and configurable to repeat a failure.

/// The variable that contains the seed to repeat.
const VARIABLE: &str = "HEDDLE_TEST_SEED";

/// Returns the seed of this test, and prints it for a failed test.
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
