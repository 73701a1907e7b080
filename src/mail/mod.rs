//! Sends mail. Texts come from templates, in the language of the recipient. Mail leaves over SMTP; without a mail server, a
//! server in development writes it to files.

mod mailer;
mod templates;

pub use mailer::Mailer;
pub use templates::{MailText, MailValues, Template};
