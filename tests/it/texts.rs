//! Texts: which characters names, titles and messages may have, how they are compared, and how messages are shown.

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    both,
    groups::Groups,
    messaging::Messaging,
    person::{PASSWORD, Person, text},
};

const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) {
    auth { viewer { email } } } }";
const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) {
    auth { viewer { email } } } }";
const PROFILE: &str = "mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
    viewer { user { displayName firstName lastName bio } } } }";
const CREATE: &str =
    "mutation($input: CreateConversationInput!) { createConversation(input: $input) {
    conversation { title topic } } }";
const UPDATE: &str =
    "mutation($input: UpdateConversationInput!) { updateConversation(input: $input) {
    conversation { title topic } } }";
const STATUS: &str = "mutation($input: SetPresenceInput!) { setPresence(input: $input) {
    user { statusText } } }";
const EDIT: &str = "mutation($input: EditMessageInput!) { editMessage(input: $input) {
    message { revisions(first: 1) { nodes { reason } } } } }";
const SEND: &str = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
    message { body bodyHtml mentions { username } } } }";
const TITLES: &str =
    "query($text: String) { viewer { conversations(first: 100, filter: { text: $text }) {
    nodes { title } } } }";
const PEOPLE: &str = "query($text: String) { users(first: 100, filter: { text: $text }) {
    nodes { displayName } } }";

both!(
    single_lines_are_visible_and_have_one_direction,
    messages_have_a_visible_character,
    one_mailbox_is_one_account,
    words_are_found_in_any_case,
    people_have_one_order,
    what_is_shown_is_what_is_mentioned,
);

/// Requires that an operation with this input field fails with a problem of the field.
async fn refuses(person: &Person, operation: &str, input: Value, field: &str, code: &str) {
    let error = person
        .expect_error("BAD_USER_INPUT", operation, json!({ "input": input }))
        .await;
    let problem = &error["extensions"]["problems"][0];
    assert_eq!(problem["path"], json!(["input", field]), "{input} {error}");
    assert_eq!(problem["code"], code, "{input} {error}");
}

/// The shortest input of an operation, with this value of a field.
fn with(operation: &str, group: &str, message: &str, field: &str, value: &str) -> Value {
    let mut input = match operation {
        CREATE => json!({ "title": "x", "participantIds": [] }),
        UPDATE => json!({ "conversationId": group }),
        STATUS => json!({ "status": "ONLINE" }),
        EDIT => json!({ "messageId": message, "body": "hello again" }),
        _ => json!({}),
    };
    input[field] = json!(value);
    input
}

async fn single_lines_are_visible_and_have_one_direction(app: TestApp) {
    for (number, (operation, field)) in [
        (PROFILE, "displayName"),
        (PROFILE, "firstName"),
        (PROFILE, "lastName"),
        (CREATE, "title"),
        (CREATE, "topic"),
        (UPDATE, "title"),
        (UPDATE, "topic"),
        (STATUS, "statusText"),
        (EDIT, "reason"),
    ]
    .into_iter()
    .enumerate()
    {
        // Each user changes only one field, because the number of changes is limited.
        let ann = app.person(&format!("Ann{number}")).await;
        let group = ann.creates_group(Some("Looms"), &[]).await;
        let message = ann.says(&group, "hello").await;
        for bad in [
            "a\u{202e}b",
            "a\u{2067}b",
            "a\u{200f}b",
            "a\u{2028}b",
            "a\nb",
            "a\u{7}b",
            "\u{200b}",
            "\u{3164}\u{2800}",
        ] {
            let input = with(operation, &group, &message, field, bad);
            refuses(&ann, operation, input, field, "INVALID").await;
        }
        let input = with(operation, &group, &message, field, &"🧶".repeat(501));
        refuses(&ann, operation, input, field, "TOO_LONG").await;
        let spaced = "  U\u{308}ber 👩\u{200d}👩\u{200d}👧 ";
        let input = with(operation, &group, &message, field, spaced);
        let data = ann.execute(operation, json!({ "input": input })).await;
        let stored = data.to_string();
        assert!(
            stored.contains("\"Über 👩\u{200d}👩\u{200d}👧\""),
            "{stored}"
        );
    }
    let bob = app.person("Bob").await;
    for bad in ["a\u{202e}b", "a\u{2028}b", "\u{200b}\n\u{200b}", "a\u{7}b"] {
        refuses(&bob, PROFILE, json!({ "bio": bad }), "bio", "INVALID").await;
    }
    let bio = json!({ "input": { "bio": "one\r\ntwo" } });
    let data = bob.execute(PROFILE, bio).await;
    assert_eq!(data["updateProfile"]["viewer"]["user"]["bio"], "one\ntwo");
}

