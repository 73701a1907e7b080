//! The id types: their generation, their storage and their text form. This is the only file below `graphql` that uses
//! async-graphql.
//!
//! An id is a `UUIDv7`, which the database stores in 16 bytes. Its text form is a type prefix and the 26-character
//! suffix of the TypeID standard (Crockford's base 32 in lower case), for example `msg_01jd3k9v0efq8r2m4h6t8w0y2a`.
//! Clients must treat ids as opaque.
//!
//! Text that is not an id of the expected type parses as the nil id, which no row has. A wrong prefix or suffix
//! therefore results in NOT_FOUND, like an id that does not exist.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, ID, InputType, InputValueError, InputValueResult, OutputType, Positioned,
    ServerResult, Value, parser::types::Field, registry::Registry,
};
use chrono::{DateTime, Utc};
use sea_orm::DbBackend;
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_LENGTH: usize = 26;

/// Generates a time-ordered UUID.
#[must_use]
pub fn mint() -> Uuid {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the only function that generates ids"
    )]
    Uuid::now_v7()
}

/// Returns a SQL expression that generates an id per row. It binds the value of [`sql_prefix`]; the rest is random.
#[must_use]
pub fn mint_sql(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "CAST(? || right(replace(CAST(gen_random_uuid() AS text), '-', ''), 14) AS uuid)"
        }
        _ => "unhex(? || hex(randomblob(7)))",
    }
}

/// Returns the first 18 hexadecimal digits of a new id: its time and version. The ids of one statement share them.
#[must_use]
pub fn sql_prefix() -> String {
    let mut prefix = mint().simple().to_string();
    prefix.truncate(18);
    prefix
}

/// Returns the time-ordered UUID for this time and these random bytes, so that seeded data is reproducible.
#[must_use]
pub fn from_time(time: DateTime<Utc>, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Returns the UUID for the digest of an external name, so that importing the same object again yields the same id.
#[must_use]
pub fn from_digest(digest: [u8; 16]) -> Uuid {
    uuid::Builder::from_custom_bytes(digest).into_uuid()
}

/// Returns the TypeID suffix of a UUID: 26 characters, the first of which is at most `7`.
fn suffix(uuid: Uuid) -> String {
    let mut number = uuid.as_u128();
    let mut digits = [0; SUFFIX_LENGTH];
    for digit in digits.iter_mut().rev() {
        let [low, ..] = number.to_le_bytes();
        *digit = ALPHABET
            .get(usize::from(low & 31))
            .copied()
            .unwrap_or_default();
        number >>= 5;
    }
    digits.map(char::from).iter().collect()
}

/// Parses a TypeID suffix. `None` if it is invalid.
fn from_suffix(text: &str) -> Option<Uuid> {
    if text.len() != SUFFIX_LENGTH || text.as_bytes().first()? > &b'7' {
        return None;
    }
    text.bytes()
        .try_fold(0_u128, |number, byte| {
            let value = ALPHABET.iter().position(|&digit| digit == byte)?;
            Some(number << 5 | u128::try_from(value).ok()?)
        })
        .map(Uuid::from_u128)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, sea_orm::DeriveValueType)]
            pub struct $name(pub Uuid);

            impl $name {
                /// Generates an id that is greater than all earlier ones of this process.
                #[must_use]
                pub fn mint() -> Self {
                    Self(mint())
                }

                /// Parses an id. Returns the nil id if the text is not an id of this type.
                #[must_use]
                pub fn from_text(text: &str) -> Self {
                    text.strip_prefix(concat!($prefix, "_"))
                        .and_then(from_suffix)
                        .map_or(Self(Uuid::nil()), Self)
                }
            }

            impl std::fmt::Display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(concat!($prefix, "_"))?;
                    f.write_str(&suffix(self.0))
                }
            }

            impl sea_orm::TryFromU64 for $name {
                fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                    Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
                }
            }

            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    to.collect_str(self)
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    let text = Cow::<'de, str>::deserialize(from)?;
                    Ok(Self::from_text(&text))
                }
            }

            impl InputType for $name {
                type RawValueType = Self;

                fn type_name() -> Cow<'static, str> {
                    <ID as InputType>::type_name()
                }

                fn create_type_info(registry: &mut Registry) -> String {
                    <ID as InputType>::create_type_info(registry)
                }

                fn parse(value: Option<Value>) -> InputValueResult<Self> {
                    <ID as InputType>::parse(value)
                        .map(|id| Self::from_text(&id))
                        .map_err(InputValueError::propagate)
                }

                fn to_value(&self) -> Value {
                    Value::String(self.to_string())
                }

                fn as_raw_value(&self) -> Option<&Self> {
                    Some(self)
                }
            }

            impl OutputType for $name {
                fn type_name() -> Cow<'static, str> {
                    <ID as OutputType>::type_name()
                }

                fn create_type_info(registry: &mut Registry) -> String {
                    <ID as OutputType>::create_type_info(registry)
                }

                async fn resolve(
                    &self,
                    _: &ContextSelectionSet<'_>,
                    _: &Positioned<Field>,
                ) -> ServerResult<Value> {
                    Ok(Value::String(self.to_string()))
                }
            }
        )*

        /// An id of any type, which its prefix identifies. `node(id:)` accepts it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AnyId {
            $(
                $(#[$doc])*
                $name($name),
            )*
        }

        impl AnyId {
            /// Parses an id. `None` if its prefix is unknown or its suffix is invalid.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                let (prefix, rest) = text.split_once('_')?;
                let uuid = from_suffix(rest)?;
                match prefix {
                    $($prefix => Some(Self::$name($name(uuid))),)*
                    _ => None,
                }
            }
        }
    };
}

