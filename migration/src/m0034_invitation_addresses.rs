//! An index that finds the invitations of an address, which are deleted with its account.

crate::ddl::step! {
    up: &["CREATE INDEX invitation_email ON invitation (email_key) WHERE email_key IS NOT NULL"],
    down: &["DROP INDEX invitation_email"],
}
