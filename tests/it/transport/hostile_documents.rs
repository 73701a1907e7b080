//! Hostile requests against a server process. If a request kills the process, the test fails for that request alone,
//! and the process is started again for the next.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A request that takes longer is a successful attack; a normal one takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// The memory limit of a debug server after all requests, including the allocator's reserve.
const GROWTH_KIB: u64 = 100 * 1024;
/// How much memory a repetition of all requests may add. A leak would add as much as the first time.
const LAST_GROWTH_KIB: u64 = 16 * 1024;

struct Server {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_heddle"))
            .args(["--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let banner = BufReader::new(child.stdout.take().unwrap());
        let url = banner
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.trim().strip_prefix("API")?.trim().to_owned()))
            .unwrap();
        Self {
            child,
            url,
            _folder: folder,
        }
    }

    fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The memory of the process, where the system reports it.
    fn memory_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("RssAnon"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the problem of a response, if it has one.
fn complaint(result: &Value, length: usize) -> Option<String> {
    let Some(errors) = result
        .get("errors")
        .map(|errors| errors.as_array().unwrap())
    else {
        return result
            .get("data")
            .is_none()
            .then(|| "neither data nor errors".to_owned());
    };
    if length > 16 * 1024 {
        return Some(format!("{length} bytes of errors"));
    }
    if errors.len() > 10 {
        return Some(format!("{} errors", errors.len()));
    }
    errors.iter().find_map(|error| {
        let message = error["message"].as_str()?;
        let code = error["extensions"]["code"].as_str();
        let sound = message.chars().count() <= 200
            && message.lines().count() == 1
            && matches!(
                code,
                Some("BAD_USER_INPUT" | "TOO_COMPLEX" | "NOT_FOUND" | "UNAUTHENTICATED")
            );
        (!sound).then(|| error.to_string())
    })
}

#[tokio::test]
async fn no_request_hurts_the_server() {
    let mut server = Server::start();
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .build()
        .unwrap();
    let requests = requests();
    assert!(requests.len() >= 60, "{}", requests.len());
    let mut failures = Vec::new();
    let mut memory = vec![server.memory_kib()];
    for _ in 0..4 {
        for (name, body) in &requests {
            let fault = send(&client, &server.url, body).await;
            failures.extend(fault.map(|fault| format!("{name}: {fault}")));
            if !server.lives() {
                failures.push(format!("{name}: the server died"));
                server = Server::start();
            }
        }
        memory.push(server.memory_kib());
    }
    assert!(failures.is_empty(), "{failures:#?}");
    // The allocator keeps the memory of the first rounds, so growth after them is a leak.
    if let [Some(before), _, _, Some(warm), Some(last)] = memory[..] {
        assert!(last < before + GROWTH_KIB, "{memory:?} KiB");
        assert!(last < warm + LAST_GROWTH_KIB, "{memory:?} KiB");
    }
}

/// Sends one request and returns the problem of its response, if it has one.
async fn send(client: &reqwest::Client, url: &str, body: &str) -> Option<String> {
    let request = client
        .post(url)
        .header("accept", "application/graphql-response+json")
        .header("content-type", "application/json")
        .body(body.to_owned());
    let response = match request.send().await {
        Err(error) => return Some(format!("no answer: {error}")),
        Ok(response) if response.status().is_server_error() => {
            return Some(response.status().to_string());
        }
        Ok(response) => response,
    };
    let bytes = match response.bytes().await {
        Err(error) => return Some(format!("half an answer: {error}")),
        Ok(bytes) => bytes,
    };
    match serde_json::from_slice(&bytes) {
        Err(error) => Some(format!("no JSON: {error}")),
        Ok(result) => complaint(&result, bytes.len()),
    }
}

fn document(text: impl Into<String>) -> String {
    json!({ "query": text.into() }).to_string()
}

fn with_variables(text: &str, variables: &str) -> String {
    format!(r#"{{"query":{},"variables":{variables}}}"#, json!(text))
}

fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect::<Vec<_>>().concat()
}

/// Returns `count` times `open`, a value, and `count` times `close`.
fn nested(count: usize, open: &str, middle: &str, close: &str) -> String {
    format!("{}{middle}{}", open.repeat(count), close.repeat(count))
}

/// Returns `levels` fragments that each spread the next one `times` times, in separate fields or not.
fn graph(levels: usize, times: usize, wrap: bool) -> String {
    let chain = many(levels, |n| {
        let spreads = format!("...F{} ", n + 1).repeat(times);
        let body = if wrap {
            format!("a: ofType {{ {spreads} }}")
        } else {
            spreads
        };
        format!("fragment F{n} on __Type {{ {body} }} ")
    });
    format!(
        "{{ __type(name: \"Query\") {{ ...F0 }} }} {chain} fragment F{levels} on __Type {{ name }}"
    )
}

fn requests() -> Vec<(&'static str, String)> {
    let mut all = nesting();
    all.extend(fragments());
    all.extend(counts());
    all.extend(repeats());
    all.extend(text());
    all.extend(variables());
    all.extend(bodies());
    all
}

fn nesting() -> Vec<(&'static str, String)> {
    let user = |value: String| document(format!("{{ __type(name: {value}) {{ name }} }}"));
    vec![
        ("lists, 2000 deep", user(nested(2000, "[", "", "]"))),
        ("lists, 31 deep", user(nested(31, "[", "", "]"))),
        ("lists, 30 deep", user(nested(30, "[", "1", "]"))),
        ("lists, never closed", user("[".repeat(3000))),
        ("lists, only closed", user("]".repeat(3000))),
        ("objects, 1500 deep", user(nested(1500, "{a:", "1", "}"))),
        ("objects, 29 deep", user(nested(29, "{a:", "1", "}"))),
        (
            "lists in objects, 900 deep",
            user(nested(900, "[{a:", "1", "}]")),
        ),
        ("brackets that do not match", user("[{(".repeat(500))),
        ("brackets that cross", document("{ a(b: [{c: [}]}] ) }")),
        (
            "a default value, 2000 deep",
            document(format!(
                "query($x: Int = {}) {{ a }}",
                nested(2000, "[", "1", "]")
            )),
        ),
        (
            "a default object, 31 deep",
            document(format!(
                "query($x: Int = {}) {{ a }}",
                nested(31, "{a:", "1", "}")
            )),
        ),
        (
            "a type, 5000 deep",
            document(format!(
                "query($x: {}) {{ a }}",
                nested(5000, "[", "Int", "]")
            )),
        ),
        (
            "a type, 31 deep",
            document(format!(
                "query($x: {}) {{ __typename }}",
                nested(31, "[", "Int!", "]!")
            )),
        ),
        ("fields, 2500 deep", document(nested(2500, "{ a ", "", "}"))),
        (
            "fields, 31 deep",
            document(nested(31, "{ a ", "{ b }", "}")),
        ),
        (
            "inline fragments, 2500 deep",
            document(nested(2500, "{ ... ", "{ a }", "}")),
        ),
        (
            "inline fragments, 31 deep",
            document(nested(31, "{ ... ", "{ __typename }", "}")),
        ),
        (
            "typed inline fragments, 30 deep",
            document(nested(30, "{ ... on Query ", "{ __typename }", "}")),
        ),
        (
            "directive arguments, 2000 deep",
            document(format!("{{ a @b(c: {}) }}", nested(2000, "[", "", "]"))),
        ),
        (
            "circular introspection",
            document(nested(
                14,
                "{ __schema { types { fields { type { fields { type ",
                "{ name }",
                "} } } } } }",
            )),
        ),
        (
            "introspection, ofType 100 deep",
            document(format!(
                "{{ __type(name: \"A\") {} }}",
                nested(100, "{ ofType ", "{ name }", "}")
            )),
        ),
    ]
}

fn fragments() -> Vec<(&'static str, String)> {
    vec![
        ("a graph of 24 levels", document(graph(24, 2, false))),
        ("a graph of 30 levels", document(graph(30, 2, false))),
        ("a graph of 48 levels", document(graph(48, 2, false))),
        (
            "a graph of 40 levels, five ways",
            document(graph(40, 5, false)),
        ),
        ("a graph of 9 levels", document(graph(9, 2, false))),
        (
            "a graph of 20 levels with fields",
            document(graph(20, 2, true)),
        ),
        ("a chain of 49", document(graph(49, 1, false))),
        ("a chain of 1000", document(graph(1000, 1, false))),
        (
            "a fragment in itself",
            document("{ ...F } fragment F on Query { ...F }"),
        ),
        (
            "a fragment in its field",
            document("{ ...F } fragment F on Query { __schema { queryType { ...F } } }"),
        ),
        (
            "two fragments in each other",
            document("{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }"),
        ),
        (
            "a ring of 50",
            document(format!(
                "{{ ...F0 }} {}",
                many(50, |n| format!(
                    "fragment F{n} on Query {{ ...F{} }} ",
                    (n + 1) % 50
                ))
            )),
        ),
        (
            "an unreachable cycle",
            document("{ __typename } fragment F on Query { ...G } fragment G on Query { ...F }"),
        ),
        (
            "one fragment, 300 times",
            document(format!(
                "{{ {} }} fragment F on Query {{ __typename }}",
                "...F ".repeat(300)
            )),
        ),
        (
            "one fragment of 30 fields, 100 times",
            document(format!(
                "{{ {} }} fragment F on Query {{ {} }}",
                "...F ".repeat(100),
                "__typename ".repeat(30)
            )),
        ),
        (
            "unknown fragments",
            document(format!("{{ {} }}", many(300, |n| format!("...F{n} ")))),
        ),
        (
            "unused fragments",
            document(format!(
                "{{ __typename }} {}",
                many(49, |n| format!("fragment F{n} on Query {{ a }} "))
            )),
        ),
        (
            "a fragment twice",
            document("{ ...F } fragment F on Query { a } fragment F on Query { b }"),
        ),
        (
            "a fragment on nothing",
            document("{ ...F } fragment F on Nothing { a }"),
        ),
        (
            "a fragment called on",
            document("{ ... on } fragment on on Query { a }"),
        ),
    ]
}

fn counts() -> Vec<(&'static str, String)> {
    vec![
        (
            "aliases",
            document(format!(
                "{{ {} }}",
                many(300, |n| format!("a{n}: __typename "))
            )),
        ),
        (
            "aliases of a costly field",
            document(format!(
                "{{ {} }}",
                many(15, |n| format!(
                    "a{n}: __schema {{ types {{ fields {{ name }} }} }} "
                ))
            )),
        ),
        (
            "the same field, 900 times",
            document(format!("{{ {} }}", "__typename ".repeat(900))),
        ),
        (
            "fields without number",
            document(format!("{{ {} }}", "a ".repeat(8000))),
        ),
        (
            "unknown fields",
            document(format!("{{ {} }}", many(900, |n| format!("a{n} ")))),
        ),
        (
            "long unknown fields",
            document(format!(
                "{{ {} }}",
                many(15, |n| format!("a{n}{} ", "x".repeat(1000)))
            )),
        ),
        (
            "directives on a field",
            document(format!("{{ __typename {} }}", "@a ".repeat(2000))),
        ),
        (
            "directives on an operation",
            document(format!("query {} {{ a }}", "@a ".repeat(900))),
        ),
        (
            "directives on a spread",
            document(format!(
                "{{ ...F {} }} fragment F on Query {{ a }}",
                "@skip(if: true) ".repeat(100)
            )),
        ),
        (
            "directives on a variable",
            document(format!("query($x: Int {}) {{ a }}", "@a ".repeat(100))),
        ),
        (
            "ten directives on a fragment",
            document(format!(
                "{{ ...F }} fragment F on Query {} {{ a }}",
                "@a ".repeat(10)
            )),
        ),
        (
            "operations",
            document(many(900, |n| format!("query Q{n} {{ a }} "))),
        ),
        (
            "the same operation twice",
            document("query Q { a } query Q { b }"),
        ),
    ]
}

fn repeats() -> Vec<(&'static str, String)> {
    vec![
        (
            "arguments",
            document(format!(
                "{{ __type({}) {{ name }} }}",
                many(300, |n| format!("a{n}: 1 "))
            )),
        ),
        (
            "the same argument",
            document(format!(
                "{{ __type({}) {{ name }} }}",
                "name: \"a\" ".repeat(300)
            )),
        ),
        (
            "variables",
            document(format!(
                "query({}) {{ a }}",
                many(190, |n| format!("$x{n}: Int "))
            )),
        ),
        (
            "the same variable",
            document(format!(
                "query({}) {{ __typename }}",
                "$x: Int ".repeat(190)
            )),
        ),
        (
            "fields of one object",
            document(format!(
                "{{ __type(name: {{{}}}) {{ name }} }}",
                "a: 1 ".repeat(300)
            )),
        ),
        (
            "secrets tried in a row",
            document(format!(
                "mutation {{ {} }}",
                many(15, |n| format!(
                    "a{n}: signIn(input: {{login: \"a\", password: \"{n}\"}}) {{ __typename }} "
                ))
            )),
        ),
        ("subscriptions in a row", document("subscription { a b c }")),
    ]
}

fn text() -> Vec<(&'static str, String)> {
    vec![
        ("nothing", document("")),
        ("blanks", document(" \t\n,".repeat(4000))),
        ("too many blanks", document(" ".repeat(20_000))),
        ("a comment", document(format!("#{}", "x".repeat(10_000)))),
        ("comments", document("#\n".repeat(5000))),
        (
            "a string without end",
            document(format!("{{ a(b: \"{}", "x".repeat(10_000))),
        ),
        (
            "a block string without end",
            document(format!("{{ a(b: \"\"\"{}", "\\\"\"\"".repeat(2000))),
        ),
        ("quotes", document("\"".repeat(10_001))),
        (
            "block quotes",
            document(format!("{{ a(b: [{}]) }}", "\"\"\"\"\"\" ".repeat(400))),
        ),
        (
            "backslashes",
            document(format!("{{ a(b: \"{}\") }}", "\\".repeat(10_001))),
        ),
        (
            "half an escape",
            document(r#"{ a(b: "\u12") c(d: "\uD800") e(f: "\x") }"#),
        ),
        (
            "a long string",
            document(format!(
                "{{ __type(name: \"{}\") {{ name }} }}",
                "ü".repeat(7000)
            )),
        ),
        (
            "a long name",
            document(format!("{{ {} }}", "x".repeat(15_000))),
        ),
        (
            "a long number",
            document(format!(
                "{{ __type(name: {}) {{ name }} }}",
                "9".repeat(15_000)
            )),
        ),
        (
            "a long fraction",
            document(format!(
                "{{ __type(name: 1.{}e{}) {{ name }} }}",
                "9".repeat(7000),
                "9".repeat(7000)
            )),
        ),
        (
            "odd numbers",
            document("{ a(b: -0, c: 01, d: 1., e: .1, f: 1e, g: --1, h: 0x1) }"),
        ),
        ("zero bytes", document("\0".repeat(1000))),
        (
            "a zero byte in a string",
            document("{ __type(name: \"a\0b\") { name } }"),
        ),
        ("marks of byte order", document("\u{feff}".repeat(5000))),
        ("letters of other alphabets", document("{ Ꭰ ሴ 漢 😀 }")),
        ("right to left", document("{ \u{202e}a\u{202d} }")),
        (
            "keywords as names",
            document("{ query mutation on fragment true false null: __typename }"),
        ),
        ("only punctuation", document("!$&()...:=@[]{|}".repeat(50))),
        ("a schema", document("type Query { a: Int }")),
    ]
}

fn variables() -> Vec<(&'static str, String)> {
    let text = "query($x: [Int]) { __typename @include(if: $x) }";
    vec![
        (
            "a variable, 40 deep",
            with_variables(text, &nested(40, "[", "", "]")),
        ),
        (
            "a variable object, 100 deep",
            with_variables(
                text,
                &format!("{{\"x\":{}}}", nested(100, "{\"a\":", "1", "}")),
            ),
        ),
        (
            "a variable, 50000 deep",
            with_variables(text, &format!("{{\"x\":{}}}", nested(50_000, "[", "", "]"))),
        ),
        (
            "a wide variable",
            with_variables(text, &format!("{{\"x\":[{}1]}}", "1,".repeat(100_000))),
        ),
        (
            "many variables",
            with_variables(
                text,
                &format!("{{{}\"x\":[1]}}", many(10_000, |n| format!("\"v{n}\":1,"))),
            ),
        ),
        (
            "a huge number",
            with_variables("query($x: Int) { __typename }", r#"{"x":1e400}"#),
        ),
        (
            "a long integer",
            with_variables(
                "query($x: Int) { __typename }",
                &format!("{{\"x\":{}}}", "9".repeat(10_000)),
            ),
        ),
        (
            "a float for a page size",
            with_variables(
                "query($first: Int) { a(first: $first) { b } }",
                r#"{"first":1e18}"#,
            ),
        ),
        (
            "a negative page size",
            with_variables(
                "query($first: Int) { a(first: $first) { b } }",
                r#"{"first":-2147483648}"#,
            ),
        ),
        (
            "a page size as literal",
            document("{ a(first: 99999999999999999999999) { b } }"),
        ),
        (
            "a variable of no type",
            with_variables("query($x: Nothing!) { __typename }", r#"{"x":{}}"#),
        ),
        (
            "an unknown type with a default",
            document("query($x: [[Nothing!]!] = [[1]]) { __typename }"),
        ),
        (
            "an object type as input",
            with_variables("query($x: Query) { __typename }", r#"{"x":{}}"#),
        ),
        (
            "a name that is no variable's",
            with_variables(
                "query($x: Int) { __typename }",
                r#"{"__proto__":{"x":1},"":1}"#,
            ),
        ),
    ]
}

fn bodies() -> Vec<(&'static str, String)> {
    vec![
        (
            "a batch of 5000",
            format!("[{}{{}}]", r#"{"query":"{ __typename }"},"#.repeat(5000)),
        ),
        ("a body, 100000 deep", "[".repeat(100_000)),
        (
            "keys twice",
            r#"{"query":"{ a }","query":"{ __typename }"}"#.to_owned(),
        ),
        (
            "an unknown operation",
            json!({"query": "query A { a }", "operationName": "x".repeat(10_000)}).to_string(),
        ),
        (
            "a name for what has none",
            json!({"query": "{ a }", "operationName": "A"}).to_string(),
        ),
    ]
}
