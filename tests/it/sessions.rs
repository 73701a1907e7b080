//! Sessions: users sign in on several devices, renew tokens, lose them and sign out.

use chrono::TimeDelta;
use heddle::{
    db,
    domain::{accounts, sessions::Device},
};
use sea_orm::FromQueryResult;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    person::{PASSWORD, Person, text},
};

const REFRESH: &str = "mutation($input: RefreshSessionInput!) { refreshSession(input: $input) {
    auth { accessToken refreshToken viewer { user { username } } } } }";
const VIEWER: &str = "{ viewer { user { username } } }";
const SESSIONS: &str = "query($first: Int, $after: String) { viewer {
    sessions(first: $first, after: $after) {
        nodes { id isCurrent label } pageInfo { hasNextPage endCursor } } } }";

both!(
    a_session_is_renewed_again_and_again,
    ten_tabs_renew_concurrently_and_the_session_survives,
    a_stolen_token_ends_the_session,
    a_second_use_within_the_grace_gets_the_same_successor,
    sessions_end_without_renewal,
    sessions_end_after_a_month_however_often_renewed,
    signing_out_works_immediately,
    sessions_are_listed_and_ended_one_by_one,
    changing_the_password_ends_the_other_sessions,
    last_use_is_noted_at_most_once_a_minute,
    a_token_from_the_future_is_refused,
);

/// Signs in again.
async fn another_device(app: &TestApp, person: &Person) -> Person {
    let input = json!({ "login": person.username, "password": PASSWORD });
    let data = app
        .anonymous()
        .execute(
            "mutation($input: SignInInput!) { signIn(input: $input) {
                auth { accessToken refreshToken } } }",
            json!({ "input": input }),
        )
        .await;
    let auth = &data["signIn"]["auth"];
    let mut device = person.clone();
    device.token = Some(text(&auth["accessToken"]));
    device.refresh_token = Some(text(&auth["refreshToken"]));
    device
}

fn with(token: Option<&String>) -> Value {
    json!({ "input": { "refreshToken": token } })
}

async fn renew(app: &TestApp, person: &mut Person) {
    let token = with(person.refresh_token.as_ref());
    let data = app.anonymous().execute(REFRESH, token).await;
    let auth = &data["refreshSession"]["auth"];
    person.token = Some(text(&auth["accessToken"]));
    person.refresh_token = Some(text(&auth["refreshToken"]));
}

async fn is_signed_in(person: &Person) -> bool {
    let response = person.request(VIEWER, Value::Null).await;
    !response["data"]["viewer"].is_null()
}

#[derive(FromQueryResult)]
struct Event {
    payload: String,
}

/// Why this user's sessions ended, from the event log.
async fn reasons(app: &TestApp, person: &Person) -> Vec<String> {
    let events: Vec<Event> = db::fetch_all(
        app.app.db.read(),
        "SELECT payload FROM event WHERE kind = 'SessionEnded' AND stream_id = ? ORDER BY seq",
        [heddle::id::UserId::from_text(&person.id).into()],
    )
    .await
    .unwrap();
    events
        .iter()
        .map(|event| {
            let payload: Value = serde_json::from_str(&event.payload).unwrap();
            text(&payload["reason"])
        })
        .collect()
}

async fn a_session_is_renewed_again_and_again(app: TestApp) {
    let mut ann = app.person("Ann").await;
    for _ in 0..3 {
        let old = ann.refresh_token.clone();
        app.app.clock.advance(TimeDelta::minutes(30));
        assert!(!is_signed_in(&ann).await);
        renew(&app, &mut ann).await;
        assert_ne!(ann.refresh_token, old);
        assert!(is_signed_in(&ann).await);
    }
    for bad in ["", "hrt_", "nonsense"] {
        let input = with(Some(&bad.to_owned()));
        let anonymous = app.anonymous();
        anonymous
            .expect_error("WRONG_CREDENTIALS", REFRESH, input)
            .await;
    }
}

async fn ten_tabs_renew_concurrently_and_the_session_survives(app: TestApp) {
    let mut ann = app.person("Ann").await;
    let tabs = (0..10).map(|_| {
        let (anonymous, input) = (app.anonymous(), with(ann.refresh_token.as_ref()));
        async move { anonymous.execute(REFRESH, input).await }
    });
    let responses = futures_util::future::join_all(tabs).await;
    let first = &responses[0]["refreshSession"]["auth"]["refreshToken"];
    for response in &responses {
        assert_eq!(&response["refreshSession"]["auth"]["refreshToken"], first);
    }
    ann.refresh_token = Some(text(first));
    renew(&app, &mut ann).await;
    assert!(is_signed_in(&ann).await);
}

