//! Recovery codes: each replaces a code of the authenticator app once. Only their hashes are stored.

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, Set};

use crate::{
    auth::secret_token::hash, core::Core, db::Tx, domain::sessions::Viewer, entity::recovery_code,
    error::Error, id::UserId,
};

/// The number of codes of a user.
const CODES: usize = 10;
/// The characters of a code, five bits each: <https://www.crockford.com/base32.html>, which has no similar ones.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 24 characters contain 120 bits.
const CHARACTERS: u32 = 24;
/// The characters between two dashes.
const GROUP: u32 = 4;

/// The number of unused codes.
pub async fn recovery_codes_left(core: &Core, viewer: &Viewer) -> Result<u64, Error> {
    let own = recovery_code::Entity::find().filter(recovery_code::Column::UserId.eq(viewer.user));
    Ok(own.count(core.db.read()).await?)
}

/// Replaces the codes of a user, and returns the new ones.
pub(super) async fn replace_in(tx: &Tx, user: UserId) -> Result<Vec<String>, Error> {
    delete_in(tx, user).await?;
    let codes: Vec<String> = (0..CODES).map(|_| generate()).collect();
    let rows = codes.iter().map(|code| recovery_code::ActiveModel {
        code_hash: Set(hash(&normalise(code))),
        user_id: Set(user),
    });
    recovery_code::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    Ok(codes)
}

/// Deletes the codes of a user.
pub(super) async fn delete_in(tx: &Tx, user: UserId) -> Result<(), Error> {
    recovery_code::Entity::delete_many()
        .filter(recovery_code::Column::UserId.eq(user))
        .exec(tx)
        .await?;
    Ok(())
}

/// Uses a code. Returns whether the user had it.
pub(super) async fn use_in(tx: &Tx, user: UserId, code: &str) -> Result<bool, Error> {
    let deleted = recovery_code::Entity::delete_by_id(hash(&normalise(code)))
        .filter(recovery_code::Column::UserId.eq(user))
        .exec(tx)
        .await?;
    Ok(deleted.rows_affected > 0)
}

fn generate() -> String {
    let bits: u128 = rand::random();
    let mut code = String::new();
    for index in 0..CHARACTERS {
        if index > 0 && index % GROUP == 0 {
            code.push('-');
        }
        let value = usize::try_from((bits >> (5 * index)) & 31).unwrap_or_default();
        code.extend(ALPHABET.get(value).map(|&byte| char::from(byte)));
    }
    code
}

/// Removes what people add or confuse when they copy a code.
fn normalise(code: &str) -> String {
    let characters = code.chars().filter(char::is_ascii_alphanumeric);
    let lower = characters.map(|char| char.to_ascii_lowercase());
    lower
        .map(|char| match char {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_120_bits_in_groups_of_four() {
        let (one, other) = (generate(), generate());
        assert_ne!(one, other);
        assert_eq!(normalise(&one).len(), 24);
        assert!(one.split('-').all(|group| group.len() == 4), "{one}");
    }

    #[test]
    fn a_copied_code_may_have_capitals_spaces_and_similar_letters() {
        assert_eq!(normalise(" ABCD-o1iL "), "abcd0111");
    }
}
