//! The templates of mails, in each language. A file in the folder `templates` of the data folder replaces the one of the
//! same name.

use std::{borrow::Cow, fs, io, path::Path};

use minijinja::{Environment, UndefinedBehavior};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::error::Error;

/// The languages, as their folders are named. The first one serves everyone else.
const LANGUAGES: [&str; 3] = ["en", "ar", "ja"];
/// The languages that are written from right to left.
const RIGHT_TO_LEFT: [&str; 1] = ["ar"];
/// Begins the first line of a plain text, which is the subject.
const SUBJECT: &str = "Subject: ";

#[derive(RustEmbed)]
#[folder = "src/mail/templates"]
struct Builtin;

/// A kind of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// A link that verifies the address.
    VerifyEmail,
    /// A link that sets a new password.
    ResetPassword,
    /// A link that sets the first password of an account that an administrator has created.
    SetUpAccount,
    /// The password was set with such a link.
    PasswordWasReset,
    /// The user has entered a new address. Sent to the old one.
    EmailChangeRequested,
    /// Another user has entered the address, but it belongs to this account.
    EmailInUse,
    /// An old refresh token was used again, which ended the session.
    SessionTokenReused,
    /// An authenticator app was set up.
    SecondFactorEnabled,
    /// The authenticator app was removed.
    SecondFactorDisabled,
    /// A recovery code was used.
    RecoveryCodeUsed,
    /// A link with which the recipient registers. Their name is not known: it is their address.
    Invitation,
}

impl Template {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::SetUpAccount,
        Self::PasswordWasReset,
        Self::EmailChangeRequested,
        Self::EmailInUse,
        Self::SessionTokenReused,
        Self::SecondFactorEnabled,
        Self::SecondFactorDisabled,
        Self::RecoveryCodeUsed,
        Self::Invitation,
    ];

    /// The name of its files, without the extension.
    const fn name(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::SetUpAccount => "set_up_account",
            Self::PasswordWasReset => "password_was_reset",
            Self::EmailChangeRequested => "email_change_requested",
            Self::EmailInUse => "email_in_use",
            Self::SessionTokenReused => "session_token_reused",
            Self::SecondFactorEnabled => "second_factor_enabled",
            Self::SecondFactorDisabled => "second_factor_disabled",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::Invitation => "invitation",
        }
    }
}

/// The values that a template can use.
#[derive(Clone, Debug, Serialize)]
pub struct MailValues<'a> {
    /// The name of the server.
    pub server: &'a str,
    /// The name of the recipient.
    pub name: &'a str,
    /// The link to follow, or the address of the server.
    pub link: &'a str,
}

/// A rendered mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailText {
    /// The subject, one line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// The loaded templates.
#[derive(Debug)]
pub(super) struct Templates(Environment<'static>);

impl Templates {
    /// Loads all templates. Fails if one cannot be parsed, so that the server reports it when it starts.
    pub(super) fn load(data_dir: &Path) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_keep_trailing_newline(true);
        let replacements = data_dir.join("templates");
        for name in Builtin::iter() {
            let path = replacements.join(&*name);
            let source = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => builtin(&name),
                Err(error) => return Err(unusable(&path, &error)),
            };
            environment
                .add_template_owned(name.into_owned(), source)
                .map_err(|error| unusable(&path, &error))?;
        }
        Ok(Self(environment))
    }

    /// Renders a mail in the language of this BCP 47 tag, or else in English.
    pub(super) fn render(
        &self,
        template: Template,
        locale: &str,
        values: &MailValues<'_>,
    ) -> Result<MailText, Error> {
        #[derive(Serialize)]
        struct Context<'a> {
            language: &'a str,
            direction: &'a str,
            #[serde(flatten)]
            values: &'a MailValues<'a>,
        }

        let language = language(locale);
        let is_reversed = RIGHT_TO_LEFT.contains(&language);
        let context = Context {
            language,
            direction: if is_reversed { "rtl" } else { "ltr" },
            values,
        };
        let render = |extension: &str| {
            let name = format!("{language}/{}.{extension}", template.name());
            let template = self.0.get_template(&name);
            let text = template.and_then(|template| template.render(&context));
            text.map_err(Error::internal)
        };
        let (html, text) = (render("html")?, render("txt")?);
        let (subject, text) = text
            .strip_prefix(SUBJECT)
            .and_then(|text| text.split_once('\n'))
            .ok_or_else(|| Error::internal("the template of a mail has no subject"))?;
        Ok(MailText {
            subject: subject.trim().to_owned(),
            text: text.trim_start().to_owned(),
            html,
        })
    }
}

