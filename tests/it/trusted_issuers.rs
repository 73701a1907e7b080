//! Access tokens of other systems that the operator trusts.

use std::net::IpAddr;

use chrono::TimeDelta;
use heddle::{config::ClaimNames, entity::user::ServerRole};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    issuer::{DocumentServer, Issuer, SigningKey, document, sign_with, sign_with_header},
    person::{PASSWORD, Person, text},
    socket::{Frame, Subscription},
    sse::Stream,
};

both!(
    the_first_token_creates_the_account,
    later_tokens_update_the_profile,
    tokens_of_each_kind_of_key_are_accepted,
    other_claims_are_refused,
    other_signatures_are_refused,
    streams_accept_tokens_too,
    an_ended_session_refuses_the_tokens_before_it,
    a_suspended_user_is_refused,
    a_deleted_account_does_not_return_with_an_old_token,
    names_and_addresses_of_other_accounts_stay_theirs,
    many_first_requests_create_one_account,
    keys_are_loaded_again_at_most_once_a_minute,
    removed_keys_are_refused_after_an_hour,
    keys_are_loaded_only_from_allowed_addresses,
    other_names_of_claims_can_be_configured,
    an_account_without_a_password_can_receive_one,
);

const VIEWER: &str = "{ viewer { email isEmailVerified hasPassword role signInMethods
    user { id username displayName } } }";

/// The server of an installation that trusts this issuer.
async fn trusting(app: &TestApp, issuer: &Issuer) -> TestApp {
    app.with(issuer.settings()).await
}

/// A client with this token.
fn with_token(app: &TestApp, token: String) -> Person {
    let mut person = app.anonymous();
    person.token = Some(token);
    person
}

/// A user of the issuer, with a valid token.
async fn user(app: &TestApp, issuer: &Issuer, subject: &str) -> Person {
    let mut person = with_token(app, issuer.token(subject, app.app.clock.now()));
    let viewer = person.execute(VIEWER, json!({})).await;
    person.id = text(&viewer["viewer"]["user"]["id"]);
    person.username = text(&viewer["viewer"]["user"]["username"]);
    person
}

async fn is_refused(app: &TestApp, token: String) -> bool {
    let response = with_token(app, token).request(VIEWER, json!({})).await;
    response["data"]["viewer"].is_null()
}

async fn the_first_token_creates_the_account(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let app = trusting(&app, &issuer).await;
    let now = app.app.clock.now();
    let mut claims = issuer.claims("ann", now);
    claims["email"] = json!("Ann@Shop.example");
    claims["email_verified"] = json!(true);
    let ann = with_token(&app, issuer.sign(&claims));
    let viewer = ann.execute(VIEWER, json!({})).await;
    let id = &viewer["viewer"]["user"]["id"];
    let expected = json!({
        "email": "Ann@shop.example",
        "isEmailVerified": true,
        "hasPassword": false,
        "role": "MEMBER",
        "signInMethods": ["TRUSTED_ISSUER"],
        "user": { "id": id, "username": "ann", "displayName": "ann of https://shop.example" },
    });
    assert_eq!(viewer["viewer"], expected);
    // The account is used like any other, and is the same with the next token.
    let bob = user(&app, &issuer, "bob").await;
    let open = "mutation($input: OpenDirectConversationInput!) {
        openDirectConversation(input: $input) { conversation { id } } }";
    let input = json!({ "input": { "userIds": [id] } });
    let opened = bob.execute(open, input).await;
    let conversation = &opened["openDirectConversation"]["conversation"]["id"];
    let later = with_token(&app, issuer.token("ann", now + TimeDelta::seconds(1)));
    let read = "query($id: ID!) { conversation(id: $id) { id } viewer { user { id }
        sessions { nodes { label isCurrent } } } }";
    let read = later.execute(read, json!({ "id": conversation })).await;
    assert_eq!(&read["conversation"]["id"], conversation);
    assert_eq!(&read["viewer"]["user"]["id"], id);
    let session = json!([{ "label": "https://shop.example", "isCurrent": true }]);
    assert_eq!(read["viewer"]["sessions"]["nodes"], session);
    // A person with a password is no user of the issuer.
    let cleo = app.person("Cleo").await;
    let methods = cleo
        .execute("{ viewer { signInMethods } }", json!({}))
        .await;
    assert_eq!(methods["viewer"]["signInMethods"], json!(["PASSWORD"]));
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let accounts = "{ admin { accounts { nodes { signInMethods user { username } } } } }";
    let accounts = admin.execute(accounts, json!({})).await;
    let accounts = accounts["admin"]["accounts"]["nodes"].as_array().unwrap();
    let external = accounts
        .iter()
        .filter(|account| account["signInMethods"] == json!(["TRUSTED_ISSUER"]));
    assert_eq!((accounts.len(), external.count()), (4, 2));
}

