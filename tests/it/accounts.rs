//! People sign up and sign in.

use std::net::IpAddr;

use heddle::{
    domain::{
        accounts::{self, Registration},
        sessions::Device,
    },
    error::Code,
};
use serde_json::{Value, json};

use crate::support::{app::TestApp, both, person::PASSWORD};

const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { viewer { user { username displayName } } } } }";
const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) {
    auth { viewer { user { username displayName } } } } }";

both!(
    ann_signs_up_and_signs_in,
    strangers_and_wrong_passwords_sound_alike,
    a_bad_form_hears_all_its_problems_at_once,
    names_and_addresses_are_unique_whatever_their_case,
    ten_people_want_one_name_and_one_gets_it,
    one_address_registers_only_so_often,
);

async fn ann_signs_up_and_signs_in(app: TestApp) {
    let ann = app.person("Ann").await;
    let seen = ann
        .asks("{ viewer { id user { id isViewer } } }", Value::Null)
        .await;
    assert_eq!(
        seen["viewer"]["user"],
        json!({ "id": ann.id, "isViewer": true })
    );
    for login in ["ann", "ANN", "ann@example.org"] {
        let input = json!({ "login": login, "password": PASSWORD });
        let data = app.nobody().asks(SIGN_IN, json!({ "input": input })).await;
        let user = json!({ "username": "ann", "displayName": "Ann" });
        assert_eq!(data["signIn"]["auth"]["viewer"]["user"], user);
    }
}

async fn strangers_and_wrong_passwords_sound_alike(app: TestApp) {
    app.person("Ann").await;
    let mut errors = vec![];
    for (login, password) in [("ann", "not her password"), ("bob", PASSWORD)] {
        let input = json!({ "login": login, "password": password });
        let nobody = app.nobody();
        errors.push(
            nobody
                .is_refused("WRONG_CREDENTIALS", SIGN_IN, json!({ "input": input }))
                .await,
        );
    }
    assert_eq!(errors[0], errors[1]);
}

async fn a_bad_form_hears_all_its_problems_at_once(app: TestApp) {
    app.person("Ann").await;
    let input = json!({
        "username": "ANN",
        "displayName": "  ",
        "email": "not an address",
        "password": "ann",
    });
    let nobody = app.nobody();
    let input = json!({ "input": input });
    let error = nobody.is_refused("BAD_USER_INPUT", REGISTER, input).await;
    let problems = error["extensions"]["problems"].as_array().unwrap();
    let mut told: Vec<_> = problems
        .iter()
        .map(|problem| (problem["path"].clone(), problem["code"].clone()))
        .collect();
    told.sort_by_key(|(path, _)| path.to_string());
    assert_eq!(
        told,
        [
            (json!(["input", "displayName"]), json!("TOO_SHORT")),
            (json!(["input", "email"]), json!("INVALID")),
            (json!(["input", "password"]), json!("TOO_SHORT")),
            (json!(["input", "username"]), json!("TAKEN")),
        ]
    );
}

async fn names_and_addresses_are_unique_whatever_their_case(app: TestApp) {
    app.person("Ann").await;
    for (username, email, field) in [
        ("Ann", "other@example.org", "username"),
        ("other", "ANN@Example.org", "email"),
    ] {
        let input = json!({ "username": username, "email": email, "password": PASSWORD });
        let nobody = app.nobody();
        let input = json!({ "input": input });
        let error = nobody.is_refused("BAD_USER_INPUT", REGISTER, input).await;
        let problem = &error["extensions"]["problems"][0];
        assert_eq!(problem["path"], json!(["input", field]));
        assert_eq!(problem["code"], "TAKEN");
    }
}

async fn ten_people_want_one_name_and_one_gets_it(app: TestApp) {
    let tries = (0..10).map(|number| {
        let nobody = app.nobody();
        let email = format!("{number}@example.org");
        let input = json!({ "username": "ann", "email": email, "password": PASSWORD });
        async move { nobody.sends(REGISTER, json!({ "input": input })).await }
    });
    let answers = futures_util::future::join_all(tries).await;
    let (good, refused): (Vec<_>, Vec<_>) = answers
        .iter()
        .partition(|answer| answer.get("errors").is_none());
    assert_eq!(good.len(), 1);
    for answer in refused {
        let extensions = &answer["errors"][0]["extensions"];
        assert_eq!(extensions["problems"][0]["code"], "TAKEN", "{answer}");
    }
}

async fn one_address_registers_only_so_often(app: TestApp) {
    let home: IpAddr = "203.0.113.9".parse().unwrap();
    let register = async |number: u32| {
        let new = Registration {
            username: format!("ann{number}"),
            display_name: None,
            email: format!("ann{number}@example.org"),
            password: PASSWORD.to_owned(),
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
    app.app.clock.advance(chrono::TimeDelta::seconds(30));
    register(6).await.unwrap();
}
