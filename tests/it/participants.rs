//! Participants join groups, change their roles, and leave.

use std::{sync::Arc, time::Duration};

use heddle::{
    core::Core,
    db::{self, QueryStats},
    domain::{
        accounts,
        conversations::{self, NewGroup},
        integrity, participants,
    },
    entity::{conversation::HistoryVisibility, participant::ParticipantRole, user},
    error::Code,
    id::{ConversationId, UserId},
};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set, Value as Sql};
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both, event_rows,
    groups::{ADD, CHANGE_ROLE, Groups, LEAVE, REMOVE},
    messaging::Messaging,
    person::{Person, text},
    rows::db_groups,
};

const SEE: &str = "query($id: ID!) { conversation(id: $id) { id displayTitle participantCount } }";
const RIGHTS: &str = "query($id: ID!) { conversation(id: $id) { viewerMembership {
    canSend canUpdate canAddParticipants canRemoveParticipants canChangeRoles canModerate canDelete
    canLeave } } }";

both!(
    people_are_added_once_and_the_group_is_notified,
    a_removed_person_sees_and_keeps_nothing,
    history_begins_where_the_group_sets_it,
    each_role_may_what_it_may,
    moderators_change_only_what_is_below_them,
    permissions_are_those_of_the_operations,
    ownership_is_handed_over,
    the_only_owner_cannot_leave,
    the_last_one_takes_the_group_along,
    strangers_can_change_nothing_and_learn_nothing,
    participants_are_paged_owners_first_then_by_name,
    a_renamed_user_moves_in_every_list,
    a_group_is_full_at_its_limit,
    unknown_users_are_named_by_their_index,
    concurrent_role_changes_leave_one_owner,
    thousands_join_and_go_in_a_few_statements,
    a_group_outlives_its_owners_account,
    the_timeline_shows_who_joined_and_left,
);

async fn permissions_are_those_of_the_operations(app: TestApp) {
    let seen = "query($id: ID!) { conversation(id: $id) { threads(first: 1) { nodes { viewerCanReply } }
        participants(first: 10) { nodes { user { id } role viewerCanRemove viewerCanChangeRole } } } }";
    let mut people = vec![];
    for name in ["Ann", "Bob", "Cid", "Dan", "Eve"] {
        people.push(app.person(name).await);
    }
    let (ann, others) = people.split_first().unwrap();
    let others: Vec<_> = others.iter().collect();
    let group = ann.creates_group(Some("Loom"), &others).await;
    let root = ann.says(&group, "hello").await;
    ann.replies(&group, &root, "there").await;
    for (person, role) in others
        .iter()
        .zip(["MODERATOR", "MODERATOR", "MEMBER", "OBSERVER"])
    {
        if role != "MEMBER" {
            ann.makes(&group, person, role).await;
        }
    }
    for viewer in &people {
        let data = viewer.execute(seen, json!({ "id": group })).await;
        let conversation = &data["conversation"];
        let is_observer = viewer.username == "eve";
        let thread = &conversation["threads"]["nodes"][0];
        assert_eq!(thread["viewerCanReply"], !is_observer);
        for target in conversation["participants"]["nodes"].as_array().unwrap() {
            let change = |role: &str| json!({ "conversationId": group, "userId": target["user"]["id"], "role": role });
            // A change to the present role changes nothing, and fails like any other.
            let mut permitted = false;
            for role in ["OBSERVER", "MEMBER", "MODERATOR", "OWNER"] {
                if target["role"] == role {
                    continue;
                }
                let input = json!({ "input": change(role) });
                let is_permitted = viewer.request(CHANGE_ROLE, input).await["errors"].is_null();
                permitted |= is_permitted;
                if is_permitted {
                    // Back, by an owner: the owner may have changed.
                    let back = if role == "OWNER" {
                        json!({ "conversationId": group, "userId": viewer.id, "role": "OWNER" })
                    } else {
                        change(target["role"].as_str().unwrap())
                    };
                    let by = people
                        .iter()
                        .find(|one| target["user"]["id"] == one.id && role == "OWNER");
                    by.unwrap_or(ann)
                        .execute(CHANGE_ROLE, json!({ "input": back }))
                        .await;
                    if role == "OWNER" {
                        let restored = json!({ "input": change(target["role"].as_str().unwrap()) });
                        ann.execute(CHANGE_ROLE, restored).await;
                    }
                }
            }
            assert_eq!(
                target["viewerCanChangeRole"], permitted,
                "{} {target}",
                viewer.username
            );
        }
    }
    let direct = ann.direct(others.first().unwrap()).await;
    let data = ann.execute(seen, json!({ "id": direct })).await;
    for target in data["conversation"]["participants"]["nodes"]
        .as_array()
        .unwrap()
    {
        assert_eq!(target["viewerCanRemove"], false);
        assert_eq!(target["viewerCanChangeRole"], false);
    }
    // Removals come last, because they cannot be undone.
    removals_follow_what_is_shown(&people, &group, seen).await;
}

