//! The limits on documents and variables. The checks are in the other parts of the guard.

/// The limits. With the defaults, the standard introspection query and all documents of our own client pass easily, and
/// no admitted document occupies a core for more than a few milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Length of the document, in bytes.
    pub bytes: u64,
    /// Lexical tokens in the document.
    pub tokens: u64,
    /// Nested brackets of any kind. Also nested selection sets after fragments are spread.
    pub nesting: u64,
    /// Directives in the document.
    pub directives: u64,
    /// Operations in the document.
    pub operations: u64,
    /// Fragments in the document.
    pub fragments: u64,
    /// Aliases in the selected operation and the fragments that it reaches, including those of `__typename`. Also the
    /// executions of root fields.
    pub aliases: u64,
    /// Fields of the selected operation after fragments are spread.
    pub fields: u64,
    /// Nested fields. The depth of the standard introspection query is 15.
    pub depth: u64,
    /// Fields in the response: each counts once for every item of the lists around it. Four fields of `__schema` and
    /// `__type` count as one. The cost of the standard introspection query is 2,500.
    pub cost: u64,
    /// Nested lists and objects in the variables.
    pub variables: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 * 1024,
            tokens: 1000,
            nesting: 32,
            directives: 10,
            operations: 10,
            fragments: 50,
            aliases: 15,
            fields: 1000,
            depth: 15,
            cost: 5000,
            variables: 32,
        }
    }
}