async fn messages_have_a_visible_character(app: TestApp) {
    let ann = app.person("Ann").await;
    let group = ann.creates_group(Some("Looms"), &[]).await;
    for body in [
        "",
        " \n",
        "\u{200b}",
        "\u{3164}",
        "\u{2060}\u{feff}",
        "\u{2800}\n\u{ad}",
    ] {
        let input = json!({ "conversationId": group, "body": body });
        refuses(&ann, SEND, input, "body", "REQUIRED").await;
    }
    let message = ann.says(&group, "hello").await;
    let input = json!({ "messageId": message, "body": "\u{200b}" });
    refuses(&ann, EDIT, input, "body", "REQUIRED").await;
    let input = json!({ "conversationId": group, "body": "u\u{308} \u{202e}" });
    let data = ann.execute(SEND, json!({ "input": input })).await;
    assert_eq!(data["sendMessage"]["message"]["body"], "ü \u{202e}");
}

async fn one_mailbox_is_one_account(app: TestApp) {
    let anonymous = app.anonymous();
    let input = |username: &str, email: &str| json!({ "username": username, "email": email, "password": PASSWORD });
    let made = input("ann", "Ännchen@bücher.example");
    let data = anonymous.execute(REGISTER, json!({ "input": made })).await;
    let email = &data["register"]["auth"]["viewer"]["email"];
    assert_eq!(*email, "Ännchen@xn--bcher-kva.example");
    for same in [
        "Ännchen@xn--bcher-kva.example",
        "ÄNNCHEN@BÜCHER.example",
        "a\u{308}nnchen@bu\u{308}cher。example",
    ] {
        refuses(&anonymous, REGISTER, input("bob", same), "email", "TAKEN").await;
        let login = json!({ "input": { "login": same, "password": PASSWORD } });
        anonymous.execute(SIGN_IN, login).await;
    }
    for bad in [
        "mailto:ann@example.org",
        "an\u{200b}n@example.org",
        "an\u{ad}n@example.org",
        "ann@exam\u{2060}ple.org",
        "ann\u{200f}@example.org",
    ] {
        refuses(&anonymous, REGISTER, input("bob", bad), "email", "INVALID").await;
    }
}

async fn finds(person: &Person, words: &str) -> Vec<String> {
    let data = person.execute(TITLES, json!({ "text": words })).await;
    let nodes = data["viewer"]["conversations"]["nodes"].as_array().unwrap();
    let mut titles: Vec<String> = nodes.iter().map(|node| text(&node["title"])).collect();
    titles.sort();
    titles
}

async fn words_are_found_in_any_case(app: TestApp) {
    let ann = app.person("Ann").await;
    for title in ["İstanbul gezisi", "Straße", "ΟΔΟΣΤΡΩΜΑ", "Οδός", "ＮＯ．１"] {
        ann.creates_group(Some(title), &[]).await;
    }
    for (words, found) in [
        ("istanbul", vec!["İstanbul gezisi"]),
        ("İSTANBUL", vec!["İstanbul gezisi"]),
        ("ıstanbul", vec!["İstanbul gezisi"]),
        ("İst", vec!["İstanbul gezisi"]),
        ("STRASSE", vec!["Straße"]),
        ("straẞe", vec!["Straße"]),
        ("ΟΔΟΣ", vec!["ΟΔΟΣΤΡΩΜΑ"]),
        ("οδος", vec!["ΟΔΟΣΤΡΩΜΑ"]),
        ("οδόσ", vec!["Οδός"]),
        ("no.1", vec!["ＮＯ．１"]),
        ("  no.1 ", vec!["ＮＯ．１"]),
        ("%", vec![]),
    ] {
        assert_eq!(finds(&ann, words).await, found, "{words}");
    }
    // A text of which nothing is visible selects everything, like a blank one.
    assert_eq!(finds(&ann, "\u{200b}").await.len(), 5);
    let profile = json!({ "input": { "displayName": "İbrahim" } });
    ann.execute(PROFILE, profile).await;
    let data = ann.execute(PEOPLE, json!({ "text": "IBRAHIM" })).await;
    assert_eq!(
        data["users"]["nodes"],
        json!([{ "displayName": "İbrahim" }])
    );
    for length in [201, 1000, 50_000, 200_000] {
        let long = json!({ "text": "%".repeat(length) });
        for query in [TITLES, PEOPLE] {
            let error = ann
                .expect_error("BAD_USER_INPUT", query, long.clone())
                .await;
            assert_eq!(error["extensions"]["problems"][0]["code"], "TOO_LONG");
        }
    }
    let longest = json!({ "text": "\u{fdfa}".repeat(200) });
    for query in [TITLES, PEOPLE] {
        ann.execute(query, longest.clone()).await;
    }
}

