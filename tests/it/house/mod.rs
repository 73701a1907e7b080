//! Tests of the building: its walls, its schema, its doors, and what a list costs.

mod anonymous;
mod migrations;
mod schema;
mod statements;
mod walls;