async fn later_tokens_update_the_profile(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let app = trusting(&app, &issuer).await;
    let ann = user(&app, &issuer, "ann").await;
    let bob = user(&app, &issuer, "bob").await;
    let update =
        "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) { viewer { id } } }";
    let own = json!({ "input": { "displayName": "Annie" } });
    ann.execute(update, own).await;
    let name = || async {
        let query = "query($id: ID!) { user(by: { id: $id }) { username displayName } }";
        bob.execute(query, json!({ "id": ann.id })).await["user"].take()
    };
    // The next token states what the last one did, so the user's own change stays.
    let mut claims = issuer.claims("ann", app.app.clock.now());
    claims["jti"] = json!("another");
    assert!(!is_refused(&app, issuer.sign(&claims)).await);
    let kept = json!({ "username": "ann", "displayName": "Annie" });
    assert_eq!(name().await, kept);
    claims["name"] = json!("Ann Lee");
    claims["preferred_username"] = json!("ann.lee@shop.example");
    assert!(!is_refused(&app, issuer.sign(&claims)).await);
    let changed = json!({ "username": "ann.lee", "displayName": "Ann Lee" });
    assert_eq!(name().await, changed);
    // A name that another account has, or that no account can have, is not taken over.
    claims["name"] = json!("\u{202e}eeL nnA");
    claims["preferred_username"] = json!("Bob");
    assert!(!is_refused(&app, issuer.sign(&claims)).await);
    assert_eq!(name().await, changed);
}

async fn tokens_of_each_kind_of_key_are_accepted(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let keys = [
        SigningKey::ed25519("a"),
        SigningKey::p256("b"),
        SigningKey::rsa("c"),
    ];
    issuer.publish(&[&keys[0], &keys[1], &keys[2]]);
    let app = trusting(&app, &issuer).await;
    let claims = issuer.claims("ann", app.app.clock.now());
    for key in &keys {
        assert!(
            !is_refused(&app, sign_with(key, &claims)).await,
            "{}",
            key.id
        );
    }
    // With several keys, a token has to name its own.
    let header = Header::new(Algorithm::EdDSA);
    assert!(is_refused(&app, sign_with_header(&keys[0], &header, &claims)).await);
    issuer.publish(&[&keys[0]]);
    let app = trusting(&app, &issuer).await;
    assert!(!is_refused(&app, sign_with_header(&keys[0], &header, &claims)).await);
}

async fn other_claims_are_refused(app: TestApp) {
    let (issuer, other) = (Issuer::new("https://shop.example"), Issuer::new("other"));
    let trusted = [issuer.trusted(), other.trusted()];
    let app = app
        .with(|config| config.trusted_issuers = trusted.to_vec())
        .await;
    let now = app.app.clock.now();
    let valid = issuer.claims("ann", now);
    let at = |seconds: i64| json!(now.timestamp() + seconds);
    for (claim, value) in [
        ("iss", json!("https://shop.example/")),
        ("iss", json!("other")),
        ("iss", json!(["https://shop.example"])),
        ("iss", Value::Null),
        ("aud", json!("shop")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!("a\u{0}b")),
        ("sub", json!("a".repeat(513))),
        ("sub", Value::Null),
        ("iat", at(40)),
        ("iat", json!("now")),
        ("iat", Value::Null),
        ("nbf", at(40)),
        ("nbf", json!("now")),
        ("exp", at(-40)),
        ("exp", at(3601)),
        ("exp", json!(1e300)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(-1)),
        ("exp", Value::Null),
    ] {
        let mut claims = valid.clone();
        claims[claim] = value;
        if claims[claim].is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        }
        assert!(is_refused(&app, issuer.sign(&claims)).await, "{claims}");
    }
    assert_eq!(app.db_count("identity").await, 0);
    // A token of this server's own is checked by its own rules.
    let cleo = app.person("Cleo").await;
    assert!(!is_refused(&app, cleo.token.unwrap()).await);
}

