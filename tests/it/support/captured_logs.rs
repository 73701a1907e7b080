//! Captures the log of the server: errors appear in the output of the test, and everything is kept so that a test can
//! verify what must not be in it.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use tracing_subscriber::{
    EnvFilter, Layer, filter::LevelFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

static WRITTEN: Mutex<Vec<u8>> = Mutex::new(vec![]);

struct Kept;

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts logging for this process; the second call has no effect.
pub(crate) fn start() {
    let beside = fmt::layer()
        .with_test_writer()
        .with_filter(LevelFilter::ERROR);
    let kept = fmt::layer()
        .with_ansi(false)
        .with_writer(|| Kept)
        .with_filter(EnvFilter::new("heddle=trace,heddle::sql=off,warn"));
    let _ = tracing_subscriber::registry()
        .with(beside)
        .with(kept)
        .try_init();
}

/// Returns everything that this process has logged.
pub(crate) fn written() -> String {
    let written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&written).into_owned()
}
