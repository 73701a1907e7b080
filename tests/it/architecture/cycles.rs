//! No cycle of imports between files, except where it is natural: among the object types of the GraphQL nouns, which
//! refer to each other as the schema does, between a `mod.rs` and its own children, and in the relations of the
//! entities.
//!
//! A name that a module only re-exports counts as an import of the file that defines it.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Kind, Source, Token, production, read_production, starts_with, tokens};

/// The GraphQL nouns, whose types and loaders may import each other.
const NOUNS: &[&str] = &[
    "accounts",
    "conversations",
    "messages",
    "notifications",
    "participants",
    "presence",
    "reads",
    "sessions",
    "threads",
    "users",
];

/// What one file imports: file → an example of what it uses there.
type Imports = BTreeMap<String, String>;

#[test]
fn imports_form_no_cycle() {
    let (mut findings, mut count) = (vec![], 0);
    for (root, folder) in [
        ("src/lib.rs", "src"),
        ("benches/load/main.rs", "benches/load"),
    ] {
        let files = read_production(folder);
        let graph = imports(root, folder, &files);
        let files: BTreeSet<&str> = graph.keys().map(String::as_str).collect();
        for cycle in forbidden_cycles(&graph, &files) {
            count += cycle.len();
            findings.push(describe(&graph, &cycle));
        }
    }
    assert!(
        findings.is_empty(),
        "{count} files import each other in {} cycles. To break one, move what both sides need into a file below \
         them, pass it as an argument, or move the function to the file that uses it:\n{}",
        findings.len(),
        findings.join("\n")
    );
}

/// The groups of files that import each other and must not.
fn forbidden_cycles<'a>(
    graph: &'a BTreeMap<String, Imports>,
    files: &BTreeSet<&'a str>,
) -> Vec<BTreeSet<&'a str>> {
    let mut forbidden = vec![];
    for group in strongly_connected(graph, files) {
        if group.len() < 2 || group.iter().all(|file| is_noun(file)) {
            continue;
        }
        // The `mod.rs` of the folder that contains the whole group may import its children and be imported by them.
        let parent = group.iter().copied().find(|file| {
            file.strip_suffix("mod.rs")
                .is_some_and(|folder| group.iter().all(|file| file.starts_with(folder)))
        });
        match parent {
            Some(parent) => {
                let mut children = group;
                children.remove(parent);
                forbidden.extend(forbidden_cycles(graph, &children));
            }
            None => forbidden.push(group),
        }
    }
    forbidden
}

fn is_noun(file: &str) -> bool {
    file.strip_prefix("src/graphql/")
        .and_then(|path| path.split_once('/'))
        .is_some_and(|(noun, _)| NOUNS.contains(&noun))
}

fn describe(graph: &BTreeMap<String, Imports>, cycle: &BTreeSet<&str>) -> String {
    let mut lines = vec![format!("a cycle of {} files:", cycle.len())];
    for file in cycle {
        for (imported, example) in &graph[*file] {
            if cycle.contains(imported.as_str()) {
                lines.push(format!("  {file} uses {example} of {imported}"));
            }
        }
    }
    lines.truncate(40);
    lines.join("\n")
}

/// Groups the files by mutual reachability.
fn strongly_connected<'a>(
    graph: &'a BTreeMap<String, Imports>,
    files: &BTreeSet<&'a str>,
) -> Vec<BTreeSet<&'a str>> {
    let reachable: BTreeMap<&str, BTreeSet<&str>> = files
        .iter()
        .map(|file| (*file, reachable(graph, files, file)))
        .collect();
    let mut grouped = BTreeSet::new();
    let mut groups = vec![];
    for file in files {
        if !grouped.contains(file) {
            let mut group: BTreeSet<&str> = reachable[file]
                .iter()
                .copied()
                .filter(|other| reachable[other].contains(file))
                .collect();
            group.insert(file);
            grouped.extend(group.iter().copied());
            groups.push(group);
        }
    }
    groups
}

fn reachable<'a>(
    graph: &'a BTreeMap<String, Imports>,
    files: &BTreeSet<&'a str>,
    start: &str,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        for imported in graph[file].keys() {
            if let Some(imported) = files.get(imported.as_str())
                && found.insert(*imported)
            {
                open.push(imported);
            }
        }
    }
    found
}

/// A path of names, from the root of the crate.
type Names = Vec<String>;

