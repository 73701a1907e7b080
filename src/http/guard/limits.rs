//! How much one document may ask for.

/// The figures. Their defaults are sized so that the standard introspection query and every page of our own client
/// pass with room to spare, while nothing that passes can hold a core for longer than a few milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the document's text.
    pub bytes: u64,
    /// Lexical tokens.
    pub tokens: u64,
    /// Brackets of any kind open at once; also selection sets within each other once fragments are spread.
    pub nesting: u64,
    /// Directives in the whole document.
    pub directives: u64,
    /// Operations in the document.
    pub operations: u64,
    /// Fragments in the document.
    pub fragments: u64,
    /// Aliases in the selected operation and the fragments that it reaches, those of `__typename` among them.
    pub aliases: u64,
    /// Fields of the selected operation once its fragments are spread.
    pub fields: u64,
    /// Fields within each other. The standard introspection query is 15 deep.
    pub depth: u64,
    /// Fields that an answer may hold: each counts once for every item of the lists around it.
    pub cost: u64,
    /// Lists and objects within each other in the variables.
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
