//! Direct conversations that a participant hides until someone writes in them again.

crate::ddl::step! {
    up: &["ALTER TABLE participant ADD COLUMN hidden_seq INTEGER"],
    down: &["ALTER TABLE participant DROP COLUMN hidden_seq"],
}
