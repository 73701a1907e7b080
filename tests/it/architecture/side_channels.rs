//! What a response hides is not visible beside it either: hidden objects and missing ones, and known and unknown logins,
//! have equal bodies, headers and numbers of statements, and no row of a hidden object is locked. The arguments come
//! from the schema itself, so a new one cannot be forgotten.

use std::collections::HashMap;

use async_graphql_parser::types::{TypeDefinition, TypeKind};
use heddle::{
    db,
    id::{ConversationId, MessageId},
};
use regex_lite::Regex;
use sea_orm::DbBackend;
use serde_json::{Value, json};

use super::{
    authorization::{Caller, World},
    fields::{calls_with, types},
};
use crate::support::{app::TestApp, both, groups::Groups, messaging::Messaging, person::Person};

both!(
    hidden_objects_look_missing_beside_the_response_too,
    known_logins_look_unknown_beside_the_response_too,
    known_addresses_look_unknown_to_those_who_request_mail,
    a_registration_with_a_known_address_looks_like_any_other,
    a_taken_address_is_reported_only_for_what_is_valid_otherwise,
);

/// Texts in arguments that select no object of another user, and those whose test is below.
const TEXTS: [&str; 58] = [
    // Users are visible to all users.
    "Query.user by.username",
    // A list shows the same to all users.
    "Query.users after",
    "Query.users filter.text",
    // An invitation may name any address, also that of an account.
    "Mutation.adminCreateInvitation input.email",
    // Administrators see all accounts with their addresses.
    "Mutation.adminCreateUser input.displayName",
    "Mutation.adminCreateUser input.email",
    "Mutation.adminCreateUser input.username",
    "Mutation.adminReinstateUser input.reason",
    "Mutation.adminResetSecondFactor input.reason",
    "Mutation.adminRevokeAccess input.reason",
    "Mutation.adminSendPasswordReset input.reason",
    "Mutation.adminSuspendUser input.reason",
    "Mutation.adminUpdateUser input.reason",
    // See `known_addresses_look_unknown_to_those_who_request_mail`.
    "Mutation.changeEmail input.newEmail",
    "Mutation.changeEmail input.password",
    "Mutation.changePassword input.currentPassword",
    "Mutation.changePassword input.newPassword",
    // A challenge names its own user.
    "Mutation.completeSignIn input.challengeToken",
    "Mutation.completeSignIn input.code",
    "Mutation.confirmTotpSetup input.code",
    "Mutation.createConversation input.title",
    "Mutation.createConversation input.topic",
    "Mutation.deleteAccount input.confirmUsername",
    "Mutation.deleteAccount input.password",
    "Mutation.deleteAccount input.code",
    "Mutation.disableTotp input.code",
    "Mutation.editMessage input.body",
    "Mutation.editMessage input.reason",
    "Mutation.reauthenticate input.password",
    "Mutation.reauthenticate input.totpCode",
    "Mutation.reauthenticate input.recoveryCode",
    "Mutation.regenerateRecoveryCodes input.code",
    // The server recognises its tokens without a statement.
    "Mutation.refreshSession input.refreshToken",
    "Mutation.register input.displayName",
    // See below.
    "Mutation.register input.email",
    "Mutation.register input.password",
    // The server recognises its tokens without a statement.
    "Mutation.register input.setupToken",
    "Mutation.register input.username",
    // See below.
    "Mutation.register input.invitationToken",
    "Mutation.requestPasswordReset input.email",
    "Mutation.resendEmailVerification input.email",
    "Mutation.resetPassword input.newPassword",
    // A token names no user who is not its owner.
    "Mutation.resetPassword input.token",
    "Mutation.verifyEmail input.token",
    "Mutation.sendMessage input.body",
    "Mutation.sendMessage input.clientMessageId",
    "Mutation.setPresence input.statusText",
    // See below.
    "Mutation.signIn input.login",
    "Mutation.signIn input.password",
    "Mutation.updateConversation input.title",
    "Mutation.updateConversation input.topic",
    "Mutation.updatePreferences input.locale",
    "Mutation.updatePreferences input.timeZone",
    "Mutation.updateProfile input.bio",
    "Mutation.updateProfile input.displayName",
    "Mutation.updateProfile input.firstName",
    "Mutation.updateProfile input.lastName",
    "Mutation.updateProfile input.phoneNumber",
];

