//! Moderators and administrators manage accounts.

use chrono::TimeDelta;
use heddle::{config::Mode, entity::user::ServerRole};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    person::{PASSWORD, Person, text},
    socket::Frame,
};

const ACCOUNTS: &str = "query($filter: AccountFilter, $first: Int, $after: String) { admin {
    accounts(filter: $filter, first: $first, after: $after) {
        nodes { id user { username } email isEmailVerified role status hasSecondFactor }
        pageInfo { hasNextPage endCursor } } } }";
const SUSPEND: &str = "mutation($input: AdminSuspendUserInput!) { adminSuspendUser(input: $input) {
    account { status suspensionReason suspendedAt } } }";
const REINSTATE: &str = "mutation($input: AdminReinstateUserInput!) {
    adminReinstateUser(input: $input) { account { status suspensionReason suspendedAt } } }";
const UPDATE: &str = "mutation($input: AdminUpdateUserInput!) { adminUpdateUser(input: $input) {
    account { role } } }";
const REVOKE: &str = "mutation($input: AdminRevokeAccessInput!) {
    adminRevokeAccess(input: $input) { revokedCount } }";
const RESET_FACTOR: &str = "mutation($input: AdminResetSecondFactorInput!) {
    adminResetSecondFactor(input: $input) { account { hasSecondFactor } } }";
const SEND_RESET: &str = "mutation($input: AdminSendPasswordResetInput!) {
    adminSendPasswordReset(input: $input) { account { id } resetUrl } }";
const RESET: &str = "mutation($input: ResetPasswordInput!) { resetPassword(input: $input) {
    username } }";
const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { accessToken } } }";
const DELETE: &str = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
    deletedUserId } }";
const ROLE: &str = "{ viewer { role } admin { id } }";

both!(
    staff_reads_the_list_of_accounts,
    a_suspended_user_is_signed_out_and_stays_out,
    moderators_suspend_members_only,
    only_administrators_manage_accounts,
    a_new_role_applies_immediately,
    the_last_administrator_stays,
    two_administrators_cannot_remove_each_other,
    a_link_for_a_new_password_is_mailed,
    without_mail_the_link_is_returned,
    administrators_create_accounts,
    a_created_account_cannot_be_used_before_it_is_set_up,
    reasons_are_required,
);

fn input(fields: Value) -> Value {
    Value::from_iter([("input", fields)])
}

fn about(person: &Person) -> Value {
    input(json!({ "userId": person.id, "reason": "It was reported." }))
}

fn role_of(person: &Person, role: &str) -> Value {
    input(json!({ "userId": person.id, "role": role, "reason": "A new task." }))
}

fn sign_in(login: &str, password: &str) -> Value {
    input(json!({ "login": login, "password": password }))
}

async fn names(reader: &Person, filter: Value) -> Vec<String> {
    let found = reader.execute(ACCOUNTS, json!({ "filter": filter })).await;
    let nodes = found["admin"]["accounts"]["nodes"].as_array().unwrap();
    let names = nodes.iter().map(|node| text(&node["user"]["username"]));
    names.collect()
}

async fn staff_reads_the_list_of_accounts(app: TestApp) {
    let ann = app.person("Ann").await;
    let bob = app.person("Bob").await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let moderator = app.person_with_role("moe", ServerRole::Moderator).await;
    let auditor = app.person_with_role("aud", ServerRole::Auditor).await;
    admin.execute(SUSPEND, about(&bob)).await;
    for reader in [&admin, &moderator, &auditor] {
        let all = names(reader, Value::Null).await;
        assert_eq!(all, ["aud", "moe", "root", "bob", "ann"]);
        for (filter, expected) in [
            (json!({ "text": "ANN@" }), vec!["ann"]),
            (json!({ "text": "OO" }), vec!["root"]),
            (json!({ "text": "%" }), vec![]),
            (json!({ "status": "SUSPENDED" }), vec!["bob"]),
            (json!({ "status": "PENDING" }), vec!["ann"]),
            (json!({ "status": "ACTIVE", "role": "ADMIN" }), vec!["root"]),
            (json!({ "status": "SUSPENDED", "role": "ADMIN" }), vec![]),
        ] {
            let found = names(reader, filter.clone()).await;
            assert_eq!(found, expected, "{filter}");
        }
    }
    let pages = admin
        .pages(ACCOUNTS, json!({ "first": 2 }), "/admin/accounts")
        .await;
    let sizes: Vec<_> = pages
        .iter()
        .map(|page| page["nodes"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [2, 2, 1]);
    let found = admin
        .execute(ACCOUNTS, json!({ "filter": { "text": "ann" } }))
        .await;
    let account = &found["admin"]["accounts"]["nodes"][0];
    assert_eq!(account["email"], "ann@example.org");
    assert_eq!(account["hasSecondFactor"], false);
    // An account is a node, and is found by its user.
    let find = "query($id: ID!, $user: ID!) { node(id: $id) { id }
        admin { account(userId: $user) { id } } }";
    let ids = json!({ "id": account["id"], "user": ann.id });
    let found = admin.execute(find, ids.clone()).await;
    assert_eq!(found["node"]["id"], account["id"]);
    assert_eq!(found["admin"]["account"]["id"], account["id"]);
    let hidden = ann.execute(find, ids).await;
    assert_eq!(hidden, json!({ "node": null, "admin": null }));
}