/// What a module makes available under which name.
#[derive(Default)]
struct Module {
    file: String,
    /// Name → path, of every `use`.
    uses: BTreeMap<String, Names>,
    globs: Vec<Names>,
    items: BTreeSet<String>,
}

/// A `use` declaration or a qualified path.
struct Reference {
    /// The module that contains it.
    module: Names,
    path: Names,
    is_use: bool,
    is_public: bool,
    /// The name that a `use` gives to it, or `*`.
    alias: Option<String>,
}

fn imports(root: &str, folder: &str, files: &[Source]) -> BTreeMap<String, Imports> {
    let mut modules: BTreeMap<Names, Module> = BTreeMap::new();
    let mut references = vec![];
    for file in files {
        if file.path == "src/main.rs" {
            continue;
        }
        let all = tokens(&file.text);
        let code = production(&all);
        let module = module_of(root, folder, &file.path);
        scan(&file.path, &code, &module, &mut modules, &mut references);
    }
    let mut globs = vec![];
    for reference in references.iter().filter(|reference| reference.is_use) {
        let Some(alias) = &reference.alias else {
            continue;
        };
        let Some(path) = absolute(&modules, &reference.module, &reference.path) else {
            continue;
        };
        let module = modules.get_mut(&reference.module).unwrap();
        if alias == "*" {
            module.globs.push(path.clone());
            globs.push((reference.module.clone(), path));
        } else {
            module.uses.insert(alias.clone(), path);
        }
    }
    let mut graph: BTreeMap<String, Imports> = modules
        .values()
        .map(|module| (module.file.clone(), Imports::new()))
        .collect();
    for reference in &references {
        // A re-export is no dependency: its users depend on the file that defines the name.
        if reference.is_use && reference.is_public {
            continue;
        }
        let Some(path) = absolute(&modules, &reference.module, &reference.path) else {
            continue;
        };
        let Some((file, item)) = definition(&modules, &path, 0) else {
            continue;
        };
        let importer = &modules[&reference.module].file;
        if let Some(item) = item
            && file != *importer
            && !is_relation(importer, &file, &item)
        {
            graph.get_mut(importer).unwrap().entry(file).or_insert(item);
        }
    }
    graph
}

/// Whether an entity names another table in its relations. SeaORM describes a relation on both sides.
fn is_relation(importer: &str, file: &str, item: &str) -> bool {
    let is_entity = |path: &str| path.starts_with("src/entity/");
    is_entity(importer) && is_entity(file) && matches!(item, "Entity" | "Column" | "Relation")
}

