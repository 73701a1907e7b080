//! Ann protects her account with an authenticator app.

use chrono::TimeDelta;
use heddle::{
    domain::{admin, text::hex},
    entity::user::ServerRole,
};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    authenticator::Authenticator,
    both,
    dump::dump,
    person::{PASSWORD, Person, text},
    socket::Frame,
};

const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { accessToken refreshToken } challenge { token methods expiresAt } } }";
const COMPLETE: &str = "mutation($input: CompleteSignInInput!) { completeSignIn(input: $input) {
    auth { accessToken viewer { hasTotp recoveryCodesLeft } } } }";
const REAUTHENTICATE: &str = "mutation($input: ReauthenticateInput!) {
    reauthenticate(input: $input) { session { isCurrent reauthenticatedUntil } } }";
const START: &str = "mutation { startTotpSetup { secret uri } }";
const CONFIRM: &str = "mutation($input: ConfirmTotpSetupInput!) {
    confirmTotpSetup(input: $input) { recoveryCodes viewer { hasTotp recoveryCodesLeft } } }";
const DISABLE: &str = "mutation($input: DisableTotpInput!) { disableTotp(input: $input) {
    viewer { hasTotp recoveryCodesLeft } } }";
const REGENERATE: &str = "mutation($input: RegenerateRecoveryCodesInput!) {
    regenerateRecoveryCodes(input: $input) { recoveryCodes } }";
const REFRESH: &str = "mutation($input: RefreshSessionInput!) { refreshSession(input: $input) {
    auth { accessToken } } }";
const CHANGE_PASSWORD: &str = "mutation($input: ChangePasswordInput!) {
    changePassword(input: $input) { viewer { id } } }";
const DELETE: &str = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) {
    deletedUserId } }";
const SEEN: &str = "{ viewer { hasTotp recoveryCodesLeft } }";

both!(
    a_sign_in_needs_a_code_of_the_app,
    each_code_works_once,
    a_recovery_code_replaces_the_app_once,
    a_setup_needs_the_identity_of_its_user,
    a_setup_ends_the_other_sessions,
    a_setup_expires,
    a_new_app_replaces_the_present_one,
    an_app_is_removed_with_a_code,
    an_operator_removes_a_lost_app,
    a_suspended_user_is_refused_after_the_code,
    wrong_codes_are_limited,
    simultaneous_guesses_and_copies_of_a_code_gain_nothing,
    a_challenge_is_bound_to_the_password_and_to_a_time,
    a_server_requires_a_second_factor,
    a_server_requires_a_second_factor_of_administrators,
    an_account_is_deleted_with_a_code,
    no_secret_is_stored_as_it_is,
    the_owner_receives_notices,
);

fn input(fields: Value) -> Value {
    Value::from_iter([("input", fields)])
}

fn code_input(code: &str) -> Value {
    input(json!({ "code": code }))
}

/// Sets up an app, and returns it with the recovery codes.
async fn sets_up(app: &TestApp, person: &Person) -> (Authenticator, Vec<String>) {
    person.reauthenticates().await;
    starts_and_confirms(app, person).await
}

async fn starts_and_confirms(app: &TestApp, person: &Person) -> (Authenticator, Vec<String>) {
    let started = person.execute(START, Value::Null).await;
    let authenticator = Authenticator::new(&text(&started["startTotpSetup"]["secret"]));
    let code = code_input(&authenticator.code(app));
    let done = person.execute(CONFIRM, code).await;
    let codes = done["confirmTotpSetup"]["recoveryCodes"].as_array();
    let codes: Vec<_> = codes.unwrap().iter().map(text).collect();
    assert_eq!(codes.len(), 10);
    let seen = json!({ "hasTotp": true, "recoveryCodesLeft": 10 });
    assert_eq!(done["confirmTotpSetup"]["viewer"], seen);
    (authenticator, codes)
}

fn sign_in(password: &str) -> Value {
    input(json!({ "login": "ann", "password": password }))
}

/// Enters the password, and returns the token of the challenge.
async fn challenge(app: &TestApp) -> String {
    let done = app.anonymous().execute(SIGN_IN, sign_in(PASSWORD)).await;
    assert_eq!(done["signIn"]["auth"], Value::Null);
    let challenge = &done["signIn"]["challenge"];
    assert_eq!(challenge["methods"], json!(["TOTP", "RECOVERY_CODE"]));
    text(&challenge["token"])
}