/// What a caller can observe of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Observation {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    statements: Option<String>,
}

async fn observe(person: &Person, document: &str, variables: Value) -> Observation {
    let response = person.post(document, variables).await.unwrap();
    let status = response.status().as_u16();
    let mut statements = None;
    let mut headers = vec![];
    for (name, value) in response.headers() {
        let value = value.to_str().unwrap().to_owned();
        match name.as_str() {
            "date" | "x-request-id" => {}
            "server-timing" => {
                statements = value.split("statements").nth(1).map(str::to_owned);
            }
            name => headers.push((name.to_owned(), value)),
        }
    }
    headers.sort();
    let differs = Regex::new(r#""requestId":"[^"]*"|"retryAfterMs":\d+"#).unwrap();
    let body = response.text().await.unwrap();
    let body = differs.replace_all(&body, "").into_owned();
    Observation {
        status,
        headers,
        body,
        statements,
    }
}

/// Returns the operations that name one object, each with the kinds of objects that it may name. The text `GIVEN` is
/// its id.
fn operations(types: &HashMap<String, TypeDefinition>) -> Vec<(Vec<&'static str>, String)> {
    let mut found = vec![];
    for (root, operation) in [("Query", "query"), ("Mutation", "mutation")] {
        let TypeKind::Object(object) = &types[root].kind else {
            panic!("{root} is an object");
        };
        for field in &object.fields {
            let name = field.node.name.node.as_str();
            for (path, _) in calls_with(types, &field.node, &["String"], "\"\"") {
                let argument = format!("{root}.{name} {path}");
                let is_known = TEXTS.contains(&argument.as_str())
                    || argument.ends_with("Profile input.username");
                assert!(is_known, "say in side_channels.rs what {argument} selects");
            }
            for (path, call) in calls_with(types, &field.node, &["ID"], "\"GIVEN\"") {
                let argument = path.rsplit('.').next().unwrap();
                let kinds = match (name, argument) {
                    ("conversation", _) | (_, "conversationId") => vec!["Conversation"],
                    ("message", _)
                    | (_, "messageId" | "messageIds" | "parentId" | "upToMessageId") => {
                        vec!["Message", "MessageRevision", "Thread"]
                    }
                    ("thread", _) | (_, "threadId") => vec!["Thread", "Message"],
                    (_, "sessionIds") => vec!["Session"],
                    ("node" | "nodes", _) => vec![
                        "Conversation",
                        "Participant",
                        "Membership",
                        "Message",
                        "MessageRevision",
                        "Thread",
                        "Viewer",
                        "Preferences",
                        "UnreadTotals",
                        "Session",
                        "Notification",
                    ],
                    ("dismissNotifications" | "markNotificationsRead", "ids") => {
                        vec!["Notification"]
                    }
                    // Users are visible to all users. Only administrators change invitations: others are refused
                    // before anything is read.
                    ("user", "id")
                    | (_, "userId" | "userIds" | "participantIds" | "invitationId") => vec![],
                    _ => panic!("say in side_channels.rs which objects {name} {path} names"),
                };
                if !kinds.is_empty() {
                    found.push((kinds, format!("{operation} {{ {call} }}")));
                }
            }
        }
    }
    assert!(found.len() > 25, "only {} operations", found.len());
    found
}

async fn hidden_objects_look_missing_beside_the_response_too(app: TestApp) {
    let types = types();
    let world = World::new(&app).await;
    let group = &world.ids["Conversation"][0];
    for (caller, person) in &world.callers {
        if ![Caller::Stranger, Caller::Removed].contains(caller) {
            continue;
        }
        let own = person.creates_group(None, &[]).await;
        let message = person.says(&own, "of my own").await;
        person.replies(&own, &message, "a reply").await;
        let others = [
            ("conversationId", own.as_str()),
            ("messageId", &message),
            ("threadId", &message.replace("msg_", "thr_")),
            ("userId", &world.callers[5].1.id),
            ("userIds", &world.callers[5].1.id),
        ]
        .map(|(name, id)| (name.to_owned(), id.to_owned()));
        for (kinds, document) in operations(&types) {
            let document = filled(&document, &others);
            for kind in kinds {
                let [hidden, missing] =
                    [0, 1].map(|at| document.replace("GIVEN", &world.ids[kind][at]));
                let before = row_versions(&app, group).await;
                let of_hidden = observe(person, &hidden, Value::Null).await;
                let of_missing = observe(person, &missing, Value::Null).await;
                assert_eq!(of_hidden, of_missing, "{caller:?}: {hidden}");
                assert!(of_hidden.statements.is_some());
                assert!(!of_hidden.body.contains("INTERNAL"), "{of_hidden:?}");
                let after = row_versions(&app, group).await;
                assert_eq!(before, after, "{caller:?}: {hidden} locks a row");
            }
        }
    }
}

/// Replaces the ids of the other arguments with those of the caller's own objects.
fn filled(document: &str, others: &[(String, String)]) -> String {
    let mut filled = document.to_owned();
    for (argument, id) in others {
        for (open, close) in [("", ""), ("[", "]")] {
            let any = format!("{argument}: {open}\"anything\"{close}");
            filled = filled.replace(&any, &format!("{argument}: {open}\"{id}\"{close}"));
        }
    }
    filled
}

/// The versions of all rows of a conversation on PostgreSQL, where a lock is part of the row: `xmax` is the last
/// transaction that locked it.
async fn row_versions(app: &TestApp, group: &str) -> Vec<String> {
    let mut found = vec![];
    if app.app.db.backend() != DbBackend::Postgres {
        return found;
    }
    let id = ConversationId::from_text(group);
    for (table, column) in [
        ("conversation", "id"),
        ("participant", "conversation_id"),
        ("message", "conversation_id"),
        ("thread", "conversation_id"),
        ("thread_follow", "conversation_id"),
        ("read_mark", "conversation_id"),
        ("notification", "conversation_id"),
    ] {
        let text = format!(
            "SELECT COALESCE(string_agg(concat_ws(' ', ctid, xmin, xmax), ', ' ORDER BY ctid), '')
             FROM {table} WHERE {column} = ?"
        );
        let rows: Option<String> = db::fetch_one(app.app.db.read(), &text, [id.into()])
            .await
            .unwrap();
        found.push(format!("{table}: {}", rows.unwrap()));
    }
    found
}

const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { accessToken } } }";

