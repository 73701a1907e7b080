//! Registration, sign-in, and the limits on guessing passwords.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::phc::PasswordHash,
};
use chrono::TimeDelta;
use heddle::{
    auth::password::is_outdated,
    db,
    domain::{
        accounts::{self, NewAccount, Registration},
        sessions::Device,
    },
    entity::user,
    error::{Code, Error},
    id::UserId,
};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::support::{app::TestApp, both, person::PASSWORD};

const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { viewer { user { username displayName } } } } }";
const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) {
    auth { viewer { user { username displayName } } } } }";

both!(
    ann_signs_up_and_signs_in,
    unknown_names_and_wrong_passwords_return_the_same_error,
    a_bad_form_returns_all_its_problems_together,
    names_and_addresses_are_unique_in_any_case,
    ten_people_want_one_name_and_one_gets_it,
    one_address_registers_only_so_often,
    five_wrong_passwords_make_one_wait_longer_and_longer,
    a_hundred_wrong_passwords_need_a_reset,
    concurrent_guesses_gain_nothing,
    twelve_correct_sign_ins_at_the_same_time_succeed,
    failed_sign_ins_do_not_link_an_address_to_a_name,
    strangers_do_not_lock_the_account_of_a_signed_in_user,
    a_stolen_session_guesses_only_so_often,
    a_new_password_unlocks_both_logins,
    one_account_leaves_the_hashing_to_others,
    one_address_fails_only_so_often,
    unknown_names_cost_what_known_ones_do,
    weak_hashes_are_replaced_at_sign_in,
    the_server_publishes_its_limits,
);

async fn ann_signs_up_and_signs_in(app: TestApp) {
    let ann = app.person("Ann").await;
    let seen = ann
        .execute("{ viewer { id user { id isViewer } } }", Value::Null)
        .await;
    assert_eq!(
        seen["viewer"]["user"],
        json!({ "id": ann.id, "isViewer": true })
    );
    for login in ["ann", "ANN", "ann@example.org"] {
        let input = json!({ "login": login, "password": PASSWORD });
        let data = app
            .anonymous()
            .execute(SIGN_IN, json!({ "input": input }))
            .await;
        let user = json!({ "username": "ann", "displayName": "Ann" });
        assert_eq!(data["signIn"]["auth"]["viewer"]["user"], user);
    }
}

async fn unknown_names_and_wrong_passwords_return_the_same_error(app: TestApp) {
    app.person("Ann").await;
    let mut errors = vec![];
    for (login, password) in [("ann", "not her password"), ("bob", PASSWORD)] {
        let input = json!({ "login": login, "password": password });
        let anonymous = app.anonymous();
        errors.push(
            anonymous
                .expect_error("WRONG_CREDENTIALS", SIGN_IN, json!({ "input": input }))
                .await,
        );
    }
    assert_eq!(errors[0], errors[1]);
}

async fn a_bad_form_returns_all_its_problems_together(app: TestApp) {
    app.person("Ann").await;
    let input = json!({
        "username": "ANN",
        "displayName": "  ",
        "email": "not an address",
        "password": "ann",
    });
    let anonymous = app.anonymous();
    let input = json!({ "input": input });
    let error = anonymous
        .expect_error("BAD_USER_INPUT", REGISTER, input)
        .await;
    let problems = error["extensions"]["problems"].as_array().unwrap();
    let mut reported: Vec<_> = problems
        .iter()
        .map(|problem| (problem["path"].clone(), problem["code"].clone()))
        .collect();
    reported.sort_by_key(|(path, _)| path.to_string());
    assert_eq!(
        reported,
        [
            (json!(["input", "displayName"]), json!("TOO_SHORT")),
            (json!(["input", "email"]), json!("INVALID")),
            (json!(["input", "password"]), json!("TOO_SHORT")),
            (json!(["input", "username"]), json!("TAKEN")),
        ]
    );
}

async fn names_and_addresses_are_unique_in_any_case(app: TestApp) {
    app.person("Ann").await;
    for (username, email, field) in [
        ("Ann", "other@example.org", "username"),
        ("other", "ANN@Example.org", "email"),
    ] {
        let input = json!({ "username": username, "email": email, "password": PASSWORD });
        let anonymous = app.anonymous();
        let input = json!({ "input": input });
        let error = anonymous
            .expect_error("BAD_USER_INPUT", REGISTER, input)
            .await;
        let problem = &error["extensions"]["problems"][0];
        assert_eq!(problem["path"], json!(["input", field]));
        assert_eq!(problem["code"], "TAKEN");
    }
}