fn answer(challenge: &str, method: &str, code: &str) -> Value {
    input(json!({ "challengeToken": challenge, "method": method, "code": code }))
}

async fn a_sign_in_needs_a_code_of_the_app(app: TestApp) {
    let ann = app.person("Ann").await;
    let seen = ann.execute(SEEN, Value::Null).await;
    let none = json!({ "hasTotp": false, "recoveryCodesLeft": 0 });
    assert_eq!(seen["viewer"], none);
    let (authenticator, _) = sets_up(&app, &ann).await;
    let token = challenge(&app).await;
    let anonymous = app.anonymous();
    for (method, wrong) in [("TOTP", "000000x"), ("TOTP", ""), ("RECOVERY_CODE", "abcd")] {
        let answer = answer(&token, method, wrong);
        anonymous
            .expect_error("WRONG_CREDENTIALS", COMPLETE, answer)
            .await;
    }
    // People type codes as apps show them.
    let code = authenticator.next_code(&app);
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    let done = anonymous
        .execute(COMPLETE, answer(&token, "TOTP", &spaced))
        .await;
    let seen = json!({ "hasTotp": true, "recoveryCodesLeft": 10 });
    assert_eq!(done["completeSignIn"]["auth"]["viewer"], seen);
    let mut again = app.anonymous();
    again.token = Some(text(&done["completeSignIn"]["auth"]["accessToken"]));
    again.execute(SEEN, Value::Null).await;
}

async fn each_code_works_once(app: TestApp) {
    let ann = app.person("Ann").await;
    ann.reauthenticates().await;
    let started = ann.execute(START, Value::Null).await;
    let authenticator = Authenticator::new(&text(&started["startTotpSetup"]["secret"]));
    let first = authenticator.code(&app);
    ann.execute(CONFIRM, code_input(&first)).await;
    let (token, anonymous) = (challenge(&app).await, app.anonymous());
    // The setup has used the first one.
    anonymous
        .expect_error(
            "WRONG_CREDENTIALS",
            COMPLETE,
            answer(&token, "TOTP", &first),
        )
        .await;
    let early = authenticator.next_code(&app);
    let late = answer(&token, "TOTP", &authenticator.next_code(&app));
    anonymous.execute(COMPLETE, late.clone()).await;
    anonymous
        .expect_error("WRONG_CREDENTIALS", COMPLETE, late)
        .await;
    // An earlier code is within the tolerance, but follows a later one.
    let early = answer(&token, "TOTP", &early);
    anonymous
        .expect_error("WRONG_CREDENTIALS", COMPLETE, early)
        .await;
    let before = authenticator.code(&app);
    app.app.clock.advance(TimeDelta::seconds(90));
    let old = answer(&token, "TOTP", &before);
    anonymous
        .expect_error("WRONG_CREDENTIALS", COMPLETE, old)
        .await;
}

async fn a_recovery_code_replaces_the_app_once(app: TestApp) {
    let ann = app.person("Ann").await;
    let bob = app.person("Bob").await;
    let (authenticator, codes) = sets_up(&app, &ann).await;
    let (_, codes_of_bob) = sets_up(&app, &bob).await;
    let (token, anonymous) = (challenge(&app).await, app.anonymous());
    let typed = codes[3].to_uppercase().replace('-', " ").replace('0', "O");
    let recovery = answer(&token, "RECOVERY_CODE", &typed);
    let done = anonymous.execute(COMPLETE, recovery.clone()).await;
    let viewer = &done["completeSignIn"]["auth"]["viewer"];
    assert_eq!(viewer["recoveryCodesLeft"], 9);
    let others = answer(&token, "RECOVERY_CODE", &codes_of_bob[0]);
    for wrong in [recovery, others] {
        anonymous
            .expect_error("WRONG_CREDENTIALS", COMPLETE, wrong)
            .await;
    }
    // New codes replace the old ones, and need the app.
    ann.expect_error("WRONG_CREDENTIALS", REGENERATE, code_input(&codes[0]))
        .await;
    let code = code_input(&authenticator.next_code(&app));
    let done = ann.execute(REGENERATE, code).await;
    let new = text(&done["regenerateRecoveryCodes"]["recoveryCodes"][9]);
    let old = answer(&token, "RECOVERY_CODE", &codes[0]);
    anonymous
        .expect_error("WRONG_CREDENTIALS", COMPLETE, old)
        .await;
    let new = answer(&token, "RECOVERY_CODE", &new);
    anonymous.execute(COMPLETE, new).await;
}

