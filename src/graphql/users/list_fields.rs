//! The fields of `User` that list plans serialise.

use async_graphql::{ScalarType, Value};

use crate::{
    entity::user,
    graphql::{
        list_plan::{PlannedObject, RequiredColumns},
        scalars::DateTime,
        users::types::User,
    },
};

impl PlannedObject for User {
    fn leaf(name: &str) -> Option<fn(&Self) -> Value> {
        Some(match name {
            "id" => |of| of.0.id.to_string().into(),
            "username" => |of| of.0.username.clone().into(),
            "displayName" => |of| of.0.display_name.clone().into(),
            "isVerified" => |of| of.0.verified_at.is_some().into(),
            "createdAt" => |of| DateTime(of.0.created_at).to_value(),
            _ => return None,
        })
    }

    fn required_columns(name: &str, required_columns: &mut RequiredColumns) {
        let columns: &[&str] = match name {
            "__typename" | "id" => &["id"],
            "username" => &["username"],
            "displayName" => &["display_name"],
            "isVerified" => &["verified_at"],
            "createdAt" => &["created_at"],
            _ => user::Model::COLUMNS,
        };
        required_columns.user.extend(columns);
    }
}
