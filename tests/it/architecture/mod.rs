//! Tests of the building: its walls, its schema, its doors, and what a list costs.

mod anonymous;
mod authorization;
mod entities;
mod fields;
mod layering;
mod migrations;
mod plans;
mod policy;
mod schema;
mod statements;