async fn a_setup_needs_the_identity_of_its_user(app: TestApp) {
    let ann = app.person("Ann").await;
    let required = "REAUTHENTICATION_REQUIRED";
    ann.expect_error(required, START, Value::Null).await;
    let wrong = input(json!({ "password": "not her password" }));
    ann.expect_error("WRONG_CREDENTIALS", REAUTHENTICATE, wrong)
        .await;
    let code = input(json!({ "totpCode": "123456" }));
    ann.expect_error("WRONG_CREDENTIALS", REAUTHENTICATE, code)
        .await;
    ann.expect_error(required, START, Value::Null).await;
    let password = input(json!({ "password": PASSWORD }));
    let done = ann.execute(REAUTHENTICATE, password).await;
    let session = &done["reauthenticate"]["session"];
    assert_eq!(session["isCurrent"], true);
    assert!(session["reauthenticatedUntil"].is_string(), "{session}");
    let started = ann.execute(START, Value::Null).await;
    let setup = &started["startTotpSetup"];
    let (secret, uri) = (text(&setup["secret"]), text(&setup["uri"]));
    assert_eq!(secret.len(), 32, "{secret}");
    assert_eq!(
        uri,
        format!("otpauth://totp/Heddle:ann?secret={secret}&issuer=Heddle")
    );
    // Only this session may, and not for long.
    let done = app.anonymous().execute(SIGN_IN, sign_in(PASSWORD)).await;
    let mut other = app.anonymous();
    other.token = Some(text(&done["signIn"]["auth"]["accessToken"]));
    other.expect_error(required, START, Value::Null).await;
    other.reauthenticates().await;
    app.app.clock.advance(TimeDelta::minutes(16));
    let token = &done["signIn"]["auth"]["refreshToken"];
    let refresh = input(json!({ "refreshToken": token }));
    let renewed = app.anonymous().execute(REFRESH, refresh).await;
    other.token = Some(text(&renewed["refreshSession"]["auth"]["accessToken"]));
    other.expect_error(required, START, Value::Null).await;
}

async fn a_setup_ends_the_other_sessions(app: TestApp) {
    let ann = app.person("Ann").await;
    let done = app.anonymous().execute(SIGN_IN, sign_in(PASSWORD)).await;
    let mut other = app.anonymous();
    other.token = Some(text(&done["signIn"]["auth"]["accessToken"]));
    other.execute(SEEN, Value::Null).await;
    sets_up(&app, &ann).await;
    let ended = other.execute(SEEN, Value::Null).await;
    assert_eq!(ended["viewer"], Value::Null);
    ann.execute(SEEN, Value::Null).await;
}

async fn a_setup_expires(app: TestApp) {
    let ann = app.person("Ann").await;
    ann.expect_error("EXPIRED", CONFIRM, code_input("123456"))
        .await;
    ann.reauthenticates().await;
    let started = ann.execute(START, Value::Null).await;
    let authenticator = Authenticator::new(&text(&started["startTotpSetup"]["secret"]));
    ann.expect_error("WRONG_CREDENTIALS", CONFIRM, code_input("12345"))
        .await;
    app.app.clock.advance(TimeDelta::minutes(16));
    let mut ann = ann;
    ann.signs_in().await;
    let late = code_input(&authenticator.code(&app));
    ann.expect_error("EXPIRED", CONFIRM, late).await;
    // An app that is not confirmed yet protects nothing.
    let seen = ann.execute(SEEN, Value::Null).await;
    assert_eq!(seen["viewer"]["hasTotp"], false);
}

