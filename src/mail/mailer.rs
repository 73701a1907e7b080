//! Delivers mail: over SMTP, or into files.

use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        self,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use percent_encoding::percent_decode_str;
use url::Url;

use super::templates::{MailText, MailValues, Template, Templates};
use crate::{
    config::{Config, Mode, is_unencrypted},
    error::Error,
    id,
};

/// The maximum time of one delivery. The library limits only the time to connect.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The sender of mails in files.
const LOCAL_SENDER: &str = "heddle@localhost";
/// The port of a mail server with which encryption begins after a command (RFC 6409), and of one that begins with it
/// (RFC 8314).
const SUBMISSION: u16 = 587;
const SUBMISSIONS: u16 = 465;

/// Sends mail. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    templates: Templates,
    from: Mailbox,
    transport: Transport,
}

/// The destination of mail.
enum Transport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(PathBuf),
    Nowhere,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp(_) => "Smtp",
            Self::Folder(_) => "Folder",
            Self::Nowhere => "Nowhere",
        })
    }
}

impl Mailer {
    /// Creates the sender of the settings. Does not connect.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let transport = match &config.smtp_url {
            Some(url) => Transport::Smtp(smtp_transport(url, config.smtp_ca_file.as_deref())?),
            None if config.mode == Mode::Development => {
                Transport::Folder(config.data_dir.join("outbox"))
            }
            None => Transport::Nowhere,
        };
        let from = config.smtp_from.as_deref().unwrap_or(LOCAL_SENDER);
        Ok(Self(Arc::new(Inner {
            templates: Templates::load(&config.data_dir)?,
            from: from.parse().map_err(Error::internal)?,
            transport,
        })))
    }

    /// Whether mail can be sent.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        !matches!(self.0.transport, Transport::Nowhere)
    }

    /// Renders a mail and sends it to an address. A mail to an address that does not exist counts as sent, because another
    /// attempt has the same result.
    pub async fn send(
        &self,
        to: &str,
        locale: &str,
        template: Template,
        values: &MailValues<'_>,
    ) -> Result<(), Error> {
        let mail = self.0.templates.render(template, locale, values)?;
        let message = self.message(to, mail)?;
        match &self.0.transport {
            Transport::Smtp(smtp) => {
                let sent = tokio::time::timeout(TIMEOUT, deliver(smtp, message)).await;
                sent.map_err(|_elapsed| Error::internal("the mail server does not respond"))?
            }
            Transport::Folder(folder) => {
                write(folder, &message.formatted()).map_err(Error::internal)
            }
            Transport::Nowhere => Err(Error::internal("smtp_url is not set")),
        }
    }

    fn message(&self, to: &str, mail: MailText) -> Result<Message, Error> {
        let to: Address = to.parse().map_err(Error::internal)?;
        // The default would contain the name of this machine.
        let id = format!("<{}@{}>", id::mint(), self.0.from.email.domain());
        // RFC 3834: no one is away from a program.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let automatic = HeaderValue::new(automatic, "auto-generated".to_owned());
        let mut message = Message::builder()
            .from(self.0.from.clone())
            .to(to.into())
            .message_id(Some(id))
            .subject(mail.subject)
            .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))
            .map_err(Error::internal)?;
        message.headers_mut().insert_raw(automatic);
        Ok(message)
    }
}

/// The transport of a URL: `smtps:` is encrypted from the start; `smtp:` must become encrypted, unless its query is
/// `tls=none`.
fn smtp_transport(
    url: &str,
    ca_file: Option<&Path>,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, Error> {
    let url = Url::parse(url).map_err(Error::internal)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let mut parameters = TlsParameters::builder(host.clone());
    if let Some(path) = ca_file {
        let certificate = fs::read(path).map_err(|error| {
            Error::internal(format!("smtp_ca_file: {}: {error}", path.display()))
        })?;
        let certificate = Certificate::from_pem(&certificate).map_err(Error::internal)?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters.build().map_err(Error::internal)?;
    let (tls, port) = match url.scheme() {
        "smtps" => (Tls::Wrapper(parameters), SUBMISSIONS),
        _ if is_unencrypted(&url) => (Tls::None, SUBMISSION),
        _ => (Tls::Required(parameters), SUBMISSION),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(url.port().unwrap_or(port))
        .tls(tls)
        .timeout(Some(TIMEOUT));
    if let Some(password) = url.password() {
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = Credentials::new(decoded(url.username()), decoded(password));
        builder = builder.credentials(credentials);
    }
    Ok(builder.build())
}

/// Sends a message. If the connection broke, which may have been idle for long, it is sent once more over another one.
async fn deliver(smtp: &AsyncSmtpTransport<Tokio1Executor>, message: Message) -> Result<(), Error> {
    let mut sent = smtp.send(message.clone()).await;
    if let Err(error) = &sent
        && !error.is_permanent()
        && !error.is_transient()
    {
        tracing::debug!(%error, "a mail is sent over another connection");
        sent = smtp.send(message).await;
    }
    match sent {
        Ok(_) => Ok(()),
        Err(error) if is_unknown_address(&error) => {
            tracing::warn!(%error, "the mail server refused an address");
            Ok(())
        }
        Err(error) => Err(Error::internal(error)),
    }
}

/// Whether the mailbox does not exist (RFC 5321, 4.2.3). Other refusals, for example of the credentials, can end.
fn is_unknown_address(error: &smtp::Error) -> bool {
    let status = error.status().map(u16::from);
    status.is_some_and(|status| matches!(status, 550 | 551 | 553))
}

/// Writes a message into a file that only its owner can read.
fn write(folder: &Path, message: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let path = folder.join(format!("{}.eml", id::mint()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(message)
}