/// Returns the module that a file contains.
fn module_of(root: &str, folder: &str, path: &str) -> Names {
    if path == root {
        return vec![];
    }
    let path = path.trim_start_matches(folder).trim_start_matches('/');
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

fn scan(
    file: &str,
    code: &[Token<'_>],
    module: &Names,
    modules: &mut BTreeMap<Names, Module>,
    references: &mut Vec<Reference>,
) {
    let own = modules.entry(module.clone()).or_default();
    file.clone_into(&mut own.file);
    let mut index = 0;
    while index < code.len() {
        let token = code[index];
        if token.is("mod") && code.get(index + 2).is_some_and(|next| next.is("{")) {
            let end = closing(code, index + 2);
            let mut inner = module.clone();
            inner.push(code[index + 1].text.to_owned());
            scan(file, &code[index + 3..end], &inner, modules, references);
            index = end + 1;
        } else if token.is("use") {
            let end = (index..code.len())
                .find(|at| code[*at].is(";"))
                .unwrap_or(code.len());
            let is_public = index > 0 && (code[index - 1].is("pub") || code[index - 1].is(")"));
            let mut leaves = vec![];
            tree(&code[index + 1..end], &mut vec![], &mut leaves);
            references.extend(leaves.into_iter().map(|(path, alias)| Reference {
                module: module.clone(),
                path,
                is_use: true,
                is_public,
                alias: Some(alias),
            }));
            index = end + 1;
        } else if token.kind == Kind::Identifier {
            if is_definition(code, index) {
                modules
                    .get_mut(module)
                    .unwrap()
                    .items
                    .insert(code[index + 1].text.to_owned());
            }
            let (path, next) = qualified(code, index);
            if path.len() > 1 && !(index > 0 && code[index - 1].is(":")) {
                references.push(Reference {
                    module: module.clone(),
                    path,
                    is_use: false,
                    is_public: false,
                    alias: None,
                });
            }
            index = next;
        } else {
            index += 1;
        }
    }
}

fn is_definition(code: &[Token<'_>], index: usize) -> bool {
    let keywords = [
        "fn", "struct", "enum", "trait", "type", "const", "static", "union",
    ];
    keywords.contains(&code[index].text)
        && code
            .get(index + 1)
            .is_some_and(|next| next.kind == Kind::Identifier)
}

fn closing(code: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (index, token) in code.iter().enumerate().skip(open) {
        if token.is("{") {
            depth += 1;
        } else if token.is("}") {
            depth -= 1;
            if depth == 0 {
                return index;
            }
        }
    }
    code.len() - 1
}

/// Reads `a::b::c` and returns it with the index after it.
fn qualified(code: &[Token<'_>], start: usize) -> (Names, usize) {
    let mut path = vec![code[start].text.to_owned()];
    let mut index = start + 1;
    while starts_with(&code[index..], &[":", ":"])
        && code
            .get(index + 2)
            .is_some_and(|next| next.kind == Kind::Identifier)
    {
        path.push(code[index + 2].text.to_owned());
        index += 3;
    }
    (path, index)
}

/// Reads the tree of a `use`: each leaf with the name that it gets.
fn tree(code: &[Token<'_>], prefix: &mut Names, leaves: &mut Vec<(Names, String)>) {
    let depth = prefix.len();
    let mut index = 0;
    while index < code.len() {
        let token = code[index];
        if token.is("{") {
            let end = closing(code, index);
            let mut start = index + 1;
            let mut level = 0;
            for at in index + 1..=end {
                if code[at].is("{") {
                    level += 1;
                } else if code[at].is("}") && at < end {
                    level -= 1;
                } else if level == 0 && (code[at].is(",") || at == end) {
                    tree(&code[start..at], prefix, leaves);
                    start = at + 1;
                }
            }
            prefix.truncate(depth);
            return;
        } else if token.is("*") {
            leaves.push((prefix.clone(), "*".to_owned()));
            prefix.truncate(depth);
            return;
        } else if token.is("as") {
            leaves.push((prefix.clone(), code[index + 1].text.to_owned()));
            prefix.truncate(depth);
            return;
        } else if token.kind == Kind::Identifier && (!token.is("self") || prefix.is_empty()) {
            prefix.push(token.text.to_owned());
        }
        index += 1;
    }
    if let Some(last) = prefix.last() {
        leaves.push((prefix.clone(), last.clone()));
    }
    prefix.truncate(depth);
}

/// Returns the path from the root of the crate, or nothing if it belongs to another crate or names something local.
fn absolute(modules: &BTreeMap<Names, Module>, module: &Names, path: &Names) -> Option<Names> {
    let mut base = module.clone();
    let mut rest = path.as_slice();
    match rest.first()?.as_str() {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                base.pop()?;
                rest = &rest[1..];
            }
        }
        name => {
            let own = modules.get(module)?;
            if let Some(used) = own.uses.get(name) {
                base.clone_from(used);
                rest = &rest[1..];
            } else {
                base.push(name.to_owned());
                if !modules.contains_key(&base) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

/// Returns the file that defines what the path names, through re-exports, and the item; no item when the path names a
/// module.
fn definition(
    modules: &BTreeMap<Names, Module>,
    path: &Names,
    depth: usize,
) -> Option<(String, Option<String>)> {
    if depth > 16 {
        return None;
    }
    let mut current = vec![];
    for (index, name) in path.iter().enumerate() {
        let mut child = current.clone();
        child.push(name.clone());
        if modules.contains_key(&child) {
            current = child;
            continue;
        }
        let module = modules.get(&current)?;
        let rest = &path[index + 1..];
        if let Some(used) = module.uses.get(name) {
            let path = [used, rest].concat();
            return definition(modules, &path, depth + 1);
        }
        if !module.items.contains(name) {
            for glob in &module.globs {
                if modules
                    .get(glob)
                    .is_some_and(|glob| glob.items.contains(name))
                {
                    let path = [glob, &path[index..]].concat();
                    return definition(modules, &path, depth + 1);
                }
            }
        }
        return Some((module.file.clone(), Some(name.clone())));
    }
    Some((modules.get(&current)?.file.clone(), None))
}
