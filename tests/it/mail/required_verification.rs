//! On a server that requires verified addresses, an account can be used only after its address is verified, and a
//! registration does not reveal which addresses have accounts.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    person::{PASSWORD, Person},
};

const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) {
    needsEmailVerification auth { accessToken } } }";
const VERIFY: &str = "mutation($input: VerifyEmailInput!) { verifyEmail(input: $input) {
    viewer { email } } }";
const RESEND: &str = "mutation($input: ResendEmailVerificationInput!) {
    resendEmailVerification(input: $input) { wasSent } }";
const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { accessToken viewer { email pendingEmail isEmailVerified } } } }";
const ANN: &str = "ann@example.org";
const VERIFICATION: &str = "Verify your address";
const IN_USE: &str = "You already have an account";

both!(
    an_account_can_be_used_after_its_address_is_verified,
    a_registration_does_not_reveal_which_addresses_have_accounts,
    the_link_is_mailed_again,
    an_address_that_was_never_verified_belongs_to_the_first_one_who_verifies_it,
    a_registration_that_is_never_verified_is_deleted,
);

/// A server with the setting.
async fn strict(app: &TestApp) -> TestApp {
    app.with(|config| config.require_verified_email = true)
        .await
}

fn input(fields: Value) -> Value {
    Value::from_iter([("input", fields)])
}

fn sign_in(login: &str) -> Value {
    input(json!({ "login": login, "password": PASSWORD }))
}

async fn register(app: &TestApp, username: &str, email: &str) {
    let new = json!({ "username": username, "email": email, "password": PASSWORD });
    let done = app.anonymous().execute(REGISTER, input(new)).await;
    let waits = json!({ "needsEmailVerification": true, "auth": null });
    assert_eq!(done["register"], waits);
}

async fn verify(app: &TestApp, email: &str, count: usize) {
    let mail = app.mail(email, VERIFICATION, count).await;
    let token = input(json!({ "token": mail.token("verify-email") }));
    app.anonymous().execute(VERIFY, token).await;
}

async fn address(anonymous: &Person, login: &str) -> Value {
    let done = anonymous.execute(SIGN_IN, sign_in(login)).await;
    done["signIn"]["auth"]["viewer"].clone()
}

async fn an_account_can_be_used_after_its_address_is_verified(app: TestApp) {
    let app = strict(&app).await;
    let anonymous = app.anonymous();
    register(&app, "ann", ANN).await;
    // More often than wrong passwords are accepted.
    for _ in 0..8 {
        anonymous
            .expect_error("EMAIL_NOT_VERIFIED", SIGN_IN, sign_in("ann"))
            .await;
    }
    let wrong = input(json!({ "login": "ann", "password": "not the password" }));
    anonymous
        .expect_error("WRONG_CREDENTIALS", SIGN_IN, wrong)
        .await;
    verify(&app, ANN, 1).await;
    let viewer = json!({ "email": ANN, "pendingEmail": null, "isEmailVerified": true });
    assert_eq!(address(&anonymous, "ann").await, viewer);
    assert_eq!(address(&anonymous, ANN).await, viewer);
}

async fn a_registration_does_not_reveal_which_addresses_have_accounts(app: TestApp) {
    let app = strict(&app).await;
    let anonymous = app.anonymous();
    register(&app, "ann", ANN).await;
    verify(&app, ANN, 1).await;
    // Mallory enters an address with an account and one without, and then looks for differences.
    register(&app, "mallory1", "Ann@example.org").await;
    register(&app, "mallory2", "bob@example.org").await;
    let mail = app.mail("Ann@example.org", IN_USE, 1).await;
    assert!(mail.body.contains("Hello ann,"), "{mail:?}");
    assert!(!mail.body.contains("het_"), "{mail:?}");
    for username in ["mallory1", "mallory2"] {
        anonymous
            .expect_error("EMAIL_NOT_VERIFIED", SIGN_IN, sign_in(username))
            .await;
        let again =
            json!({ "username": username, "email": "eve@example.org", "password": PASSWORD });
        let error = anonymous.expect_error("BAD_USER_INPUT", REGISTER, input(again));
        assert_eq!(error.await["extensions"]["problems"][0]["code"], "TAKEN");
    }
    let guess = |login| input(json!({ "login": login, "password": "eleven grey shuttles" }));
    for login in [ANN, "bob@example.org"] {
        anonymous
            .expect_error("WRONG_CREDENTIALS", SIGN_IN, guess(login))
            .await;
    }
    // The password of an account that waits for the address is none for the address.
    anonymous
        .expect_error("WRONG_CREDENTIALS", SIGN_IN, sign_in("bob@example.org"))
        .await;
}

async fn the_link_is_mailed_again(app: TestApp) {
    let app = strict(&app).await;
    let anonymous = app.anonymous();
    register(&app, "ann", ANN).await;
    app.mail(ANN, VERIFICATION, 1).await;
    let again = input(json!({ "email": "ANN@example.org" }));
    anonymous.execute(RESEND, again.clone()).await;
    verify(&app, ANN, 2).await;
    // A verified address needs no further mail.
    anonymous.execute(RESEND, again).await;
    register(&app, "bob", "bob@example.org").await;
    verify(&app, "bob@example.org", 1).await;
    assert_eq!(app.mails().len(), 3);
}

async fn an_address_that_was_never_verified_belongs_to_the_first_one_who_verifies_it(app: TestApp) {
    let app = strict(&app).await;
    let anonymous = app.anonymous();
    register(&app, "mallory", ANN).await;
    app.mail(ANN, VERIFICATION, 1).await;
    register(&app, "ann", ANN).await;
    let mail = app.mail(ANN, VERIFICATION, 2).await;
    assert!(mail.body.contains("Hello ann,"), "{mail:?}");
    verify(&app, ANN, 2).await;
    assert_eq!(address(&anonymous, ANN).await["email"], ANN);
    anonymous
        .expect_error("EMAIL_NOT_VERIFIED", SIGN_IN, sign_in("mallory"))
        .await;
}

async fn a_registration_that_is_never_verified_is_deleted(app: TestApp) {
    let app = strict(&app).await;
    register(&app, "ann", ANN).await;
    verify(&app, ANN, 1).await;
    register(&app, "mallory", "mallory@example.org").await;
    app.app.clock.advance(TimeDelta::days(6));
    register(&app, "bob", "bob@example.org").await;
    app.app.clock.advance(TimeDelta::days(2));
    app.db_reaches("\"user\"", 2).await;
    // The name is free again.
    register(&app, "mallory", "mallory@example.org").await;
    assert_eq!(address(&app.anonymous(), ANN).await["email"], ANN);
}
