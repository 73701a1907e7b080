//! Rendered Markdown, by content. A text that is shown again is not rendered again, and rendering leaves the thread to
//! other requests after each text.

use std::{
    panic::resume_unwind,
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;
use tokio::task::{spawn_blocking, yield_now};

use super::render;

/// Memory for rendered texts, in bytes.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// Memory for an entry, in addition to its text.
const ENTRY_BYTES: usize = 200;
/// How long a text that is no longer shown is kept.
const IDLE_TIMEOUT: Duration = Duration::from_mins(10);
/// Sources from this length on are rendered in a thread of their own, in bytes. The worst source of this length takes
/// a few milliseconds.
const LONG_SOURCE: usize = 16 * 1024;

type Digest = [u8; 32];

static RENDERED: LazyLock<Cache<Digest, Arc<str>>> = LazyLock::new(|| {
    Cache::builder()
        .weigher(|_, html: &Arc<str>| u32::try_from(html.len() + ENTRY_BYTES).unwrap_or(u32::MAX))
        .max_capacity(CACHE_BYTES)
        .time_to_idle(IDLE_TIMEOUT)
        .build()
});

/// Renders Markdown to a small set of HTML elements, as [`render::html`] does.
pub async fn html(source: &str) -> Arc<str> {
    let digest = digest(&SHA256, source.as_bytes());
    let key: Digest = digest.as_ref().first_chunk().copied().unwrap_or_default();
    if let Some(html) = RENDERED.get(&key) {
        return html;
    }
    let html: Arc<str> = if source.len() < LONG_SOURCE {
        let html = render::html(source).into();
        yield_now().await;
        html
    } else {
        let source = source.to_owned();
        let rendering = spawn_blocking(move || render::html(&source)).await;
        match rendering {
            Ok(html) => html.into(),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The server is stopping.
            Err(_) => return Arc::from(""),
        }
    };
    RENDERED.insert(key, Arc::clone(&html));
    html
}