/// Removes everyone whom the first user may remove, after trying what is not permitted.
async fn removals_follow_what_is_shown(people: &[Person], group: &str, seen: &str) {
    for viewer in people.iter().rev() {
        let data = viewer.execute(seen, json!({ "id": group })).await;
        for target in data["conversation"]["participants"]["nodes"]
            .as_array()
            .unwrap()
        {
            if target["viewerCanRemove"] == false {
                let input = json!({ "conversationId": group, "userId": target["user"]["id"] });
                let response = viewer.request(REMOVE, json!({ "input": input })).await;
                assert!(
                    !response["errors"].is_null(),
                    "{} {target}",
                    viewer.username
                );
            }
        }
    }
    let ann = people.first().unwrap();
    let data = ann.execute(seen, json!({ "id": group })).await;
    for target in data["conversation"]["participants"]["nodes"]
        .as_array()
        .unwrap()
    {
        if target["viewerCanRemove"] == true {
            let input = json!({ "conversationId": group, "userId": target["user"]["id"] });
            ann.execute(REMOVE, json!({ "input": input })).await;
        }
    }
    let data = ann.execute(seen, json!({ "id": group })).await;
    let left = data["conversation"]["participants"]["nodes"]
        .as_array()
        .unwrap();
    assert_eq!(left.len(), 1);
}

async fn people_are_added_once_and_the_group_is_notified(app: TestApp) {
    let (ann, bob, cid) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cid").await,
    );
    let id = ann.creates_group(Some("Loom"), &[&bob]).await;
    let input = json!({ "conversationId": id, "userIds": [bob.id, cid.id, cid.id, ann.id] });
    let data = ann.execute(ADD, json!({ "input": input })).await;
    let added = &data["addParticipants"];
    assert_eq!(added["conversation"]["participantCount"], 3);
    let new = added["participants"].as_array().unwrap();
    assert_eq!(new.len(), 1, "{added}");
    assert_eq!(new[0]["user"]["username"], "cid");
    assert_eq!(new[0]["addedBy"]["username"], "ann");
    assert_eq!(new[0]["role"], "MEMBER");
    // Adding no new participant has no effect.
    let again = ann.execute(ADD, json!({ "input": input })).await;
    assert_eq!(again["addParticipants"]["participants"], json!([]));
    let returned = event_rows::notices(&app, &id).await;
    assert_eq!(
        returned,
        [
            json!({ "type": "CREATED", "actor": ann.id, "subjects": [bob.id], "value": "Loom" }),
            json!({ "type": "PARTICIPANTS_ADDED", "actor": ann.id, "subjects": [cid.id],
                "value": null }),
        ]
    );
    let received = event_rows::events(&app, &id).await;
    assert_eq!(
        received,
        ["MessageSent", "MessageSent", "ParticipantChanged"]
    );
    assert_eq!(
        event_rows::events(&app, &cid.id).await,
        ["ConversationJoined"]
    );
    assert_eq!(
        event_rows::events(&app, &bob.id).await,
        ["ConversationJoined"]
    );
}

