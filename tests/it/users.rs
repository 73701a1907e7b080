//! Users: profiles, privacy settings and search.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    person::{PASSWORD, Person},
};

const UPDATE: &str = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
    viewer { user { username displayName firstName lastName phoneNumber bio } } } }";
const PREFER: &str =
    "mutation($input: UpdatePreferencesInput!) { updatePreferences(input: $input) {
    viewer { preferences { id locale timeZone notificationLevel isSearchable profileVisibility
        phoneVisibility } } } }";
const USER: &str = "query($by: UserLookup!) { user(by: $by) {
    id username displayName firstName lastName phoneNumber bio isVerified isViewer } }";
const USERS: &str = "query($filter: UserFilter, $first: Int, $after: String) {
    users(filter: $filter, first: $first, after: $after) {
        nodes { displayName } pageInfo { hasNextPage endCursor } } }";

both!(
    a_profile_keeps_what_is_omitted_and_loses_what_is_null,
    bad_profiles_return_all_their_problems,
    a_new_username_must_be_free_and_works_immediately,
    preferences_stay_unless_they_are_named,
    preferences_that_mean_nothing_are_refused,
    people_are_found_by_id_and_by_username,
    names_and_numbers_are_seen_by_whom_they_are_shared_with,
    contacts_of_many_users_are_one_statement,
    people_are_listed_by_name_page_by_page,
    wildcards_match_themselves,
    a_change_of_profile_is_one_event,
    updated_at_is_when_the_public_profile_changed,
);

async fn updates(person: &Person, input: Value) -> Value {
    let data = person.execute(UPDATE, json!({ "input": input })).await;
    data["updateProfile"]["viewer"]["user"].clone()
}

async fn sees(person: &Person, by: Value) -> Value {
    person.execute(USER, json!({ "by": by })).await["user"].clone()
}

async fn finds(person: &Person, text: &str) -> Vec<Value> {
    let data = person
        .execute(USERS, json!({ "filter": { "text": text } }))
        .await;
    let nodes = data["users"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["displayName"].clone())
        .collect()
}

async fn a_profile_keeps_what_is_omitted_and_loses_what_is_null(app: TestApp) {
    let ann = app.person("Ann").await;
    let everything = json!({
        "displayName": " Ann Weaver ", "firstName": "Ann", "lastName": "Weaver",
        "phoneNumber": "+493012345678", "bio": "Looms\nand shuttles",
    });
    let seen = updates(&ann, everything).await;
    let expected = json!({
        "username": "ann", "displayName": "Ann Weaver", "firstName": "Ann", "lastName": "Weaver",
        "phoneNumber": "+493012345678", "bio": "Looms\nand shuttles",
    });
    assert_eq!(seen, expected);
    assert_eq!(updates(&ann, json!({})).await, expected);
    let seen = updates(&ann, json!({ "bio": null, "lastName": "  " })).await;
    assert_eq!(seen["bio"], Value::Null);
    assert_eq!(seen["lastName"], Value::Null);
    assert_eq!(seen["firstName"], "Ann");
}

