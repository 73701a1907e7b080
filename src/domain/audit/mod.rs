//! The audit log: who signed in, changed rights, administered or deleted, and what was refused. It contains no content and
//! no secrets.
//!
//! Each entry contains the SHA-256 hash of itself and of the hash before it, so that a changed, inserted or removed entry is
//! found ([`verify()`]). What is about persons is stored as details with a random salt. The chain contains only their
//! hash, so that the details of an erased user can be removed and the chain stays valid.

mod chain;
mod details;
mod export;
mod record;
mod retention;
mod search;
mod verify;

pub use details::{AuditChange, AuditDetails};
pub use export::{AuditLine, page};
pub use record::{AuditAction, AuditRecord, AuditTarget, append, append_in, erase_in};
pub use retention::delete_old;
pub use search::{AuditFilter, find, readable};
pub use verify::{AuditHead, AuditReport, verify};
