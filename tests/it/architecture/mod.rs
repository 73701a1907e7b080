//! Tests about the structure of the code: its layers, imports, vocabulary, schema and migrations, who may read which
//! field, and how many statements a list costs.

mod anonymous;
mod authorization;
mod constant_work;
mod cost_of_work;
mod cycles;
mod entities;
mod fields;
mod layering;
mod migrations;
mod nul;
mod plans;
mod policy;
mod schema;
mod side_channels;
mod sources;
mod sql;
mod statements;
mod vocabulary;
