//! Where registration is not open, people register with invitations.

use chrono::TimeDelta;
use heddle::{
    config::{Config, Mode, SignUpPolicy},
    domain::accounts::{self, NewInvitation},
    entity::{invitation, user::ServerRole},
};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    person::{PASSWORD, Person, text},
};

const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) {
    needsEmailVerification auth { viewer { email isEmailVerified role } } } }";

const CREATE: &str = "mutation($input: AdminCreateInvitationInput!) {
    adminCreateInvitation(input: $input) { invitationUrl
        invitation { id email role status createdBy { username } acceptedBy { username } } } }";
const REVOKE: &str = "mutation($input: AdminRevokeInvitationInput!) {
    adminRevokeInvitation(input: $input) { invitation { id status } } }";
const LIST: &str = "query($status: InvitationStatus, $first: Int, $after: String) { admin {
    invitations(status: $status, first: $first, after: $after) {
        nodes { id email status acceptedAt acceptedBy { username } }
        pageInfo { hasNextPage endCursor } } } }";

both!(
    an_invited_person_registers_once,
    an_invitation_for_an_address_verifies_it,
    an_invitation_expires_and_can_be_revoked,
    two_uses_of_one_invitation_at_the_same_time_create_one_account,
    a_closed_server_accepts_no_invitation,
    a_deleted_account_leaves_no_invitation,
    administrators_invite_by_mail,
    without_mail_an_administrator_receives_the_link,
    only_administrators_invite,
);

/// A server with this policy.
async fn with_policy(app: &TestApp, policy: SignUpPolicy) -> TestApp {
    let settings = |config: &mut Config| {
        config.sign_up_policy = policy;
        config.require_verified_email = true;
    };
    app.with(settings).await
}

async fn invite(app: &TestApp, email: Option<&str>) -> (invitation::Model, String) {
    let new = NewInvitation {
        email: email.map(str::to_owned),
        role: ServerRole::Moderator,
        lifetime: TimeDelta::hours(1),
        created_by: None,
        is_mailed: false,
    };
    accounts::create_invitation(&app.app, &new).await.unwrap()
}

fn form(username: &str, token: &str) -> Value {
    json!({ "input": {
        "username": username, "email": format!("{username}@example.org"), "password": PASSWORD,
        "invitationToken": token } })
}

async fn an_invited_person_registers_once(app: TestApp) {
    let app = with_policy(&app, SignUpPolicy::InviteOnly).await;
    let anonymous = app.anonymous();
    let (_, token) = invite(&app, None).await;
    let mut uninvited = form("ann", &token);
    uninvited["input"]
        .as_object_mut()
        .unwrap()
        .remove("invitationToken");
    anonymous
        .expect_error("DISABLED", REGISTER, uninvited)
        .await;
    let mut weak = form("ann", &token);
    weak["input"]["password"] = json!("short");
    anonymous
        .expect_error("BAD_USER_INPUT", REGISTER, weak)
        .await;
    // A refused form does not use it up. Without an address, the invitation verifies none.
    let done = anonymous.execute(REGISTER, form("ann", &token)).await;
    let waits = json!({ "needsEmailVerification": true, "auth": null });
    assert_eq!(done["register"], waits);
    for token in [token.as_str(), "", "hit_", "hit_AAAA"] {
        anonymous
            .expect_error("WRONG_CREDENTIALS", REGISTER, form("bob", token))
            .await;
    }
}

async fn an_invitation_for_an_address_verifies_it(app: TestApp) {
    let app = with_policy(&app, SignUpPolicy::InviteOnly).await;
    let anonymous = app.anonymous();
    let (_, token) = invite(&app, Some("Ann@Example.org")).await;
    let error = anonymous.expect_error("BAD_USER_INPUT", REGISTER, form("bob", &token));
    let problem = &error.await["extensions"]["problems"][0];
    assert_eq!(problem["path"], json!(["input", "email"]));
    assert_eq!(problem["code"], "MISMATCH");
    let done = anonymous.execute(REGISTER, form("ann", &token)).await;
    let viewer =
        json!({ "email": "ann@example.org", "isEmailVerified": true, "role": "MODERATOR" });
    assert_eq!(done["register"]["auth"]["viewer"], viewer);
    assert!(app.mails().is_empty());
}

