//! Authenticates requests by access tokens: this server's own and those of trusted issuers.

use super::admit::admit;
use crate::{
    core::Core,
    domain::sessions::{self, Viewer},
    error::{Code, Error},
};

/// Returns the viewer of an access token. The first token of a user of a trusted issuer creates the account.
pub async fn authenticate(core: &Core, token: &str) -> Result<Viewer, Error> {
    let lifetime = core.config.access_token_lifetime;
    if let Some(access) = core.keys.read_access(token, core.clock.now(), lifetime) {
        return sessions::viewer(core, &access).await;
    }
    if core.trusted_issuers.is_empty() {
        return Err(Error::unauthenticated());
    }
    Box::pin(authenticate_issued(core, token)).await
}

async fn authenticate_issued(core: &Core, token: &str) -> Result<Viewer, Error> {
    if let Some(access) = core.trusted_issuers.known(token) {
        match sessions::viewer(core, &access).await {
            // The session has ended or expired. The token may be newer than the end.
            Err(error) if error.code() == Code::Unauthenticated => {}
            result => return result,
        }
    }
    let verified = core.trusted_issuers.verify(token).await;
    let issued = verified.map_err(|problem| {
        tracing::debug!(%problem, "a token was refused; heddle token check explains it too");
        Error::unauthenticated()
    })?;
    let access = admit(core, &issued).await?;
    core.trusted_issuers.keep(token, access);
    sessions::viewer(core, &access).await
}
