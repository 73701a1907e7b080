//! The notification mutations.

use async_graphql::{Context, Object};

use crate::{
    domain::notifications,
    graphql::{
        context::{app, viewer},
        errors::{Result, nullable},
        notifications::types::{
            DismissNotificationsInput, DismissNotificationsPayload, MarkNotificationsReadInput,
            MarkNotificationsReadPayload,
        },
    },
};

/// The notification mutations.
#[derive(Default, Debug)]
pub struct NotificationMutation;

#[Object]
impl NotificationMutation {
    /// Mark notifications read.
    async fn mark_notifications_read(
        &self,
        ctx: &Context<'_>,
        input: MarkNotificationsReadInput,
    ) -> Option<Result<MarkNotificationsReadPayload>> {
        nullable(async {
            let selection = input.notifications.into();
            let count = notifications::mark_read(app(ctx), viewer(ctx)?, &selection).await?;
            Ok(Some(MarkNotificationsReadPayload {
                marked_count: i32::try_from(count).unwrap_or(i32::MAX),
            }))
        })
        .await
    }

    /// Remove notifications from the viewer's list.
    async fn dismiss_notifications(
        &self,
        ctx: &Context<'_>,
        input: DismissNotificationsInput,
    ) -> Option<Result<DismissNotificationsPayload>> {
        nullable(async {
            let selection = input.notifications.into();
            let dismissed = notifications::dismiss(app(ctx), viewer(ctx)?, &selection).await?;
            Ok(Some(DismissNotificationsPayload {
                dismissed_notification_ids: dismissed,
            }))
        })
        .await
    }
}