async fn a_suspended_user_is_signed_out_and_stays_out(app: TestApp) {
    let ann = app.person("Ann").await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let mut events = ann
        .subscribe("subscription { events { __typename } }", Value::Null)
        .await;
    events.next().await;
    let done = admin.execute(SUSPEND, about(&ann)).await;
    let account = &done["adminSuspendUser"]["account"];
    assert_eq!(account["status"], "SUSPENDED");
    assert_eq!(account["suspensionReason"], "It was reported.");
    // Again changes nothing.
    let again = admin.execute(SUSPEND, about(&ann)).await;
    assert_eq!(&again["adminSuspendUser"]["account"], account);
    loop {
        match events.next_frame().await {
            Frame::Closed(code) => {
                assert_eq!(code, 4401);
                break;
            }
            Frame::Next(_) | Frame::Complete => {}
            Frame::Error(error) => panic!("{error}"),
        }
    }
    let seen = ann.execute("{ viewer { id } }", Value::Null).await;
    assert_eq!(seen["viewer"], Value::Null);
    // The reason is for those who know the password.
    let anonymous = app.anonymous();
    let error = anonymous
        .expect_error("FORBIDDEN", SIGN_IN, sign_in("ann", PASSWORD))
        .await;
    assert_eq!(
        error["message"],
        "This account is suspended: It was reported."
    );
    anonymous
        .expect_error(
            "WRONG_CREDENTIALS",
            SIGN_IN,
            sign_in("ann", "wrong password"),
        )
        .await;
    let done = admin.execute(REINSTATE, about(&ann)).await;
    let account = &done["adminReinstateUser"]["account"];
    let active = json!({ "status": "PENDING", "suspensionReason": null, "suspendedAt": null });
    assert_eq!(*account, active);
    anonymous.execute(SIGN_IN, sign_in("ann", PASSWORD)).await;
    let log = "{ admin { auditLog(filter: { actionPrefix: \"user.\" }, first: 2) { nodes {
        action actorLabel targetLabel changes { field after } } } } }";
    let log = admin.execute(log, Value::Null).await;
    let reason = json!([{ "field": "reason", "after": "It was reported." }]);
    let entry = |action: &str| json!({ "action": action, "actorLabel": "root", "targetLabel": "ann", "changes": reason });
    let entries = json!([entry("user.reinstated"), entry("user.suspended")]);
    assert_eq!(log["admin"]["auditLog"]["nodes"], entries);
}

async fn moderators_suspend_members_only(app: TestApp) {
    let ann = app.person("Ann").await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let moe = app.person_with_role("moe", ServerRole::Moderator).await;
    let mia = app.person_with_role("mia", ServerRole::Moderator).await;
    let aud = app.person_with_role("aud", ServerRole::Auditor).await;
    for (who, whom) in [
        (&moe, &admin),
        (&moe, &mia),
        (&moe, &aud),
        (&moe, &moe),
        (&aud, &ann),
        (&ann, &moe),
        (&admin, &admin),
    ] {
        who.expect_error("FORBIDDEN", SUSPEND, about(whom)).await;
    }
    moe.execute(SUSPEND, about(&ann)).await;
    admin.execute(SUSPEND, about(&mia)).await;
    moe.expect_error("FORBIDDEN", REINSTATE, about(&mia)).await;
    aud.expect_error("FORBIDDEN", REINSTATE, about(&ann)).await;
    moe.execute(REINSTATE, about(&ann)).await;
    let missing = heddle::id::UserId::mint().to_string();
    let missing = input(json!({ "userId": missing, "reason": "None." }));
    moe.expect_error("NOT_FOUND", SUSPEND, missing).await;
}