async fn people_have_one_order(app: TestApp) {
    let names = ["ab", "a b", "A-c", "Äa", "zz", "éa", "Ｂ"];
    let mut people = vec![];
    for (number, name) in names.iter().enumerate() {
        let person = app.person(&format!("Person{number}")).await;
        let profile = json!({ "input": { "displayName": name } });
        person.execute(PROFILE, profile).await;
        people.push(person);
    }
    let (ann, others) = people.split_first().unwrap();
    let others: Vec<&Person> = others.iter().collect();
    let group = ann.creates_group(Some("Order"), &others).await;
    let in_order = ["a b", "A-c", "ab", "Ｂ", "zz", "Äa", "éa"];
    let names = |nodes: &Value, at: &str| -> Vec<String> {
        let nodes = nodes.as_array().unwrap().iter();
        nodes.map(|node| text(node.pointer(at).unwrap())).collect()
    };
    let data = ann.execute(PEOPLE, json!({})).await;
    assert_eq!(names(&data["users"]["nodes"], "/displayName"), in_order);
    let list = "query($id: ID!) { conversation(id: $id) {
        participants(first: 10, role: MEMBER) { nodes { user { displayName } } } } }";
    let data = ann.execute(list, json!({ "id": group })).await;
    let nodes = &data["conversation"]["participants"]["nodes"];
    let without_owner: Vec<&str> = in_order.into_iter().filter(|name| *name != "ab").collect();
    assert_eq!(names(nodes, "/user/displayName"), without_owner);
}

async fn what_is_shown_is_what_is_mentioned(app: TestApp) {
    let (ann, bob) = (app.person("Ann").await, app.person("Bob").await);
    let conversation = ann.direct(&bob).await;
    for (body, html, is_mentioned) in [
        (
            "<div>\n@bob\n</div>",
            "<p>&lt;div&gt;<br>\n@bob<br>\n&lt;/div&gt;</p>\n",
            true,
        ),
        ("@bob_", "<p>@bob_</p>\n", true),
        ("[cc]: @bob", "<p>[cc]: @bob</p>\n", true),
        ("`@bob`", "<p><code>@bob</code></p>\n", false),
        (
            "(https://example.com/@bob)",
            "<p>(<a href=\"https://example.com/@bob\" rel=\"nofollow noopener noreferrer\">\
             https://example.com/@bob</a>)</p>\n",
            false,
        ),
        (
            "![](http://[::1]/a)",
            "<p><a href=\"http://[::1]/a\" rel=\"nofollow noopener noreferrer\">http://[::1]/a</a></p>\n",
            false,
        ),
        ("#", "<h1>#</h1>\n", false),
    ] {
        let input = json!({ "conversationId": conversation, "body": body });
        let data = ann.execute(SEND, json!({ "input": input })).await;
        let message = &data["sendMessage"]["message"];
        assert_eq!(message["bodyHtml"], html);
        let mentioned = if is_mentioned {
            json!([{ "username": "bob" }])
        } else {
            json!([])
        };
        assert_eq!(message["mentions"], mentioned, "{body}");
    }
}