async fn known_logins_look_unknown_beside_the_response_too(app: TestApp) {
    app.person("Ann").await;
    let anonymous = app.anonymous();
    let logins = ["ann", "ann@example.org", "bob", "bob@example.org"];
    // The first attempts, those that count, and those that are refused.
    for attempt in 1..=8 {
        let mut seen = vec![];
        for login in logins {
            let input = json!({ "login": login, "password": "not the password" });
            let observation = observe(&anonymous, SIGN_IN, json!({ "input": input })).await;
            assert!(observation.statements.is_some());
            let code = if attempt > 5 {
                "RATE_LIMITED"
            } else {
                "WRONG_CREDENTIALS"
            };
            assert!(
                observation.body.contains(code),
                "{attempt}: {observation:?}"
            );
            seen.push(observation);
        }
        for (login, observation) in logins.iter().zip(&seen) {
            let differs = Regex::new(r"\d+ s").unwrap();
            assert_eq!(
                differs.replace_all(&format!("{observation:?}"), ""),
                differs.replace_all(&format!("{:?}", seen[0]), ""),
                "{login}"
            );
        }
    }
}

async fn known_addresses_look_unknown_to_those_who_request_mail(app: TestApp) {
    app.person("Ann").await;
    let anonymous = app.anonymous();
    for mutation in [
        "mutation($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) {
            wasAccepted } }",
        "mutation($input: ResendEmailVerificationInput!) { resendEmailVerification(input: $input) {
            wasSent } }",
    ] {
        // The fourth mail in an hour is not sent.
        for _ in 0..5 {
            let mut seen = vec![];
            for email in ["ann@example.org", "bob@example.org", "not an address"] {
                let input = json!({ "input": { "email": email } });
                let observation = observe(&anonymous, mutation, input).await;
                assert!(observation.statements.is_some());
                assert!(observation.body.contains("true"), "{observation:?}");
                seen.push(observation);
            }
            assert_eq!(seen[0], seen[1]);
            assert_eq!(seen[0], seen[2]);
        }
    }
}