async fn ten_people_want_one_name_and_one_gets_it(app: TestApp) {
    let tries = (0..10).map(|number| {
        let anonymous = app.anonymous();
        let email = format!("{number}@example.org");
        let input = json!({ "username": "ann", "email": email, "password": PASSWORD });
        async move { anonymous.request(REGISTER, json!({ "input": input })).await }
    });
    let responses = futures_util::future::join_all(tries).await;
    let (good, refused): (Vec<_>, Vec<_>) = responses
        .iter()
        .partition(|response| response.get("errors").is_none());
    assert_eq!(good.len(), 1);
    for response in refused {
        let extensions = &response["errors"][0]["extensions"];
        assert_eq!(extensions["problems"][0]["code"], "TAKEN", "{response}");
    }
}

async fn one_address_registers_only_so_often(app: TestApp) {
    let home: IpAddr = "203.0.113.9".parse().unwrap();
    let register = async |number: u32| {
        let new = Registration {
            account: NewAccount {
                username: format!("ann{number}"),
                display_name: None,
                email: format!("ann{number}@example.org"),
            },
            password: PASSWORD.to_owned(),
            invitation_token: None,
        };
        let device = Device {
            ip_address: Some(home),
            ..Device::default()
        };
        accounts::register(&app.app, new, &device).await
    };
    for number in 0..6 {
        register(number).await.unwrap();
    }
    let refused = register(6).await.unwrap_err();
    assert_eq!(refused.code(), Code::RateLimited);
    let wait = refused.retry_after().unwrap();
    assert!(wait.as_secs() <= 30, "{wait:?}");
    app.app.clock.advance(TimeDelta::seconds(30));
    register(6).await.unwrap();
}

/// Signs in from this network address.
async fn sign_in_from(app: &TestApp, home: &str, login: &str, password: &str) -> Result<(), Error> {
    let device = Device {
        ip_address: Some(home.parse().unwrap()),
        ..Device::default()
    };
    accounts::sign_in(&app.app, login, password, &device).await?;
    Ok(())
}

/// A different network address for each attempt, so that only the name is throttled.
fn elsewhere(number: usize) -> String {
    format!("198.51.{}.{}", number / 250, number % 250)
}

async fn five_wrong_passwords_make_one_wait_longer_and_longer(app: TestApp) {
    app.person("Ann").await;
    // The errors for an unknown name must be the same, word for word.
    let mut received: Vec<Vec<String>> = vec![];
    for login in ["ann", "missing", "missing@example.org"] {
        let mut words = vec![];
        for number in 0..5 {
            let wrong = sign_in_from(&app, &elsewhere(number), login, "not the password").await;
            words.push(wrong.unwrap_err().to_string());
        }
        for pause in [20, 40, 80] {
            let early = sign_in_from(&app, &elsewhere(9), login, PASSWORD).await;
            let early = early.unwrap_err();
            assert_eq!(early.code(), Code::RateLimited);
            let wait = early.retry_after().unwrap().as_secs_f64();
            assert!(
                (f64::from(pause) - 5.0..=f64::from(pause)).contains(&wait),
                "{login} {wait}"
            );
            app.app.clock.advance(TimeDelta::seconds(pause.into()));
            let wrong = sign_in_from(&app, &elsewhere(9), login, "not the password").await;
            words.push(wrong.unwrap_err().to_string());
        }
        app.app.clock.advance(TimeDelta::minutes(15));
        received.push(words);
    }
    assert_eq!(received[0], received[1]);
    assert_eq!(received[0], received[2]);
    // The correct password, after the pause, resets the counter.
    sign_in_from(&app, &elsewhere(10), "ann", PASSWORD)
        .await
        .unwrap();
    for number in 0..4 {
        let wrong = sign_in_from(&app, &elsewhere(number), "ann", "not the password").await;
        assert_eq!(wrong.unwrap_err().code(), Code::WrongCredentials);
    }
    sign_in_from(&app, &elsewhere(11), "ann@example.org", PASSWORD)
        .await
        .unwrap();
}

async fn a_hundred_wrong_passwords_need_a_reset(app: TestApp) {
    app.person("Ann").await;
    let tries = async |login: &str| {
        app.app.clock.advance(TimeDelta::minutes(15));
        let wrong = sign_in_from(&app, &elsewhere(1), login, "x").await;
        wrong.unwrap_err().code()
    };
    let logins = ["ann", "missing"];
    for login in logins {
        assert_eq!(tries(login).await, Code::WrongCredentials);
    }
    // Ninety-eight more attempts, without waiting.
    let text = "UPDATE sign_in_attempt SET failed_sign_ins = failed_sign_ins + 98";
    let changed = app
        .app
        .db
        .write(|tx| async move { db::execute(&*tx, text, []).await });
    assert_eq!(changed.await.unwrap(), 2);
    for login in logins {
        assert_eq!(tries(login).await, Code::WrongCredentials, "{login}");
        assert_eq!(tries(login).await, Code::LimitReached, "{login}");
    }
    let right = sign_in_from(&app, &elsewhere(2), "ann", PASSWORD).await;
    assert_eq!(right.unwrap_err().code(), Code::LimitReached);
}