async fn only_administrators_manage_accounts(app: TestApp) {
    let ann = app.person("Ann").await;
    let moe = app.person_with_role("moe", ServerRole::Moderator).await;
    let aud = app.person_with_role("aud", ServerRole::Auditor).await;
    for (mutation, given) in [
        (UPDATE, role_of(&ann, "ADMIN")),
        (REVOKE, about(&ann)),
        (RESET_FACTOR, about(&ann)),
        (SEND_RESET, about(&ann)),
    ] {
        for who in [&ann, &moe, &aud] {
            who.expect_error("FORBIDDEN", mutation, given.clone()).await;
        }
    }
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let done = admin.execute(REVOKE, about(&ann)).await;
    assert_eq!(done["adminRevokeAccess"]["revokedCount"], 1);
    let seen = ann.execute("{ viewer { id } }", Value::Null).await;
    assert_eq!(seen["viewer"], Value::Null);
    admin.execute(RESET_FACTOR, about(&ann)).await;
}

async fn a_new_role_applies_immediately(app: TestApp) {
    let ann = app.person("Ann").await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let before = ann.execute(ROLE, Value::Null).await;
    assert_eq!(
        before,
        json!({ "viewer": { "role": "MEMBER" }, "admin": null })
    );
    let change = role_of(&ann, "AUDITOR");
    admin
        .expect_error("REAUTHENTICATION_REQUIRED", UPDATE, change.clone())
        .await;
    admin.reauthenticates().await;
    let done = admin.execute(UPDATE, change).await;
    assert_eq!(done["adminUpdateUser"]["account"]["role"], "AUDITOR");
    let after = ann.execute(ROLE, Value::Null).await;
    assert_eq!(after["viewer"]["role"], "AUDITOR");
    assert!(after["admin"].is_object(), "{after}");
    admin.execute(UPDATE, role_of(&ann, "MEMBER")).await;
    let after = ann.execute(ROLE, Value::Null).await;
    assert_eq!(after, before);
}

async fn the_last_administrator_stays(app: TestApp) {
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let other = app.person_with_role("other", ServerRole::Admin).await;
    admin.reauthenticates().await;
    admin.execute(SUSPEND, about(&other)).await;
    // A suspended administrator does not count.
    admin
        .expect_error("FORBIDDEN", UPDATE, role_of(&admin, "MEMBER"))
        .await;
    let farewell = input(json!({ "confirmUsername": "root", "password": PASSWORD }));
    admin
        .expect_error("FORBIDDEN", DELETE, farewell.clone())
        .await;
    admin.execute(REINSTATE, about(&other)).await;
    admin.execute(DELETE, farewell).await;
}

async fn two_administrators_cannot_remove_each_other(app: TestApp) {
    let ann = app.person_with_role("ann", ServerRole::Admin).await;
    let bob = app.person_with_role("bob", ServerRole::Admin).await;
    ann.reauthenticates().await;
    bob.reauthenticates().await;
    tokio::join!(
        ann.request(UPDATE, role_of(&bob, "MEMBER")),
        bob.request(SUSPEND, about(&ann)),
    );
    let left = heddle::domain::admin::list(&app.app.db, ServerRole::Admin).await;
    let left = left.unwrap();
    let usable: Vec<_> = left
        .iter()
        .filter(|user| user.suspended_at.is_none())
        .collect();
    assert_eq!(usable.len(), 1, "{left:#?}");
}

async fn a_link_for_a_new_password_is_mailed(app: TestApp) {
    let ann = app.person("Ann").await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let done = admin.execute(SEND_RESET, about(&ann)).await;
    assert_eq!(done["adminSendPasswordReset"]["resetUrl"], Value::Null);
    let mail = app.mail("ann@example.org", "Set a new password", 1).await;
    // The present password works until the link is used.
    let anonymous = app.anonymous();
    anonymous.execute(SIGN_IN, sign_in("ann", PASSWORD)).await;
    let new =
        json!({ "token": mail.token("reset-password"), "newPassword": "eleven grey shuttles" });
    anonymous.execute(RESET, input(new)).await;
    anonymous
        .execute(SIGN_IN, sign_in("ann", "eleven grey shuttles"))
        .await;
}

async fn without_mail_the_link_is_returned(app: TestApp) {
    let app = app.with(|config| config.mode = Mode::Production).await;
    let ann = app.person_with_role("ann", ServerRole::Member).await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let done = admin.execute(SEND_RESET, about(&ann)).await;
    let url = text(&done["adminSendPasswordReset"]["resetUrl"]);
    let (_, token) = url.split_once("/reset-password#").unwrap();
    let new = json!({ "token": token, "newPassword": "eleven grey shuttles" });
    app.anonymous().execute(RESET, input(new)).await;
    app.anonymous()
        .execute(SIGN_IN, sign_in("ann", "eleven grey shuttles"))
        .await;
}