async fn an_invitation_expires_and_can_be_revoked(app: TestApp) {
    let app = with_policy(&app, SignUpPolicy::InviteOnly).await;
    let anonymous = app.anonymous();
    let ((_, old), (revoked, token)) = (invite(&app, None).await, invite(&app, None).await);
    for _ in 0..2 {
        accounts::revoke_invitation(&app.app, None, revoked.id)
            .await
            .unwrap();
    }
    anonymous
        .expect_error("WRONG_CREDENTIALS", REGISTER, form("ann", &token))
        .await;
    app.app.clock.advance(TimeDelta::minutes(61));
    anonymous
        .expect_error("EXPIRED", REGISTER, form("ann", &old))
        .await;
    let (used, token) = invite(&app, None).await;
    anonymous.execute(REGISTER, form("ann", &token)).await;
    let error = accounts::revoke_invitation(&app.app, None, used.id).await;
    assert_eq!(error.unwrap_err().code().as_str(), "CONFLICT");
    app.app.clock.advance(TimeDelta::days(91));
    app.db_reaches("invitation", 0).await;
}

async fn two_uses_of_one_invitation_at_the_same_time_create_one_account(app: TestApp) {
    let app = with_policy(&app, SignUpPolicy::InviteOnly).await;
    let anonymous = app.anonymous();
    let (_, token) = invite(&app, None).await;
    let (ann, bob) = tokio::join!(
        anonymous.request(REGISTER, form("ann", &token)),
        anonymous.request(REGISTER, form("bob", &token)),
    );
    let failed = [&ann, &bob]
        .into_iter()
        .filter_map(|done| done.get("errors"));
    let codes: Vec<_> = failed
        .map(|errors| &errors[0]["extensions"]["code"])
        .collect();
    assert_eq!(codes, ["WRONG_CREDENTIALS"], "{ann} {bob}");
    assert_eq!(app.db_count("\"user\"").await, 1);
}

async fn a_closed_server_accepts_no_invitation(app: TestApp) {
    let app = with_policy(&app, SignUpPolicy::Closed).await;
    let anonymous = app.anonymous();
    let (_, token) = invite(&app, None).await;
    anonymous
        .expect_error("DISABLED", REGISTER, form("ann", &token))
        .await;
    let server = anonymous
        .execute("{ server { signUpPolicy } }", Value::Null)
        .await;
    assert_eq!(server["server"]["signUpPolicy"], "CLOSED");
}

async fn a_deleted_account_leaves_no_invitation(app: TestApp) {
    let app = with_policy(&app, SignUpPolicy::InviteOnly).await;
    let (_, token) = invite(&app, Some("Ann@Example.org")).await;
    let used = invite(&app, Some("ann@example.org")).await.0.id;
    let others = invite(&app, Some("bob@example.org")).await.0.id;
    app.anonymous().execute(REGISTER, form("ann", &token)).await;
    let mut ann = app.anonymous();
    "ann".clone_into(&mut ann.username);
    ann.signs_in().await;
    let delete = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
        deletedUserId } }";
    let input = json!({ "input": { "confirmUsername": "ann", "password": PASSWORD } });
    ann.execute(delete, input).await;
    let left = accounts::invitations(&app.app.db).await.unwrap();
    assert_eq!(
        left.iter().map(|left| left.id).collect::<Vec<_>>(),
        [others],
        "{used}"
    );
}

async fn listed(reader: &Person, status: Value) -> Vec<Value> {
    let variables = json!({ "status": status, "first": 1 });
    reader.nodes(LIST, variables, "/admin/invitations").await
}

