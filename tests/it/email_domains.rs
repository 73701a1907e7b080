//! A server that accepts addresses of some domains only.

use chrono::TimeDelta;
use heddle::{
    domain::accounts::{self, NewInvitation},
    entity::user::ServerRole,
};
use serde_json::{Value, json};

use crate::support::{app::TestApp, both, person::PASSWORD};

const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) {
    auth { accessToken } } }";
const CHANGE: &str = "mutation($input: ChangeEmailInput!) { changeEmail(input: $input) {
    viewer { pendingEmail } } }";

both!(
    accounts_have_addresses_of_allowed_domains,
    an_invitation_for_an_address_may_name_any_domain,
);

async fn restricted(app: &TestApp) -> TestApp {
    let domains = ["example.org", "xn--bcher-kva.example"].map(str::to_owned);
    app.with(|config| config.allowed_email_domains = domains.to_vec())
        .await
}

fn form(username: &str, email: &str) -> Value {
    json!({ "input": { "username": username, "email": email, "password": PASSWORD } })
}

async fn accounts_have_addresses_of_allowed_domains(app: TestApp) {
    let app = restricted(&app).await;
    let (anonymous, ann) = (app.anonymous(), app.person("Ann").await);
    for refused in [
        "bob@example.com",
        "bob@sub.example.org",
        "bob@example.org.example.com",
        "bob@notexample.org",
    ] {
        let register = anonymous.expect_error("BAD_USER_INPUT", REGISTER, form("bob", refused));
        let change = json!({ "input": { "newEmail": refused, "password": PASSWORD } });
        let change = ann.expect_error("BAD_USER_INPUT", CHANGE, change);
        let (register, change) = tokio::join!(register, change);
        for (error, field) in [(register, "email"), (change, "newEmail")] {
            let problem = &error["extensions"]["problems"][0];
            assert_eq!(problem["path"], json!(["input", field]), "{refused}");
            assert_eq!(problem["code"], "NOT_ALLOWED", "{refused}");
        }
    }
    anonymous
        .execute(REGISTER, form("bob", "bob@EXAMPLE.org"))
        .await;
    anonymous
        .execute(REGISTER, form("cleo", "cleo@bücher.example"))
        .await;
}

async fn an_invitation_for_an_address_may_name_any_domain(app: TestApp) {
    let app = restricted(&app).await;
    let invite = async |email: Option<&str>| {
        let new = NewInvitation {
            created_by: None,
            is_mailed: false,
            email: email.map(str::to_owned),
            role: ServerRole::Member,
            lifetime: TimeDelta::hours(1),
        };
        accounts::create_invitation(&app.app, &new).await.unwrap().1
    };
    let mut given = form("bob", "bob@example.com");
    given["input"]["invitationToken"] = json!(invite(None).await);
    let anonymous = app.anonymous();
    anonymous
        .expect_error("BAD_USER_INPUT", REGISTER, given.clone())
        .await;
    given["input"]["invitationToken"] = json!(invite(Some("bob@example.com")).await);
    anonymous.execute(REGISTER, given).await;
}
