//! Counts the statements that are written as SQL and those that SeaORM builds. The number of SQL statements may only
//! fall.

use super::sources::{Kind, Token, production, read_production, tokens};

/// SQL call sites outside `src/db`. Lower this number when you replace one by the query builder.
const MOST_SQL_CALLS: usize = 76;

/// Queries and writes through entities outside `src/db`.
const LEAST_ENTITY_CALLS: usize = 176;

#[test]
fn sql_text_is_the_exception() {
    let (mut sql, mut entity) = (0, 0);
    for source in read_production("src") {
        if source.path.starts_with("src/db/") {
            continue;
        }
        let code = production(&tokens(&source.text));
        for index in 0..code.len() {
            sql += usize::from(is_sql_call(&code, index));
            entity += usize::from(is_entity_call(&code, index));
        }
    }
    assert!(
        sql <= MOST_SQL_CALLS,
        "src has {sql} SQL call sites outside src/db, more than {MOST_SQL_CALLS}: use an entity query or an \
         ActiveModel, as CONTRIBUTING.md explains"
    );
    assert!(
        entity >= LEAST_ENTITY_CALLS,
        "src has {entity} entity queries and writes, fewer than {LEAST_ENTITY_CALLS}"
    );
}

fn is_sql_call(code: &[Token<'_>], index: usize) -> bool {
    is_call(code, index)
        && match code[index].text {
            "fetch_all" | "fetch_one" | "fetch_tuples" | "fetch_page" | "execute_raw"
            | "execute_unprepared" => true,
            "execute" => follows_path(code, index, "db"),
            name => name.starts_with("query_") && name.ends_with("_raw"),
        }
}

fn is_entity_call(code: &[Token<'_>], index: usize) -> bool {
    match code[index].text {
        "find" | "find_by_id" | "insert" | "insert_many" | "update" | "update_many" | "delete"
        | "delete_many" | "delete_by_id" => {
            is_call(code, index) && follows_path(code, index, "Entity")
        }
        // `visible` is the scoped select of a noun, which starts from its entity.
        "visible" => is_call(code, index),
        "into_active_model" => true,
        "ActiveModel" => {
            code.get(index + 1).is_some_and(|next| next.is("{")) && !is_impl(code, index)
        }
        _ => false,
    }
}

/// Whether the name at this index is called: its definition and its imports do not count.
fn is_call(code: &[Token<'_>], index: usize) -> bool {
    let follows = |offset: usize, text| {
        code.get(index + offset)
            .is_some_and(|t: &Token<'_>| t.is(text))
    };
    code[index].kind == Kind::Identifier
        && (follows(1, "(") || (follows(1, ":") && follows(2, ":") && follows(3, "<")))
        && !(index > 0 && code[index - 1].is("fn"))
}

fn follows_path(code: &[Token<'_>], index: usize, name: &str) -> bool {
    index >= 3 && code[index - 1].is(":") && code[index - 2].is(":") && code[index - 3].is(name)
}

fn is_impl(code: &[Token<'_>], index: usize) -> bool {
    index > 0 && code[index - 1].is("for")
}