async fn a_removed_person_sees_and_keeps_nothing(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let id = ann.creates_group(None, &[&bob]).await;
    let seen = bob.execute(SEE, json!({ "id": id })).await;
    assert_eq!(seen["conversation"]["displayTitle"], "Ann");
    let (group, user) = (ConversationId::from_text(&id), UserId::from_text(&bob.id));
    let place = || [Sql::from(user), group.into(), group.into()];
    let marked =
        "INSERT INTO read_mark (user_id, lane_id, conversation_id, seq) VALUES (?, ?, ?, 1)";
    db::execute(app.app.db.migrate(), marked, place())
        .await
        .unwrap();
    let removed = ann.removes(&id, &bob).await;
    assert_eq!(removed["conversation"]["participantCount"], 1);
    assert!(text(&removed["removedParticipantId"]).starts_with("prt_"));
    let seen = bob.execute(SEE, json!({ "id": id })).await;
    assert_eq!(seen["conversation"], Value::Null);
    let list = "{ viewer { conversations { nodes { id } } } }";
    let list = bob.execute(list, Value::Null).await;
    assert_eq!(list["viewer"]["conversations"]["nodes"], json!([]));
    assert_eq!(
        event_rows::events(&app, &bob.id).await,
        ["ConversationJoined", "ConversationLeft"]
    );
    let left = "SELECT count(*) FROM read_mark WHERE user_id = ?";
    let count = db::fetch_one::<i64, _, _>(app.app.db.read(), left, [user.into()]).await;
    assert_eq!(count.unwrap(), Some(0));
    let returned = event_rows::notices(&app, &id).await;
    assert_eq!(
        returned[1],
        json!({ "type": "PARTICIPANT_REMOVED", "actor": ann.id, "subjects": [bob.id],
            "value": null })
    );
}

async fn history_begins_where_the_group_sets_it(app: TestApp) {
    let (ann, bob, cid) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cid").await,
    );
    let update = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) {
        conversation { historyVisibility } } }";
    let id = ann.creates_group(Some("Loom"), &[]).await;
    ann.adds(&id, &bob, "OBSERVER").await;
    let input = json!({ "conversationId": id, "historyVisibility": "FROM_JOINING" });
    ann.execute(update, json!({ "input": input })).await;
    ann.adds(&id, &cid, "MEMBER").await;
    let query = "SELECT visible_from_seq, read_floor_seq FROM participant
        WHERE conversation_id = ? AND user_id = ?";
    // The notices are numbers 1 (created), 2 (Bob) and 3 (Cid): Cid sees only his own.
    for (person, visible_from, floor) in [(&ann, 0, 0), (&bob, 0, 1), (&cid, 3, 2)] {
        let place = [
            Sql::from(ConversationId::from_text(&id)),
            UserId::from_text(&person.id).into(),
        ];
        let row: Option<(i32, i32)> = db::fetch_one(app.app.db.read(), query, place)
            .await
            .unwrap();
        assert_eq!(row.unwrap(), (visible_from, floor), "{}", person.username);
    }
}

