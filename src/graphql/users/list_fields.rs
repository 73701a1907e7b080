//! The fields of `User` that list plans serialise.

use async_graphql::ScalarType;

use crate::{
    entity::user,
    graphql::{
        list_plan::{FieldPlan, FieldSelection, Part, PlannedObject, field},
        scalars::DateTime,
        users::types::User,
    },
};

impl Part<user::Model> for User {
    fn part(&self) -> &user::Model {
        &self.0
    }
}

impl PlannedObject for User {
    fn field(name: &str, within: FieldSelection<'_>) -> Option<FieldPlan<Self>> {
        match name {
            "id" => field!(within, user { id } => id),
            "username" => field!(within, user { username } => username),
            "displayName" => field!(within, user { display_name } => display_name),
            "isVerified" => field!(within, user { verified_at } => verified_at.is_some()),
            "isImported" => field!(within, user { import_key } => import_key.is_some()),
            "createdAt" => field!(within, user { created_at } => DateTime(*created_at).to_value()),
            "updatedAt" => field!(within, user { updated_at } => DateTime(*updated_at).to_value()),
            _ => None,
        }
    }
}
