//! Finds the account and the session of a verified token, and creates them if there are none.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select, Set, sea_query::OnConflict,
};

use super::profile::{create_in, update_in};
use crate::{
    auth::{token::Access, trusted_issuers::IssuedToken},
    core::Core,
    db::Tx,
    domain::sessions,
    entity::{identity, session, user},
    error::{Code, Error},
    id::{IdentityId, SessionId, UserId},
};

/// How often the last use of the identity is stored in its session.
const RENEWAL_INTERVAL: TimeDelta = TimeDelta::hours(1);
/// How often an account is created again after another request has taken its name.
const ATTEMPTS: u32 = 4;

/// Returns the user and the session of the token. Fails if the user is suspended, and if the session or the account was
/// ended after the token was issued.
pub(super) async fn admit(core: &Core, token: &IssuedToken) -> Result<Access, Error> {
    let access = |user, session| Access {
        user,
        session,
        expires_at: token.expires_at,
    };
    let profile = token.profile_digest();
    // Most tokens belong to a session, and a refused one must not cost a transaction.
    if let Some(identity) = by_subject(token).one(core.db.read()).await?
        && let Some(user) = account(core.db.read(), &identity, token).await?
        && identity.profile_digest == profile
        && let Some(session) = usable(core.db.read(), core, &identity).await?
        && core.clock.now() - session.refreshed_at < RENEWAL_INTERVAL
    {
        return Ok(access(user.id, session.id));
    }
    let profile = &profile;
    let mut attempts = 1;
    loop {
        let admitted = core
            .db
            .write(|tx| async move { admit_in(&tx, core, token, profile).await })
            .await;
        match admitted {
            Err(error) if error.code() == Code::BadUserInput && attempts < ATTEMPTS => {
                attempts += 1;
            }
            result => return result.map(|(user, session)| access(user, session)),
        }
    }
}

async fn admit_in(
    tx: &Tx,
    core: &Core,
    token: &IssuedToken,
    profile: &[u8],
) -> Result<(UserId, SessionId), Error> {
    let now = core.clock.now();
    // The row exists before the account, so that one of several first requests creates the account.
    let new = identity::ActiveModel {
        id: Set(IdentityId::mint()),
        issuer: Set(token.issuer.clone()),
        subject: Set(token.subject.clone()),
        user_id: Set(None),
        profile_digest: Set(profile.to_owned()),
        released_at: Set(None),
        created_at: Set(now),
    };
    let is_known = OnConflict::columns([identity::Column::Issuer, identity::Column::Subject])
        .do_nothing()
        .to_owned();
    identity::Entity::insert(new)
        .on_conflict(is_known)
        .exec_without_returning(tx)
        .await?;
    let identity = by_subject(token).lock_exclusive().one(tx).await?;
    let identity = identity.ok_or_else(|| Error::internal("an identity is missing"))?;
    let is_unchanged = identity.user_id.is_some() && identity.profile_digest == profile;
    let user = match account(tx, &identity, token).await? {
        Some(user) => {
            if !is_unchanged {
                Box::pin(update_in(tx, core, &user, token)).await?;
            }
            user.id
        }
        None => create_in(tx, core, token).await?,
    };
    let id = identity.id;
    if !is_unchanged {
        let mut changed = identity.clone().into_active_model();
        changed.user_id = Set(Some(user));
        changed.profile_digest = Set(profile.to_owned());
        changed.released_at = Set(None);
        changed.update(tx).await?;
    }
    let session = match usable(tx, core, &identity).await? {
        Some(session) => {
            let renewed = session::ActiveModel {
                id: Set(session.id),
                refreshed_at: Set(now),
                ..Default::default()
            };
            renewed.update(tx).await?.id
        }
        None => sessions::start_issued_in(tx, core, user, id, &token.issuer).await?,
    };
    Ok((user, session))
}

fn by_subject(token: &IssuedToken) -> Select<identity::Entity> {
    identity::Entity::find()
        .filter(identity::Column::Issuer.eq(&token.issuer))
        .filter(identity::Column::Subject.eq(&token.subject))
}

/// Returns the account of the identity, if there is one. Fails if the token may not be used any more.
async fn account(
    db: &impl ConnectionTrait,
    identity: &identity::Model,
    token: &IssuedToken,
) -> Result<Option<user::Model>, Error> {
    let Some(user) = identity.user_id else {
        let is_older = (identity.released_at).is_some_and(|at| token.issued_at <= at);
        return if is_older {
            Err(Error::unauthenticated())
        } else {
            Ok(None)
        };
    };
    let user = user::Entity::find_by_id(user).one(db).await?;
    let is_suspended = user
        .as_ref()
        .is_some_and(|user| user.suspended_at.is_some());
    if is_suspended || last_end(db, identity.id).await? >= Some(token.issued_at) {
        return Err(Error::unauthenticated());
    }
    Ok(user)
}

/// Returns when a session of the identity last ended.
async fn last_end(
    db: &impl ConnectionTrait,
    identity: IdentityId,
) -> Result<Option<DateTime<Utc>>, Error> {
    let ended = session::Entity::find()
        .select_only()
        .column(session::Column::EndedAt)
        .filter(session::Column::IdentityId.eq(identity))
        .filter(session::Column::EndedAt.is_not_null())
        .order_by_desc(session::Column::EndedAt)
        .into_tuple();
    Ok(ended.one(db).await?)
}

/// Returns the session of the identity's tokens that has neither ended nor expired.
async fn usable(
    db: &impl ConnectionTrait,
    core: &Core,
    identity: &identity::Model,
) -> Result<Option<session::Model>, Error> {
    let usable = session::Entity::find()
        .filter(session::Column::IdentityId.eq(identity.id))
        .filter(session::Column::EndedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(core.clock.now()))
        .order_by_desc(session::Column::Id);
    Ok(usable.one(db).await?)
}
