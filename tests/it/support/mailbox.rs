//! The mails that a server in development writes to its folder.

use std::{fs, time::Duration};

use regex_lite::Regex;
use tokio::time::{sleep, timeout};

use super::app::TestApp;

/// A busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mail, decoded.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The header.
    pub(crate) header: String,
    /// Both texts.
    pub(crate) body: String,
}

impl Mail {
    /// Decodes quoted-printable texts (RFC 2045, 6.7).
    pub(crate) fn parse(source: &str) -> Self {
        let (header, body) = source.split_once("\r\n\r\n").unwrap();
        let joined = body.replace("=\r\n", "");
        let encoded = Regex::new("=([0-9A-F]{2})").unwrap();
        let decoded = encoded.replace_all(&joined, |found: &regex_lite::Captures<'_>| {
            let code = u8::from_str_radix(&found[1], 16).unwrap();
            char::from(code).to_string()
        });
        Self {
            header: header.to_owned(),
            body: decoded.into_owned(),
        }
    }

    /// The token of the link to this page.
    #[track_caller]
    pub(crate) fn token(&self, page: &str) -> String {
        let link = Regex::new(&format!("/{page}#(h[ei]t_[A-Za-z0-9_-]+)")).unwrap();
        let found = link.captures(&self.body);
        found.unwrap_or_else(|| panic!("no link to {page}: {self:?}"))[1].to_owned()
    }
}

impl TestApp {
    /// The mails that were written so far, oldest first.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        let folder = self.app.config.data_dir.join("outbox");
        let Ok(files) = fs::read_dir(folder) else {
            return vec![];
        };
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        let mails = paths.iter().map(|path| fs::read_to_string(path).unwrap());
        // A file is visible before it is written.
        let complete = mails.filter(|mail| mail.trim_end().ends_with("--"));
        complete.map(|mail| Mail::parse(&mail)).collect()
    }

    /// Waits until a user has this number of mails whose subject contains a text, and returns the last one.
    #[track_caller]
    pub(crate) fn mail(&self, to: &str, subject: &str, count: usize) -> impl Future<Output = Mail> {
        let caller = std::panic::Location::caller();
        async move {
            let waiting = async {
                loop {
                    let mut mails = self.mails();
                    mails.retain(|mail| mail.header.contains(to) && mail.header.contains(subject));
                    if mails.len() == count {
                        return mails.pop().unwrap();
                    }
                    sleep(Duration::from_millis(5)).await;
                }
            };
            let arrived = timeout(PATIENCE, waiting).await;
            arrived.unwrap_or_else(|_| panic!("{caller}: {:?}", self.mails()))
        }
    }
}