const CREATE: &str = "mutation($input: AdminCreateUserInput!) { adminCreateUser(input: $input) {
    setupUrl account { email role status signInMethods user { username displayName } } } }";

async fn administrators_create_accounts(app: TestApp) {
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let moderator = app.person_with_role("moe", ServerRole::Moderator).await;
    let ann = json!({ "username": "ann", "displayName": "Ann Lee", "email": "ann@example.org" });
    moderator
        .expect_error("FORBIDDEN", CREATE, input(ann.clone()))
        .await;
    let done = admin.execute(CREATE, input(ann.clone())).await;
    let expected = json!({ "setupUrl": null, "account": {
        "email": "ann@example.org", "role": "MEMBER", "status": "ACTIVE", "signInMethods": [],
        "user": { "username": "ann", "displayName": "Ann Lee" } } });
    assert_eq!(done["adminCreateUser"], expected);
    let mail = app
        .mail("ann@example.org", "Your account on Heddle", 1)
        .await;
    let new = json!({ "token": mail.token("reset-password"), "newPassword": PASSWORD });
    app.app.clock.advance(TimeDelta::days(6));
    let anonymous = app.anonymous();
    anonymous.execute(RESET, input(new.clone())).await;
    anonymous
        .expect_error("WRONG_CREDENTIALS", RESET, input(new))
        .await;
    anonymous
        .execute(SIGN_IN, sign_in("ann@example.org", PASSWORD))
        .await;
    // The first password replaces none, so no mail reports it.
    assert_eq!(app.mails().len(), 1);
    let mut admin = admin;
    admin.signs_in().await;
    for (field, value, code) in [
        ("username", "Ann", "TAKEN"),
        ("username", "a", "INVALID"),
        ("email", "ANN@example.org", "TAKEN"),
        ("email", "bob", "INVALID"),
        ("displayName", " ", "TOO_SHORT"),
    ] {
        let mut new =
            json!({ "username": "bob", "email": "bob@example.org", "displayName": "Bob" });
        new[field] = json!(value);
        let error = admin
            .expect_error("BAD_USER_INPUT", CREATE, input(new))
            .await;
        let problem = &error["extensions"]["problems"][0];
        assert_eq!(
            (&problem["path"], &problem["code"]),
            (&json!(["input", field]), &json!(code))
        );
    }
    let moderators =
        input(json!({ "username": "bob", "email": "bob@example.org", "role": "MODERATOR" }));
    admin
        .expect_error("REAUTHENTICATION_REQUIRED", CREATE, moderators.clone())
        .await;
    admin.reauthenticates().await;
    let done = admin.execute(CREATE, moderators).await;
    assert_eq!(done["adminCreateUser"]["account"]["role"], "MODERATOR");
    let log = "{ admin { auditLog(first: 1) { nodes { action actor { username } changes { field after } } } } }";
    let log = admin.execute(log, Value::Null).await;
    let created = json!({ "action": "user.created", "actor": { "username": "root" },
        "changes": [{ "field": "role", "after": "MODERATOR" }] });
    assert_eq!(log["admin"]["auditLog"]["nodes"][0], created);
}

async fn a_created_account_cannot_be_used_before_it_is_set_up(app: TestApp) {
    let app = app.with(|config| config.mode = Mode::Production).await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let ann = json!({ "username": "ann", "email": "ann@example.org" });
    let done = admin.execute(CREATE, input(ann)).await;
    let url = text(&done["adminCreateUser"]["setupUrl"]);
    let (_, token) = url.split_once("/reset-password#").unwrap();
    let anonymous = app.anonymous();
    for password in ["", PASSWORD] {
        anonymous
            .expect_error("WRONG_CREDENTIALS", SIGN_IN, sign_in("ann", password))
            .await;
    }
    app.app.clock.advance(TimeDelta::days(8));
    let new = json!({ "token": token, "newPassword": PASSWORD });
    anonymous.expect_error("EXPIRED", RESET, input(new)).await;
}

async fn reasons_are_required(app: TestApp) {
    let ann = app.person("Ann").await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let long = "a".repeat(501);
    for (reason, code) in [(" ", "REQUIRED"), (long.as_str(), "TOO_LONG")] {
        let given = input(json!({ "userId": ann.id, "reason": reason }));
        for mutation in [SUSPEND, REVOKE, RESET_FACTOR, SEND_RESET, REINSTATE] {
            let error = admin
                .expect_error("BAD_USER_INPUT", mutation, given.clone())
                .await;
            let problem = &error["extensions"]["problems"][0];
            assert_eq!(problem["path"], json!(["input", "reason"]), "{mutation}");
            assert_eq!(problem["code"], code, "{mutation}");
        }
    }
}
