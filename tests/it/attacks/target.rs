//! The server under attack, and how it is measured.

use std::{
    process::Command,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Builder,
    time::{interval, sleep, timeout},
};

use super::{
    figures::{Figures, Usage},
    victims::Victims,
};
use crate::support::binary::Binary;

/// How long an attack lasts, and how long the server is measured before it.
const ATTACK: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_millis(1_500);
/// Pause between two measurements of the process.
const SAMPLE: Duration = Duration::from_millis(20);
/// File descriptors that the server may open for itself while it is busy: at most the connections to its database.
const OWN_DESCRIPTORS: usize = 20;
/// Maximum time after an attack until the server has closed its connections.
const RECOVERY: Duration = Duration::from_secs(30);

/// A server with two users who exchange messages, and a second one on SQLite with two more, which is not attacked.
///
/// The attack, both servers and all users share the processors of one machine. What the users of the second server notice
/// is their share of it; what those of the first one notice in addition is the attack.
pub(super) struct Target {
    server: Binary,
    victims: Victims,
    bystanders: Victims,
    _other_server: Binary,
}

impl Target {
    /// Starts a server on SQLite with these settings.
    pub(super) async fn on_sqlite(settings: &[(&'static str, &'static str)]) -> Self {
        let quiet = ("HEDDLE_LOG_LEVEL", "error");
        let settings = [&[quiet], settings].concat();
        Self::of(Binary::on_sqlite_with(settings).await).await
    }

    /// Starts the two users on this server.
    pub(super) async fn of(server: Binary) -> Self {
        let quiet = vec![("HEDDLE_LOG_LEVEL", "error")];
        let other = Binary::on_sqlite_with(quiet).await;
        Self {
            victims: Victims::meet(server.url()).await,
            bystanders: Victims::meet(other.url()).await,
            server,
            _other_server: other,
        }
    }

    /// The URL of the server.
    pub(super) fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// Measures the server without and with an attack, prints the figures, and verifies that the server closes what the
    /// attack leaves open. `attack` receives the URL of the server.
    ///
    /// The attack has a thread of its own with the lowest priority: it takes the processor time that the server and
    /// the users leave, like an attacker on another machine.
    pub(super) async fn withstands<A: Future<Output = ()>>(
        &mut self,
        name: &'static str,
        attack: impl FnOnce(String) -> A + Send + 'static,
    ) -> Figures {
        let (idle_time, attack_time) =
            long_run().map_or((IDLE, ATTACK), |lasts| (lasts / 4, lasts));
        let start = Usage::of(&self.server);
        let (idle, _) = tokio::join!(
            self.victims.exchange(idle_time),
            self.bystanders.exchange(idle_time)
        );
        let before = Usage::of(&self.server);
        let url = self.server.url().to_owned();
        let (ended, has_ended) = mpsc::channel();
        let attacking = thread::spawn(move || {
            yield_to_others();
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            // A timeout ends every attack that does not fail.
            let _ = runtime.block_on(async { timeout(attack_time, attack(url)).await });
            drop(runtime);
            let _ = ended.send(());
        });
        let mut peak = before;
        let sampling = async {
            let mut ticks = interval(SAMPLE);
            loop {
                ticks.tick().await;
                peak = peak.max(Usage::of(&self.server));
            }
        };
        let exchanges = async {
            tokio::join!(
                self.victims.exchange(attack_time),
                self.bystanders.exchange(attack_time)
            )
        };
        let (attacked, bystanders) = tokio::select! {
            latencies = exchanges => latencies,
            () = sampling => unreachable!("it never ends"),
        };
        let ended = tokio::time::Instant::now();
        let after = Usage::of(&self.server);
        let figures = Figures {
            name,
            idle,
            attacked,
            bystanders,
            idle_load: start.load_until(before, idle_time),
            attacked_load: before.load_until(after, attack_time),
            ended,
            before,
            peak: peak.max(after),
        };
        figures.print();
        let patience = RECOVERY + attack_time;
        assert!(
            has_ended.recv_timeout(patience).is_ok(),
            "the attack failed"
        );
        attacking.join().unwrap();
        self.recovers(before).await;
        figures
    }

    /// Waits until the server has closed the connections of the attack.
    async fn recovers(&self, before: Usage) {
        let started = Instant::now();
        while Usage::of(&self.server).descriptors > before.descriptors + OWN_DESCRIPTORS {
            let now = Usage::of(&self.server);
            assert!(
                started.elapsed() < RECOVERY,
                "{} file descriptors are open, {} before the attack",
                now.descriptors,
                before.descriptors
            );
            sleep(SAMPLE).await;
        }
    }
}

/// The duration of an attack in a long run.
#[expect(
    clippy::disallowed_methods,
    reason = "an option of this test, not a setting of the server"
)]
pub(super) fn long_run() -> Option<Duration> {
    let seconds = std::env::var("HEDDLE_TEST_ATTACK").ok()?.parse();
    Some(Duration::from_secs(seconds.unwrap()))
}

/// Gives the calling thread the lowest priority. Linux counts it as a process of its own.
fn yield_to_others() {
    let thread = std::fs::read_link("/proc/thread-self").unwrap();
    let id = thread.file_name().unwrap();
    let status = Command::new("renice")
        .args(["-n", "19", "-p"])
        .arg(id)
        .output();
    assert!(status.unwrap().status.success());
}
