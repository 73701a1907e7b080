//! Verifies the invariants over random histories: users act concurrently through HTTP. Whenever no request is running,
//! the tables, the log, and what each user loads and receives are compared with each other and with the acknowledged
//! operations.
//!
//! `HEDDLE_TEST_SEED` repeats the operations of each user, but not the order in which they reach the server.

mod invariants;
mod model;
mod operations;
mod state;
mod tables;
mod views;

use std::{cell::RefCell, collections::BTreeSet, mem};

use async_graphql_parser::types::{TypeKind, TypeSystemDefinition};
use futures_util::future::join_all;
use heddle::{config::Config, domain::integrity, entity::user::ServerRole};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};

use self::{
    model::Known,
    operations::Actor,
    state::{Named, State},
    tables::Tables,
};
use crate::support::{
    app::TestApp,
    authenticator::Authenticator,
    person::{PASSWORD, text},
    seed::seed,
};

/// The users. The last two delete their accounts during the test, one with all messages and one without.
const PEOPLE: [&str; 7] = ["Ann", "Bob", "Cem", "Dora", "Eva", "Finn", "Gus"];
const QUIET_TIMES: usize = 4;
const ACTS: usize = 14;

#[tokio::test]
async fn any_history_keeps_the_invariants_on_sqlite() {
    any_history_keeps_the_invariants(TestApp::sqlite_with(shallow).await).await;
}

#[tokio::test]
async fn any_history_keeps_the_invariants_on_postgres() {
    any_history_keeps_the_invariants(TestApp::postgres_with(shallow).await).await;
}

/// The depth to which tree order nests. Random threads are deeper.
const DEEPEST: i32 = 2;

fn shallow(config: &mut Config) {
    config.thread_depth = DEEPEST;
}

async fn any_history_keeps_the_invariants(app: TestApp) {
    let mut random = SmallRng::seed_from_u64(seed());
    let known = RefCell::new(Known::default());
    let (mut people, mut all_users) = (vec![], vec![]);
    for name in PEOPLE {
        let person = app.person(name).await;
        all_users.push((person.id.clone(), person.username.clone()));
        people.push(person);
    }
    let stranger = app.person("Zoe").await;
    let mut actors: Vec<_> = people
        .into_iter()
        .map(|person| Actor {
            person,
            random: SmallRng::seed_from_u64(random.random()),
            known: &known,
            all_users: &all_users,
            bio: None,
            is_gone: false,
        })
        .collect();
    opening(&app, &mut actors, &all_users).await;
    let mut states = vec![];
    for actor in &actors {
        states.push(State::load(&actor.person).await);
    }
    for round in 0..QUIET_TIMES {
        let acting = actors.iter_mut().enumerate().map(async |(place, actor)| {
            if round == QUIET_TIMES - 1 && !actor.is_gone {
                for _ in 0..ACTS {
                    actor.deletes_anonymous().await;
                }
            }
            actor.acts(ACTS).await;
            match (round, place) {
                (1, 5) => actor.departs("DELETE").await,
                (2, 6) => actor.departs("ANONYMIZE").await,
                _ => {}
            }
        });
        join_all(acting).await;
        quiet(&app, &actors, &mut states).await;
        let tables = Tables::read(&app.app.db).await;
        let known = known.borrow().clone();
        views::knocks(&tables, &known, &stranger).await;
    }
    let known = known.borrow();
    let done: BTreeSet<_> = known.done().into_iter().collect();
    let all = mutations();
    let all: BTreeSet<_> = all.iter().map(String::as_str).collect();
    assert_eq!(done, all, "every mutation needs an act that exercises it");
}