async fn other_signatures_are_refused(app: TestApp) {
    let (issuer, other) = (Issuer::new("https://shop.example"), Issuer::new("other"));
    let rsa = SigningKey::rsa("rsa");
    issuer.publish(&[&issuer.key, &rsa]);
    let trusted = [issuer.trusted(), other.trusted()];
    let app = app
        .with(|config| config.trusted_issuers = trusted.to_vec())
        .await;
    let valid = issuer.claims("ann", app.app.clock.now());
    let header = |change: fn(&mut Header)| {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some("first".to_owned());
        change(&mut header);
        sign_with_header(&issuer.key, &header, &valid)
    };
    let mut with_secret = Header::new(Algorithm::HS256);
    with_secret.kid = Some("first".to_owned());
    let public = EncodingKey::from_secret(document(&[&issuer.key]).as_bytes());
    let good = issuer.sign(&valid);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut as_pss = Header::new(Algorithm::PS256);
    as_pss.kid = Some("rsa".to_owned());
    for (what, token) in [
        (
            "another key",
            sign_with(&SigningKey::ed25519("first"), &valid),
        ),
        ("another issuer's key", other.sign(&valid)),
        (
            "an unknown key",
            header(|header| header.kid = Some("second".to_owned())),
        ),
        ("no key id", header(|header| header.kid = None)),
        (
            "an id token",
            header(|header| header.typ = Some("id_token".to_owned())),
        ),
        (
            "a key in the header",
            header(|header| header.jku = Some("https://x.example".to_owned())),
        ),
        (
            "a critical extension",
            header(|header| header.crit = Some(vec!["exp".to_owned()])),
        ),
        (
            "another algorithm of the key",
            sign_with_header(&rsa, &as_pss, &valid),
        ),
        (
            "a symmetric key",
            jsonwebtoken::encode(&with_secret, &valid, &public).unwrap(),
        ),
        ("no signature", format!("{signed}.")),
        (
            "no algorithm",
            format!("eyJhbGciOiJub25lIn0.{}.", signed.split_once('.').unwrap().1),
        ),
        (
            "a changed signature",
            format!("{signed}.{}", signature.chars().rev().collect::<String>()),
        ),
        ("no token", "a.b.c".to_owned()),
    ] {
        assert!(is_refused(&app, token).await, "{what}");
    }
    assert!(!is_refused(&app, good).await);
    assert_eq!(app.db_count("identity").await, 1);
}

async fn streams_accept_tokens_too(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let app = trusting(&app, &issuer).await;
    let ann = user(&app, &issuer, "ann").await;
    let ready = json!({ "events": { "__typename": "StreamOpenedEvent" } });
    let query = "subscription { events { __typename } }";
    let mut socket = Subscription::open(&app, &ann, query, json!({})).await;
    assert_eq!(socket.next().await, ready);
    let mut stream = Stream::open(&app, &ann, query, json!({}), None).await;
    let (first, _) = stream.next().await;
    assert_eq!(first, ready);
}

const END: &str = "mutation($input: RevokeSessionsInput!) { revokeSessions(input: $input) { revokedSessionIds } }";

async fn an_ended_session_refuses_the_tokens_before_it(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let app = trusting(&app, &issuer).await;
    let ann = user(&app, &issuer, "ann").await;
    let query = "subscription { events { __typename } }";
    let mut socket = Subscription::open(&app, &ann, query, json!({})).await;
    socket.next().await;
    let sessions = "{ viewer { sessions { nodes { id } } } }";
    let sessions = ann.execute(sessions, json!({})).await;
    let id = &sessions["viewer"]["sessions"]["nodes"][0]["id"];
    ann.execute(END, json!({ "input": { "sessionIds": [id] } }))
        .await;
    while socket.next_frame().await != Frame::Closed(4401) {}
    let now = app.app.clock.now();
    assert!(is_refused(&app, ann.token.clone().unwrap()).await);
    let mut earlier = issuer.claims("ann", now - TimeDelta::seconds(1));
    earlier["jti"] = json!("another");
    assert!(is_refused(&app, issuer.sign(&earlier)).await);
    assert!(!is_refused(&app, issuer.token("ann", now + TimeDelta::seconds(2))).await);
    assert!(is_refused(&app, ann.token.unwrap()).await);
    assert_eq!(app.db_count("session").await, 2);
}

