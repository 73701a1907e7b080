//! People sign up and sign in.

use serde_json::{Value, json};

use crate::support::{app::TestApp, both, person::PASSWORD};

const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { viewer { user { username displayName } } } } }";

both!(
    ann_signs_up_and_signs_in,
    strangers_and_wrong_passwords_sound_alike
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