async fn a_registration_with_a_known_address_looks_like_any_other(app: TestApp) {
    let app = app
        .with(|config| config.require_verified_email = true)
        .await;
    let anonymous = app.anonymous();
    let register = "mutation($input: RegisterInput!) { register(input: $input) {
        needsEmailVerification auth { accessToken } } }";
    let verify = "mutation($input: VerifyEmailInput!) { verifyEmail(input: $input) {
        viewer { id } } }";
    let form = |username: &str, email: &str| {
        json!({ "input": { "username": username, "email": email,
            "password": "a loom has many heddles" } })
    };
    anonymous
        .execute(register, form("ann", "ann@example.org"))
        .await;
    let mail = app.mail("ann@example.org", "Verify your address", 1).await;
    let token = json!({ "input": { "token": mail.token("verify-email") } });
    anonymous.execute(verify, token).await;
    let mut seen = vec![];
    for (username, email) in [("zoe", "ann@example.org"), ("bob", "bob@example.org")] {
        let observation = observe(&anonymous, register, form(username, email)).await;
        assert!(observation.statements.is_some());
        assert!(observation.body.contains("true"), "{observation:?}");
        seen.push(observation);
    }
    assert_eq!(seen[0], seen[1]);
}

async fn a_taken_address_is_reported_only_for_what_is_valid_otherwise(app: TestApp) {
    app.person("Ann").await;
    let anonymous = app.anonymous();
    let register = "mutation($input: RegisterInput!) { register(input: $input) {
        auth { accessToken } } }";
    let mut seen = vec![];
    for email in ["ann@example.org", "bob@example.org"] {
        let input = json!({ "username": "ann", "email": email, "password": "short" });
        let observation = observe(&anonymous, register, json!({ "input": input })).await;
        assert!(observation.body.contains("TAKEN"), "{observation:?}");
        seen.push(observation);
    }
    assert_eq!(seen[0], seen[1]);
    let input = json!({ "username": "zoe", "email": "ann@example.org",
        "password": "a loom has many heddles" });
    let error = anonymous
        .expect_error("BAD_USER_INPUT", register, json!({ "input": input }))
        .await;
    let problem = &error["extensions"]["problems"][0];
    assert_eq!(problem["path"], json!(["input", "email"]));
    assert_eq!(problem["code"], "TAKEN");
}

/// A parent at the deepest level is looked up further, but only in the sender's conversation.
#[tokio::test]
async fn a_hidden_parent_at_the_deepest_level_looks_missing() {
    for app in [
        TestApp::sqlite_with(|config| config.thread_depth = 1).await,
        TestApp::postgres_with(|config| config.thread_depth = 1).await,
    ] {
        let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
        let hidden = ann.creates_group(None, &[]).await;
        let root = ann.says(&hidden, "root").await;
        let reply = ann.replies(&hidden, &root, "reply").await;
        let own = bob.creates_group(None, &[]).await;
        let send = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
            message { id } } }";
        let mut seen = vec![];
        for parent in [reply, MessageId::mint().to_string()] {
            let input = json!({ "conversationId": own, "parentId": parent, "body": "hello" });
            seen.push(observe(&bob, send, json!({ "input": input })).await);
        }
        assert!(seen[0].body.contains("NOT_FOUND"), "{seen:?}");
        assert_eq!(seen[0], seen[1]);
    }
}
