//! Every id type: minted, stored and shown. The one file below the face that may know GraphQL.
//!
//! An id is a `UUIDv7`, 16 bytes in the database. Outside it is a type prefix and the 26-character
//! suffix of the TypeID standard (Crockford's base 32, lower case), for example
//! `msg_01jd3k9v0efq8r2m4h6t8w0y2a`. Ids are opaque by contract.
//!
//! Text that is no id of the wanted type becomes the nil id, which nothing has: a wrong prefix or a
//! bad suffix is NOT_FOUND, exactly like an id that never existed.

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

/// A fresh, time-ordered UUID.
#[must_use]
pub fn mint() -> Uuid {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that mints ids"
    )]
    Uuid::now_v7()
}

/// A fresh id for each row that a statement makes by itself, as SQL; binds [`stem`]. The rest of each is random.
#[must_use]
pub fn minted_in(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "CAST(? || right(replace(CAST(gen_random_uuid() AS text), '-', ''), 14) AS uuid)"
        }
        _ => "unhex(? || hex(randomblob(7)))",
    }
}

/// What such ids have in common, in hexadecimal: the time, and that they are what [`mint`] makes.
#[must_use]
pub fn stem() -> String {
    let mut stem = mint().simple().to_string();
    stem.truncate(18);
    stem
}

/// The time-ordered UUID of this time and these random bytes: made-up history is the same each time
/// it is made.
#[must_use]
pub fn made_at(time: DateTime<Utc>, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// The UUID that follows from these bytes, a digest of the name of something that comes from elsewhere:
/// brought in again, it is the same.
#[must_use]
pub fn named(digest: [u8; 16]) -> Uuid {
    uuid::Builder::from_custom_bytes(digest).into_uuid()
}

/// The TypeID suffix of a UUID: 26 characters, the first of which is at most `7`.
fn suffix(uuid: Uuid) -> String {
    let mut number = uuid.as_u128();
    let mut letters = [0; SUFFIX_LENGTH];
    for letter in letters.iter_mut().rev() {
        let [low, ..] = number.to_le_bytes();
        *letter = ALPHABET
            .get(usize::from(low & 31))
            .copied()
            .unwrap_or_default();
        number >>= 5;
    }
    letters.map(char::from).iter().collect()
}

/// The UUID of a TypeID suffix; `None` when it is not one.
fn from_suffix(text: &str) -> Option<Uuid> {
    if text.len() != SUFFIX_LENGTH || text.as_bytes().first()? > &b'7' {
        return None;
    }
    text.bytes()
        .try_fold(0_u128, |number, byte| {
            let digit = ALPHABET.iter().position(|&letter| letter == byte)?;
            Some(number << 5 | u128::try_from(digit).ok()?)
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
                /// A new id, later than every earlier one of this process.
                #[must_use]
                pub fn mint() -> Self {
                    Self(mint())
                }

                /// The id that this text shows, or the nil id.
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

        /// An id whose type is told by its prefix: what `node(id:)` takes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AnyId {
            $(
                $(#[$doc])*
                $name($name),
            )*
        }

        impl AnyId {
            /// The id that this text shows; `None` when its prefix or suffix is not one of ours.
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
    /// A person.
    UserId = "usr";
    /// A person's own view; the same UUID as their [`UserId`].
    ViewerId = "vwr";
    /// A person's settings; the same UUID as their [`UserId`].
    PreferencesId = "prf";
    /// A person's badge totals; the same UUID as their [`UserId`].
    UnreadTotalsId = "unr";
    /// A signed-in device or browser.
    SessionId = "ses";
    /// A conversation.
    ConversationId = "cnv";
    /// Someone's membership of a conversation, as everybody in it sees it.
    ParticipantId = "prt";
    /// The same row as [`ParticipantId`], as its owner alone sees it.
    MembershipId = "mbr";
    /// A message.
    MessageId = "msg";
    /// A thread; the same UUID as its root's [`MessageId`].
    ThreadId = "thr";
    /// A text that an edit replaced.
    RevisionId = "rev";
    /// A notification.
    NotificationId = "ntf";
    /// This server; the UUID is nil.
    ServerId = "srv";
    /// A background job.
    JobId = "job";
}

impl From<ThreadId> for MessageId {
    /// The root of the thread.
    fn from(id: ThreadId) -> Self {
        Self(id.0)
    }
}

impl From<MessageId> for ThreadId {
    /// The thread below this root.
    fn from(id: MessageId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_uuid_survives_its_suffix() {
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
    fn the_standards_own_examples_hold() {
        // github.com/jetify-com/typeid, spec/valid.yml
        let uuid = Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881);
        assert_eq!(suffix(uuid), "01h2xcejqtf2nbrexx3vqjhp41");
        assert_eq!(suffix(Uuid::max()), "7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }

    #[test]
    fn what_is_no_id_is_the_nil_id() {
        let good = MessageId::mint();
        assert_eq!(MessageId::from_text(&good.to_string()), good);
        for bad in [
            "",
            "msg_",
            "msg_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "msg_01H2XCEJQTF2NBREXX3VQJHP41",
            "usr_01h2xcejqtf2nbrexx3vqjhp41",
            "msg_01h2xcejqtf2nbrexx3vqjhp4",
            "msg_01h2xcejqtf2nbrexx3vqjhp4é",
        ] {
            assert_eq!(MessageId::from_text(bad), MessageId(Uuid::nil()), "{bad}");
        }
    }
}