async fn administrators_invite_by_mail(app: TestApp) {
    let app = with_policy(&app, SignUpPolicy::InviteOnly).await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let moderator = app.person_with_role("moe", ServerRole::Moderator).await;
    let new = json!({ "input": { "email": "ann@example.org" } });
    let done = admin.execute(CREATE, new).await;
    let created = &done["adminCreateInvitation"];
    assert_eq!(created["invitationUrl"], Value::Null);
    let id = created["invitation"]["id"].clone();
    let expected = json!({ "id": id, "email": "ann@example.org", "role": "MEMBER",
        "status": "PENDING", "createdBy": { "username": "root" }, "acceptedBy": null });
    assert_eq!(created["invitation"], expected);
    let mail = app.mail("ann@example.org", "You are invited", 1).await;
    let anyone = admin.execute(CREATE, json!({ "input": {} })).await;
    let anyone = &anyone["adminCreateInvitation"]["invitation"]["id"];
    let done = app
        .anonymous()
        .execute(REGISTER, form("ann", &mail.token("invite")))
        .await;
    assert_eq!(done["register"]["auth"]["viewer"]["isEmailVerified"], true);
    let input = json!({ "input": { "invitationId": id } });
    admin.expect_error("CONFLICT", REVOKE, input).await;
    let input = json!({ "input": { "invitationId": anyone } });
    for _ in 0..2 {
        let done = admin.execute(REVOKE, input.clone()).await;
        let invitation = &done["adminRevokeInvitation"]["invitation"];
        assert_eq!(*invitation, json!({ "id": anyone, "status": "REVOKED" }));
    }
    let all = listed(&moderator, Value::Null).await;
    let ids: Vec<_> = all.iter().map(|node| &node["id"]).collect();
    assert_eq!(ids, [anyone, &id]);
    let accepted = listed(&moderator, json!("ACCEPTED")).await;
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0]["acceptedBy"]["username"], "ann");
    assert_ne!(accepted[0]["acceptedAt"], Value::Null);
    for status in ["PENDING", "EXPIRED"] {
        assert!(listed(&moderator, json!(status)).await.is_empty());
    }
    let node = "query($id: ID!) { node(id: $id) { ... on Invitation { status } } }";
    let found = moderator.execute(node, json!({ "id": id })).await;
    assert_eq!(found["node"]["status"], "ACCEPTED");
    let log = "{ admin { auditLog(first: 3) { nodes { action actor { username } targetId } } } }";
    let log = admin.execute(log, Value::Null).await;
    let revoked = json!({ "action": "invitation.revoked", "actor": { "username": "root" }, "targetId": anyone });
    assert_eq!(log["admin"]["auditLog"]["nodes"][0], revoked);
}

async fn without_mail_an_administrator_receives_the_link(app: TestApp) {
    let app = app
        .with(|config| {
            config.mode = Mode::Production;
            config.sign_up_policy = SignUpPolicy::InviteOnly;
        })
        .await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let new = json!({ "input": { "email": "ann@example.org", "expiresInHours": 2 } });
    let done = admin.execute(CREATE, new).await;
    let url = text(&done["adminCreateInvitation"]["invitationUrl"]);
    let (_, token) = url.split_once("/invite#").unwrap();
    app.app.clock.advance(TimeDelta::minutes(119));
    app.anonymous().execute(REGISTER, form("ann", token)).await;
}

async fn only_administrators_invite(app: TestApp) {
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let moderator = app.person_with_role("moe", ServerRole::Moderator).await;
    let ann = app.person("Ann").await;
    let new = |fields: Value| json!({ "input": fields });
    for who in [&moderator, &ann] {
        who.expect_error("FORBIDDEN", CREATE, new(json!({}))).await;
    }
    let found = ann.execute(LIST, Value::Null).await;
    assert_eq!(found["admin"], Value::Null);
    for (fields, path) in [
        (json!({ "expiresInHours": 0 }), "expiresInHours"),
        (json!({ "expiresInHours": 721 }), "expiresInHours"),
        (json!({ "email": "no address" }), "email"),
    ] {
        let error = admin
            .expect_error("BAD_USER_INPUT", CREATE, new(fields))
            .await;
        let problem = &error["extensions"]["problems"][0];
        assert_eq!(problem["path"], json!(["input", path]));
    }
    // A role needs a confirmed identity.
    let moderators = new(json!({ "role": "MODERATOR" }));
    admin
        .expect_error("REAUTHENTICATION_REQUIRED", CREATE, moderators.clone())
        .await;
    admin.reauthenticates().await;
    let done = admin.execute(CREATE, moderators).await;
    let role = &done["adminCreateInvitation"]["invitation"]["role"];
    assert_eq!(role, "MODERATOR");
    assert_eq!(listed(&admin, json!("PENDING")).await.len(), 1);
}
