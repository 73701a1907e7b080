//! An authenticator app, with the clock of the server.

use chrono::TimeDelta;
use totp_rs::{Builder, Secret, Totp};

use super::app::TestApp;

/// An authenticator app.
pub(crate) struct Authenticator(pub(crate) Totp);

impl Authenticator {
    pub(crate) fn new(secret: &str) -> Self {
        let secret = Secret::try_from_base32(secret).unwrap();
        let totp = Builder::new().with_secret(secret).with_account_name("ann");
        Self(totp.build().unwrap())
    }

    /// The code that the app shows now.
    pub(crate) fn code(&self, app: &TestApp) -> String {
        let now = app.app.clock.now().timestamp().try_into().unwrap();
        self.0.generate(now).to_string()
    }

    /// The next code.
    pub(crate) fn next_code(&self, app: &TestApp) -> String {
        app.app.clock.advance(TimeDelta::seconds(30));
        self.code(app)
    }
}