async fn a_suspended_user_is_refused(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let app = trusting(&app, &issuer).await;
    let ann = user(&app, &issuer, "ann").await;
    let admin = app.person_with_role("root", ServerRole::Moderator).await;
    let about = |reason: &str| json!({ "input": { "userId": ann.id, "reason": reason } });
    let suspend = "mutation($input: AdminSuspendUserInput!) { adminSuspendUser(input: $input) {
        account { status } } }";
    admin.execute(suspend, about("spam")).await;
    let later = app.app.clock.now() + TimeDelta::seconds(2);
    assert!(is_refused(&app, ann.token.clone().unwrap()).await);
    assert!(is_refused(&app, issuer.token("ann", later)).await);
    let restore = "mutation($input: AdminReinstateUserInput!) { adminReinstateUser(input: $input) {
        account { status } } }";
    admin
        .execute(restore, json!({ "input": { "userId": ann.id } }))
        .await;
    assert!(!is_refused(&app, issuer.token("ann", later)).await);
}

async fn a_deleted_account_does_not_return_with_an_old_token(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let app = trusting(&app, &issuer).await;
    let ann = user(&app, &issuer, "ann").await;
    let delete =
        "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedUserId } }";
    ann.execute(delete, json!({ "input": { "confirmUsername": "ann" } }))
        .await;
    assert!(is_refused(&app, ann.token.clone().unwrap()).await);
    assert_eq!(app.db_count("\"user\"").await, 0);
    let later = issuer.token("ann", app.app.clock.now() + TimeDelta::seconds(2));
    let again = with_token(&app, later).execute(VIEWER, json!({})).await;
    assert_ne!(again["viewer"]["user"]["id"], json!(ann.id));
    // What is left of an account that does not return is deleted.
    let bob = user(&app, &issuer, "bob").await;
    bob.execute(delete, json!({ "input": { "confirmUsername": "bob" } }))
        .await;
    assert_eq!(app.db_count("identity").await, 2);
    app.app.clock.advance(TimeDelta::hours(4));
    app.db_reaches("identity", 1).await;
}

async fn names_and_addresses_of_other_accounts_stay_theirs(app: TestApp) {
    let (shop, forum) = (Issuer::new("shop"), Issuer::new("forum"));
    let trusted = [shop.trusted(), forum.trusted()];
    let app = app
        .with(|config| config.trusted_issuers = trusted.to_vec())
        .await;
    let ann = app.person("Ann").await;
    let now = app.app.clock.now();
    let mut claims = shop.claims("ann", now);
    claims["email"] = json!("ann@example.org");
    claims["email_verified"] = json!(true);
    let viewer = with_token(&app, shop.sign(&claims))
        .execute(VIEWER, json!({}))
        .await;
    let viewer = &viewer["viewer"];
    assert_ne!(viewer["user"]["id"], json!(ann.id));
    assert_eq!(
        (&viewer["user"]["username"], &viewer["email"]),
        (&json!("ann-2"), &Value::Null)
    );
    // The same subject of another issuer is another person, and an address that is not verified is not stored.
    let mut claims = forum.claims("ann", now);
    claims["email"] = json!("ann@forum.example");
    let viewer = with_token(&app, forum.sign(&claims))
        .execute(VIEWER, json!({}))
        .await;
    let viewer = &viewer["viewer"];
    assert_eq!(
        (&viewer["user"]["username"], &viewer["email"]),
        (&json!("ann-3"), &Value::Null)
    );
    let mut claims = forum.claims("nameless", now);
    for claim in ["name", "preferred_username"] {
        claims.as_object_mut().unwrap().remove(claim);
    }
    let viewer = with_token(&app, forum.sign(&claims))
        .execute(VIEWER, json!({}))
        .await;
    let user = &viewer["viewer"]["user"];
    assert_eq!(
        (&user["username"], &user["displayName"]),
        (&json!("user"), &json!("user"))
    );
}

async fn many_first_requests_create_one_account(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let app = trusting(&app, &issuer).await;
    let token = issuer.token("ann", app.app.clock.now());
    let ann = with_token(&app, token);
    let requests = (0..20).map(|_| ann.execute(VIEWER, json!({})));
    let viewers = futures_util::future::join_all(requests).await;
    assert!(viewers.iter().all(|viewer| *viewer == viewers[0]));
    for table in ["\"user\"", "identity", "session"] {
        assert_eq!(app.db_count(table).await, 1, "{table}");
    }
}

/// The settings of a server that loads the keys from this URL, and may do so.
async fn loading(app: &TestApp, issuer: &Issuer, url: &str) -> TestApp {
    let trusted = issuer.trusted_at(url.to_owned());
    app.with(|config| {
        config.trusted_issuers = vec![trusted];
        config.egress_networks = vec![IpAddr::from([127, 0, 0, 1]).into()];
    })
    .await
}