ids! {
    /// A user.
    UserId = "usr";
    /// A user's own view of the account. It has the UUID of their [`UserId`].
    ViewerId = "vwr";
    /// A user's settings. They have the UUID of their [`UserId`].
    PreferencesId = "prf";
    /// A user's unread totals. They have the UUID of their [`UserId`].
    UnreadTotalsId = "unr";
    /// A signed-in device or browser.
    SessionId = "ses";
    /// A conversation.
    ConversationId = "cnv";
    /// A participant of a conversation, as all its participants see it.
    ParticipantId = "prt";
    /// A membership of a conversation, as only its user sees it. It is the row of the [`ParticipantId`].
    MembershipId = "mbr";
    /// A message.
    MessageId = "msg";
    /// A thread. It has the UUID of its root's [`MessageId`].
    ThreadId = "thr";
    /// A text that an edit has replaced.
    RevisionId = "rev";
    /// A notification.
    NotificationId = "ntf";
    /// This server. Its UUID is nil.
    ServerId = "srv";
    /// An invitation to register.
    InvitationId = "inv";
    /// A user of another system whose access tokens are accepted.
    IdentityId = "idn";
    /// A background job.
    JobId = "job";
    /// The administration area. Its UUID is nil.
    AdminId = "adm";
    /// An account, as administrators see it. It has the UUID of its [`UserId`].
    AccountId = "acc";
    /// An entry of the audit log.
    AuditEntryId = "aud";
}

impl From<ThreadId> for MessageId {
    /// Returns the id of the thread's root message.
    fn from(id: ThreadId) -> Self {
        Self(id.0)
    }
}

impl From<MessageId> for ThreadId {
    /// Returns the id of the thread whose root is this message.
    fn from(id: MessageId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_uuid_round_trips_through_its_suffix() {
        for number in [
            0,
            1,
            31,
            32,
            u128::MAX,
            0x0190_f3a5_7b2c_7def_8123_4567_89ab_cdef,
        ] {
            let uuid = Uuid::from_u128(number);
            assert_eq!(from_suffix(&suffix(uuid)), Some(uuid));
        }
    }

    #[test]
    fn the_examples_of_the_standard_hold() {
        // github.com/jetify-com/typeid, spec/valid.yml
        let uuid = Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881);
        assert_eq!(suffix(uuid), "01h2xcejqtf2nbrexx3vqjhp41");
        assert_eq!(suffix(Uuid::max()), "7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }

    #[test]
    fn invalid_text_is_the_nil_id() {
        let valid = MessageId::mint();
        assert_eq!(MessageId::from_text(&valid.to_string()), valid);
        for invalid in [
            "",
            "msg_",
            "msg_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "msg_01H2XCEJQTF2NBREXX3VQJHP41",
            "usr_01h2xcejqtf2nbrexx3vqjhp41",
            "msg_01h2xcejqtf2nbrexx3vqjhp4",
            "msg_01h2xcejqtf2nbrexx3vqjhp4é",
        ] {
            assert_eq!(
                MessageId::from_text(invalid),
                MessageId(Uuid::nil()),
                "{invalid}"
            );
        }
    }
}
