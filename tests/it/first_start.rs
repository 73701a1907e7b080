//! The first administrator, who registers with a token that only the operator sees.

use chrono::TimeDelta;
use futures_util::future::join_all;
use heddle::{config::Mode, domain::accounts};
use serde_json::{Value, json};

use crate::support::{app::TestApp, both, person::PASSWORD};

const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) {
    auth { accessToken viewer { role conversations { nodes {
        title viewerMembership { unreadCount } } } } } } }";

both!(
    one_of_two_is_the_first_administrator,
    the_demo_waits_for_the_first_administrator,
    only_fresh_tokens_of_this_server_register,
    a_token_ignores_the_sign_up_policy_only_once,
);

fn form(name: &str, token: &str) -> Value {
    let input = json!({ "username": name, "email": format!("{name}@example.org"),
        "password": PASSWORD, "setupToken": token });
    json!({ "input": input })
}

async fn token(app: &TestApp) -> String {
    accounts::setup_token(&app.app).await.unwrap().unwrap()
}

async fn one_of_two_is_the_first_administrator(app: TestApp) {
    let token = token(&app).await;
    let anonymous = app.anonymous();
    let tries = ["ann", "bob"].map(|name| anonymous.request(REGISTER, form(name, &token)));
    let responses = join_all(tries).await;
    let roles: Vec<&Value> = responses
        .iter()
        .map(|response| &response["data"]["register"]["auth"]["viewer"]["role"])
        .collect();
    assert!(roles.contains(&&json!("ADMIN")), "{responses:?}");
    assert!(roles.contains(&&Value::Null), "{responses:?}");
    assert_eq!(accounts::setup_token(&app.app).await.unwrap(), None);
    anonymous
        .expect_error("EXPIRED", REGISTER, form("cleo", &token))
        .await;
    // A member registers without a token, as always.
    let ann = app.person("Zoe").await;
    let seen = ann.execute("{ viewer { role } }", Value::Null).await;
    assert_eq!(seen["viewer"]["role"], "MEMBER");
}

async fn the_demo_waits_for_the_first_administrator(app: TestApp) {
    let anonymous = app.anonymous();
    let mut form = form("mira", &token(&app).await);
    form["input"]["withDemo"] = json!(true);
    let response = anonymous.execute(REGISTER, form).await;
    let viewer = &response["register"]["auth"]["viewer"];
    assert_eq!(viewer["role"], "ADMIN");
    let rooms = viewer["conversations"]["nodes"].as_array().unwrap();
    assert_eq!(rooms.len(), 2, "{rooms:?}");
    for room in rooms {
        assert!(
            room["viewerMembership"]["unreadCount"].as_i64().unwrap() > 0,
            "{room}"
        );
    }
    let sign_in = "mutation($input: SignInInput!) { signIn(input: $input) {
        auth { viewer { user { displayName } } } } }";
    let input = json!({ "input": { "login": "ben", "password": "over-under-over-under" } });
    let ben = anonymous.execute(sign_in, input).await;
    let name = &ben["signIn"]["auth"]["viewer"]["user"]["displayName"];
    assert_eq!(name, "Ben Carder");
}

async fn only_fresh_tokens_of_this_server_register(app: TestApp) {
    let anonymous = app.anonymous();
    let now = app.app.clock.now();
    let old = app.app.keys.setup(now - TimeDelta::seconds(2));
    anonymous
        .expect_error("EXPIRED", REGISTER, form("ann", &old))
        .await;
    let good = token(&app).await;
    let longer = app.app.keys.setup(now + TimeDelta::hours(9));
    let forged = format!("{}{}", &longer[..14], &good[14..]);
    for wrong in ["", "hst_", "hst_AAAA", &good[..good.len() - 2], &forged] {
        anonymous
            .expect_error("WRONG_CREDENTIALS", REGISTER, form("ann", wrong))
            .await;
    }
    // A form with problems does not use up the token.
    let mut bad = form("ann", &good);
    bad["input"]["password"] = json!("short");
    anonymous
        .expect_error("BAD_USER_INPUT", REGISTER, bad)
        .await;
    anonymous.execute(REGISTER, form("ann", &good)).await;
}

async fn a_token_ignores_the_sign_up_policy_only_once(app: TestApp) {
    let closed = |config: &mut heddle::config::Config| {
        config.mode = Mode::Production;
        config.sign_up_policy = heddle::config::SignUpPolicy::InviteOnly;
    };
    let app = app.with(closed).await;
    let anonymous = app.anonymous();
    let token = token(&app).await;
    let mut form = form("ann", &token);
    form["input"]["withDemo"] = json!(true);
    // The password of the demo's users is public.
    anonymous
        .expect_error("DISABLED", REGISTER, form.clone())
        .await;
    form["input"]["withDemo"] = json!(false);
    anonymous.execute(REGISTER, form.clone()).await;
    form["input"]["username"] = json!("bob");
    anonymous
        .expect_error("EXPIRED", REGISTER, form.clone())
        .await;
    form["input"].as_object_mut().unwrap().remove("setupToken");
    anonymous.expect_error("DISABLED", REGISTER, form).await;
}
