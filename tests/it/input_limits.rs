//! Inputs that are too long or have too many problems: the error stays small, and nothing is read for it.

use serde_json::{Value, json};

use crate::support::{app::TestApp, both, groups::Groups, messaging::Messaging};

const CREATE: &str =
    "mutation($input: CreateConversationInput!) { createConversation(input: $input) {
    conversation { id } } }";
const ADD: &str = "mutation($input: AddParticipantsInput!) { addParticipants(input: $input) {
    participants { id } } }";
const OPEN: &str = "mutation($input: OpenDirectConversationInput!) {
    openDirectConversation(input: $input) { wasCreated } }";

both!(
    an_error_lists_at_most_fifty_problems,
    ids_are_counted_before_they_are_looked_up,
    filter_texts_have_a_length,
    too_many_ids_leave_the_other_fields_in_place,
    a_response_that_grows_too_large_is_an_error_of_its_field,
);

fn problems(error: &Value) -> &Vec<Value> {
    let problems = error["extensions"]["problems"].as_array();
    problems.unwrap_or_else(|| panic!("{error}"))
}

async fn an_error_lists_at_most_fifty_problems(app: TestApp) {
    let ann = app.person("Ann").await;
    let unknown = |count| vec!["usr_01h2xcejqtf2nbrexx3vqjhp41"; count];
    for (ids, message) in [
        (unknown(50), "The input has 50 problems."),
        (unknown(7_000), "The input has more than 50 problems."),
        (
            vec!["nonsense"; 7_000],
            "The input has more than 50 problems.",
        ),
    ] {
        let input = json!({ "title": "Loom", "participantIds": ids });
        let error = ann
            .expect_error("BAD_USER_INPUT", CREATE, json!({ "input": input }))
            .await;
        assert_eq!(problems(&error).len(), 50);
        assert_eq!(error["message"], message);
        let last = json!({ "path": ["input", "participantIds", "49"], "code": "NOT_FOUND",
            "message": "No user has this id." });
        assert_eq!(problems(&error)[49], last);
    }
    // Those of the other fields come first and count too.
    let input = json!({ "title": "a".repeat(9_000), "participantIds": unknown(50) });
    let error = ann
        .expect_error("BAD_USER_INPUT", CREATE, json!({ "input": input }))
        .await;
    assert_eq!(problems(&error).len(), 50);
    assert_eq!(problems(&error)[0]["path"], json!(["input", "title"]));
    assert_eq!(error["message"], "The input has more than 50 problems.");
}

async fn ids_are_counted_before_they_are_looked_up(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(None, &[]).await;
    let invalid = vec!["nonsense"; 51];
    let input = json!({ "conversationId": group, "userIds": invalid });
    let (result, statements) = ann.counted_request(ADD, json!({ "input": input })).await;
    assert_eq!(problems(&result["errors"][0]).len(), 50);
    assert_eq!(statements, 0, "{result}");
    let users = (0..9).map(|index| format!("usr_01h2xcejqtf2nbrexx3vqjhp4{index}"));
    let input = json!({ "userIds": users.collect::<Vec<_>>() });
    let (result, statements) = ann.counted_request(OPEN, json!({ "input": input })).await;
    assert_eq!(problems(&result["errors"][0])[0]["code"], "TOO_MANY");
    assert_eq!(statements, 0, "{result}");
}

async fn filter_texts_have_a_length(app: TestApp) {
    let ann = app.person("Ann").await;
    let users = "query($text: String) { users(filter: {text: $text}) { nodes { id } } }";
    let conversations = "query($text: String) { viewer {
        conversations(filter: {text: $text}) { nodes { id } } } }";
    for query in [users, conversations] {
        ann.execute(query, json!({ "text": "ü".repeat(200) })).await;
        let long = json!({ "text": "ü".repeat(201) });
        let (result, _) = ann.counted_request(query, long).await;
        let error = &result["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{result}");
        assert_eq!(
            *problems(error),
            [json!({ "path": ["filter", "text"], "code": "TOO_LONG",
                "message": "Use at most 200 characters." })]
        );
    }
}

async fn too_many_ids_leave_the_other_fields_in_place(app: TestApp) {
    let ann = app.person("Ann").await;
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } server { name } }";
    let seen = ann.execute(query, json!({ "ids": [ann.id] })).await;
    assert_eq!(seen["nodes"], json!([{ "id": ann.id }]));
    let response = ann
        .request(query, json!({ "ids": vec![&ann.id; 101] }))
        .await;
    let problem = &problems(&response["errors"][0])[0];
    assert_eq!(problem["code"], "TOO_MANY", "{response}");
    let data = json!({ "nodes": null, "server": { "name": "Heddle" } });
    assert_eq!(response["data"], data);
}

async fn a_response_that_grows_too_large_is_an_error_of_its_field(app: TestApp) {
    let (ann, ben) = (app.person("Ann").await, app.person("Ben").await);
    let conversation = ann.direct(&ben).await;
    // Each takes 40 kB as text, and five times as much as HTML.
    for _ in 0..30 {
        ann.says(&conversation, &"&".repeat(9_990)).await;
    }
    // The first list is serialised without the executor, and the second by it.
    for fields in ["bodyHtml", "bodyHtml viewerCanEdit"] {
        let two = format!(
            "query($id: ID!) {{ conversation(id: $id) {{ id
                messages(last: 2) {{ nodes {{ {fields} }} }} }} }}"
        );
        ann.execute(&two, json!({ "id": conversation })).await;
        let query = format!(
            "query($id: ID!) {{ conversation(id: $id) {{ id
                a: messages(last: 30) {{ nodes {{ {fields} }} }}
                b: messages(last: 30) {{ nodes {{ {fields} }} }}
                c: messages(last: 30) {{ nodes {{ {fields} }} }}
                d: messages(last: 30) {{ nodes {{ {fields} }} }} }} }}"
        );
        let response = ann.request(&query, json!({ "id": conversation })).await;
        let error = &response["errors"][0];
        assert_eq!(error["extensions"]["code"], "TOO_COMPLEX", "{error}");
        assert_eq!(error["path"][0], "conversation", "{error}");
        assert_eq!(error["path"][2], "nodes", "{error}");
    }
}
