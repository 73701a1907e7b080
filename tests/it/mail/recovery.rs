//! Ann verifies her address and sets a new password, with links in mails.

use chrono::TimeDelta;
use heddle::config::Mode;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    person::{PASSWORD, Person},
};

const VERIFY: &str = "mutation($input: VerifyEmailInput!) { verifyEmail(input: $input) {
    viewer { isEmailVerified } } }";
const RESEND: &str = "mutation($input: ResendEmailVerificationInput!) {
    resendEmailVerification(input: $input) { wasSent } }";
const REQUEST: &str = "mutation($input: RequestPasswordResetInput!) {
    requestPasswordReset(input: $input) { wasAccepted } }";
const RESET: &str = "mutation($input: ResetPasswordInput!) { resetPassword(input: $input) {
    username } }";
const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { viewer { user { username } } } } }";
const VERIFIED: &str = "{ viewer { isEmailVerified user { isVerified } } }";
const NEW_PASSWORD: &str = "eleven grey shuttles";
const ANN: &str = "ann@example.org";
const VERIFICATION: &str = "Verify your address";
const NEW: &str = "Set a new password";

both!(
    ann_verifies_her_address,
    a_forgotten_password_is_reset,
    links_expire,
    a_token_serves_its_own_purpose,
    two_uses_of_one_link_at_the_same_time_set_one_password,
    three_mails_in_an_hour_are_enough,
    a_mail_has_the_language_of_its_reader,
    a_deleted_account_receives_no_mail,
);

fn input(fields: Value) -> Value {
    Value::from_iter([("input", fields)])
}

async fn is_verified(person: &Person) -> bool {
    let seen = person.execute(VERIFIED, Value::Null).await;
    let viewer = &seen["viewer"];
    assert_eq!(viewer["isEmailVerified"], viewer["user"]["isVerified"]);
    viewer["isEmailVerified"].as_bool().unwrap()
}

async fn ann_verifies_her_address(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let mail = app.mail(ANN, VERIFICATION, 1).await;
    assert!(
        mail.header.contains("Auto-Submitted: auto-generated"),
        "{mail:?}"
    );
    assert!(mail.body.contains("Hello ann,"), "{mail:?}");
    assert!(!is_verified(&ann).await);
    let token = mail.token("verify-email");
    // Anyone may follow the link, for example in the browser of the mail program.
    let done = app
        .anonymous()
        .execute(VERIFY, input(json!({ "token": token })))
        .await;
    assert_eq!(done["verifyEmail"], json!({ "viewer": null }));
    assert!(is_verified(&ann).await);
    assert!(!is_verified(&bob).await);
    for token in [token.as_str(), "het_", "", "het_AAAA"] {
        let error = ann.expect_error(
            "WRONG_CREDENTIALS",
            VERIFY,
            input(json!({ "token": token })),
        );
        assert_eq!(error.await["path"], json!(["verifyEmail"]));
    }
    let again = ann.execute(RESEND, input(json!({}))).await;
    assert_eq!(again["resendEmailVerification"]["wasSent"], false);

    let token = app
        .mail("bob@example.org", VERIFICATION, 1)
        .await
        .token("verify-email");
    let done = bob.execute(VERIFY, input(json!({ "token": token }))).await;
    assert_eq!(done["verifyEmail"]["viewer"]["isEmailVerified"], true);
}

