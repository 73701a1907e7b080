//! Tests of the building: its walls, its schema, its doors, and what a list costs.

mod anonymous;
mod fields;
mod matrix;
mod migrations;
mod plans;
mod policy;
mod schema;
mod statements;
mod walls;
