//! Ann changes the address of her account.

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    person::{PASSWORD, Person},
};

const CHANGE: &str = "mutation($input: ChangeEmailInput!) { changeEmail(input: $input) {
    viewer { email pendingEmail isEmailVerified } } }";
const VERIFY: &str = "mutation($input: VerifyEmailInput!) { verifyEmail(input: $input) {
    viewer { email } } }";
const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { viewer { user { username } } } } }";
const PASSWORD_CHANGE: &str = "mutation($input: ChangePasswordInput!) {
    changePassword(input: $input) { viewer { id } } }";
const RESET: &str = "mutation($input: ResetPasswordInput!) { resetPassword(input: $input) {
    username } }";
const REQUEST: &str = "mutation($input: RequestPasswordResetInput!) {
    requestPasswordReset(input: $input) { wasAccepted } }";
const SEEN: &str = "{ viewer { email pendingEmail isEmailVerified } }";
const OLD: &str = "ann@example.org";
const NEW: &str = "ann@weavers.example";
const VERIFICATION: &str = "Verify your address";
const NOTICE: &str = "Your address for";
const IN_USE: &str = "You already have an account";

both!(
    a_new_address_replaces_the_old_one_when_it_is_verified,
    only_the_owner_changes_an_address,
    an_address_of_another_account_is_revealed_in_its_mailbox_only,
    the_first_one_who_verifies_an_address_has_it,
    a_change_is_cancelled_by_the_present_address_and_by_a_new_password,
    an_address_receives_three_mails_in_an_hour,
);

fn input(fields: Value) -> Value {
    Value::from_iter([("input", fields)])
}

fn change_to(email: &str) -> Value {
    input(json!({ "newEmail": email, "password": PASSWORD }))
}

fn sign_in(login: &str) -> Value {
    input(json!({ "login": login, "password": PASSWORD }))
}

fn verify(token: &str) -> Value {
    input(json!({ "token": token }))
}

/// The address of the account and the one that waits for verification.
async fn addresses(person: &Person) -> (Value, Value) {
    let seen = person.execute(SEEN, Value::Null).await;
    let viewer = &seen["viewer"];
    (viewer["email"].clone(), viewer["pendingEmail"].clone())
}

async fn a_new_address_replaces_the_old_one_when_it_is_verified(app: TestApp) {
    let ann = app.person("Ann").await;
    let first = app.mail(OLD, VERIFICATION, 1).await.token("verify-email");
    let done = ann.execute(CHANGE, change_to(NEW)).await;
    let viewer = json!({ "email": OLD, "pendingEmail": NEW, "isEmailVerified": false });
    assert_eq!(done["changeEmail"]["viewer"], viewer);
    let notice = app.mail(OLD, NOTICE, 1).await;
    assert!(!notice.body.contains("het_"), "{notice:?}");
    assert!(!notice.body.contains(NEW), "{notice:?}");
    let token = app.mail(NEW, VERIFICATION, 1).await.token("verify-email");

    // Until then, the old address signs in, and can still be verified.
    let anonymous = app.anonymous();
    anonymous.execute(SIGN_IN, sign_in(OLD)).await;
    anonymous
        .expect_error("WRONG_CREDENTIALS", SIGN_IN, sign_in(NEW))
        .await;
    let done = ann.execute(VERIFY, verify(&token)).await;
    assert_eq!(done["verifyEmail"]["viewer"]["email"], NEW);
    let seen = ann.execute(SEEN, Value::Null).await;
    let viewer = json!({ "email": NEW, "pendingEmail": null, "isEmailVerified": true });
    assert_eq!(seen["viewer"], viewer);
    anonymous.execute(SIGN_IN, sign_in(NEW)).await;
    anonymous
        .expect_error("WRONG_CREDENTIALS", SIGN_IN, sign_in(OLD))
        .await;
    for token in [first, token] {
        ann.expect_error("WRONG_CREDENTIALS", VERIFY, verify(&token))
            .await;
    }
}

async fn only_the_owner_changes_an_address(app: TestApp) {
    let ann = app.person("Ann").await;
    let missing = input(json!({ "newEmail": "not an address" }));
    let error = ann.expect_error("BAD_USER_INPUT", CHANGE, missing).await;
    let problems = error["extensions"]["problems"].as_array().unwrap();
    let paths: Vec<_> = problems.iter().map(|problem| &problem["path"]).collect();
    let expected = [json!(["input", "newEmail"]), json!(["input", "password"])];
    assert_eq!(paths, expected.iter().collect::<Vec<_>>());
    let wrong = input(json!({ "newEmail": NEW, "password": "not the password" }));
    ann.expect_error("WRONG_CREDENTIALS", CHANGE, wrong).await;
    app.anonymous()
        .expect_error("UNAUTHENTICATED", CHANGE, change_to(NEW))
        .await;
    assert_eq!(addresses(&ann).await, (json!(OLD), Value::Null));
}

