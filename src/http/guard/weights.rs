//! What a field costs by itself, in addition to the fields within it.

/// The fields that cost more than one, by type: they search or count rows for each object. A test measures the work of
/// every field (`tests/it/architecture/cost_of_work.rs`).
const WEIGHTS: [(&str, &str, u64); 9] = [
    // A filter can match the last of all entries.
    ("Admin", "auditLog", 350),
    ("Conversation", "displayTitle", 4),
    ("Conversation", "participants", 4),
    ("Participant", "lastReadMessage", 3),
    ("Thread", "participants", 4),
    ("Thread", "viewerFirstUnreadMessage", 6),
    ("Thread", "viewerLastReadMessage", 6),
    ("Thread", "viewerUnreadCount", 8),
    // Reads a message of each conversation, and on PostgreSQL a page of each.
    ("Viewer", "messages", 350),
];

/// The cost of a field of this type.
pub(super) fn weight(of_type: &str, field: &str) -> u64 {
    let mut weights = WEIGHTS.iter();
    let found = weights.find(|(name, of, _)| *of == field && *name == of_type);
    found.map_or(1, |(.., weight)| *weight)
}

#[cfg(test)]
mod tests {
    use apollo_compiler::Schema;

    use super::*;

    #[test]
    fn the_schema_has_the_fields_of_the_table() {
        let text = include_str!("../../../schema.graphql");
        let schema = Schema::parse_and_validate(text, "schema.graphql").unwrap();
        for (of_type, field, cost) in WEIGHTS {
            assert!(
                schema.type_field(of_type, field).is_ok(),
                "{of_type}.{field}"
            );
            assert_eq!(weight(of_type, field), cost);
        }
        assert_eq!(weight("Thread", "id"), 1);
    }
}