async fn a_forgotten_password_is_reset(app: TestApp) {
    let ann = app.person("Ann").await;
    let anonymous = app.anonymous();
    let sign_in = |password: &str| input(json!({ "login": "ann", "password": password }));
    for _ in 0..5 {
        let wrong = sign_in("not the password");
        anonymous
            .expect_error("WRONG_CREDENTIALS", SIGN_IN, wrong)
            .await;
    }
    anonymous
        .expect_error("RATE_LIMITED", SIGN_IN, sign_in(PASSWORD))
        .await;

    let done = anonymous
        .execute(REQUEST, input(json!({ "email": "ANN@example.org" })))
        .await;
    assert_eq!(done["requestPasswordReset"]["wasAccepted"], true);
    let token = app.mail(ANN, NEW, 1).await.token("reset-password");
    let reset = |password: &str| input(json!({ "token": token, "newPassword": password }));
    let error = anonymous
        .expect_error("BAD_USER_INPUT", RESET, reset("ann"))
        .await;
    let problem = &error["extensions"]["problems"][0];
    assert_eq!(problem["path"], json!(["input", "newPassword"]));
    let done = anonymous.execute(RESET, reset(NEW_PASSWORD)).await;
    assert_eq!(done["resetPassword"]["username"], "ann");

    // She is signed out everywhere, the login is unlocked, and the address is proven.
    let seen = ann.request("{ viewer { id } }", Value::Null).await;
    assert_eq!(seen["data"]["viewer"], Value::Null, "{seen}");
    anonymous.execute(SIGN_IN, sign_in(NEW_PASSWORD)).await;
    anonymous
        .expect_error("WRONG_CREDENTIALS", SIGN_IN, sign_in(PASSWORD))
        .await;
    let mut ann = ann;
    ann.signs_in_with(NEW_PASSWORD).await;
    assert!(is_verified(&ann).await);
    // Others see the mark, so the profile has changed.
    let times = "{ viewer { user { createdAt updatedAt } } }";
    let user = &ann.execute(times, Value::Null).await["viewer"]["user"];
    assert_ne!(user["createdAt"], user["updatedAt"]);
    let mail = app.mail(ANN, "was changed", 1).await;
    assert!(!mail.body.contains("het_"), "{mail:?}");
    anonymous
        .expect_error("WRONG_CREDENTIALS", RESET, reset("another good phrase"))
        .await;
}

async fn links_expire(app: TestApp) {
    app.person("Ann").await;
    let anonymous = app.anonymous();
    let verification = app.mail(ANN, VERIFICATION, 1).await.token("verify-email");
    anonymous
        .execute(REQUEST, input(json!({ "email": ANN })))
        .await;
    let token = app.mail(ANN, NEW, 1).await.token("reset-password");
    let reset = input(json!({ "token": token, "newPassword": NEW_PASSWORD }));
    app.app.clock.advance(TimeDelta::minutes(16));
    anonymous.expect_error("EXPIRED", RESET, reset).await;
    app.app.clock.advance(TimeDelta::hours(24));
    let verify = input(json!({ "token": verification }));
    anonymous
        .expect_error("EXPIRED", VERIFY, verify.clone())
        .await;
    // Cleanup removes the tokens a week later.
    app.app.clock.advance(TimeDelta::days(8));
    app.db_reaches("email_token", 0).await;
    anonymous
        .expect_error("WRONG_CREDENTIALS", VERIFY, verify)
        .await;
}

async fn a_token_serves_its_own_purpose(app: TestApp) {
    let ann = app.person("Ann").await;
    let anonymous = app.anonymous();
    let verification = app.mail(ANN, VERIFICATION, 1).await.token("verify-email");
    anonymous
        .execute(REQUEST, input(json!({ "email": ANN })))
        .await;
    let reset = app.mail(ANN, NEW, 1).await.token("reset-password");
    let wrong = input(json!({ "token": verification, "newPassword": NEW_PASSWORD }));
    anonymous
        .expect_error("WRONG_CREDENTIALS", RESET, wrong)
        .await;
    let wrong = input(json!({ "token": reset }));
    anonymous
        .expect_error("WRONG_CREDENTIALS", VERIFY, wrong)
        .await;
    assert!(!is_verified(&ann).await);
}