/// The language of the templates for a BCP 47 tag.
fn language(locale: &str) -> &'static str {
    let primary = locale.split('-').next().unwrap_or_default();
    let known = LANGUAGES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(primary));
    known.unwrap_or(LANGUAGES[0])
}

fn builtin(name: &str) -> String {
    let file = Builtin::get(name).map_or(Cow::Borrowed(&[][..]), |file| file.data);
    String::from_utf8_lossy(&file).into_owned()
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::internal(format!(
        "the template {} cannot be used: {error}",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: MailValues<'_> = MailValues {
        server: "Weavers <guild>",
        name: "Ann & co",
        link: "https://chat.example.org/verify-email#het_abc",
    };

    #[test]
    fn every_mail_renders_in_every_language() {
        let folder = tempfile::tempdir().unwrap();
        let templates = Templates::load(folder.path()).unwrap();
        for language in LANGUAGES {
            for template in Template::ALL {
                let mail = templates.render(template, language, &VALUES).unwrap();
                let what = format!("{template:?} in {language}: {mail:?}");
                assert!(
                    !mail.subject.is_empty() && !mail.subject.contains('\n'),
                    "{what}"
                );
                assert!(mail.text.contains(VALUES.link), "{what}");
                assert!(mail.text.contains("Ann & co"), "{what}");
                assert!(mail.html.contains("Ann &amp; co"), "{what}");
                assert!(mail.html.contains("Weavers &lt;guild&gt;"), "{what}");
                assert!(mail.html.contains("verify-email#het_abc\""), "{what}");
                assert!(
                    mail.html.contains(&format!("lang=\"{language}\"")),
                    "{what}"
                );
                let direction = if language == "ar" { "rtl" } else { "ltr" };
                assert!(
                    mail.html.contains(&format!("dir=\"{direction}\"")),
                    "{what}"
                );
            }
        }
    }

    #[test]
    fn the_language_is_that_of_the_recipient() {
        for (locale, expected) in [("ja-JP", "ja"), ("AR", "ar"), ("en-GB", "en"), ("de", "en")] {
            assert_eq!(language(locale), expected, "{locale}");
        }
    }

    #[test]
    fn a_file_of_the_data_folder_replaces_a_template() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("templates/en");
        fs::create_dir_all(&path).unwrap();
        let file = path.join("verify_email.txt");
        fs::write(&file, "Subject: Welcome to {{ server }}\n\n{{ link }}\n").unwrap();
        let templates = Templates::load(folder.path()).unwrap();
        let mail = templates
            .render(Template::VerifyEmail, "en", &VALUES)
            .unwrap();
        assert_eq!(mail.subject, "Welcome to Weavers <guild>");
        assert_eq!(mail.text, format!("{}\n", VALUES.link));

        fs::write(&file, "Subject: {{ server").unwrap();
        let error = Templates::load(folder.path()).unwrap_err();
        let cause = error.cause().unwrap().to_string();
        assert!(cause.contains("verify_email.txt"), "{cause}");

        // A name that does not exist is an error and not an empty text.
        fs::write(&file, "Subject: {{ serve }}\n").unwrap();
        let templates = Templates::load(folder.path()).unwrap();
        assert!(
            templates
                .render(Template::VerifyEmail, "en", &VALUES)
                .is_err()
        );
    }
}