async fn each_role_may_what_it_may(app: TestApp) {
    let ann = app.person("Ann").await;
    let id = ann.creates_group(Some("Loom"), &[]).await;
    let mut people = vec![("OWNER", ann.clone())];
    for role in ["OBSERVER", "MEMBER", "MODERATOR"] {
        let person = app.person(role).await;
        ann.adds(&id, &person, role).await;
        people.push((role, person));
    }
    let update = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) {
        conversation { id } } }";
    let delete = "mutation($input: DeleteConversationInput!) { deleteConversation(input: $input) {
        deletedConversationId } }";
    people.rotate_left(1);
    for (role, person) in people {
        let manages = matches!(role, "MODERATOR" | "OWNER");
        let is_owner = role == "OWNER";
        let seen = person.execute(RIGHTS, json!({ "id": id })).await;
        assert_eq!(
            seen["conversation"]["viewerMembership"],
            json!({
                "canSend": role != "OBSERVER", "canUpdate": manages,
                "canAddParticipants": manages, "canRemoveParticipants": manages,
                "canChangeRoles": manages, "canModerate": manages,
                "canDelete": is_owner, "canLeave": !is_owner,
            }),
            "{role}"
        );
        // The permissions in the response are those that the server enforces.
        let extra = app.person(&format!("For-{role}")).await;
        let user = json!({ "conversationId": id, "userId": extra.id });
        let users = json!({ "conversationId": id, "userIds": [extra.id], "role": "OBSERVER" });
        let raised = json!({ "conversationId": id, "userId": extra.id, "role": "MEMBER" });
        let titled = json!({ "conversationId": id, "title": format!("By {role}") });
        for (query, input) in [
            (update, titled),
            (ADD, users),
            (CHANGE_ROLE, raised),
            (REMOVE, user),
        ] {
            let input = json!({ "input": input });
            if manages {
                person.execute(query, input).await;
            } else if query == CHANGE_ROLE || query == REMOVE {
                // The owner adds this user, so that there is a participant to act on.
                ann.adds(&id, &extra, "OBSERVER").await;
                person.expect_error("FORBIDDEN", query, input).await;
            } else {
                person.expect_error("FORBIDDEN", query, input).await;
            }
        }
        let input = json!({ "input": { "conversationId": id } });
        if is_owner {
            person.execute(delete, input).await;
        } else {
            person.expect_error("FORBIDDEN", delete, input).await;
        }
    }
    let seen = ann.execute(SEE, json!({ "id": id })).await;
    assert_eq!(seen["conversation"], Value::Null);
}

async fn moderators_change_only_what_is_below_them(app: TestApp) {
    let (ann, bob, cid, dan) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cid").await,
        app.person("Dan").await,
    );
    let id = ann.creates_group(Some("Loom"), &[]).await;
    for (person, role) in [(&bob, "MODERATOR"), (&cid, "MODERATOR"), (&dan, "MEMBER")] {
        ann.adds(&id, person, role).await;
    }
    for (target, role) in [
        (&dan, "MODERATOR"),
        (&dan, "OWNER"),
        (&cid, "MEMBER"),
        (&ann, "MEMBER"),
        (&bob, "OWNER"),
    ] {
        let input = json!({ "conversationId": id, "userId": target.id, "role": role });
        bob.expect_error("FORBIDDEN", CHANGE_ROLE, json!({ "input": input }))
            .await;
    }
    let eve = app.person("Eve").await;
    for (role, code) in [("MODERATOR", "FORBIDDEN"), ("OWNER", "BAD_USER_INPUT")] {
        let input = json!({ "conversationId": id, "userIds": [eve.id], "role": role });
        bob.expect_error(code, ADD, json!({ "input": input })).await;
    }
    let owner = json!({ "conversationId": id, "userId": ann.id });
    bob.expect_error("FORBIDDEN", REMOVE, json!({ "input": owner }))
        .await;
    let own = json!({ "conversationId": id, "userId": bob.id });
    bob.expect_error("BAD_USER_INPUT", REMOVE, json!({ "input": own }))
        .await;
    bob.makes(&id, &dan, "OBSERVER").await;
    bob.makes(&id, &dan, "MEMBER").await;
    bob.removes(&id, &cid).await;
    bob.makes(&id, &bob, "MEMBER").await;
    let input = json!({ "conversationId": id, "userId": bob.id, "role": "MODERATOR" });
    bob.expect_error("FORBIDDEN", CHANGE_ROLE, json!({ "input": input }))
        .await;
}

