//! What is measured during an attack, and its limits.

use std::time::Duration;

use tokio::time::Instant;

use super::{target::long_run, victims::Latencies};
use crate::support::binary::Binary;

/// Maximum growth of the server's memory during an attack, in KiB.
const MEMORY_KIB: u64 = 64 * 1024;
/// A latency below this is never a failure: other programs of a busy machine delay a debug build by this much.
const LATENCY_FLOOR: Duration = Duration::from_secs(1);

/// Maximum processor time of the server for an attack that it should ignore, in processors, and growth of its memory.
const LOAD: f64 = 0.15;
const LITTLE_MEMORY_KIB: u64 = 8 * 1024;

/// What the process of the server uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Private memory.
    pub(super) memory_kib: u64,
    /// Open file descriptors.
    pub(super) descriptors: usize,
    /// Processor time since its start.
    pub(super) processor: Duration,
}

impl Usage {
    pub(super) fn of(server: &Binary) -> Self {
        Self {
            memory_kib: server.memory_kib(),
            descriptors: server.descriptors(),
            processor: server.processor_time(),
        }
    }

    /// The processors that were in use from this measurement until a later one.
    pub(super) fn load_until(self, later: Self, duration: Duration) -> f64 {
        let processor = later.processor.saturating_sub(self.processor);
        processor.as_secs_f64() / duration.as_secs_f64()
    }

    /// The greater value of each.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            memory_kib: self.memory_kib.max(other.memory_kib),
            descriptors: self.descriptors.max(other.descriptors),
            processor: self.processor.max(other.processor),
        }
    }
}

/// The measurements of one attack.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) name: &'static str,
    /// Latencies before the attack, and during it.
    pub(super) idle: Latencies,
    pub(super) attacked: Latencies,
    /// Latencies of the server that was not attacked, at the same time.
    pub(super) bystanders: Latencies,
    /// How many processors the server used before the attack, and during it.
    pub(super) idle_load: f64,
    pub(super) attacked_load: f64,
    /// When the measurement ended.
    pub(super) ended: Instant,
    /// What the server used before the attack, and at most during it.
    pub(super) before: Usage,
    pub(super) peak: Usage,
}

impl Figures {
    /// Verifies that memory did not grow, and that the users did not notice the attack: latencies are at most twice those
    /// before it, or twice those of a server that was not attacked at the same time, on the same machine. A long run has
    /// the machine for itself.
    #[track_caller]
    pub(super) fn are_within_limits(&self) {
        let floor = long_run().map_or(LATENCY_FLOOR, |_| Duration::ZERO);
        let (idle, others, attacked) = (&self.idle, &self.bystanders, &self.attacked);
        for (what, idle, others, attacked) in [
            ("sending", &idle.sending, &others.sending, &attacked.sending),
            (
                "receiving",
                &idle.receiving,
                &others.receiving,
                &attacked.receiving,
            ),
        ] {
            let limit = (p99(idle).max(p99(others)) * 2).max(floor);
            let measured = p99(attacked);
            assert!(
                measured <= limit,
                "{}: p99 of {what} is {measured:?}, at most {limit:?} is allowed",
                self.name
            );
        }
        let grown = self.memory_growth_kib();
        assert!(
            grown <= MEMORY_KIB,
            "{}: memory grew by {} MiB, at most {} MiB is allowed",
            self.name,
            grown / 1024,
            MEMORY_KIB / 1024
        );
    }

    /// Verifies in addition that the server spent hardly any time or memory on the attack.
    #[track_caller]
    pub(super) fn are_negligible(&self) {
        self.are_within_limits();
        let grown = self.memory_growth_kib();
        assert!(
            grown <= LITTLE_MEMORY_KIB,
            "{}: memory grew by {grown} KiB, at most {LITTLE_MEMORY_KIB} KiB are allowed",
            self.name
        );
        let load = self.attacked_load - self.idle_load;
        assert!(
            load <= LOAD,
            "{}: the attack occupies {load:.2} processors, at most {LOAD} are allowed",
            self.name
        );
    }

    /// How much the memory grew, in KiB.
    pub(super) fn memory_growth_kib(&self) -> u64 {
        self.peak.memory_kib.saturating_sub(self.before.memory_kib)
    }

    /// Prints one line. The figures in parentheses are those of the server that was not attacked.
    pub(super) fn print(&self) {
        let millis = |times: &[Duration]| p99(times).as_millis();
        let (idle, attacked, peak) = (&self.idle, &self.attacked, &self.peak);
        print(&format!(
            "{}: p99 of sending {} -> {} ({}) ms, of receiving {} -> {} ({}) ms; memory {} -> {} MiB; \
             descriptors {} -> {}; processors {:.2} -> {:.2}",
            self.name,
            millis(&idle.sending),
            millis(&attacked.sending),
            millis(&self.bystanders.sending),
            millis(&idle.receiving),
            millis(&attacked.receiving),
            millis(&self.bystanders.receiving),
            self.before.memory_kib / 1024,
            peak.memory_kib / 1024,
            self.before.descriptors,
            peak.descriptors,
            self.idle_load,
            self.attacked_load,
        ));
    }
}

/// The 99th percentile.
fn p99(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * 99).div_ceil(100) - 1]
}

#[expect(clippy::print_stdout, reason = "the figures of a long run")]
fn print(line: &str) {
    println!("{line}");
}