async fn a_stolen_token_ends_the_session(app: TestApp) {
    let mut ann = app.person("Ann").await;
    let stolen = ann.refresh_token.clone();
    renew(&app, &mut ann).await;
    app.app.clock.advance(TimeDelta::milliseconds(10_001));
    let thief = app.anonymous();
    thief
        .expect_error("WRONG_CREDENTIALS", REFRESH, with(stolen.as_ref()))
        .await;
    // Either device may be the thief's, so the newest token is revoked too.
    assert!(!is_signed_in(&ann).await);
    let newest = with(ann.refresh_token.as_ref());
    ann.expect_error("WRONG_CREDENTIALS", REFRESH, newest).await;
    assert_eq!(reasons(&app, &ann).await, ["REVOKED"]);
}

async fn a_second_use_within_the_grace_gets_the_same_successor(app: TestApp) {
    let mut ann = app.person("Ann").await;
    let first = ann.refresh_token.clone();
    renew(&app, &mut ann).await;
    let second = ann.refresh_token.clone();
    app.app.clock.advance(TimeDelta::seconds(9));
    let mut other_tab = ann.clone();
    other_tab.refresh_token.clone_from(&first);
    renew(&app, &mut other_tab).await;
    assert_eq!(other_tab.refresh_token, second);
    assert!(is_signed_in(&other_tab).await);
    // The grace period does not cover the token before the previous one.
    renew(&app, &mut ann).await;
    app.anonymous()
        .expect_error("WRONG_CREDENTIALS", REFRESH, with(first.as_ref()))
        .await;
    assert!(!is_signed_in(&ann).await);
}

async fn sessions_end_without_renewal(app: TestApp) {
    let mut ann = app.person("Ann").await;
    app.app
        .clock
        .advance(TimeDelta::days(14) - TimeDelta::minutes(1));
    renew(&app, &mut ann).await;
    app.app.clock.advance(TimeDelta::days(14));
    let token = with(ann.refresh_token.as_ref());
    ann.expect_error("WRONG_CREDENTIALS", REFRESH, token).await;
    assert_eq!(reasons(&app, &ann).await, ["EXPIRED"]);
}

async fn sessions_end_after_a_month_however_often_renewed(app: TestApp) {
    let mut ann = app.person("Ann").await;
    for _ in 0..2 {
        app.app.clock.advance(TimeDelta::days(10));
        renew(&app, &mut ann).await;
    }
    app.app.clock.advance(TimeDelta::days(10));
    let token = with(ann.refresh_token.as_ref());
    ann.expect_error("WRONG_CREDENTIALS", REFRESH, token).await;
    assert_eq!(reasons(&app, &ann).await, ["EXPIRED"]);
}

async fn signing_out_works_immediately(app: TestApp) {
    let ann = app.person("Ann").await;
    let laptop = another_device(&app, &ann).await;
    let data = laptop
        .execute("mutation { signOut { endedSessionId } }", Value::Null)
        .await;
    assert!(text(&data["signOut"]["endedSessionId"]).starts_with("ses_"));
    assert!(!is_signed_in(&laptop).await);
    let token = with(laptop.refresh_token.as_ref());
    laptop
        .expect_error("WRONG_CREDENTIALS", REFRESH, token)
        .await;
    assert!(is_signed_in(&ann).await);
    assert_eq!(reasons(&app, &ann).await, ["SIGNED_OUT"]);
    app.anonymous()
        .expect_error(
            "UNAUTHENTICATED",
            "mutation { signOut { endedSessionId } }",
            Value::Null,
        )
        .await;
}