async fn bad_profiles_return_all_their_problems(app: TestApp) {
    let ann = app.person("Ann").await;
    app.person("Bob").await;
    let input = json!({
        "username": "BOB", "displayName": null, "firstName": "a".repeat(81),
        "phoneNumber": "030", "bio": "b".repeat(501),
    });
    let error = ann
        .expect_error("BAD_USER_INPUT", UPDATE, json!({ "input": input }))
        .await;
    let mut reported: Vec<_> = error["extensions"]["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| format!("{} {}", problem["path"][1], problem["code"]))
        .collect();
    reported.sort();
    let expected = [
        r#""bio" "TOO_LONG""#,
        r#""displayName" "REQUIRED""#,
        r#""firstName" "TOO_LONG""#,
        r#""phoneNumber" "INVALID""#,
        r#""username" "TAKEN""#,
    ];
    assert_eq!(reported, expected);
    let seen = updates(&ann, json!({})).await;
    assert_eq!(seen["displayName"], "Ann");
}

async fn a_new_username_must_be_free_and_works_immediately(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let seen = updates(&ann, json!({ "username": "Ann.W" })).await;
    assert_eq!(seen["username"], "Ann.W");
    // A user may change the case of the own name.
    updates(&ann, json!({ "username": "ANN.w" })).await;
    assert_eq!(
        sees(&bob, json!({ "username": "ann.w" })).await["id"],
        ann.id
    );
    assert_eq!(sees(&bob, json!({ "username": "ann" })).await, Value::Null);
    // The old name may be used again.
    updates(&bob, json!({ "username": "ann" })).await;
}

async fn preferences_stay_unless_they_are_named(app: TestApp) {
    let ann = app.person("Ann").await;
    let prefers = async |input: Value| {
        let data = ann.execute(PREFER, json!({ "input": input })).await;
        data["updatePreferences"]["viewer"]["preferences"].clone()
    };
    let mut seen = prefers(json!({})).await;
    let expected = json!({
        "id": seen["id"], "locale": "en", "timeZone": "UTC", "notificationLevel": "ALL",
        "isSearchable": true, "profileVisibility": "EVERYONE", "phoneVisibility": "NOBODY",
    });
    assert_eq!(seen, expected);
    assert_eq!(seen["id"].as_str().unwrap(), ann.id.replace("usr_", "prf_"));
    let changes = json!({
        "locale": "pt-BR", "timeZone": "America/Sao_Paulo", "notificationLevel": "MENTIONS",
        "isSearchable": false, "profileVisibility": "CONTACTS", "phoneVisibility": "EVERYONE",
    });
    seen = prefers(changes.clone()).await;
    for (field, value) in changes.as_object().unwrap() {
        assert_eq!(&seen[field], value);
    }
    assert_eq!(
        prefers(json!({ "locale": null, "timeZone": null })).await,
        seen
    );
}

async fn preferences_that_mean_nothing_are_refused(app: TestApp) {
    let ann = app.person("Ann").await;
    for (field, value) in [
        ("locale", ""),
        ("locale", "english please"),
        ("locale", "e"),
        ("locale", "en-"),
        ("timeZone", "Europe/Atlantis"),
        ("timeZone", "+02:00"),
        ("timeZone", ""),
    ] {
        let input = json!({ "input": { field: value } });
        let error = ann.expect_error("BAD_USER_INPUT", PREFER, input).await;
        let problem = &error["extensions"]["problems"][0];
        assert_eq!(problem["path"], json!(["input", field]), "{value}");
    }
}

async fn people_are_found_by_id_and_by_username(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let seen = sees(&ann, json!({ "id": bob.id })).await;
    assert_eq!(seen["displayName"], "Bob");
    assert_eq!(seen["isVerified"], false);
    assert_eq!(seen["isViewer"], false);
    assert_eq!(sees(&ann, json!({ "username": "BOB" })).await, seen);
    for anonymous in [
        json!({ "id": "usr_nonsense" }),
        json!({ "id": ann.id.replace("usr_", "msg_") }),
        json!({ "username": "cid" }),
        json!({ "username": "" }),
    ] {
        assert_eq!(sees(&ann, anonymous).await, Value::Null);
    }
    let by = json!({ "by": { "id": bob.id } });
    app.anonymous()
        .expect_error("UNAUTHENTICATED", USER, by)
        .await;
    app.anonymous()
        .expect_error("UNAUTHENTICATED", USERS, Value::Null)
        .await;
}

async fn share_a_conversation(one: &Person, other: &Person) {
    let input = json!({ "userIds": [other.id] });
    one.execute(
        "mutation($input: OpenDirectConversationInput!) { openDirectConversation(input: $input) {
            conversation { id } } }",
        json!({ "input": input }),
    )
    .await;
}

async fn names_and_numbers_are_seen_by_whom_they_are_shared_with(app: TestApp) {
    let ann = app.person("Ann").await;
    let (friend, stranger) = (app.person("Bob").await, app.person("Cid").await);
    share_a_conversation(&ann, &friend).await;
    let details = json!({
        "firstName": "Ann", "lastName": "Weaver", "bio": "Looms", "phoneNumber": "+493012345678",
    });
    updates(&ann, details).await;
    for (profile, phone, who, names, number) in [
        ("EVERYONE", "EVERYONE", &stranger, true, true),
        ("CONTACTS", "NOBODY", &stranger, false, false),
        ("CONTACTS", "NOBODY", &friend, true, false),
        ("NOBODY", "CONTACTS", &friend, false, true),
        ("NOBODY", "CONTACTS", &stranger, false, false),
        ("NOBODY", "NOBODY", &ann, true, true),
    ] {
        let input = json!({ "profileVisibility": profile, "phoneVisibility": phone });
        ann.execute(PREFER, json!({ "input": input })).await;
        let seen = sees(who, json!({ "id": ann.id })).await;
        let case = format!("{profile} {phone} {}", who.username);
        for field in ["firstName", "lastName", "bio"] {
            assert_eq!(!seen[field].is_null(), names, "{case}: {seen}");
        }
        assert_eq!(!seen["phoneNumber"].is_null(), number, "{case}: {seen}");
    }
}