async fn an_address_of_another_account_is_revealed_in_its_mailbox_only(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let taken = ann.execute(CHANGE, change_to("BOB@example.org")).await;
    let viewer = json!({
        "email": OLD, "pendingEmail": "BOB@example.org", "isEmailVerified": false,
    });
    assert_eq!(taken["changeEmail"]["viewer"], viewer);
    let mail = app.mail("BOB@example.org", IN_USE, 1).await;
    assert!(mail.body.contains("Hello bob,"), "{mail:?}");
    assert!(!mail.body.contains("het_"), "{mail:?}");
    app.mail(OLD, NOTICE, 1).await;
    assert_eq!(
        addresses(&bob).await,
        (json!("bob@example.org"), Value::Null)
    );
}

async fn the_first_one_who_verifies_an_address_has_it(app: TestApp) {
    let people = [app.person("Ann").await, app.person("Bob").await];
    let mut tokens = vec![];
    for (count, person) in people.iter().enumerate() {
        person.execute(CHANGE, change_to(NEW)).await;
        let mail = app.mail(NEW, VERIFICATION, count + 1).await;
        tokens.push(mail.token("verify-email"));
    }
    let [ann, bob] = &people;
    bob.execute(VERIFY, verify(&tokens[1])).await;
    for _ in 0..2 {
        let error = ann.expect_error("CONFLICT", VERIFY, verify(&tokens[0]));
        assert_eq!(error.await["path"], json!(["verifyEmail"]));
    }
    assert_eq!(addresses(bob).await, (json!(NEW), Value::Null));
    assert_eq!(addresses(ann).await, (json!(OLD), json!(NEW)));
}

async fn a_change_is_cancelled_by_the_present_address_and_by_a_new_password(app: TestApp) {
    let mut ann = app.person("Ann").await;
    ann.execute(CHANGE, change_to(NEW)).await;
    let first = app.mail(NEW, VERIFICATION, 1).await.token("verify-email");
    let done = ann.execute(CHANGE, change_to("Ann@example.org")).await;
    assert_eq!(done["changeEmail"]["viewer"]["pendingEmail"], Value::Null);

    ann.execute(CHANGE, change_to("ann@looms.example")).await;
    let second = app
        .mail("ann@looms.example", VERIFICATION, 1)
        .await
        .token("verify-email");
    let password = "eleven grey shuttles";
    let new = json!({ "currentPassword": PASSWORD, "newPassword": password });
    ann.execute(PASSWORD_CHANGE, input(new)).await;
    assert_eq!(addresses(&ann).await, (json!(OLD), Value::Null));

    app.app.clock.advance(chrono::TimeDelta::minutes(61));
    ann.signs_in_with(password).await;
    let third = input(json!({ "newEmail": "ann@yarn.example", "password": password }));
    ann.execute(CHANGE, third).await;
    let third = app
        .mail("ann@yarn.example", VERIFICATION, 1)
        .await
        .token("verify-email");
    let anonymous = app.anonymous();
    anonymous
        .execute(REQUEST, input(json!({ "email": OLD })))
        .await;
    let token = app.mail(OLD, "Set a new password", 1).await;
    let token = token.token("reset-password");
    let reset = input(json!({ "token": token, "newPassword": PASSWORD }));
    anonymous.execute(RESET, reset).await;
    ann.signs_in().await;
    assert_eq!(addresses(&ann).await, (json!(OLD), Value::Null));
    for token in [first, second, third] {
        anonymous
            .expect_error("WRONG_CREDENTIALS", VERIFY, verify(&token))
            .await;
    }
}

async fn an_address_receives_three_mails_in_an_hour(app: TestApp) {
    for (count, name) in ["Ann", "Bob", "Cem", "Dee"].into_iter().enumerate() {
        let person = app.person(name).await;
        person.execute(CHANGE, change_to(NEW)).await;
        // The notice is sent after the link would have been.
        let old = format!("{}@example.org", name.to_lowercase());
        app.mail(&old, NOTICE, 1).await;
        app.mail(NEW, VERIFICATION, (count + 1).min(3)).await;
    }
    let ann = app.person("Eve").await;
    for number in 0..3 {
        // One mail was sent at the registration.
        let change = change_to(&format!("eve@number{number}.example"));
        if number < 2 {
            ann.execute(CHANGE, change).await;
            app.mail(&format!("eve@number{number}.example"), VERIFICATION, 1)
                .await;
        } else {
            let error = ann.expect_error("RATE_LIMITED", CHANGE, change).await;
            assert!(error["extensions"]["retryAfterMs"].is_number(), "{error}");
        }
    }
}