async fn two_uses_of_one_link_at_the_same_time_set_one_password(app: TestApp) {
    app.person("Ann").await;
    let anonymous = app.anonymous();
    anonymous
        .execute(REQUEST, input(json!({ "email": ANN })))
        .await;
    let token = app.mail(ANN, NEW, 1).await.token("reset-password");
    let reset = |password: &str| {
        anonymous.request(
            RESET,
            input(json!({ "token": token, "newPassword": password })),
        )
    };
    let (one, other) = tokio::join!(reset(NEW_PASSWORD), reset("another good phrase"));
    let succeeded = [&one, &other]
        .into_iter()
        .filter(|done| done.get("errors").is_none());
    assert_eq!(succeeded.count(), 1, "{one} {other}");
    app.mail(ANN, "was changed", 1).await;
}

async fn three_mails_in_an_hour_are_enough(app: TestApp) {
    let ann = app.person("Ann").await;
    app.mail(ANN, VERIFICATION, 1).await;
    for count in 2..=3 {
        let sent = ann.execute(RESEND, input(json!({}))).await;
        assert_eq!(sent["resendEmailVerification"]["wasSent"], true);
        app.mail(ANN, VERIFICATION, count).await;
    }
    let error = ann
        .expect_error("RATE_LIMITED", RESEND, input(json!({})))
        .await;
    assert!(error["extensions"]["retryAfterMs"].is_number(), "{error}");
    // A stranger does not learn that, and Bob's mail is sent after hers would have been.
    let anonymous = app.anonymous();
    for email in [ANN, "bob@example.org"] {
        let sent = anonymous
            .execute(RESEND, input(json!({ "email": email })))
            .await;
        assert_eq!(sent["resendEmailVerification"]["wasSent"], true);
    }
    app.app.clock.advance(TimeDelta::minutes(61));
    let mut ann = ann;
    ann.signs_in().await;
    ann.execute(RESEND, input(json!({}))).await;
    app.mail(ANN, VERIFICATION, 4).await;
}

async fn a_mail_has_the_language_of_its_reader(app: TestApp) {
    let ann = app.person("Ann").await;
    app.mail(ANN, VERIFICATION, 1).await;
    let locale = "mutation($input: UpdatePreferencesInput!) { updatePreferences(input: $input) {
        viewer { id } } }";
    ann.execute(locale, input(json!({ "locale": "ar-EG" })))
        .await;
    ann.execute(RESEND, input(json!({}))).await;
    // The subject is encoded (RFC 2047).
    app.mail(ANN, "Subject: =?utf-8?", 1).await;
}

async fn a_deleted_account_receives_no_mail(app: TestApp) {
    let ann = app.person("Ann").await;
    app.mail(ANN, VERIFICATION, 1).await;
    let delete = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
        deletedUserId } }";
    let confirmed = json!({ "confirmUsername": "ann", "password": PASSWORD });
    ann.execute(delete, input(confirmed)).await;
    app.db_reaches("email_token", 0).await;
    app.anonymous()
        .execute(REQUEST, input(json!({ "email": ANN })))
        .await;
    app.person("Bob").await;
    app.mail("bob@example.org", VERIFICATION, 1).await;
    assert_eq!(app.mails().len(), 2);
}

/// Without a mail server, a server in production offers nothing that needs one.
#[tokio::test]
async fn without_mail_what_needs_it_is_disabled() {
    let app = TestApp::sqlite_with(|config| config.mode = Mode::Production).await;
    let anonymous = app.anonymous();
    let features = anonymous
        .execute("{ server { features } }", Value::Null)
        .await;
    assert_eq!(features["server"]["features"], json!([]));
    for mutation in [REQUEST, RESEND] {
        let email = input(json!({ "email": ANN }));
        anonymous.expect_error("DISABLED", mutation, email).await;
    }
    let app = TestApp::sqlite().await;
    let features = app
        .anonymous()
        .execute("{ server { features } }", Value::Null)
        .await;
    assert_eq!(features["server"]["features"], json!(["EMAIL"]));
}