async fn concurrent_guesses_gain_nothing(app: TestApp) {
    app.person("Ann").await;
    let guesses = (0..12).map(|number| {
        let app = &app;
        async move { sign_in_from(app, &elsewhere(number), "ann", "not the password").await }
    });
    let responses = futures_util::future::join_all(guesses).await;
    let checked = responses.iter().filter(
        |response| matches!(response, Err(error) if error.code() == Code::WrongCredentials),
    );
    assert_eq!(checked.count(), 5);
}

async fn twelve_correct_sign_ins_at_the_same_time_succeed(app: TestApp) {
    app.person("Ann").await;
    let sign_ins = (0..12).map(|number| {
        let app = &app;
        async move { sign_in_from(app, &elsewhere(number % 2), "ann", PASSWORD).await }
    });
    for result in futures_util::future::join_all(sign_ins).await {
        result.unwrap();
    }
}

async fn failed_sign_ins_do_not_link_an_address_to_a_name(app: TestApp) {
    app.person("Ann").await;
    for number in 0..6 {
        let wrong = sign_in_from(&app, &elsewhere(number), "ann", "not the password").await;
        assert!(wrong.is_err());
    }
    let paused = sign_in_from(&app, &elsewhere(7), "ann", "x").await;
    assert_eq!(paused.unwrap_err().code(), Code::RateLimited);
    // Neither is the address of Ann paused, nor does a sign-in with it end the pause of the name.
    let address = "ann@example.org";
    let wrong = sign_in_from(&app, &elsewhere(7), address, "x").await;
    assert_eq!(wrong.unwrap_err().code(), Code::WrongCredentials);
    sign_in_from(&app, &elsewhere(7), address, PASSWORD)
        .await
        .unwrap();
    let paused = sign_in_from(&app, &elsewhere(7), "ann", PASSWORD).await;
    assert_eq!(paused.unwrap_err().code(), Code::RateLimited);
}

const CHANGE: &str = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) {
    __typename } }";

async fn strangers_do_not_lock_the_account_of_a_signed_in_user(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    for number in 0..7 {
        for login in ["ann", "bob"] {
            let wrong = sign_in_from(&app, &elsewhere(number), login, "not the password").await;
            assert!(wrong.is_err());
        }
    }
    let change = json!({ "currentPassword": PASSWORD, "newPassword": "another loom of nine" });
    ann.execute(CHANGE, json!({ "input": change })).await;
    let delete = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
        deletedUserId } }";
    let confirmation = json!({ "confirmUsername": "bob", "password": PASSWORD });
    bob.execute(delete, json!({ "input": confirmation })).await;
}

async fn a_stolen_session_guesses_only_so_often(app: TestApp) {
    let ann = app.person("Ann").await;
    let change = |current: &str| json!({ "input": { "currentPassword": current, "newPassword": "another loom of nine" } });
    for _ in 0..5 {
        ann.expect_error("WRONG_CREDENTIALS", CHANGE, change("a guess"))
            .await;
    }
    ann.expect_error("RATE_LIMITED", CHANGE, change(PASSWORD))
        .await;
    // The owner can still sign in.
    sign_in_from(&app, &elsewhere(1), "ann", PASSWORD)
        .await
        .unwrap();
}

async fn a_new_password_unlocks_both_logins(app: TestApp) {
    let ann = app.person("Ann").await;
    let logins = ["ann", "ann@example.org"];
    for login in logins {
        for number in 0..6 {
            let wrong = sign_in_from(&app, &elsewhere(number), login, "not the password").await;
            assert!(wrong.is_err());
        }
    }
    let new = "another loom of nine";
    let change = json!({ "currentPassword": PASSWORD, "newPassword": new });
    ann.execute(CHANGE, json!({ "input": change })).await;
    for login in logins {
        sign_in_from(&app, &elsewhere(1), login, new).await.unwrap();
    }
}

