//! The tables of Heddle: the list of migrations, with one file for each. This crate never imports the server.
//!
//! Migrations expand first and contract a release later, and every migration can be reverted. The statements are SQL,
//! written once for both databases: [`ddl`] replaces the few type names that differ.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod ddl;
mod m0001_accounts;
mod m0002_conversations;
mod m0003_messages;
mod m0004_read_state;
mod m0005_notifications;
mod m0006_events;
mod m0007_jobs;
mod m0008_unknown_sign_ins;
mod m0009_installation;
mod m0010_title_keys;
mod m0011_message_indexes;
mod m0012_presence;
mod m0013_read_receipts;
mod m0014_unread_counts;
mod m0015_root_counts;
mod m0016_lean_notifications;
mod m0017_no_statistics;
mod m0018_profile_events;
mod m0019_sign_in_attempts;
mod m0020_import_keys;
mod m0021_log_epoch;
mod m0022_caseless_keys;
mod m0023_deep_replies;
mod m0024_messages_by_time;
mod m0025_hidden_conversations;
mod m0026_participant_lists;
mod m0027_plain_notifications;
mod m0028_reclaim_space;
mod m0029_derived_replies;
mod m0030_email_tokens;
mod m0031_pending_emails;
mod m0032_audit_log;
mod m0033_invitations;
mod m0034_invitation_addresses;
mod m0035_second_factor;
mod m0036_suspended_users;
mod m0037_blocks;
mod m0038_invitation_creators;
mod m0039_identities;

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_accounts::Step),
            Box::new(m0002_conversations::Step),
            Box::new(m0003_messages::Step),
            Box::new(m0004_read_state::Step),
            Box::new(m0005_notifications::Step),
            Box::new(m0006_events::Step),
            Box::new(m0007_jobs::Step),
            Box::new(m0008_unknown_sign_ins::Step),
            Box::new(m0009_installation::Step),
            Box::new(m0010_title_keys::Step),
            Box::new(m0011_message_indexes::Step),
            Box::new(m0012_presence::Step),
            Box::new(m0013_read_receipts::Step),
            Box::new(m0014_unread_counts::Step),
            Box::new(m0015_root_counts::Step),
            Box::new(m0016_lean_notifications::Step),
            Box::new(m0017_no_statistics::Step),
            Box::new(m0018_profile_events::Step),
            Box::new(m0019_sign_in_attempts::Step),
            Box::new(m0020_import_keys::Step),
            Box::new(m0021_log_epoch::Step),
            Box::new(m0022_caseless_keys::Step),
            Box::new(m0023_deep_replies::Step),
            Box::new(m0024_messages_by_time::Step),
            Box::new(m0025_hidden_conversations::Step),
            Box::new(m0026_participant_lists::Step),
            Box::new(m0027_plain_notifications::Step),
            Box::new(m0028_reclaim_space::Step),
            Box::new(m0029_derived_replies::Step),
            Box::new(m0030_email_tokens::Step),
            Box::new(m0031_pending_emails::Step),
            Box::new(m0032_audit_log::Step),
            Box::new(m0033_invitations::Step),
            Box::new(m0034_invitation_addresses::Step),
            Box::new(m0035_second_factor::Step),
            Box::new(m0036_suspended_users::Step),
            Box::new(m0037_blocks::Step),
            Box::new(m0038_invitation_creators::Step),
            Box::new(m0039_identities::Step),
        ]
    }
}