async fn contacts_of_many_users_are_one_statement(app: TestApp) {
    let ann = app.person("Ann").await;
    let mut friends = vec![];
    for name in ["Bob", "Cid", "Dora"] {
        let friend = app.person(name).await;
        let input = json!({ "profileVisibility": "CONTACTS" });
        friend.execute(PREFER, json!({ "input": input })).await;
        updates(&friend, json!({ "bio": name, "firstName": name })).await;
        friends.push(friend);
    }
    share_a_conversation(&ann, &friends[0]).await;
    share_a_conversation(&friends[2], &ann).await;
    let seen = ann
        .execute(
            "{ users { nodes { displayName bio firstName lastName } } }",
            Value::Null,
        )
        .await;
    let bios: Vec<_> = seen["users"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["bio"].clone())
        .collect();
    assert_eq!(
        bios,
        [json!(null), json!("Bob"), json!(null), json!("Dora")]
    );
}

async fn people_are_listed_by_name_page_by_page(app: TestApp) {
    let ann = app.person("Ann").await;
    let cid = app.person("cid").await;
    for name in ["Bob", "Zoe", "Élan"] {
        let username = name.replace('É', "E");
        let person = app.person(&username).await;
        updates(&person, json!({ "displayName": name })).await;
    }
    // Two users have one name.
    let twin = app.person("bob2").await;
    updates(&twin, json!({ "displayName": "Bob" })).await;
    let users = ann.nodes(USERS, json!({ "first": 2 }), "/users").await;
    let names: Vec<_> = users.iter().map(|user| &user["displayName"]).collect();
    assert_eq!(names, ["Ann", "Bob", "Bob", "cid", "Zoe", "Élan"]);
    let input = json!({ "isSearchable": false });
    cid.execute(PREFER, json!({ "input": input })).await;
    assert_eq!(finds(&ann, "CID").await, Vec::<Value>::new());
    assert_eq!(finds(&ann, "éL").await, ["Élan"]);
    assert_eq!(finds(&ann, "bob2").await, ["Bob"]);
    ann.expect_error("BAD_USER_INPUT", USERS, json!({ "first": 101 }))
        .await;
    ann.expect_error("BAD_USER_INPUT", USERS, json!({ "after": "nonsense" }))
        .await;
}

async fn wildcards_match_themselves(app: TestApp) {
    let ann = app.person("Ann").await;
    updates(&ann, json!({ "displayName": r"100% Ann_\o/" })).await;
    app.person("Bob").await;
    for text in ["0%", "n_", r"\o"] {
        assert_eq!(finds(&ann, text).await, [r"100% Ann_\o/"], "{text}");
    }
    assert_eq!(finds(&ann, "_b_").await, Vec::<Value>::new());
}

async fn a_change_of_profile_is_one_event(app: TestApp) {
    let ann = app.person("Ann").await;
    let count = async || {
        let text = "SELECT 1 FROM event WHERE kind = 'UserChanged' AND stream_id = ?";
        let id = heddle::id::UserId::from_text(&ann.id);
        let rows = sea_orm::ConnectionTrait::query_all_raw(
            app.app.db.read(),
            heddle::db::sql(app.app.db.backend(), text, [id.into()]),
        );
        rows.await.unwrap().len()
    };
    updates(&ann, json!({ "bio": "Looms" })).await;
    assert_eq!(count().await, 1);
    updates(&ann, json!({})).await;
    assert_eq!(count().await, 1);
    ann.execute(PREFER, json!({ "input": { "locale": "de" } }))
        .await;
    assert_eq!(count().await, 2);
}

/// What others may not see leaves no trace in it either.
async fn updated_at_is_when_the_public_profile_changed(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let seen = async || {
        app.app.clock.advance(TimeDelta::seconds(1));
        let query = "query($id: ID!) { user(by: { id: $id }) { createdAt updatedAt } }";
        let data = bob.execute(query, json!({ "id": ann.id })).await;
        [
            data["user"]["createdAt"].clone(),
            data["user"]["updatedAt"].clone(),
        ]
    };
    let [created, first] = seen().await;
    assert_eq!(created, first);
    for settings in [
        json!({ "locale": "fi" }),
        json!({ "isSearchable": false, "sharesReadReceipts": false }),
        json!({ "sharesPresence": false }),
    ] {
        ann.execute(PREFER, json!({ "input": settings })).await;
        assert_eq!(seen().await[1], first, "{settings}");
    }
    let password = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { viewer { id } } }";
    let input = json!({ "currentPassword": PASSWORD, "newPassword": "another loom of ones own" });
    ann.execute(password, json!({ "input": input })).await;
    assert_eq!(seen().await[1], first);
    let mut last = first;
    for (document, input) in [
        (UPDATE, json!({ "bio": "Weaves" })),
        (UPDATE, json!({ "displayName": "Ann W." })),
        (PREFER, json!({ "profileVisibility": "EVERYONE" })),
    ] {
        ann.execute(document, json!({ "input": input })).await;
        let [_, now] = seen().await;
        assert!(now.as_str() > last.as_str(), "{input}");
        last = now;
    }
}