/// Verifies everything while no user acts.
async fn quiet(app: &TestApp, actors: &[Actor<'_>], states: &mut [State]) {
    let mut received = vec![];
    for (actor, state) in actors.iter().zip(&mut *states) {
        if actor.is_gone {
            received.push(vec![]);
            continue;
        }
        // They create a group of their own, so that its first event is the last one that they receive.
        let title = actor.known.borrow_mut().word();
        let input = json!({ "title": title, "participantIds": [] });
        let last = actor.founds_this(input, title, false).await.unwrap();
        received.push(state::events(app, &actor.person, &state.cursor, &last).await);
    }
    let wrong = integrity::prove(&app.app.db).await.unwrap();
    assert_eq!(wrong, integrity::Wrong::default());
    let tables = Tables::read(&app.app.db).await;
    let known = actors[0].known.borrow().clone();
    invariants::check(&tables, &known);
    let bios = actors
        .iter()
        .filter_map(|actor| actor.bio.clone())
        .collect();
    for ((actor, state), received) in actors.iter().zip(states).zip(&received) {
        if actor.is_gone {
            continue;
        }
        let fresh = State::load(&actor.person).await;
        views::check(&tables, &bios, &actor.person, &fresh, received);
        views::knocks(&tables, &known, &actor.person).await;
        let named = Named::by(received, &actor.person);
        state::events_describe_every_change(state, &fresh, &named, &actor.person, &known.departed);
        *state = fresh;
    }
    views::erased_text_is_in_no_table(app, &tables, &known).await;
}

/// Performs each kind of operation once, in an order in which each succeeds. Later operations are random.
async fn opening(app: &TestApp, actors: &mut [Actor<'_>], all_users: &[(String, String)]) {
    let known = actors[0].known;
    let ids: Vec<_> = all_users.iter().map(|(id, _)| id.clone()).collect();
    for from_joining in [false, true] {
        let (ann, title) = (&actors[0], known.borrow_mut().word());
        let history = if from_joining {
            "FROM_JOINING"
        } else {
            "FROM_START"
        };
        let input = json!({ "title": title, "participantIds": ids[1..5],
            "historyVisibility": history });
        let group = ann.founds_this(input, title, from_joining).await.unwrap();
        let change = async |name: &str, mut input: Value, selection: &str| {
            input["conversationId"] = json!(group);
            ann.does(name, input, selection).await.unwrap();
        };
        let add = json!({ "userIds": ids[5..7], "role": "MODERATOR" });
        change("addParticipants", add, "participants { id }").await;
        let remove = json!({ "userId": ids[4] });
        change("removeParticipant", remove, "removedParticipantId").await;
        let role = json!({ "userId": ids[1], "role": "MODERATOR" });
        change("changeParticipantRole", role, "participant { id }").await;
        for _ in 0..2 {
            known.borrow_mut().count("noticed", &group);
        }
        let input = json!({ "conversationId": group });
        let leave = actors[3].does("leaveConversation", input, "leftConversationId");
        leave.await.unwrap();
        known.borrow_mut().count("noticed", &group);
    }
    let input = json!({ "conversationId": actors[2].creates_group().await.unwrap() });
    let gone = actors[2].does("deleteConversation", input, "deletedConversationId");
    gone.await.unwrap();
    session_acts(app, &mut actors[1]).await;
    for actor in actors.iter_mut() {
        actor.opens().await;
        actor.introduces().await;
        for is_reply in [false, true, true, true] {
            actor.sends_message(is_reply).await;
        }
    }
    for _ in 0..30 {
        for actor in actors.iter_mut().take(3) {
            actor.sends_message(true).await;
        }
        let done: BTreeSet<String> = known
            .borrow()
            .done()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let missing = |name: &str| !done.contains(name);
        for actor in actors.iter_mut().take(3) {
            if missing("editMessage") {
                actor.edits().await;
            }
            if missing("deleteMessage") {
                actor.deletes().await;
            }
            if missing("markConversationsRead") {
                actor.marks_conversations().await;
            }
            if missing("markMessagesRead") {
                actor.marks_messages().await;
            }
            if missing("markThreadRead") {
                actor.marks_thread().await;
            }
            if missing("markUnreadFrom") {
                actor.goes_back().await;
            }
            if missing("followThread") || missing("unfollowThread") {
                actor.follows().await;
            }
            if missing("updateConversationSettings") {
                actor.settles().await;
            }
            if missing("setTyping") {
                actor.shows_up().await;
            }
            if missing("updateConversation") {
                actor.renames().await;
            }
            if missing("markNotificationsRead") || missing("dismissNotifications") {
                actor.tidies().await;
            }
            if ["signOut", "revokeSessions", "revokeOtherSessions"]
                .iter()
                .any(|name| missing(name))
            {
                actor.signs_in_elsewhere().await;
            }
        }
    }
}

/// Mutations of accounts.
async fn session_acts(app: &TestApp, bob: &mut Actor<'_>) {
    let new = json!({ "username": "hal", "email": "hal@example.org", "password": PASSWORD });
    let here = bob.person.token.take();
    let auth = "auth { viewer { id } }";
    bob.does("register", new, auth).await.unwrap();
    let credentials = json!({ "login": bob.person.username, "password": PASSWORD });
    let auth = "auth { viewer { sessions(first: 1) { nodes { id } } } }";
    let elsewhere = bob.does("signIn", credentials, auth).await.unwrap();
    bob.person.token = here;
    let session = text(&elsewhere["auth"]["viewer"]["sessions"]["nodes"][0]["id"]);
    let input = json!({ "currentPassword": PASSWORD, "newPassword": PASSWORD });
    bob.does("changePassword", input, "viewer { id }")
        .await
        .unwrap();
    bob.known.borrow_mut().count("ended", &session);
    let input = json!({ "locale": "de", "timeZone": "Europe/Berlin" });
    bob.does("updatePreferences", input, "viewer { id }")
        .await
        .unwrap();
    bob.known.borrow_mut().count("introduced", &bob.person.id);
    mail_acts(app, bob).await;
    second_factor_acts(app, bob).await;
    block_acts(bob).await;
    admin_acts(app, bob).await;
}

/// Blocks of an account that no one else uses.
async fn block_acts(bob: &mut Actor<'_>) {
    let find = "{ user(by: { username: \"hal\" }) { id } }";
    let hal = bob.person.execute(find, Value::Null).await["user"]["id"].take();
    for name in ["blockUser", "unblockUser"] {
        bob.does(name, json!({ "userId": hal }), "user { id }")
            .await
            .unwrap();
    }
}

/// Mutations of an administrator, about an account that no one else uses.
async fn admin_acts(app: &TestApp, bob: &mut Actor<'_>) {
    let find = "{ user(by: { username: \"hal\" }) { id } }";
    let hal = bob.person.execute(find, Value::Null).await["user"]["id"].take();
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let bob_himself = mem::replace(&mut bob.person, admin);
    let password = json!({ "password": PASSWORD });
    bob.does("reauthenticate", password, "session { id }")
        .await
        .unwrap();
    let mut input = json!({ "userId": hal, "reason": "A test." });
    for name in [
        "adminSuspendUser",
        "adminReinstateUser",
        "adminResetSecondFactor",
        "adminSendPasswordReset",
    ] {
        bob.does(name, input.clone(), "account { id }")
            .await
            .unwrap();
    }
    let done = bob
        .does("adminCreateInvitation", json!({}), "invitation { id }")
        .await
        .unwrap();
    let created = json!({ "username": "ida", "email": "ida@example.org" });
    bob.does("adminCreateUser", created, "account { id }")
        .await
        .unwrap();
    let invitation = json!({ "invitationId": done["invitation"]["id"] });
    bob.does("adminRevokeInvitation", invitation, "invitation { id }")
        .await
        .unwrap();
    bob.does("adminRevokeAccess", input.clone(), "revokedCount")
        .await
        .unwrap();
    input["role"] = json!("MODERATOR");
    bob.does("adminUpdateUser", input, "account { role }")
        .await
        .unwrap();
    bob.person = bob_himself;
}

/// Mutations of the second factor.
async fn second_factor_acts(app: &TestApp, bob: &mut Actor<'_>) {
    let password = json!({ "password": PASSWORD });
    bob.does("reauthenticate", password, "session { id }")
        .await
        .unwrap();
    let setup = bob.does("startTotpSetup", Value::Null, "secret").await;
    let secret = text(&setup.unwrap()["secret"]);
    let authenticator = Authenticator::new(&secret);
    let code = json!({ "code": authenticator.code(app) });
    bob.does("confirmTotpSetup", code, "viewer { id }")
        .await
        .unwrap();
    let code = json!({ "code": authenticator.next_code(app) });
    let codes = bob.does("regenerateRecoveryCodes", code, "recoveryCodes");
    let codes = codes.await.unwrap();
    let credentials = json!({ "login": bob.person.username, "password": PASSWORD });
    let challenge = bob.does("signIn", credentials, "challenge { token }").await;
    let here = bob.person.token.take();
    let answer = json!({
        "challengeToken": challenge.unwrap()["challenge"]["token"],
        "method": "TOTP", "code": authenticator.next_code(app) });
    let auth = "auth { viewer { sessions(first: 1) { nodes { id } } } }";
    let elsewhere = bob.does("completeSignIn", answer, auth).await.unwrap();
    bob.person.token = here;
    let session = text(&elsewhere["auth"]["viewer"]["sessions"]["nodes"][0]["id"]);
    bob.known.borrow_mut().count("ended", &session);
    let code = json!({ "code": codes["recoveryCodes"][0] });
    bob.does("disableTotp", code, "viewer { id }")
        .await
        .unwrap();
}

/// Mutations with a link in a mail.
async fn mail_acts(app: &TestApp, bob: &mut Actor<'_>) {
    let sent = bob.does("resendEmailVerification", json!({}), "wasSent");
    assert_eq!(sent.await.unwrap()["wasSent"], true);
    let address = format!("{}@example.org", bob.person.username);
    let mail = app.mail(&address, "Verify your address", 2).await;
    let input = json!({ "token": mail.token("verify-email") });
    bob.does("verifyEmail", input, "viewer { id }")
        .await
        .unwrap();
    bob.known.borrow_mut().count("introduced", &bob.person.id);
    let input = json!({ "newEmail": "bob@weavers.example", "password": PASSWORD });
    bob.does("changeEmail", input, "viewer { pendingEmail }")
        .await
        .unwrap();
    let input = json!({ "email": "hal@example.org" });
    bob.does("requestPasswordReset", input, "wasAccepted")
        .await
        .unwrap();
    let mail = app.mail("hal@example.org", "Set a new password", 1).await;
    let token = mail.token("reset-password");
    let input = json!({ "token": token, "newPassword": PASSWORD });
    bob.does("resetPassword", input, "username").await.unwrap();
}

/// Returns every mutation of the schema.
fn mutations() -> BTreeSet<String> {
    let schema = async_graphql_parser::parse_schema(heddle::graphql::sdl()).unwrap();
    let root = schema
        .definitions
        .into_iter()
        .find_map(|definition| match definition {
            TypeSystemDefinition::Type(kind) if kind.node.name.node == "Mutation" => {
                Some(kind.node)
            }
            _ => None,
        });
    let TypeKind::Object(root) = root.unwrap().kind else {
        panic!("Mutation is an object");
    };
    let names = root
        .fields
        .iter()
        .map(|field| field.node.name.node.to_string());
    names.collect()
}