async fn a_new_app_replaces_the_present_one(app: TestApp) {
    let ann = app.person("Ann").await;
    let (old, codes) = sets_up(&app, &ann).await;
    app.app.clock.advance(TimeDelta::minutes(16));
    let (token, mut ann) = (challenge(&app).await, app.anonymous());
    let done = ann
        .execute(COMPLETE, answer(&token, "TOTP", &old.code(&app)))
        .await;
    ann.token = Some(text(&done["completeSignIn"]["auth"]["accessToken"]));
    // The password alone is not enough to replace the app.
    let password = input(json!({ "password": PASSWORD }));
    let error = ann.expect_error("BAD_USER_INPUT", REAUTHENTICATE, password);
    let path = &error.await["extensions"]["problems"][0]["path"];
    assert_eq!(*path, json!(["input", "password"]));
    ann.expect_error("REAUTHENTICATION_REQUIRED", START, Value::Null)
        .await;
    let code = input(json!({ "totpCode": old.next_code(&app) }));
    ann.execute(REAUTHENTICATE, code).await;
    let (new, _) = starts_and_confirms(&app, &ann).await;
    let (token, anonymous) = (challenge(&app).await, app.anonymous());
    for (method, code) in [
        ("TOTP", old.next_code(&app)),
        ("RECOVERY_CODE", codes[0].clone()),
    ] {
        anonymous
            .expect_error("WRONG_CREDENTIALS", COMPLETE, answer(&token, method, &code))
            .await;
    }
    let code = new.next_code(&app);
    anonymous
        .execute(COMPLETE, answer(&token, "TOTP", &code))
        .await;
}

async fn an_app_is_removed_with_a_code(app: TestApp) {
    let ann = app.person("Ann").await;
    let (authenticator, codes) = sets_up(&app, &ann).await;
    for wrong in ["000", "aaaa-bbbb-cccc", PASSWORD] {
        ann.expect_error("WRONG_CREDENTIALS", DISABLE, code_input(wrong))
            .await;
    }
    let done = ann.execute(DISABLE, code_input(&codes[9])).await;
    let none = json!({ "hasTotp": false, "recoveryCodesLeft": 0 });
    assert_eq!(done["disableTotp"]["viewer"], none);
    let done = app.anonymous().execute(SIGN_IN, sign_in(PASSWORD)).await;
    assert_eq!(done["signIn"]["challenge"], Value::Null);
    assert!(done["signIn"]["auth"].is_object(), "{done}");
    let code = code_input(&authenticator.next_code(&app));
    ann.expect_error("WRONG_CREDENTIALS", REGENERATE, code)
        .await;
}

async fn an_operator_removes_a_lost_app(app: TestApp) {
    let ann = app.person("Ann").await;
    let (_, codes) = sets_up(&app, &ann).await;
    let token = challenge(&app).await;
    admin::reset_second_factor(&app.app, "Ann").await.unwrap();
    let ended = ann.execute(SEEN, Value::Null).await;
    assert_eq!(ended["viewer"], Value::Null);
    let lost = answer(&token, "RECOVERY_CODE", &codes[0]);
    app.anonymous()
        .expect_error("WRONG_CREDENTIALS", COMPLETE, lost)
        .await;
    let done = app.anonymous().execute(SIGN_IN, sign_in(PASSWORD)).await;
    assert!(done["signIn"]["auth"].is_object(), "{done}");
    app.mail("ann@example.org", "has no second factor", 1).await;
    for (username, code) in [("ann", "CONFLICT"), ("bob", "NOT_FOUND")] {
        let error = admin::reset_second_factor(&app.app, username).await;
        assert_eq!(error.unwrap_err().code().as_str(), code);
    }
}

async fn a_suspended_user_is_refused_after_the_code(app: TestApp) {
    let ann = app.person("Ann").await;
    let (_, codes) = sets_up(&app, &ann).await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    let suspend = "mutation($input: AdminSuspendUserInput!) { adminSuspendUser(input: $input) {
        account { status } } }";
    let reason = input(json!({ "userId": ann.id, "reason": "Spam" }));
    admin.execute(suspend, reason).await;
    let recovery = answer(&challenge(&app).await, "RECOVERY_CODE", &codes[0]);
    let error = app
        .anonymous()
        .expect_error("FORBIDDEN", COMPLETE, recovery)
        .await;
    assert_eq!(error["message"], "This account is suspended: Spam");
    let log = "{ admin { auditLog(filter: { outcome: REFUSED }) { nodes {
        action targetLabel } } } }";
    let log = admin.execute(log, Value::Null).await;
    let refused = json!([{ "action": "session.started", "targetLabel": "ann" }]);
    assert_eq!(log["admin"]["auditLog"]["nodes"], refused);
}

