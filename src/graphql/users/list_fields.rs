//! The fields of `User` that list plans serialise.

use async_graphql::ScalarType;

use crate::{
    entity::user::Column,
    graphql::{
        list_plan::{FieldRow, PlannedObject, value},
        scalars::DateTime,
        users::types::User,
    },
};

impl PlannedObject for User {
    type Column = Column;

    const FIELDS: &'static [FieldRow<Self>] = &[
        value("id", &[Column::Id], |of| of.0.id.to_string().into()),
        value("username", &[Column::Username], |of| {
            of.0.username.clone().into()
        }),
        value("displayName", &[Column::DisplayName], |of| {
            of.0.display_name.clone().into()
        }),
        value("isVerified", &[Column::VerifiedAt], |of| {
            of.0.verified_at.is_some().into()
        }),
        value("createdAt", &[Column::CreatedAt], |of| {
            DateTime(of.0.created_at).to_value()
        }),
    ];
}