async fn ownership_is_handed_over(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let id = ann.creates_group(Some("Loom"), &[&bob]).await;
    let input = json!({ "conversationId": id, "userId": ann.id, "role": "MEMBER" });
    ann.expect_error("FORBIDDEN", CHANGE_ROLE, json!({ "input": input }))
        .await;
    ann.makes(&id, &bob, "OWNER").await;
    let roles = "query($id: ID!) { conversation(id: $id) { participants { nodes {
        role user { username } } } } }";
    let seen = bob.execute(roles, json!({ "id": id })).await;
    assert_eq!(
        seen["conversation"]["participants"]["nodes"],
        json!([
            { "role": "OWNER", "user": { "username": "bob" } },
            { "role": "MODERATOR", "user": { "username": "ann" } },
        ])
    );
    let returned = event_rows::notices(&app, &id).await;
    let returned: Vec<_> = returned[1..]
        .iter()
        .map(|returned| (&returned["subjects"][0], &returned["value"]))
        .collect();
    assert_eq!(
        json!(returned),
        json!([[bob.id, "OWNER"], [ann.id, "MODERATOR"]])
    );
    // A change to the present value creates no notice.
    bob.makes(&id, &bob, "OWNER").await;
    assert_eq!(event_rows::notices(&app, &id).await.len(), 3);
}

async fn the_only_owner_cannot_leave(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let id = ann.creates_group(Some("Loom"), &[&bob]).await;
    let input = json!({ "input": { "conversationId": id } });
    ann.expect_error("FORBIDDEN", LEAVE, input.clone()).await;
    bob.leaves(&id).await;
    bob.expect_error("NOT_FOUND", LEAVE, input).await;
    ann.adds(&id, &bob, "MEMBER").await;
    ann.makes(&id, &bob, "OWNER").await;
    ann.leaves(&id).await;
    let returned = event_rows::notices(&app, &id).await;
    assert_eq!(returned.last().unwrap()["type"], "PARTICIPANT_LEFT");
    assert_eq!(
        event_rows::events(&app, &ann.id).await,
        ["ConversationJoined", "ConversationLeft"]
    );
}

async fn the_last_one_takes_the_group_along(app: TestApp) {
    let ann = app.person("Ann").await;
    let id = ann.creates_group(Some("Loom"), &[]).await;
    let seen = ann.execute(RIGHTS, json!({ "id": id })).await;
    assert_eq!(seen["conversation"]["viewerMembership"]["canLeave"], true);
    ann.leaves(&id).await;
    let rows = "SELECT count(*) FROM conversation WHERE id = ?";
    let of = ConversationId::from_text(&id);
    let count = db::fetch_one::<i64, _, _>(app.app.db.read(), rows, [of.into()]).await;
    assert_eq!(count.unwrap(), Some(0));
    assert_eq!(
        event_rows::events(&app, &ann.id).await,
        ["ConversationJoined", "ConversationLeft"]
    );
}

async fn strangers_can_change_nothing_and_learn_nothing(app: TestApp) {
    let (ann, bob, eve) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Eve").await,
    );
    let id = ann.creates_group(Some("Loom"), &[&bob]).await;
    let user = |id: &str| json!({ "conversationId": id, "userId": bob.id });
    let role = |id: &str| json!({ "conversationId": id, "userId": bob.id, "role": "MEMBER" });
    let users = |id: &str| json!({ "conversationId": id, "userIds": [eve.id] });
    let only = |id: &str| json!({ "conversationId": id });
    let missing = "cnv_01h2xcejqtf2nbrexx3vqjhp41";
    for (query, hidden, absent) in [
        (ADD, users(&id), users(missing)),
        (REMOVE, user(&id), user(missing)),
        (CHANGE_ROLE, role(&id), role(missing)),
        (LEAVE, only(&id), only(missing)),
    ] {
        let hidden = eve
            .expect_error("NOT_FOUND", query, json!({ "input": hidden }))
            .await;
        let absent = eve
            .expect_error("NOT_FOUND", query, json!({ "input": absent }))
            .await;
        assert_eq!(hidden, absent);
    }
    // For participants, a user outside the conversation is as unknown as a missing one.
    let gone = json!({ "conversationId": id, "userId": eve.id });
    let never = json!({ "conversationId": id, "userId": "usr_01h2xcejqtf2nbrexx3vqjhp41" });
    let gone = ann
        .expect_error("NOT_FOUND", REMOVE, json!({ "input": gone }))
        .await;
    let never = ann
        .expect_error("NOT_FOUND", REMOVE, json!({ "input": never }))
        .await;
    assert_eq!(gone, never);
}