async fn wrong_codes_are_limited(app: TestApp) {
    let ann = app.person("Ann").await;
    let (authenticator, _) = sets_up(&app, &ann).await;
    let (token, anonymous) = (challenge(&app).await, app.anonymous());
    let wrong = answer(&token, "TOTP", "000");
    let correct = answer(&token, "TOTP", &authenticator.next_code(&app));
    for _ in 0..5 {
        anonymous
            .expect_error("WRONG_CREDENTIALS", COMPLETE, wrong.clone())
            .await;
    }
    // The limit is on the account: a code of the owner waits too, but nothing else does.
    for (query, variables) in [
        (COMPLETE, correct),
        (DISABLE, code_input("000")),
        (REAUTHENTICATE, input(json!({ "totpCode": "000" }))),
    ] {
        let error = ann.expect_error("RATE_LIMITED", query, variables).await;
        assert!(error["extensions"]["retryAfterMs"].is_u64(), "{error}");
    }
    ann.execute(SEEN, Value::Null).await;
    challenge(&app).await;
    // A new password, which the mailbox or the old password proves, ends the pause.
    let new = input(json!({ "currentPassword": PASSWORD, "newPassword": "eleven grey shuttles" }));
    ann.execute(CHANGE_PASSWORD, new).await;
    let code = code_input(&authenticator.next_code(&app));
    ann.execute(REGENERATE, code).await;
}

async fn simultaneous_guesses_and_copies_of_a_code_gain_nothing(app: TestApp) {
    let ann = app.person("Ann").await;
    let (authenticator, _) = sets_up(&app, &ann).await;
    let (token, anonymous) = (challenge(&app).await, app.anonymous());
    let code = authenticator.next_code(&app);
    let copies = (0..4).map(|_| anonymous.request(COMPLETE, answer(&token, "TOTP", &code)));
    let done = futures_util::future::join_all(copies).await;
    let signed_in = done.iter().filter(|done| done.get("errors").is_none());
    assert_eq!(signed_in.count(), 1, "{done:#?}");
    let guesses = (0..12).map(|_| anonymous.request(COMPLETE, answer(&token, "TOTP", "000")));
    let done = futures_util::future::join_all(guesses).await;
    let tried = done
        .iter()
        .filter(|done| done["errors"][0]["extensions"]["code"] == "WRONG_CREDENTIALS");
    assert!(tried.count() <= 5, "{done:#?}");
}

async fn a_challenge_is_bound_to_the_password_and_to_a_time(app: TestApp) {
    let ann = app.person("Ann").await;
    let (authenticator, codes) = sets_up(&app, &ann).await;
    let anonymous = app.anonymous();
    let token = challenge(&app).await;
    let mut changed = token.clone();
    changed.replace_range(8..9, if &token[8..9] == "A" { "B" } else { "A" });
    for forged in ["", "hct_", "hct_AAAA", "nonsense", &changed, &token[..60]] {
        let answer = answer(forged, "RECOVERY_CODE", &codes[0]);
        anonymous
            .expect_error("WRONG_CREDENTIALS", COMPLETE, answer)
            .await;
    }
    app.app.clock.advance(TimeDelta::minutes(6));
    let late = answer(&token, "RECOVERY_CODE", &codes[0]);
    anonymous.expect_error("EXPIRED", COMPLETE, late).await;
    let token = challenge(&app).await;
    let new = input(json!({ "currentPassword": PASSWORD, "newPassword": "eleven grey shuttles" }));
    ann.execute(CHANGE_PASSWORD, new).await;
    let old = answer(&token, "TOTP", &authenticator.next_code(&app));
    anonymous
        .expect_error("WRONG_CREDENTIALS", COMPLETE, old)
        .await;
}

/// What a user cannot do before the second factor is set up.
async fn is_restricted(person: &Person) {
    let required = "SECOND_FACTOR_REQUIRED";
    for query in [
        "{ viewer { id } }",
        "{ server { name } viewer { id } }",
        "{ users { nodes { id } } }",
        "{ eventCursor }",
        "mutation { revokeOtherSessions { revokedSessionIds } }",
        "mutation { setPresence(input: { status: AWAY }) { user { id } } }",
    ] {
        person.expect_error(required, query, Value::Null).await;
    }
    let mut events = person
        .subscribe("subscription { events { __typename } }", Value::Null)
        .await;
    let Frame::Error(errors) = events.next_frame().await else {
        panic!("a subscription without a second factor");
    };
    assert_eq!(errors[0]["extensions"]["code"], required);
}

