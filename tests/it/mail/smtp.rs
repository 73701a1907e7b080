//! Mail over SMTP, to a real server: encryption, credentials, and servers that fail.

use std::path::PathBuf;

use heddle::config::Config;
use heddle::entity::job;
use sea_orm::EntityTrait;

use crate::support::{
    app::TestApp,
    captured_logs,
    smtp::{Encryption, SmtpServer},
};

/// The settings for a mail server.
fn settings(server: &SmtpServer, url: &str) -> impl FnOnce(&mut Config) {
    let (url, authority) = (
        url.replace("PORT", &server.port.to_string()),
        server.authority(),
    );
    |config: &mut Config| {
        config.smtp_url = Some(url);
        config.smtp_from = Some("Weavers <weavers@example.org>".to_owned());
        config.smtp_ca_file = Some(authority);
    }
}

#[tokio::test]
async fn mail_arrives_with_each_kind_of_encryption() {
    for (encryption, url) in [
        (
            Encryption::Tls,
            "smtps://weaver:shuttle%3Arace@127.0.0.1:PORT",
        ),
        (
            Encryption::StartTls,
            "smtp://weaver:shuttle%3Arace@127.0.0.1:PORT",
        ),
        (Encryption::None, "smtp://127.0.0.1:PORT?tls=none"),
    ] {
        let mut server = SmtpServer::new(encryption);
        server.start().await;
        let app = TestApp::sqlite_with(settings(&server, url)).await;
        app.person("Ann").await;
        let seen = server.receives().await;
        assert_eq!(seen.from, "weavers@example.org");
        assert_eq!(seen.to, "ann@example.org");
        assert!(
            seen.mail
                .header
                .contains("From: Weavers <weavers@example.org>")
        );
        assert!(seen.mail.header.contains("Message-ID: <"));
        assert!(seen.mail.header.contains("@example.org>\r\n"));
        seen.mail.token("verify-email");
        let is_encrypted = encryption != Encryption::None;
        assert_eq!(seen.is_encrypted, is_encrypted, "{encryption:?}");
        assert_eq!(seen.login.is_some(), is_encrypted, "{encryption:?}");
        assert!(app.mails().is_empty(), "nothing is written to a folder");
    }
}

/// Without encryption, a mail would reveal its token: it is not sent.
#[tokio::test]
async fn a_server_without_encryption_or_of_another_authority_receives_nothing() {
    let mut plain = SmtpServer::new(Encryption::None);
    plain.start().await;
    let mut foreign = SmtpServer::new(Encryption::Tls);
    foreign.start().await;
    for (server, url) in [
        (&plain, "smtp://127.0.0.1:PORT"),
        (&foreign, "smtps://127.0.0.1:PORT"),
    ] {
        let known = settings(server, url);
        let app = TestApp::sqlite_with(|config| {
            known(config);
            config.smtp_ca_file = None::<PathBuf>;
        })
        .await;
        app.person("Ann").await;
        fails_once(&app).await;
    }
}

#[tokio::test]
async fn mail_waits_for_a_server_that_is_away() {
    let mut server = SmtpServer::new(Encryption::None);
    let url = "smtp://127.0.0.1:PORT?tls=none";
    let app = TestApp::sqlite_with(settings(&server, url)).await;
    app.person("Ann").await;
    fails_once(&app).await;
    server.start().await;
    app.app.clock.advance(chrono::TimeDelta::minutes(1));
    let seen = server.receives().await;
    assert_eq!(seen.to, "ann@example.org");
    // Only the token of the mail that was sent exists.
    assert_eq!(app.db_count("email_token").await, 1);

    // The idle connection breaks without the knowledge of this side.
    server.stop();
    server.start().await;
    app.person("Bob").await;
    assert_eq!(server.receives().await.to, "bob@example.org");
}

#[tokio::test]
async fn an_address_that_does_not_exist_is_not_tried_again() {
    let mut server = SmtpServer::new(Encryption::None);
    server.start().await;
    let url = "smtp://127.0.0.1:PORT?tls=none";
    let app = TestApp::sqlite_with(settings(&server, url)).await;
    app.person("unknown").await;
    app.person("Ann").await;
    assert_eq!(server.receives().await.to, "ann@example.org");
    app.db_reaches("job WHERE kind = 'SendMail' AND status <> 'SUCCEEDED'", 0)
        .await;
    assert!(captured_logs::written().contains("the mail server refused an address"));
}

/// Waits until a mail has failed at its first attempt.
async fn fails_once(app: &TestApp) {
    let failed = "job WHERE kind = 'SendMail' AND status = 'QUEUED' AND last_error IS NOT NULL";
    app.db_reaches(failed, 1).await;
    let jobs = job::Entity::find().all(app.app.db.read()).await.unwrap();
    let mail = jobs.iter().find(|job| job.kind == "SendMail").unwrap();
    assert!(!mail.payload.contains("het_"), "{mail:?}");
}