async fn a_renamed_user_moves_in_every_list(app: TestApp) {
    let list = "query($after: String) { viewer { conversations(first: 100, after: $after) {
        nodes { participants(first: 2) { nodes { user { displayName } } } }
        pageInfo { hasNextPage endCursor } } } }";
    let ann = app.person("Ann").await;
    // One transaction corrects those of five hundred conversations. The other participant is called Ann too.
    db_groups(&app.app.db, UserId::from_text(&ann.id), 501, 1).await;
    let rename = "mutation { updateProfile(input: { displayName: \"Zoe\" }) { viewer { id } } }";
    ann.execute(rename, Value::Null).await;
    let corrected = async {
        while integrity::prove(&app.app.db).await.unwrap() != integrity::Wrong::default() {
            tokio::task::yield_now().await;
        }
    };
    let corrected = tokio::time::timeout(Duration::from_secs(20), corrected).await;
    assert!(corrected.is_ok(), "a job corrects the others");
    let (mut after, mut seen) = (Value::Null, 0);
    loop {
        let data = ann.execute(list, json!({ "after": after })).await;
        let page = &data["viewer"]["conversations"];
        for group in page["nodes"].as_array().unwrap() {
            let names = [0, 1]
                .map(|place| text(&group["participants"]["nodes"][place]["user"]["displayName"]));
            assert_eq!(names, ["Ann", "Zoe"]);
            seen += 1;
        }
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen, 501);
}

async fn participants_are_paged_owners_first_then_by_name(app: TestApp) {
    let zoe = app.person("Zoe").await;
    let mut others = vec![];
    for name in ["Eve", "bob", "Dan", "Ann", "Cid"] {
        others.push(app.person(name).await);
    }
    let id = zoe
        .creates_group(None, &others.iter().collect::<Vec<_>>())
        .await;
    let page = "query($id: ID!, $role: ParticipantRole, $after: String) { conversation(id: $id) {
        participants(role: $role, first: 2, after: $after) {
            nodes { user { displayName } } pageInfo { hasNextPage endCursor } } } }";
    for (role, names) in [
        (Value::Null, vec!["Zoe", "Ann", "bob", "Cid", "Dan", "Eve"]),
        (json!("MEMBER"), vec!["Ann", "bob", "Cid", "Dan", "Eve"]),
        (json!("OWNER"), vec!["Zoe"]),
        (json!("OBSERVER"), vec![]),
    ] {
        let variables = json!({ "id": id, "role": role });
        let participants = zoe
            .nodes(page, variables, "/conversation/participants")
            .await;
        let seen = participants.iter().map(|node| &node["user"]["displayName"]);
        assert_eq!(seen.collect::<Vec<_>>(), names, "{role}");
    }
    let bad = json!({ "id": id, "after": "nonsense" });
    zoe.expect_error("BAD_USER_INPUT", page, bad).await;
}

async fn a_group_is_full_at_its_limit(app: TestApp) {
    let mut config = (*app.app.config).clone();
    config.participants_per_conversation = 2;
    let small = Core {
        config: Arc::new(config),
        ..Core::clone(&app.app)
    };
    let (ann, bob, cid) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cid").await,
    );
    let id = ann.creates_group(None, &[&bob]).await;
    let token = ann.token.as_deref().unwrap();
    let viewer = accounts::authenticate(&small, token).await.unwrap();
    let who = [UserId::from_text(&cid.id)];
    let full = participants::add(
        &small,
        &viewer,
        ConversationId::from_text(&id),
        &who,
        ParticipantRole::Member,
    );
    assert_eq!(full.await.unwrap_err().code(), Code::LimitReached);
}

