//! Describes the machine of a measurement, and raises its limit of open files.

use std::{fs, os::unix::process::CommandExt, process::Command};

use serde_json::{Value, json};

/// Environment variable that is set once the limit was raised, so that it is tried only once.
const RAISED: &str = "HEDDLE_BENCH_FILES";

/// Returns the machine and the versions of the programs as JSON.
pub(crate) fn describe() -> Value {
    let of = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key));
        let value = line.and_then(|line| line.split_once(':'));
        value.map(|(_, value)| value.trim().to_owned())
    };
    let memory = of("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kib: Option<f64> = memory
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok());
    json!({
        "measured_on": chrono::Utc::now().format("%Y-%m-%d").to_string(),
        "commit": output_of("git", &["rev-parse", "--short", "HEAD"]),
        "profile": profile(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "processor": of("/proc/cpuinfo", "model name"),
        "memory_gib": kib.map(|kib| (kib / 1024.0 / 1024.0).round()),
        "kernel": output_of("uname", &["-sr"]),
        "sqlite": rusqlite::version(),
        "postgresql": output_of("sh", &["-c", "$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)/postgres --version \
            2>/dev/null || postgres --version"]).map(|version| version.replace("postgres (PostgreSQL) ", "")),
        "redis": output_of("redis-server", &["--version"])
            .and_then(|version| Some(version.split("v=").nth(1)?.split(' ').next()?.to_owned())),
        "open_files": open_files().0,
    })
}

/// The build profile of this program and the servers.
pub(crate) const fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    }
}

fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The limits of open files: the current one, and the highest that can be requested.
pub(crate) fn open_files() -> (u64, u64) {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let mut limits = line.unwrap_or_default().split_whitespace().skip(3);
    let mut next = || match limits.next() {
        Some("unlimited") => u64::MAX,
        limit => limit
            .and_then(|number| number.parse().ok())
            .unwrap_or_default(),
    };
    (next(), next())
}

/// Restarts this program with the highest limit of open files, which its servers inherit. Changing the limit of a
/// running process requires unsafe code.
pub(crate) fn raise_open_files() {
    let (now, most) = open_files();
    if now >= most || std::env::var_os(RAISED).is_some() {
        return;
    }
    let failed = Command::new("sh")
        .args(["-c", r#"ulimit -S -n "$(ulimit -H -n)"; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(std::env::args().skip(1))
        .env(RAISED, "raised")
        .exec();
    eprintln!("the limit of open files remains {now}: {failed}");
}
