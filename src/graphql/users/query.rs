//! The user queries: `Query.user` and `Query.users`.

use async_graphql::{Context, Object};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, sea_query::ExprTrait};

use crate::{
    domain::{pagination::PageRequest, presence, users},
    entity::user,
    graphql::{
        context::{app, unbatched, viewer},
        errors::{Result, nullable},
        pagination::{Page, forward},
        text_filter,
        users::{
            loader::UserKey,
            types::{User, UserConnection, UserFilter, UserLookup},
        },
    },
    id::UserId,
};

/// The user queries.
#[derive(Default, Debug)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// One user, by id or username.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user to find.")] by: UserLookup,
    ) -> Option<Result<User>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            match by {
                UserLookup::Id(id) => unbatched(ctx).load_one(UserKey(id)).await,
                UserLookup::Username(name) => {
                    let key = users::key(name.trim());
                    let found = users::visible(viewer).filter(user::Column::UsernameKey.eq(key));
                    Ok(found.one(app(ctx).db.read()).await?.map(User::from))
                }
            }
        })
        .await
    }

    /// Users of this server by display name. Users who are hidden from search are left out.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Narrow the list.")] filter: Option<UserFilter>,
        #[graphql(default_with = "Some(20)")] first: Option<i32>,
        after: Option<String>,
    ) -> Option<Result<UserConnection>> {
        nullable(async {
            let viewer = viewer(ctx)?;
            let request: PageRequest<(String, UserId)> = forward(first, 20, after)?;
            let app = app(ctx);
            let (text, online_only) = filter.map_or((None, None), |f| (f.text, f.online_only));
            let text = text_filter::read(app, viewer, text).await?;
            let online = (online_only == Some(true))
                .then(|| presence::online(app.db.backend(), viewer, app.clock.now()));
            let matching = users::searchable(viewer)
                .filter(Condition::all().add_option(text.map(|text| users::name_matches(&text))))
                .filter(Condition::all().add_option(online));
            let key = |row: &user::Model| (row.display_name_key.clone(), row.id);
            let load = |request: PageRequest<(String, UserId)>| {
                let after = request.after.as_ref().map(|(name, id)| {
                    let same_name = user::Column::DisplayNameKey.eq(name);
                    Condition::any()
                        .add(user::Column::DisplayNameKey.gt(name))
                        .add(same_name.and(user::Column::Id.gt(*id)))
                });
                let select = matching
                    .clone()
                    .filter(Condition::all().add_option(after))
                    .order_by_asc(user::Column::DisplayNameKey)
                    .order_by_asc(user::Column::Id)
                    .limit(request.limit());
                async move { Ok(request.part(select.all(app.db.read()).await?)) }
            };
            let page = Page::read(ctx, &request, key, load).await?;
            Ok(Some(page.map(User::from).into()))
        })
        .await
    }
}