async fn unknown_users_are_named_by_their_index(app: TestApp) {
    let ann = app.person("Ann").await;
    let id = ann.creates_group(None, &[]).await;
    let ids = [ann.id.as_str(), "usr_01h2xcejqtf2nbrexx3vqjhp41"];
    let input = json!({ "conversationId": id, "userIds": ids });
    let error = ann
        .expect_error("BAD_USER_INPUT", ADD, json!({ "input": input }))
        .await;
    assert_eq!(
        error["extensions"]["problems"],
        json!([{ "path": ["input", "userIds", "1"], "code": "NOT_FOUND",
            "message": "No user has this id." }])
    );
}

async fn concurrent_role_changes_leave_one_owner(app: TestApp) {
    let ann = app.person("Ann").await;
    let mut others = vec![];
    for name in ["Bob", "Cid", "Dan", "Eve"] {
        others.push(app.person(name).await);
    }
    let id = ann
        .creates_group(None, &others.iter().collect::<Vec<_>>())
        .await;
    // Ann hands the group to all of them concurrently; only the first change succeeds.
    let gifts = others.iter().map(|other| {
        let input = json!({ "conversationId": id, "userId": other.id, "role": "OWNER" });
        let ann = &ann;
        async move { ann.request(CHANGE_ROLE, json!({ "input": input })).await }
    });
    let responses = futures_util::future::join_all(gifts).await;
    let given = responses
        .iter()
        .filter(|response| response.get("errors").is_none())
        .count();
    assert_eq!(given, 1, "{responses:?}");
    let owners = "query($id: ID!) { conversation(id: $id) { participants(role: OWNER) {
        nodes { id } } } }";
    let seen = ann.execute(owners, json!({ "id": id })).await;
    let owners = seen["conversation"]["participants"]["nodes"]
        .as_array()
        .unwrap();
    assert_eq!(owners.len(), 1);
    // Creation and two changes of roles: three notices, without a gap.
    assert_eq!(event_rows::notices(&app, &id).await.len(), 3);
}

async fn thousands_join_and_go_in_a_few_statements(app: TestApp) {
    const PARTICIPANTS: usize = 9_999;
    let ann = app.person("Ann").await;
    let own = UserId::from_text(&ann.id);
    let row = user::Entity::find_by_id(own).one(app.app.db.read()).await;
    let row = row.unwrap().unwrap();
    let members: Vec<_> = (0..PARTICIPANTS).map(|_| UserId::mint()).collect();
    for some in members.chunks(500) {
        let rows = some.iter().map(|&id| {
            let mut person = row.clone().into_active_model().reset_all();
            person.id = Set(id);
            person.username_key = Set(id.to_string());
            person.email_key = Set(None);
            person
        });
        let insert = user::Entity::insert_many(rows);
        insert
            .exec_without_returning(app.app.db.migrate())
            .await
            .unwrap();
    }
    let viewer = accounts::authenticate(&app.app, ann.token.as_deref().unwrap())
        .await
        .unwrap();
    let group = NewGroup {
        title: None,
        topic: None,
        history_visibility: HistoryVisibility::FromStart,
        participants: members.clone(),
    };
    let meter = Arc::new(QueryStats::default());
    let made = conversations::create(&app.app, &viewer, &group);
    let made = Arc::clone(&meter).measure(made).await.unwrap();
    assert!(meter.statements() < 100, "{}", meter.statements());
    let id = made.id.to_string();
    let seen = ann.execute(SEE, json!({ "id": id })).await;
    assert_eq!(seen["conversation"]["participantCount"], 10_000);
    assert_eq!(
        seen["conversation"]["displayTitle"],
        "Ann, Ann, Ann, Ann, Ann and 9994 more"
    );
    let returned = &event_rows::notices(&app, &id).await[0];
    assert_eq!(returned["subjects"].as_array().unwrap().len(), 100);
    let meter = Arc::new(QueryStats::default());
    let deleted = conversations::delete(&app.app, &viewer, made.id);
    Arc::clone(&meter).measure(deleted).await.unwrap();
    assert!(meter.statements() < 60, "{}", meter.statements());
    for person in [members[0], members[PARTICIPANTS - 1], own] {
        let received = event_rows::events(&app, &person.to_string()).await;
        assert_eq!(received, ["ConversationJoined", "ConversationLeft"]);
    }
}