async fn a_server_requires_a_second_factor(app: TestApp) {
    let app = app.with(|config| config.require_second_factor = true).await;
    let mut ann = app.person("Ann").await;
    is_restricted(&ann).await;
    ann.signs_in().await;
    is_restricted(&ann).await;
    // Nor does the response to a sign-in contain anything.
    let content = "mutation($input: SignInInput!) { signIn(input: $input) {
        auth { viewer { conversations { nodes { id } } } } } }";
    app.anonymous()
        .expect_error("SECOND_FACTOR_REQUIRED", content, sign_in(PASSWORD))
        .await;
    ann.execute("{ server { name } }", Value::Null).await;
    sets_up(&app, &ann).await;
    let seen = ann.execute(SEEN, Value::Null).await;
    assert_eq!(seen["viewer"]["hasTotp"], true);
    ann.expect_error("FORBIDDEN", DISABLE, code_input("000"))
        .await;
    let mut bob = app.person("Bob").await;
    bob.execute("mutation { signOut { endedSessionId } }", Value::Null)
        .await;
    bob.token = None;
    bob.execute("{ viewer { id } }", Value::Null).await;
}

async fn a_server_requires_a_second_factor_of_administrators(app: TestApp) {
    let app = app
        .with(|config| config.require_admin_second_factor = true)
        .await;
    let admin = app.person_with_role("root", ServerRole::Admin).await;
    is_restricted(&admin).await;
    sets_up(&app, &admin).await;
    admin.execute(SEEN, Value::Null).await;
    admin
        .expect_error("FORBIDDEN", DISABLE, code_input("000"))
        .await;
    let ann = app.person("Ann").await;
    ann.execute(SEEN, Value::Null).await;
}

async fn an_account_is_deleted_with_a_code(app: TestApp) {
    let ann = app.person("Ann").await;
    let (authenticator, _) = sets_up(&app, &ann).await;
    let without = json!({ "confirmUsername": "ann", "password": PASSWORD });
    let error = ann.expect_error("BAD_USER_INPUT", DELETE, input(without.clone()));
    let problem = &error.await["extensions"]["problems"][0];
    assert_eq!(problem["path"], json!(["input", "code"]));
    assert_eq!(problem["code"], "REQUIRED");
    let mut with = without;
    with["code"] = json!("000");
    ann.expect_error("WRONG_CREDENTIALS", DELETE, input(with.clone()))
        .await;
    with["code"] = json!(authenticator.next_code(&app));
    ann.execute(DELETE, input(with)).await;
    for table in ["authenticator", "recovery_code", "\"user\""] {
        assert_eq!(app.db_count(table).await, 0, "{table}");
    }
}

async fn no_secret_is_stored_as_it_is(app: TestApp) {
    let ann = app.person("Ann").await;
    let (authenticator, codes) = sets_up(&app, &ann).await;
    let stored = dump(&app.app.db).await.to_lowercase();
    let secret = authenticator.0.secret();
    let hex = hex(secret.as_bytes());
    for clear in [hex, secret.to_base32(), codes[0].clone()] {
        assert!(!stored.contains(&clear.to_lowercase()), "{clear}");
    }
}

async fn the_owner_receives_notices(app: TestApp) {
    let ann = app.person("Ann").await;
    let (authenticator, codes) = sets_up(&app, &ann).await;
    let address = "ann@example.org";
    app.mail(address, "has a second factor", 1).await;
    let token = challenge(&app).await;
    let recovery = answer(&token, "RECOVERY_CODE", &codes[0]);
    app.anonymous().execute(COMPLETE, recovery).await;
    app.mail(address, "A recovery code", 1).await;
    let code = code_input(&authenticator.next_code(&app));
    ann.execute(DISABLE, code).await;
    let mail = app.mail(address, "has no second factor", 1).await;
    assert!(!mail.body.contains(&codes[0]), "{mail:?}");
}
