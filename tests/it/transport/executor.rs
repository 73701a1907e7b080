//! The behavior of the executor that we rely on and that its newer versions broke: keys keep the requested order, and
//! null propagates to the nearest nullable field. Do not upgrade to a version that fails here.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Result, Schema, SimpleObject};
use serde_json::{Value, json};

struct Query;

#[derive(SimpleObject)]
struct Leaf {
    name: &'static str,
}

struct Tree;

#[Object]
impl Tree {
    async fn boom(&self) -> Result<String> {
        tokio::task::yield_now().await;
        Err("boom".into())
    }

    async fn leaf(&self) -> Leaf {
        Leaf { name: "leaf" }
    }

    async fn soft(&self) -> Option<Result<String>> {
        tokio::task::yield_now().await;
        Some(Err("soft".into()))
    }

    async fn hard(&self) -> Result<Option<String>> {
        tokio::task::yield_now().await;
        Err("hard".into())
    }
}

#[Object]
impl Query {
    async fn slow(&self) -> &str {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        "slow"
    }

    async fn fast(&self) -> &str {
        "fast"
    }

    async fn tree(&self) -> Option<Tree> {
        Some(Tree)
    }

    async fn trees(&self) -> Vec<Option<Tree>> {
        vec![Some(Tree), Some(Tree)]
    }

    async fn certain(&self) -> Tree {
        Tree
    }
}

async fn execute(query: &str) -> (String, Value) {
    let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
    let text = serde_json::to_string(&schema.execute(query).await).unwrap();
    let json = serde_json::from_str(&text).unwrap();
    (text, json)
}

#[tokio::test]
async fn keys_keep_the_requested_order() {
    let (text, _) =
        execute("{ slow fast again: slow tree { leaf { name } } ...F } fragment F on Query { last: fast slow }").await;
    let wanted = r#"{"data":{"slow":"slow","fast":"fast","again":"slow","tree":{"leaf":{"name":"leaf"}},"last":"fast"}}"#;
    assert_eq!(text, wanted);
}

#[tokio::test]
async fn null_rises_to_the_nearest_field_that_may_be_null() {
    let (_, json) = execute("{ fast tree { leaf { name } boom } }").await;
    assert_eq!(json["data"], json!({"fast": "fast", "tree": null}));
    assert_eq!(json["errors"][0]["path"], json!(["tree", "boom"]));

    let (_, json) = execute("{ trees { boom } }").await;
    assert_eq!(json["data"], json!({"trees": [null, null]}));

    let (_, json) = execute("{ fast certain { boom } }").await;
    assert_eq!(json["data"], Value::Null);
}

/// The shape of the resolver decides, not the schema: `Result<Option<T>>` makes the same nullable field, but its error
/// takes the parent and every sibling with it. `graphql::errors::maybe` turns the one into the other.
#[tokio::test]
async fn an_error_stays_in_its_field_only_as_an_option_of_a_result() {
    let (_, json) = execute("{ tree { soft leaf { name } } }").await;
    assert_eq!(
        json["data"]["tree"],
        json!({"soft": null, "leaf": {"name": "leaf"}})
    );
    assert_eq!(json["errors"][0]["path"], json!(["tree", "soft"]));

    let (_, json) = execute("{ tree { hard leaf { name } } }").await;
    assert_eq!(json["data"]["tree"], Value::Null);
}

/// Finds the resolvers that would do so. Only the resolver blocks are read: helper functions may return any type.
#[test]
fn no_resolver_lets_its_error_take_its_siblings_along() {
    let face = concat!(env!("CARGO_MANIFEST_DIR"), "/src/graphql");
    let mut folders = vec![std::path::PathBuf::from(face)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for block in text.split("#[Object").skip(1) {
                let block = block.split("\n}\n").next().unwrap_or_default();
                if block.contains("-> Result<Option<") {
                    found.push(path.clone());
                }
            }
        }
    }
    let advice = "return `Option<Result<T>>` by way of `graphql::errors::maybe`";
    assert!(found.is_empty(), "{advice}: {found:#?}");
}