async fn keys_are_loaded_again_at_most_once_a_minute(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let server = DocumentServer::start(document(&[&issuer.key])).await;
    let app = loading(&app, &issuer, &server.url).await;
    let second = SigningKey::p256("second");
    for subject in ["ann", "bob", "cleo"] {
        user(&app, &issuer, subject).await;
    }
    assert_eq!(server.requests(), 1);
    let claims = issuer.claims("ann", app.app.clock.now());
    // Anyone can name an unknown key.
    for _ in 0..10 {
        assert!(is_refused(&app, sign_with(&second, &claims)).await);
    }
    assert_eq!(server.requests(), 1);
    server.replace(document(&[&issuer.key, &second]));
    app.app.clock.advance(TimeDelta::seconds(61));
    let requests = (0..10).map(|_| is_refused(&app, sign_with(&second, &claims)));
    let refused = futures_util::future::join_all(requests).await;
    assert!(!refused.contains(&true));
    assert_eq!(server.requests(), 2);
}

async fn removed_keys_are_refused_after_an_hour(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let second = SigningKey::p256("second");
    let server = DocumentServer::start(document(&[&issuer.key, &second])).await;
    let app = loading(&app, &issuer, &server.url).await;
    user(&app, &issuer, "ann").await;
    server.replace(document(&[&second]));
    app.app.clock.advance(TimeDelta::minutes(61));
    let claims = issuer.claims("ann", app.app.clock.now());
    assert!(is_refused(&app, issuer.sign(&claims)).await);
    assert!(!is_refused(&app, sign_with(&second, &claims)).await);
    // While the keys cannot be loaded, the last ones count.
    server.replace("no keys".to_owned());
    app.app.clock.advance(TimeDelta::minutes(61));
    let claims = issuer.claims("ann", app.app.clock.now());
    assert!(!is_refused(&app, sign_with(&second, &claims)).await);
    assert_eq!(server.requests(), 3);
}

async fn keys_are_loaded_only_from_allowed_addresses(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let server = DocumentServer::start(document(&[&issuer.key])).await;
    let by_name = server.url.replace("127.0.0.1", "localhost");
    for url in [&server.url, &by_name] {
        let trusted = issuer.trusted_at(url.clone());
        let app = app
            .with(|config| config.trusted_issuers = vec![trusted])
            .await;
        assert!(is_refused(&app, issuer.token("ann", app.app.clock.now())).await);
    }
    assert_eq!(server.requests(), 0);
    let app = loading(&app, &issuer, &by_name).await;
    assert!(!is_refused(&app, issuer.token("ann", app.app.clock.now())).await);
}

async fn other_names_of_claims_can_be_configured(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let mut trusted = issuer.trusted();
    trusted.claims = ClaimNames {
        subject: "user_id".to_owned(),
        username: "login".to_owned(),
        display_name: "label".to_owned(),
        ..ClaimNames::default()
    };
    let app = app
        .with(|config| config.trusted_issuers = vec![trusted])
        .await;
    let mut claims = issuer.claims("shared", app.app.clock.now());
    let mut ids = vec![];
    for login in ["ann", "bob"] {
        claims["user_id"] = json!(format!("id of {login}"));
        claims["login"] = json!(login);
        claims["label"] = json!(login.to_uppercase());
        let viewer = with_token(&app, issuer.sign(&claims))
            .execute(VIEWER, json!({}))
            .await;
        let user = &viewer["viewer"]["user"];
        assert_eq!(user["username"], login);
        assert_eq!(user["displayName"], login.to_uppercase());
        ids.push(user["id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

async fn an_account_without_a_password_can_receive_one(app: TestApp) {
    let issuer = Issuer::new("https://shop.example");
    let app = trusting(&app, &issuer).await;
    let ann = user(&app, &issuer, "ann").await;
    let sign_in =
        "mutation($input: SignInInput!) { signIn(input: $input) { auth { accessToken } } }";
    let form = json!({ "input": { "login": "ann", "password": PASSWORD } });
    app.anonymous()
        .expect_error("WRONG_CREDENTIALS", sign_in, form.clone())
        .await;
    let change = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { viewer {
        signInMethods } } }";
    let changed = ann
        .execute(change, json!({ "input": { "newPassword": PASSWORD } }))
        .await;
    let both = json!(["PASSWORD", "TRUSTED_ISSUER"]);
    assert_eq!(changed["changePassword"]["viewer"]["signInMethods"], both);
    app.anonymous().execute(sign_in, form).await;
}