async fn sessions_are_listed_and_ended_one_by_one(app: TestApp) {
    let ann = app.person("Ann").await;
    let bob = app.person("Bob").await;
    let (phone, laptop) = (
        another_device(&app, &ann).await,
        another_device(&app, &ann).await,
    );
    let seen = ann.execute(SESSIONS, json!({ "first": 2 })).await;
    let page = &seen["viewer"]["sessions"];
    assert_eq!(page["nodes"][0]["isCurrent"], true);
    assert_eq!(page["nodes"][1]["isCurrent"], false);
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let after = json!({ "first": 2, "after": page["pageInfo"]["endCursor"] });
    let rest = ann.execute(SESSIONS, after).await;
    let rest = rest["viewer"]["sessions"]["nodes"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(rest.len(), 1);
    // After the current session, newest first: the laptop's, then the phone's.
    let input = json!({ "input": { "sessionIds": [rest[0]["id"], "ses_nonsense"] } });
    let revoke = "mutation($input: RevokeSessionsInput!) { revokeSessions(input: $input) {
        revokedSessionIds } }";
    let nothing = bob.execute(revoke, input.clone()).await;
    assert_eq!(nothing["revokeSessions"]["revokedSessionIds"], json!([]));
    assert!(is_signed_in(&phone).await);
    let ended = ann.execute(revoke, input).await;
    assert_eq!(
        ended["revokeSessions"]["revokedSessionIds"],
        json!([rest[0]["id"]])
    );
    assert!(!is_signed_in(&phone).await);
    assert!(is_signed_in(&laptop).await);
    let ended = ann
        .execute(
            "mutation { revokeOtherSessions { revokedSessionIds } }",
            Value::Null,
        )
        .await;
    let ended = ended["revokeOtherSessions"]["revokedSessionIds"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(ended, 1);
    assert!(!is_signed_in(&laptop).await);
    assert!(is_signed_in(&ann).await && is_signed_in(&bob).await);
    assert_eq!(reasons(&app, &ann).await, ["SIGNED_OUT", "SIGNED_OUT"]);
}

async fn changing_the_password_ends_the_other_sessions(app: TestApp) {
    const CHANGE: &str = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) {
        viewer { user { username } } } }";
    let ann = app.person("Ann").await;
    let thief = another_device(&app, &ann).await;
    let change = |current: Option<&str>, new: &str| json!({ "input": { "currentPassword": current, "newPassword": new } });
    let error = ann
        .expect_error("BAD_USER_INPUT", CHANGE, change(None, "short"))
        .await;
    assert_eq!(error["extensions"]["problems"].as_array().unwrap().len(), 2);
    let wrong = change(Some("not her password"), "the shuttle flies across");
    ann.expect_error("WRONG_CREDENTIALS", CHANGE, wrong).await;
    assert!(is_signed_in(&thief).await);
    ann.execute(CHANGE, change(Some(PASSWORD), "the shuttle flies across"))
        .await;
    assert!(is_signed_in(&ann).await);
    assert!(!is_signed_in(&thief).await);
    assert_eq!(reasons(&app, &ann).await, ["REVOKED"]);
    let device = Device::default();
    let old = accounts::sign_in(&app.app, "ann", PASSWORD, &device);
    assert!(old.await.is_err());
    let new = "the shuttle flies across";
    let new = accounts::sign_in(&app.app, "ann", new, &device);
    new.await.unwrap();
}

async fn last_use_is_noted_at_most_once_a_minute(app: TestApp) {
    let ann = app.person("Ann").await;
    let token = ann.token.clone().unwrap();
    let standing = app.app.tasks.len();
    let used = async || {
        // A separate task writes the time of last use.
        while app.app.tasks.len() > standing {
            tokio::task::yield_now().await;
        }
        let found: Option<chrono::DateTime<chrono::Utc>> =
            db::fetch_one(app.app.db.read(), "SELECT last_used_at FROM session", [])
                .await
                .unwrap();
        found.unwrap()
    };
    let start = used().await;
    app.app.clock.advance(TimeDelta::seconds(50));
    accounts::authenticate(&app.app, &token).await.unwrap();
    assert_eq!(used().await, start);
    app.app.clock.advance(TimeDelta::seconds(15));
    accounts::authenticate(&app.app, &token).await.unwrap();
    let noted = used().await;
    assert!(noted >= start + TimeDelta::seconds(65), "{noted} {start}");
}

async fn a_token_from_the_future_is_refused(app: TestApp) {
    let ann = app.person("Ann").await;
    app.app.clock.advance(TimeDelta::seconds(-29));
    ann.execute(VIEWER, Value::Null).await;
    app.app.clock.advance(TimeDelta::seconds(-31));
    let viewer = ann.request(VIEWER, Value::Null).await["data"]["viewer"].take();
    assert_eq!(viewer, Value::Null);
}