async fn one_account_leaves_the_hashing_to_others(app: TestApp) {
    let ann = app.person("Ann").await;
    for name in ["Bob", "Cem", "Dee"] {
        app.person(name).await;
    }
    // More requests than the queue of hashes takes, each of which hashes twice.
    let change = json!({ "currentPassword": PASSWORD, "newPassword": PASSWORD });
    let changes = (0..60).map(|_| ann.request(CHANGE, json!({ "input": change })));
    let sign_ins = ["bob", "cem", "dee"].map(|login| {
        let app = &app;
        async move { sign_in_from(app, &elsewhere(1), login, PASSWORD).await }
    });
    let changes = futures_util::future::join_all(changes);
    let (changes, sign_ins) = tokio::join!(changes, futures_util::future::join_all(sign_ins));
    for result in sign_ins {
        result.unwrap();
    }
    let busy = changes
        .iter()
        .filter(|response| response["errors"][0]["extensions"]["code"] == "UNAVAILABLE");
    assert_eq!(busy.count(), 0);
}

async fn one_address_fails_only_so_often(app: TestApp) {
    app.person("Ann").await;
    let home = "203.0.113.9";
    for number in 0..20 {
        let wrong = sign_in_from(&app, home, &format!("name{number}"), "x").await;
        assert_eq!(wrong.unwrap_err().code(), Code::WrongCredentials);
    }
    let refused = sign_in_from(&app, home, "ann", PASSWORD).await.unwrap_err();
    assert_eq!(refused.code(), Code::RateLimited);
    assert!(refused.retry_after().unwrap().as_secs() <= 30);
    sign_in_from(&app, "203.0.113.10", "ann", PASSWORD)
        .await
        .unwrap();
    app.app.clock.advance(TimeDelta::seconds(30));
    // Successful sign-ins are not counted.
    for _ in 0..3 {
        sign_in_from(&app, home, "ann", PASSWORD).await.unwrap();
    }
}

async fn unknown_names_cost_what_known_ones_do(app: TestApp) {
    app.person("Ann").await;
    let mut times = [Duration::ZERO; 2];
    // The first hashes initialize lazy values.
    let _ = sign_in_from(&app, &elsewhere(99), "warm", "x").await;
    for round in 0..4 {
        for (time, login) in times.iter_mut().zip(["ann", "missing"]) {
            let start = Instant::now();
            let wrong = sign_in_from(&app, &elsewhere(round), login, "not the password").await;
            *time += start.elapsed();
            assert_eq!(wrong.unwrap_err().code(), Code::WrongCredentials);
        }
    }
    let [known, unknown] = times;
    assert!(unknown * 2 > known, "{known:?} {unknown:?}");
}

async fn weak_hashes_are_replaced_at_sign_in(app: TestApp) {
    let ann = app.person("Ann").await;
    let id = UserId::from_text(&ann.id);
    let params = Params::new(8_192, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let weak: PasswordHash = argon2.hash_password(PASSWORD.as_bytes()).unwrap();
    let weak = &weak.to_string();
    app.app
        .db
        .write(|tx| async move {
            let text = r#"UPDATE "user" SET password_hash = ? WHERE id = ?"#;
            db::execute(&*tx, text, [weak.as_str().into(), id.into()]).await
        })
        .await
        .unwrap();
    for _ in 0..2 {
        sign_in_from(&app, &elsewhere(1), "ann", PASSWORD)
            .await
            .unwrap();
    }
    let rows = user::Entity::find_by_id(id);
    let row = rows.one(app.app.db.read()).await.unwrap().unwrap();
    let stored = row.password_hash.unwrap();
    assert_ne!(stored, *weak);
    assert!(!is_outdated(&stored));
}

async fn the_server_publishes_its_limits(app: TestApp) {
    let query = "{ server { id name version apiVersion signUpPolicy now
        limits { messageLength participantsPerConversation threadDepth editWindowSeconds
            deleteWindowSeconds eventReplaySeconds }
        errorCodes { code meaning isRetryable } } }";
    let data = app.anonymous().execute(query, Value::Null).await;
    let server = &data["server"];
    assert_eq!(server["name"], "Heddle");
    assert_eq!(server["signUpPolicy"], "OPEN");
    assert_eq!(
        server["limits"],
        json!({
            "messageLength": 10_000, "participantsPerConversation": 10_000, "threadDepth": 50,
            "editWindowSeconds": null, "deleteWindowSeconds": null, "eventReplaySeconds": 604_800,
        })
    );
    let limited = json!({
        "code": "RATE_LIMITED", "isRetryable": true,
        "meaning": "Too many requests. Try again after extensions.retryAfterMs.",
    });
    assert!(server["errorCodes"].as_array().unwrap().contains(&limited));
}
