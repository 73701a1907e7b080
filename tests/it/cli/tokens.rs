//! `heddle token check` and `heddle doctor` explain what they know about trusted issuers.

use std::fs;

use chrono::{DateTime, Utc};
use heddle::clock::Clock;
use serde_json::json;

use super::{Machine, err, out};
use crate::support::issuer::{Issuer, SigningKey, sign_with};

fn now() -> DateTime<Utc> {
    Clock::default().now()
}

/// A machine whose settings file trusts the issuer.
fn trusting(issuer: &Issuer) -> Machine {
    let machine = Machine::sqlite();
    let settings = format!(
        "[[trusted_issuers]]\nissuer = \"{}\"\naudience = \"heddle\"\njwks = \"{}\"\nclaims = {{ username = \"login\" }}\n",
        issuer.name,
        issuer.file().display()
    );
    fs::write(machine.path("heddle.toml"), settings).unwrap();
    machine
}

#[test]
fn a_valid_token_is_explained() {
    let issuer = Issuer::new("https://shop.example");
    let machine = trusting(&issuer);
    let mut claims = issuer.claims("42", now());
    claims["login"] = json!("ann");
    let checked =
        machine.run_with_input(&["token", "check"], &format!("{}\n", issuer.sign(&claims)));
    let printed = out(&checked);
    assert!(checked.status.success(), "{}", err(&checked));
    for line in [
        "issuer: https://shop.example\n",
        "subject: 42\n",
        "username: ann\n",
        "display name: 42 of https://shop.example\n",
        "email: none\n",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
    let shown = machine.runs(&["config", "print"]);
    assert!(shown.contains(r#""username":"login""#), "{shown}");
}

#[test]
fn a_refused_token_is_explained() {
    let (issuer, stranger) = (Issuer::new("https://shop.example"), Issuer::new("stranger"));
    let machine = trusting(&issuer);
    let valid = issuer.claims("42", now());
    let with = |claim: &str, value: serde_json::Value| {
        let mut claims = valid.clone();
        claims[claim] = value;
        issuer.sign(&claims)
    };
    let second = SigningKey::p256("second");
    for (token, reason) in [
        (
            stranger.token("42", now()),
            "no trusted issuer is named \"stranger\"",
        ),
        (
            sign_with(&second, &valid),
            "the issuer has no key with the id \"second\"",
        ),
        (
            with("aud", json!("forum")),
            "the token is invalid: InvalidAudience",
        ),
        (
            with("exp", json!(now().timestamp() - 60)),
            "the token has expired",
        ),
        (
            with("exp", json!(now().timestamp() + 4000)),
            "the token lives longer than an hour",
        ),
        (
            with("sub", json!(42)),
            "the claim \"sub\" is missing or has a wrong type",
        ),
        (
            "hello".to_owned(),
            "the token is not a signed JSON Web Token",
        ),
        (String::new(), "there is no token on standard input"),
    ] {
        let checked = machine.run_with_input(&["token", "check"], &token);
        assert_eq!(checked.status.code(), Some(1), "{reason}");
        assert!(err(&checked).contains(reason), "{}", err(&checked));
    }
    let without = Machine::sqlite().run_with_input(&["token", "check"], "hello");
    assert!(
        err(&without).contains("this server trusts no issuer"),
        "{}",
        err(&without)
    );
}

#[test]
fn the_doctor_loads_the_keys() {
    let issuer = Issuer::new("https://shop.example");
    let machine = trusting(&issuer);
    let good = machine.runs(&["doctor"]);
    assert!(
        good.contains("ok    issuer: the keys of https://shop.example can be loaded"),
        "{good}"
    );
    fs::write(issuer.file(), "{}").unwrap();
    let bad = machine.fails(1, &["doctor"]);
    assert!(bad.contains("the document is not a set of keys"), "{bad}");
}

#[test]
fn unsafe_and_wrong_issuers_are_refused_at_the_start() {
    let machine = Machine::sqlite();
    let refused = |mode: &str, text: &str| {
        let mut command = machine.heddle(&["config", "print"]);
        command
            .env("HEDDLE_TRUSTED_ISSUERS", text)
            .env("HEDDLE_MODE", mode);
        let output = command
            .env("HEDDLE_PUBLIC_URL", "http://localhost")
            .output()
            .unwrap();
        format!("{}{}", out(&output), err(&output))
    };
    let issuer = r#"[{"issuer":"a","audience":"b","jwks":"http://a.example/keys"}]"#;
    let printed = refused("production", issuer);
    assert!(
        printed.contains("needs https for the URL of public keys"),
        "{printed}"
    );
    assert!(!refused("development", issuer).contains("needs https"));
    let printed = refused("development", r#"[{"issuer":"a","jwks":"b"}]"#);
    assert!(printed.contains("missing field `audience`"), "{printed}");
}