async fn a_group_outlives_its_owners_account(app: TestApp) {
    let (ann, bob, cid) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cid").await,
    );
    let id = ann.creates_group(Some("Loom"), &[]).await;
    ann.adds(&id, &bob, "MEMBER").await;
    ann.adds(&id, &cid, "MODERATOR").await;
    let group = ConversationId::from_text(&id);
    let gone = UserId::from_text(&ann.id);
    let at = app.app.clock.now();
    let owned = app.app.db.write(|tx| async move {
        user::Entity::delete_by_id(gone).exec(&*tx).await?;
        conversations::promote_successor_in(&tx, group, at).await
    });
    owned.await.unwrap();
    let owners = "query($id: ID!) { conversation(id: $id) { participants(role: OWNER) {
        nodes { user { username } } } } }";
    let seen = bob.execute(owners, json!({ "id": id })).await;
    let owners = &seen["conversation"]["participants"]["nodes"];
    assert_eq!(*owners, json!([{ "user": { "username": "cid" } }]));
    let returned = event_rows::notices(&app, &id).await;
    let returned = returned.last().unwrap();
    assert_eq!(
        *returned,
        json!({ "type": "ROLE_CHANGED", "actor": null, "subjects": [cid.id], "value": "OWNER" })
    );
}

async fn the_timeline_shows_who_joined_and_left(app: TestApp) {
    let (ann, bob, cid) = (
        app.person("Ann").await,
        app.person("Bob").await,
        app.person("Cid").await,
    );
    let id = ann.creates_group(Some("Loom"), &[&bob]).await;
    let update = "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) {
        conversation { id } } }";
    let input = json!({ "conversationId": id, "historyVisibility": "FROM_JOINING" });
    ann.execute(update, json!({ "input": input })).await;
    ann.says(&id, "Before Cid").await;
    ann.adds(&id, &cid, "MODERATOR").await;
    bob.leaves(&id).await;
    let timeline =
        "query($id: ID!) { conversation(id: $id) { messages(first: 10) { nodes { kind body
        sender { id } notice { type actor { username } subjects { username } value } } } } }";
    let words = |seen: &Value| -> Vec<String> {
        let nodes = seen["conversation"]["messages"]["nodes"]
            .as_array()
            .unwrap();
        let word = |node: &Value| match &node["notice"] {
            Value::Null => text(&node["body"]),
            notice => format!(
                "{} {} {}",
                text(&notice["type"]),
                text(&notice["actor"]["username"]),
                notice["subjects"],
            ),
        };
        nodes.iter().map(word).collect()
    };
    let all = [
        r#"CREATED ann [{"username":"bob"}]"#,
        "Before Cid",
        r#"PARTICIPANTS_ADDED ann [{"username":"cid"}]"#,
        r#"PARTICIPANT_LEFT bob [{"username":"bob"}]"#,
    ];
    let seen = ann.execute(timeline, json!({ "id": id })).await;
    assert_eq!(words(&seen), all);
    let seen = cid.execute(timeline, json!({ "id": id })).await;
    assert_eq!(words(&seen), all[2..], "history from joining");
    let seen = bob.execute(timeline, json!({ "id": id })).await;
    assert_eq!(
        seen["conversation"],
        Value::Null,
        "a former participant sees no conversation"
    );
    // A notice about a deleted account names no user.
    let gone = UserId::from_text(&bob.id);
    let erase = user::Entity::delete_by_id(gone).exec(app.app.db.migrate());
    erase.await.unwrap();
    let seen = ann.execute(timeline, json!({ "id": id })).await;
    let nodes = &seen["conversation"]["messages"]["nodes"];
    assert_eq!(nodes[0]["notice"]["subjects"], json!([]));
    assert_eq!(nodes[3]["notice"]["actor"], Value::Null);
}
